//! What the patient finds under Documents, and which way later letters take.

use chrono::TimeDelta;
use letterbox_domain::id::AccountId;
use letterbox_domain::letter::LetterKind;
use letterbox_domain::route::{Route, RouteReason};

use super::{publish, published};
use crate::commands::paper::always_post;
use crate::commands::publish_letters::replace_letter;
use crate::commands::roll_out::{RollOutChange, change_roll_out};
use crate::commands::withdraw_letter::withdraw_letter;
use crate::store::Principal;
use crate::store::pages::{self, LetterView, Search};
use crate::testing::{Hospital, Patient, TestDb};

async fn found(db: &TestDb, patient: &Patient, search: &Search) -> Vec<LetterView> {
    let tx = db
        .store()
        .begin_snapshot(&Principal::SERVER)
        .await
        .expect("begins");
    let letters = pages::letters_found(&tx, patient.id, None, search, 50).await;
    letters.expect("reads")
}

fn titles(letters: &[LetterView]) -> Vec<&str> {
    letters.iter().map(|letter| letter.title.as_str()).collect()
}

fn text(text: &str) -> Search {
    Search {
        text: Some(text.to_owned()),
        ..Search::default()
    }
}

#[tokio::test]
async fn r30_2_only_letters_sent_after_the_account_was_made_are_there() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await;
    publish(&db, &hospital, &[hospital.letter(&patient, "L-1")]).await;
    hospital
        .client()
        .execute(
            "UPDATE memberships SET joined_at = app_now() + interval '1 hour'",
            &[],
        )
        .await
        .expect("joins later");
    assert!(found(&db, &patient, &Search::default()).await.is_empty());
    db.pass(std::time::Duration::from_secs(2 * 3600)).await;
    publish(&db, &hospital, &[hospital.letter(&patient, "L-2")]).await;
    assert_eq!(found(&db, &patient, &Search::default()).await.len(), 1);
}

#[tokio::test]
async fn r30_1_letters_are_found_by_title_clinic_hospital_and_day() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await;
    let mut eye = hospital.letter(&patient, "L-1");
    (eye.title, eye.clinic) = ("Your 100% eye test".to_owned(), "Eye clinic".to_owned());
    publish(&db, &hospital, &[eye]).await;
    db.pass(std::time::Duration::from_secs(3 * 86_400)).await;
    publish(&db, &hospital, &[hospital.letter(&patient, "L-2")]).await;
    let all = found(&db, &patient, &Search::default()).await;
    assert_eq!(
        titles(&all),
        ["Your visit to the clinic", "Your 100% eye test"]
    );
    for (sought, expected) in [
        ("EYE", 1),
        ("heart", 1),
        ("test hospital", 2),
        ("100%", 1),
        ("1__%", 0),
        ("\\", 0),
    ] {
        assert_eq!(
            found(&db, &patient, &text(sought)).await.len(),
            expected,
            "{sought}"
        );
    }
    let between = all[0].published_at - TimeDelta::days(1);
    let later = Search {
        from: Some(between),
        ..Search::default()
    };
    let earlier = Search {
        to: Some(between),
        ..Search::default()
    };
    assert_eq!(
        titles(&found(&db, &patient, &later).await),
        ["Your visit to the clinic"]
    );
    assert_eq!(
        titles(&found(&db, &patient, &earlier).await),
        ["Your 100% eye test"]
    );
}

#[tokio::test]
async fn r30_1_a_replaced_and_a_withdrawn_letter_stay_in_the_thread_and_say_so() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await;
    publish(&db, &hospital, &[hospital.letter(&patient, "L-1")]).await;
    db.pass(std::time::Duration::from_secs(60)).await;
    let newer = hospital.letter(&patient, "L-2");
    let replaced = replace_letter(db.store(), &hospital.system, "L-1", &newer).await;
    published(&replaced.expect("replaces").results[0]);
    let newest = found(&db, &patient, &Search::default()).await.remove(0);
    let tx = db
        .store()
        .begin_snapshot(&Principal::SERVER)
        .await
        .expect("begins");
    let thread = pages::thread(&tx, &newest).await.expect("reads");
    assert_eq!(thread.len(), 1);
    assert_eq!(newest.replaces, Some(thread[0].id));
    drop(tx);
    withdraw_letter(
        db.store(),
        &hospital.system,
        "L-2",
        "It was sent to the wrong clinic.",
    )
    .await
    .expect("withdraws");
    let gone = found(&db, &patient, &Search::default()).await.remove(0);
    assert_eq!(
        gone.withdrawn_reason.as_deref(),
        Some("It was sent to the wrong clinic.")
    );
}

#[tokio::test]
async fn r20_3_always_post_changes_the_route_of_later_letters_and_says_why() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await;
    let account = patient.account.expect("a member");
    let route = async |source: &str| {
        let letters = [hospital.letter(&patient, source)];
        let publication = Box::pin(publish(&db, &hospital, &letters)).await;
        let answer = published(&publication.results[0]);
        (answer.route, answer.reason)
    };
    assert_eq!(route("L-1").await, (Route::Portal, RouteReason::Member));
    assert!(
        always_post(db.store(), account, true)
            .await
            .expect("answers")
    );
    assert_eq!(route("L-2").await, (Route::WePost, RouteReason::WantsPaper));
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM letters WHERE route = 'portal'")
            .await,
        1,
        "the first stays as it is"
    );
    assert!(
        always_post(db.store(), account, false)
            .await
            .expect("answers")
    );
    assert_eq!(route("L-3").await, (Route::Portal, RouteReason::Member));
    hospital.assert_sound().await;
}

async fn staff(hospital: &Hospital, role: &str) -> AccountId {
    let account = AccountId::random();
    let client = hospital.client();
    client
        .execute(
            "INSERT INTO accounts (id, kind, display_name) VALUES ($1, 'staff', 'Test Staff')",
            &[&account.as_uuid()],
        )
        .await
        .expect("an account");
    client
        .execute(
            "INSERT INTO staff_roles (account_id, trust_id, role) VALUES ($1, $2, $3)",
            &[&account.as_uuid(), &hospital.system.trust.as_uuid(), &role],
        )
        .await
        .expect("a role");
    account
}

#[tokio::test]
async fn r3_3_the_roll_out_is_by_trust_specialty_kind_and_date_and_a_manager_changes_it() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await;
    let (clerk, manager) = (
        staff(&hospital, "booking_clerk").await,
        staff(&hospital, "manager").await,
    );
    let now = hospital.now().await;
    let change = RollOutChange {
        specialty: "Cardiology".to_owned(),
        kind: LetterKind::Clinic,
        live_from: now + TimeDelta::days(2),
        paper: Route::YouPost,
    };
    let trust = hospital.system.trust;
    assert!(
        !change_roll_out(db.store(), clerk, trust, &change)
            .await
            .expect("answers")
    );
    let elsewhere = Hospital::open(&db).await;
    assert!(
        !change_roll_out(db.store(), manager, elsewhere.system.trust, &change)
            .await
            .expect("answers")
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM audit WHERE action = 'rollout.change' AND NOT allowed")
            .await,
        2
    );
    assert!(
        change_roll_out(db.store(), manager, trust, &change)
            .await
            .expect("answers")
    );
    let empty = RollOutChange {
        specialty: " ".to_owned(),
        ..change.clone()
    };
    assert!(
        change_roll_out(db.store(), manager, trust, &empty)
            .await
            .is_err()
    );

    let route = async |source: &str, kind: LetterKind, specialty: &str| {
        let mut letter = hospital.letter(&patient, source);
        (letter.kind, letter.specialty) = (kind, specialty.to_owned());
        let publication = Box::pin(publish(&db, &hospital, &[letter])).await;
        published(&publication.results[0]).reason
    };
    assert_eq!(
        route("L-1", LetterKind::Clinic, "Cardiology").await,
        RouteReason::NotLive
    );
    assert_eq!(
        route("L-2", LetterKind::Appointment, "Cardiology").await,
        RouteReason::Member
    );
    assert_eq!(
        route("L-3", LetterKind::Clinic, "Dermatology").await,
        RouteReason::Member
    );
    db.pass(std::time::Duration::from_secs(2 * 86_400 + 1))
        .await;
    assert_eq!(
        route("L-4", LetterKind::Clinic, "Cardiology").await,
        RouteReason::Member
    );
    let tx = db
        .store()
        .begin_snapshot(&Principal::SERVER)
        .await
        .expect("begins");
    let rows = pages::roll_out(&tx, trust).await.expect("reads");
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[0].specialty, "*",
        "the row for all others stands first"
    );
    let changed = rows
        .iter()
        .find(|row| row.specialty == "Cardiology")
        .expect("the new row");
    assert!(changed.is_live && changed.changed_by.as_deref() == Some("Test Staff"));
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM history WHERE kind = 'rollout.changed'")
            .await,
        1
    );
}
