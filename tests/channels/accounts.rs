//! Mails to accounts over the wire: the sandbox's mail server takes the invitation, and the store hears what came of it.

use letterbox::commands::invite::{NewInvitation, invite};
use letterbox::store::ladder::Sender;
use letterbox::store::mails::AccountMails;
use letterbox::testing::{Hospital, TestDb};
use letterbox_actors::ports::{DispatchStore, NodeId, Outlet};
use letterbox_domain::circle::{ShareKind, Ticks};
use letterbox_domain::dispatch::Channel;
use letterbox_domain::person::Email;
use serde_json::json;

use crate::world::{PUBLIC, World};

async fn send_what_is_due(mails: &AccountMails, outlet: &dyn Outlet) -> usize {
    let lease = chrono::TimeDelta::seconds(60);
    let claimed = mails
        .claim(NodeId::random(), Channel::Email, 10, lease)
        .await;
    let claimed = claimed.expect("claims");
    for mail in &claimed {
        assert!(mails.still_wanted(mail).await.expect("answers"));
        let outcome = outlet.send(&mail.outgoing).await;
        assert!(mails.record(mail, outcome).await.expect("records"));
    }
    claimed.len()
}

#[actix_web::test]
async fn r26_2_an_invitation_reaches_the_inbox_with_a_link_and_no_clinical_word() {
    let (world, db) = (World::new().await, TestDb::new().await);
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await.account.expect("a member");
    let new = NewInvitation {
        name: "Susan".into(),
        email: Email::parse("susan@example.test").expect("an address"),
        relationship: "daughter".into(),
        nhs_number: None,
        ticks: Ticks::of(&[ShareKind::ClinicLetters]),
        may_read_for_me: false,
    };
    invite(db.store(), patient, &new).await.expect("invites");
    let sender = Sender {
        service: "My Health and Wellbeing".into(),
        portal: Some(PUBLIC.into()),
    };
    let mails = AccountMails::new(db.store(), sender);
    let email = world.channels().email.expect("configured");

    // Greylisted first: nothing is lost, and it goes again when its time has come.
    let knobs = json!({ "fail_next": 1, "fail_at": "rcpt", "fail_reply": "450 4.2.1 greylisted" });
    world.faults(json!({ "smtp": knobs })).await;
    assert_eq!(send_what_is_due(&mails, email.as_ref()).await, 1);
    assert_eq!(send_what_is_due(&mails, email.as_ref()).await, 0, "not yet");
    db.pass(std::time::Duration::from_secs(61)).await;
    assert_eq!(send_what_is_due(&mails, email.as_ref()).await, 1);

    let inbox = world.get("/mails").await;
    assert_eq!(inbox.as_array().expect("a list").len(), 1);
    assert_eq!(inbox[0]["envelope_to"], json!(["susan@example.test"]));
    let text = inbox[0]["text"].as_str().expect("text");
    let link = format!("{PUBLIC}/invitations/");
    assert!(text.contains(&link), "{text}");
    let text = text.replace(PUBLIC, "");
    for word in [
        "clinic",
        "hospital",
        "trust",
        "letter",
        "appointment",
        "Patient",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    db.pass(std::time::Duration::from_secs(3_600)).await;
    assert_eq!(send_what_is_due(&mails, email.as_ref()).await, 0, "once");
    let sent =
        hospital.count("SELECT count(*) FROM account_mails WHERE state = 'sent' AND attempt = 2");
    assert_eq!(sent.await, 1);
    world.end().await;
}
