//! What becomes of letters after publication: withdrawn, replaced, held and released.

use std::time::Duration;

use chrono::TimeDelta;
use letterbox_domain::event::EventKind;
use letterbox_domain::letter::LetterState;
use uuid::Uuid;

use super::{code, publish, published, refused};
use crate::commands::Code;
use crate::commands::forms::NewLetter;
use crate::commands::letter_answer::{ask_letter, ask_letters_story};
use crate::commands::publish_letters::{PublishResult, replace_letter};
use crate::commands::release_letters::release_due_letters;
use crate::commands::withdraw_letter::withdraw_letter;
use crate::store::Principal;
use crate::testing::{Hospital, TestDb};

#[tokio::test]
async fn a_withdrawn_letter_is_called_off_and_stays_withdrawn() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let gwyn = hospital.patient(1).await;
    publish(&db, &hospital, &[hospital.letter(&gwyn, "L-1")]).await;
    let (answer, wake) = withdraw_letter(db.store(), &hospital.system, "L-1", "Sent by mistake")
        .await
        .expect("withdrawn");
    assert_eq!(answer.state, LetterState::Withdrawn);
    assert!(
        answer.promise.starts_with("Withdrawn by the hospital "),
        "{}",
        answer.promise
    );
    assert_eq!(
        wake.events
            .iter()
            .map(|event| event.kind)
            .collect::<Vec<_>>(),
        [EventKind::LetterWithdrawn]
    );
    let off = "SELECT count(*) FROM cases c JOIN dispatches d ON d.case_id = c.id JOIN notices n ON n.case_id = c.id
               WHERE c.end_kind = 'withdrawn' AND d.state = 'cancelled' AND n.closed_at IS NOT NULL";
    assert_eq!(hospital.count(off).await, 1);
    let (again, wake) = withdraw_letter(db.store(), &hospital.system, "L-1", "Other words")
        .await
        .expect("the same");
    assert_eq!((again, wake.events.len()), (answer, 0));
    assert_eq!(
        code(withdraw_letter(db.store(), &hospital.system, "L-9", "None").await),
        Code::UnknownLetter
    );
    let other = Hospital::open(&db).await;
    assert_eq!(
        code(ask_letter(db.store(), &other.system, "L-1").await),
        Code::UnknownLetter,
        "not theirs"
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn withdrawing_what_has_been_posted_asks_a_person_to_put_it_right() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let gwyn = hospital.patient(1).await;
    publish(&db, &hospital, &[hospital.letter(&gwyn, "L-1")]).await;
    for sql in [
        "UPDATE cases SET ended_at = app_now(), end_kind = 'posted'",
        "UPDATE letters SET posted_at = app_now()",
    ] {
        hospital.client().execute(sql, &[]).await.expect("posted");
    }
    let answer = ask_letter(db.store(), &hospital.system, "L-1")
        .await
        .expect("an answer");
    assert!(answer.promise.starts_with("Posted "), "{}", answer.promise);
    withdraw_letter(db.store(), &hospital.system, "L-1", "Wrong patient")
        .await
        .expect("withdrawn");
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM tasks WHERE kind = 'correction' AND closed_at IS NULL")
            .await,
        1
    );
    let noted = "SELECT count(*) FROM history WHERE kind = 'letter.withdrawn' AND facts->>'noted' = 'withdrawn_after_posting'";
    assert_eq!(hospital.count(noted).await, 1);
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE end_kind = 'posted'")
            .await,
        1,
        "a case ends once"
    );
}

#[tokio::test]
async fn a_replacement_takes_the_place_of_the_old_letter_in_the_same_instant() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let (asha, gwyn) = (hospital.member(1).await, hospital.patient(2).await);
    publish(&db, &hospital, &[hospital.letter(&asha, "L-1")]).await;
    let amended = NewLetter {
        title: "Your visit, corrected".to_owned(),
        ..hospital.letter(&asha, "L-2")
    };
    let done = replace_letter(db.store(), &hospital.system, "L-1", &amended)
        .await
        .expect("replaced");
    let answer = published(&done.results[0]).clone();
    let kinds: Vec<_> = done.wake.events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::LetterSuperseded, EventKind::LetterPublished],
        "the old one goes first"
    );
    let old = ask_letter(db.store(), &hospital.system, "L-1")
        .await
        .expect("an answer");
    assert_eq!(old.state, LetterState::Superseded);
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE ended_at IS NULL")
            .await,
        1
    );
    let linked = "SELECT count(*) FROM letters n JOIN letters o ON o.id = n.replaces_id WHERE o.source_id = 'L-1'";
    assert_eq!(hospital.count(linked).await, 1);

    let again = replace_letter(db.store(), &hospital.system, "L-1", &amended)
        .await
        .expect("the same");
    assert_eq!(again.results, [PublishResult::Repeated(answer)]);
    let third = hospital.letter(&asha, "L-3");
    let gone = replace_letter(db.store(), &hospital.system, "L-1", &third)
        .await
        .expect("an answer");
    assert_eq!(refused(&gone.results[0]), Code::LetterGone);
    let unknown = replace_letter(db.store(), &hospital.system, "L-9", &third)
        .await
        .expect("an answer");
    assert_eq!(refused(&unknown.results[0]), Code::UnknownLetter);
    let elses = replace_letter(
        db.store(),
        &hospital.system,
        "L-2",
        &hospital.letter(&gwyn, "L-3"),
    )
    .await;
    assert_eq!(
        refused(&elses.expect("an answer").results[0]),
        Code::PatientMismatch
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_held_letter_is_unseen_until_its_release_and_its_deadline_runs_from_then() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let (asha, gwyn) = (hospital.member(1).await, hospital.patient(2).await);
    let release = hospital.now().await + TimeDelta::hours(48);
    let release_at = Some(release);
    let letters = [
        NewLetter {
            release_at,
            ..hospital.letter(&asha, "L-1")
        },
        NewLetter {
            release_at,
            ..hospital.letter(&gwyn, "L-2")
        },
    ];
    let done = publish(&db, &hospital, &letters).await;
    assert_eq!(published(&done.results[0]).state, LetterState::Held);
    assert!(done.wake.events.is_empty(), "nobody hears of it");
    assert_eq!(
        hospital.count("SELECT count(*) FROM dispatches").await,
        0,
        "nor is anything printed"
    );
    let early = "SELECT count(*) FROM cases c JOIN letters l ON l.id = c.letter_id WHERE c.due_at <= l.release_at";
    assert_eq!(hospital.count(early).await, 0);
    let node = Principal::Node {
        node: Uuid::now_v7(),
    };
    assert_eq!(
        release_due_letters(db.store(), &node, 10)
            .await
            .expect("nothing is due")
            .0,
        0
    );

    db.pass(Duration::from_secs(49 * 3600)).await;
    let (released, wake) = release_due_letters(db.store(), &node, 10)
        .await
        .expect("released");
    assert_eq!((released, wake.events.len()), (2, 2));
    assert!(
        wake.events
            .iter()
            .all(|event| event.kind == EventKind::LetterPublished && event.due.is_some())
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM dispatches WHERE channel = 'post'")
            .await,
        1,
        "Gwyn's goes to print"
    );
    let answer = ask_letter(db.store(), &hospital.system, "L-1")
        .await
        .expect("an answer");
    assert_eq!(answer.state, LetterState::Published);
    assert!(answer.deadline_at > Some(answer.published_at) && answer.published_at >= release);
    assert_eq!(
        release_due_letters(db.store(), &node, 10)
            .await
            .expect("once")
            .0,
        0
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_letters_story_is_told_with_its_instants() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let gwyn = hospital.patient(1).await;
    publish(&db, &hospital, &[hospital.letter(&gwyn, "L-1")]).await;
    db.pass(Duration::from_secs(60)).await;
    withdraw_letter(db.store(), &hospital.system, "L-1", "Sent by mistake")
        .await
        .expect("withdrawn");
    let (answer, story) = ask_letters_story(db.store(), &hospital.system, "L-1")
        .await
        .expect("it is there");
    let texts: Vec<_> = story.iter().map(|moment| moment.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Taken in, to be posted.",
            "Queued for print.",
            "Withdrawn by the hospital.",
        ]
    );
    assert_eq!(story[0].at, answer.published_at);
    assert!(story[2].at - story[0].at >= TimeDelta::seconds(60));
    let other = Hospital::open(&db).await;
    assert_eq!(
        code(ask_letters_story(db.store(), &other.system, "L-1").await),
        Code::UnknownLetter,
        "a story is told to its own hospital only"
    );
}
