//! The text provider on the wire.

mod support;

use std::sync::{Arc, Mutex};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;
use support::{ACCOUNT, Sandbox, TOKEN};

const GWYN: &str = "+447700900123";
const PLAIN: [(&str, &str); 3] = [("To", GWYN), ("From", "MyHealth"), ("Body", "Hello")];

#[actix_web::test]
async fn a_text_is_accepted_travels_and_can_be_looked_up() {
    let sandbox = Sandbox::start();
    let (status, sent) = sandbox.send_text(&PLAIN).await.expect("an answer");
    assert_eq!(status, 201);
    assert_eq!(
        (sent["status"].as_str(), sent["num_segments"].as_str()),
        (Some("queued"), Some("1"))
    );
    assert_eq!(sent["date_sent"], json!(null));
    let sid = sent["sid"].as_str().expect("a sid").to_owned();
    assert_eq!(sid.len(), 34);
    sandbox.until("text_status", 2).await;
    let (_, now) = sandbox.twilio(&format!("Messages/{sid}.json")).await;
    assert_eq!(now["status"], "delivered");
    let (_, page) = sandbox
        .twilio("Messages.json?To=%2B447700900123&DateSent%3E=2020-01-01")
        .await;
    assert_eq!(page["messages"][0]["sid"], sid.as_str());
    assert_eq!(page["next_page_uri"], json!(null));
    let (_, page) = sandbox.twilio("Messages.json?To=%2B447700900124").await;
    assert_eq!(page["messages"], json!([]));
    let (status, missing) = sandbox.twilio("Messages/SM0.json").await;
    assert_eq!(
        (status.as_u16(), missing["code"].as_u64()),
        (404, Some(20_404))
    );
}

#[actix_web::test]
async fn a_listing_has_pages() {
    let sandbox = Sandbox::start();
    for n in 0..3 {
        let body = format!("Hello {n}");
        sandbox
            .send_text(&[("To", GWYN), ("From", "MyHealth"), ("Body", &body)])
            .await
            .expect("an answer");
    }
    let (_, first) = sandbox
        .twilio("Messages.json?To=%2B447700900123&PageSize=2")
        .await;
    assert_eq!(first["messages"][0]["body"], "Hello 2");
    let next = first["next_page_uri"].as_str().expect("another page");
    let next = next.rsplit_once("/").expect("a path").1.to_owned();
    let (_, second) = sandbox.twilio(&next).await;
    assert_eq!(second["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(second["messages"][0]["body"], "Hello 0");
}

#[actix_web::test]
async fn mistakes_get_the_providers_own_codes() {
    let sandbox = Sandbox::start();
    let long = "x".repeat(1_601);
    let cases: [(&[(&str, &str)], u64); 7] = [
        (&[("From", "MyHealth"), ("Body", "Hello")], 21_604),
        (
            &[
                ("To", "07700900123"),
                ("From", "MyHealth"),
                ("Body", "Hello"),
            ],
            21_211,
        ),
        (&[("To", GWYN), ("Body", "Hello")], 21_603),
        (&[("To", GWYN), ("From", "MyHealth")], 21_602),
        (
            &[("To", GWYN), ("From", "MyHealth"), ("Body", &long)],
            21_617,
        ),
        (
            &[
                ("To", GWYN),
                ("From", "MyHealth"),
                ("Body", "x"),
                ("StatusCallback", "http://a_b/"),
            ],
            21_609,
        ),
        (
            &[
                ("To", GWYN),
                ("From", "MyHealth"),
                ("Body", "x"),
                ("ValidityPeriod", "0"),
            ],
            20_422,
        ),
    ];
    for (form, code) in cases {
        let (status, error) = sandbox.send_text(form).await.expect("an answer");
        assert_eq!((status.as_u16(), error["code"].as_u64()), (400, Some(code)));
        assert!(
            error["more_info"]
                .as_str()
                .is_some_and(|url| url.ends_with(&code.to_string()))
        );
    }
    assert!(sandbox.journal("text_accepted").await.is_empty());
}

#[actix_web::test]
async fn a_wrong_password_is_not_let_in() {
    let sandbox = Sandbox::start();
    let url = format!(
        "{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        sandbox.http
    );
    for request in [
        sandbox.client.post(&url).form(&PLAIN),
        sandbox
            .client
            .post(&url)
            .basic_auth(ACCOUNT, Some("wrong"))
            .form(&PLAIN),
        sandbox.client.get(&url).basic_auth("AC1", Some(TOKEN)),
    ] {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 401);
        let error: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(error["code"], 20_003);
    }
}

#[actix_web::test]
async fn knobs_refuse_fail_and_lose_answers() {
    let sandbox = Sandbox::start();
    let refuse = json!({ GWYN: 21_610 });
    sandbox
        .faults(json!({ "twilio": { "refuse": refuse } }))
        .await;
    let (status, error) = sandbox.send_text(&PLAIN).await.expect("an answer");
    assert_eq!(
        (status.as_u16(), error["code"].as_u64()),
        (400, Some(21_610))
    );
    let busy =
        json!({ "fail_next": 1, "fail_status": 429, "fail_code": 20_429, "retry_after_s": 3 });
    sandbox.faults(json!({ "twilio": busy })).await;
    let (status, _) = sandbox.send_text(&PLAIN).await.expect("an answer");
    assert_eq!(status, 429);
    sandbox
        .faults(json!({ "twilio": { "lose_answer_next": 1 } }))
        .await;
    sandbox
        .send_text(&PLAIN)
        .await
        .expect_err("the answer is lost");
    assert_eq!(
        sandbox.journal("text_accepted").await.len(),
        1,
        "but the text was accepted"
    );
    let (status, _) = sandbox.send_text(&PLAIN).await.expect("an answer");
    assert_eq!(status, 201, "the knob has run out");
}

/// Killed after the text was journalled and before the answer: the judge still knows.
#[actix_web::test]
async fn what_was_journalled_survives_a_kill_before_the_answer() {
    let mut sandbox = Sandbox::start();
    sandbox
        .faults(json!({ "twilio": { "answer_delay_ms": 60_000 } }))
        .await;
    let url = format!(
        "{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        sandbox.http
    );
    let request = sandbox
        .client
        .post(url)
        .basic_auth(ACCOUNT, Some(TOKEN))
        .form(&PLAIN);
    let waiting = tokio::spawn(request.send());
    sandbox.until("text_accepted", 1).await;
    sandbox.kill_and_restart();
    waiting
        .await
        .expect("no panic")
        .expect_err("nobody answered");
    let (_, page) = sandbox.twilio("Messages.json?To=%2B447700900123").await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
    sandbox.until("text_status", 2).await;
}

#[derive(Default)]
struct Heard(Mutex<Vec<(String, String)>>);

/// A client's own web server: keeps the signature and body of each callback.
fn listen(heard: &Arc<Heard>) -> String {
    let data = Data::from(Arc::clone(heard));
    let hear = async |request: HttpRequest, body: Bytes, heard: Data<Heard>| {
        let signature = request.headers().get("X-Twilio-Signature").expect("signed");
        let body = String::from_utf8(body.to_vec()).expect("a form");
        let signature = signature.to_str().expect("text").to_owned();
        heard.0.lock().expect("no panic").push((signature, body));
        HttpResponse::NoContent().finish()
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .route("/status", web::post().to(hear))
    });
    let server = server.workers(1).bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/status?d=1", server.addrs()[0]);
    tokio::spawn(server.run());
    url
}

#[actix_web::test]
async fn callbacks_are_signed_repeated_and_reordered_as_asked() {
    let sandbox = Sandbox::start();
    let heard = Arc::new(Heard::default());
    let url = listen(&heard);
    sandbox
        .faults(json!({ "twilio": { "extra_callbacks": 1, "reverse_callbacks": true } }))
        .await;
    let form = [
        ("To", GWYN),
        ("MessagingServiceSid", "MG1"),
        ("Body", "Hello"),
        ("StatusCallback", &url),
    ];
    let (_, sent) = sandbox.send_text(&form).await.expect("an answer");
    assert_eq!(sent["status"], "accepted", "the sender is picked later");
    sandbox.until("callback", 6).await;
    let heard = heard.0.lock().expect("no panic").clone();
    let told: Vec<&str> = heard
        .iter()
        .filter_map(|(_, body)| {
            body.split('&')
                .find_map(|pair| pair.strip_prefix("MessageStatus="))
        })
        .collect();
    assert_eq!(
        told,
        ["queued", "queued", "delivered", "delivered", "sent", "sent"]
    );
    assert!(heard.iter().all(|(signature, _)| signature.len() == 28));
}

#[actix_web::test]
async fn a_text_can_end_undelivered() {
    let sandbox = Sandbox::start();
    sandbox
        .faults(json!({ "twilio": { "undelivered": { GWYN: 30_005 } } }))
        .await;
    sandbox.send_text(&PLAIN).await.expect("an answer");
    let steps = sandbox.until("text_status", 2).await;
    assert_eq!(
        (steps[1]["status"].as_str(), steps[1]["error_code"].as_u64()),
        (Some("undelivered"), Some(30_005))
    );
}
