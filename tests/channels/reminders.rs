//! A reminder over the wire, from the sweep to the sandbox's telephone and inbox.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox::commands::choose_contact::choose_reminders;
use letterbox::store::ladder::Sender;
use letterbox::store::mails::AccountMails;
use letterbox::testing::{Hospital, TestDb};
use letterbox_actors::ports::{DispatchStore, NodeId, Outlet};
use letterbox_domain::dispatch::{Channel, Outcome};
use letterbox_domain::policy::Policy;
use letterbox_domain::reminder::Notice;
use letterbox_domain::time::local;
use serde_json::json;

use crate::world::{PUBLIC, World};

/// One round of a dispatcher: claimed, asked once more, sent, recorded.
async fn round(mails: &AccountMails, outlet: &dyn Outlet) -> Vec<Outcome> {
    let lease = TimeDelta::seconds(60);
    let claimed = mails
        .claim(NodeId::random(), outlet.channel(), 10, lease)
        .await;
    let mut outcomes = Vec::new();
    for mail in claimed.expect("claims") {
        if !mails.still_wanted(&mail).await.expect("answers") {
            continue;
        }
        let outcome = outlet.send(&mail.outgoing).await;
        assert!(mails.record(&mail, outcome.clone()).await.expect("records"));
        outcomes.push(outcome);
    }
    outcomes
}

#[actix_web::test]
async fn reminders_reach_the_telephone_and_the_inbox_once_each_without_a_clinical_word() {
    let (world, db) = (World::new().await, TestDb::new().await);
    // Quiet hours have a test of their own: nothing is quiet here.
    let hospital = Hospital::with_policy(&db, &Policy::demo()).await;
    let patients = [hospital.member(1).await, hospital.member(2).await];
    let starts: DateTime<Utc> = hospital.now().await + TimeDelta::days(9);
    for (patient, by) in patients.iter().zip([Channel::Text, Channel::Email]) {
        let account = patient.account.expect("a member");
        assert!(
            choose_reminders(db.store(), account, Some(by))
                .await
                .expect("kept")
        );
        let book = "INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer, state,
                                              change, starts_at, specialty, clinic, location, contact_phone)
                    VALUES ($1::uuid, $2, $1::uuid::text, $3, 1, '', '{}', 'booked', 1, $4, 'cardiology', 'Heart clinic', 'Desk 1', '01432 222222')";
        let (id, trust) = (uuid::Uuid::now_v7(), hospital.system.trust.as_uuid());
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&id, &trust, &patient.id.as_uuid(), &starts];
        hospital
            .client()
            .execute(book, &params)
            .await
            .expect("booked");
    }
    let sender = Sender {
        service: "My Health and Wellbeing".into(),
        portal: Some(PUBLIC.into()),
    };
    let mails = AccountMails::new(db.store(), sender);
    let channels = world.channels();
    let (text, email) = (
        channels.text.expect("configured"),
        channels.email.expect("configured"),
    );

    for notice in Notice::ALL {
        let now = hospital.now().await;
        let wait = (notice.due_at(starts) - now)
            .to_std()
            .expect("still to come");
        db.pass(wait).await;
        assert_eq!(db.store().remind().await.expect("sweeps"), 2);
        assert_eq!(db.store().remind().await.expect("sweeps"), 0);
        assert!(matches!(
            round(&mails, text.as_ref()).await[..],
            [Outcome::Accepted { .. }]
        ));
        assert!(matches!(
            round(&mails, email.as_ref()).await[..],
            [Outcome::Accepted { .. }]
        ));
    }
    assert!(
        round(&mails, text.as_ref()).await.is_empty()
            && round(&mails, email.as_ref()).await.is_empty()
    );

    let day = local(starts).format("%a %-d %b").to_string();
    let texts = world.get("/texts").await;
    let inbox = world.get("/mails").await;
    let (texts, inbox) = (
        texts.as_array().expect("a list"),
        inbox.as_array().expect("a list"),
    );
    assert_eq!((texts.len(), inbox.len()), (2, 2));
    assert_eq!(texts[0]["to"], json!("+447700900123"));
    for said in [texts[0]["body"].as_str(), inbox[0]["text"].as_str()] {
        let said = said.expect("words").replace(PUBLIC, "");
        assert!(said.contains(&day), "{said}");
        for word in [
            "linic",
            "ospital",
            "eart",
            "appointment",
            "letter",
            "/my-health",
            "Patient",
        ] {
            assert!(!said.contains(word), "{word} in {said}");
        }
    }
    assert!(
        !texts[0]["body"].as_str().expect("words").contains("http"),
        "no link in a text"
    );
    world.end().await;
}
