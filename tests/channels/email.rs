//! Mails: what arrives, what is refused, and what nobody can know.

use std::time::Duration;

use letterbox_actors::ports::{LookUp, Outlet};
use letterbox_domain::dispatch::Outcome;
use serde_json::{Value, json};

use crate::world::{World, outgoing};

const GWYN: &str = "gwyn@example.test";

#[actix_web::test]
async fn a_mail_carries_its_dispatch_and_asks_for_no_automatic_answer() {
    let world = World::new().await;
    let email = world.channels().email.expect("configured");
    let body = "Hello,\n\nYou have a new hospital message. Tŷ £\n.\n";
    let message = outgoing(GWYN, body);
    assert!(matches!(
        email.send(&message).await,
        Outcome::Accepted { .. }
    ));
    let mail = &world.get("/mails").await[0];
    assert_eq!(
        mail["message_id"],
        format!("<{}@example.test>", message.key)
    );
    assert_eq!(mail["auto_submitted"], "auto-generated");
    assert_eq!(mail["subject"], message.subject.as_str());
    assert_eq!(mail["envelope_to"], json!([GWYN]));
    let text = mail["text"].as_str().expect("text").replace("\r\n", "\n");
    assert_eq!(text.trim_end(), body.trim_end());
    world.end().await;
}

#[actix_web::test]
async fn replies_decide_between_refused_and_later() {
    let world = World::new().await;
    let email = world.channels().email.expect("configured");
    let message = outgoing(GWYN, "x");
    let rejected = |code: &str| Outcome::Rejected { code: code.into() };
    let later = |seconds| Outcome::Later {
        after: Duration::from_secs(seconds),
    };
    for (reply, expected) in [
        ("550 5.1.1 no such mailbox", rejected("5.1.1")),
        ("550 go away", rejected("550")),
        ("552 5.2.2 mailbox full", rejected("5.2.2")),
        ("450 4.2.1 greylisted", later(60)),
        ("535 5.7.8 bad password", later(300)),
    ] {
        for stage in ["rcpt", "end"] {
            let knobs = json!({ "fail_next": 1, "fail_at": stage, "fail_reply": reply });
            world.faults(json!({ "smtp": knobs })).await;
            assert_eq!(email.send(&message).await, expected, "{reply} at {stage}");
        }
    }
    assert!(world.journal("mail_accepted").await.is_empty());
    assert_eq!(
        email.send(&outgoing("not an address", "x")).await,
        rejected("5.1.3")
    );
    world.end().await;
}

/// Only a cut after the final dot leaves doubt; the same Message-ID shows a second try for what it is.
#[actix_web::test]
async fn a_cut_after_the_final_dot_is_unknown_and_a_retry_has_the_same_message_id() {
    let world = World::new().await;
    let email = world.channels().email.expect("configured");
    let message = outgoing(GWYN, "x");
    world
        .faults(json!({ "smtp": { "lose_answer_next": 1 } }))
        .await;
    assert_eq!(email.send(&message).await, Outcome::Unknown);
    assert!(matches!(email.look_up(&message).await, LookUp::CannotTell));
    assert!(matches!(
        email.send(&message).await,
        Outcome::Accepted { .. }
    ));
    let mails = world.journal("mail_accepted").await;
    let ids: Vec<&Value> = mails.iter().map(|mail| &mail["message_id"]).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    world.end().await;
}

#[actix_web::test]
async fn a_cut_before_the_mail_is_later_because_nothing_was_handed_over() {
    let world = World::new().await;
    let email = world
        .channels_within(Duration::from_millis(300))
        .email
        .expect("configured");
    let message = outgoing(GWYN, "x");
    world
        .faults(json!({ "smtp": { "latency_ms": 5_000 } }))
        .await;
    assert!(matches!(email.send(&message).await, Outcome::Later { .. }));
    world.calm().await;
    assert!(matches!(
        email.send(&message).await,
        Outcome::Accepted { .. }
    ));
    world.end().await;
}

/// A reply that comes too late must not be taken for the next mail's.
#[actix_web::test]
async fn a_connection_with_a_reply_still_to_come_is_never_used_again() {
    let world = World::new().await;
    let email = world
        .channels_within(Duration::from_millis(300))
        .email
        .expect("configured");
    world
        .faults(json!({ "smtp": { "answer_delay_ms": 600 } }))
        .await;
    assert_eq!(email.send(&outgoing(GWYN, "first")).await, Outcome::Unknown);
    world.until("mail_accepted", 1).await;
    let refuse = json!({ GWYN: "550 5.1.1 no such mailbox" });
    world.faults(json!({ "smtp": { "refuse": refuse } })).await;
    let second = email.send(&outgoing(GWYN, "second")).await;
    assert_eq!(
        second,
        Outcome::Rejected {
            code: "5.1.1".into()
        }
    );
    world.end().await;
}

#[actix_web::test]
async fn many_mails_share_connections() {
    let world = World::new().await;
    let email = world.channels().email.expect("configured");
    for n in 0..5 {
        let sent = email.send(&outgoing(GWYN, &format!("mail {n}"))).await;
        assert!(matches!(sent, Outcome::Accepted { .. }));
    }
    world
        .faults(json!({ "smtp": { "fail_next": 1, "fail_at": "connect" } }))
        .await;
    let sent = email.send(&outgoing(GWYN, "on the open connection")).await;
    assert!(
        matches!(sent, Outcome::Accepted { .. }),
        "no new connection was made"
    );
    world.end().await;
}
