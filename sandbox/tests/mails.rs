//! The mail server, by a real client and by hand.

mod support;

use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::json;
use support::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn mailer(sandbox: &Sandbox) -> AsyncSmtpTransport<Tokio1Executor> {
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(sandbox.smtp.ip().to_string())
        .port(sandbox.smtp.port())
        .build()
}

fn mail(body: &str) -> Message {
    Message::builder()
        .message_id(Some("<one@example.test>".into()))
        .from(
            "Portal <no-reply@example.test>"
                .parse()
                .expect("an address"),
        )
        .to("gwyn@example.test".parse().expect("an address"))
        .subject("You have a new hospital message — sign in")
        .header(ContentType::TEXT_PLAIN)
        .body(body.to_owned())
        .expect("a mail can be built")
}

#[actix_web::test]
async fn a_mail_arrives_whole_and_readable() {
    let mut sandbox = Sandbox::start();
    let body = "Annwyl Gwyn,\r\n.\r\n..two dots\r\nŵ ŷ £\r\n";
    mailer(&sandbox).send(mail(body)).await.expect("accepted");
    let before = sandbox.get("/mails").await;
    let arrived = &before[0];
    assert_eq!(
        arrived["subject"],
        "You have a new hospital message — sign in"
    );
    assert_eq!(arrived["message_id"], "<one@example.test>");
    assert_eq!(arrived["envelope_to"], json!(["gwyn@example.test"]));
    assert_eq!(
        arrived["text"].as_str().map(str::trim_end),
        Some(body.trim_end())
    );
    sandbox.kill_and_restart();
    assert_eq!(sandbox.get("/mails").await, before, "a restart remembers");
}

#[actix_web::test]
async fn knobs_answer_in_the_middle_of_the_dialogue() {
    let sandbox = Sandbox::start();
    let refuse = json!({ "gwyn@example.test": "550 5.1.1 no such mailbox" });
    sandbox
        .faults(json!({ "smtp": { "refuse": refuse } }))
        .await;
    let error = mailer(&sandbox).send(mail("x")).await.expect_err("refused");
    assert!(error.is_permanent(), "{error}");
    for stage in ["connect", "mail", "rcpt", "data", "end"] {
        sandbox
            .faults(json!({ "smtp": { "fail_next": 1, "fail_at": stage } }))
            .await;
        let error = mailer(&sandbox).send(mail("x")).await.expect_err(stage);
        assert!(error.is_transient(), "{stage}: {error}");
    }
    assert!(sandbox.journal("mail_accepted").await.is_empty());
}

#[actix_web::test]
async fn a_cut_after_the_final_dot_leaves_the_client_in_doubt() {
    let sandbox = Sandbox::start();
    for (knob, kept) in [("cut_at_dot_next", 0), ("lose_answer_next", 1)] {
        sandbox.faults(json!({ "smtp": { knob: 1 } })).await;
        let error = mailer(&sandbox).send(mail("x")).await.expect_err(knob);
        assert!(
            !error.is_permanent() && !error.is_transient(),
            "no reply at all: {error}"
        );
        assert_eq!(sandbox.journal("mail_accepted").await.len(), kept);
    }
}

/// Sends everything at once, as PIPELINING allows, and reads to the end.
async fn talk(sandbox: &Sandbox, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(sandbox.smtp).await.expect("it listens");
    stream.write_all(text).await.expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it hangs up after QUIT");
    answer
}

fn codes(answer: &str) -> Vec<&str> {
    answer
        .lines()
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .filter_map(|line| line.get(..3))
        .collect()
}

#[actix_web::test]
async fn a_pipelined_dialogue_is_answered_in_order() {
    let sandbox = Sandbox::start();
    let answer = talk(
        &sandbox,
        b"NOOP\r\nMAIL FROM:<a@example.test>\r\nEHLO me\r\nRCPT TO:<b@example.test>\r\n\
          MAIL FROM:<a@example.test> SIZE=9\r\nRSET\r\nMAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<b@example.test>\r\n\
          RCPT TO:nobody\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nBOGUS\r\nQUIT\r\n",
    )
    .await;
    let expected = [
        "220", "250", "503", "250", "503", "250", "250", "250", "250", "501", "354", "250", "502",
        "221",
    ];
    assert_eq!(codes(&answer), expected, "{answer}");
    assert_eq!(sandbox.get("/mails").await[0]["text"], ".\r\n");
}

#[actix_web::test]
async fn what_is_too_long_too_large_or_smuggled_is_refused() {
    let sandbox = Sandbox::start();
    let start = "EHLO me\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n";
    let large = "x".repeat(900) + "\r\n";
    for (text, code) in [
        ("x".repeat(999) + "\r\n", "554"),
        ("one\n.\nMAIL FROM:<evil@example.test>\r\n".into(), "554"),
        (large.repeat(1_200), "552"),
    ] {
        let answer = talk(&sandbox, format!("{start}{text}.\r\nQUIT\r\n").as_bytes()).await;
        let expected = ["220", "250", "250", "250", "354", code, "221"];
        assert_eq!(codes(&answer), expected, "{answer}");
    }
    let long = "N".repeat(2_000);
    let answer = talk(
        &sandbox,
        format!("EHLO me\r\n{long}\r\nMAIL FROM:<a@example.test> SIZE=9999999\r\nQUIT\r\n")
            .as_bytes(),
    )
    .await;
    assert_eq!(codes(&answer), ["220", "250", "500", "552", "221"]);
    assert!(sandbox.journal("mail_accepted").await.is_empty());
}
