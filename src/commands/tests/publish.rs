//! Publishing: one letter, many, the same again, and everything that may be wrong with one.

use std::time::Duration;

use letterbox_domain::id::Seq;
use letterbox_domain::letter::LetterState;
use letterbox_domain::route::{Route, RouteReason};

use super::{publish, published, refused};
use crate::commands::Code;
use crate::commands::forms::NewLetter;
use crate::commands::publish_letters::{PublishResult, publish_letters};
use crate::store::Principal;
use crate::testing::{Hospital, TestDb};

#[tokio::test]
async fn r3_2_r20_1_a_members_letter_is_born_with_its_deadline_event_history_and_wake_up() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let done = publish(&db, &hospital, &[hospital.letter(&asha, "L-1")]).await;
    let answer = published(&done.results[0]);
    assert_eq!(
        (answer.state, answer.route, answer.reason),
        (LetterState::Published, Route::Portal, RouteReason::Member)
    );
    assert!(
        answer.promise.starts_with("New. We will post this on "),
        "{}",
        answer.promise
    );
    assert!(answer.deadline_at > Some(answer.published_at) && answer.post_at > answer.deadline_at);
    assert_eq!(done.wake.events.len(), 1);
    assert_eq!(
        (done.wake.events[0].seq, done.wake.events[0].due),
        (Seq(1), answer.post_at)
    );
    assert!(done.wake.cases.contains(&hospital.system.trust));
    hospital.assert_sound().await;
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE climbed = 0 AND due_at > app_now()")
            .await,
        1
    );
    assert_eq!(
        hospital.count("SELECT count(*) FROM dispatches").await,
        0,
        "nothing is sent before its time"
    );
}

#[tokio::test]
async fn r3_1_a_letter_for_somebody_who_has_not_joined_goes_to_print_at_once() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let gwyn = hospital.patient(2).await;
    let done = publish(&db, &hospital, &[hospital.letter(&gwyn, "L-1")]).await;
    let answer = published(&done.results[0]);
    assert_eq!(
        (answer.route, answer.reason),
        (Route::WePost, RouteReason::NonMember)
    );
    assert!(
        answer.promise.starts_with("We will post this on "),
        "{}",
        answer.promise
    );
    let queued = "SELECT count(*) FROM dispatches WHERE channel = 'post' AND state = 'queued'";
    assert_eq!(hospital.count(queued).await, 1);
    assert_eq!(
        hospital.count("SELECT count(*) FROM dispatches").await,
        1,
        "no text, no email"
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM notices WHERE closed_at IS NULL")
            .await,
        1
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn r20_1_the_same_letter_sent_again_is_the_same_letter() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let letter = hospital.letter(&asha, "L-1");
    let first = publish(&db, &hospital, &[letter.clone(), letter.clone()]).await;
    let answer = published(&first.results[0]).clone();
    assert_eq!(
        first.results[1],
        PublishResult::Repeated(answer.clone()),
        "twice in one call"
    );
    let again = publish(&db, &hospital, &[letter]).await;
    assert_eq!(again.results, [PublishResult::Repeated(answer)]);
    assert!(again.wake.events.is_empty());
    assert_eq!(hospital.count("SELECT count(*) FROM letters").await, 1);
    hospital.assert_sound().await;
}

#[tokio::test]
async fn the_same_id_with_other_content_is_refused_and_laid_before_somebody() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    publish(&db, &hospital, &[hospital.letter(&asha, "L-1")]).await;
    let other = NewLetter {
        title: "Another letter".to_owned(),
        ..hospital.letter(&asha, "L-1")
    };
    for _ in 0..2 {
        let done = publish(&db, &hospital, std::slice::from_ref(&other)).await;
        assert_eq!(refused(&done.results[0]), Code::SourceIdReused);
    }
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM letters WHERE title = 'Your visit to the clinic'")
            .await,
        1
    );
    assert_eq!(hospital.count("SELECT count(*) FROM letters").await, 1);
    let laid = "SELECT count(*) FROM quarantine q JOIN tasks t ON t.quarantine_id = q.id
                WHERE q.code = 'source_id_reused' AND t.kind = 'quarantine' AND t.closed_at IS NULL";
    assert_eq!(
        hospital.count(laid).await,
        1,
        "once, however often it is sent"
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_bad_item_never_fails_its_neighbours() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let (asha, gwyn) = (hospital.member(1).await, hospital.patient(2).await);
    let good = |n: u32| hospital.letter(&asha, &format!("L-{n}"));
    let letters = [
        good(1),
        NewLetter {
            patient: "PAS-999".to_owned(),
            ..good(2)
        },
        NewLetter {
            nhs_number: gwyn.nhs_number,
            ..good(3)
        },
        NewLetter {
            signed: false,
            ..good(4)
        },
        NewLetter {
            document: [7; 32],
            ..good(5)
        },
        NewLetter {
            appointment: Some("A-1".to_owned()),
            ..good(6)
        },
        NewLetter {
            title: "line\u{202e}one".to_owned(),
            ..good(7)
        },
        NewLetter {
            source_id: "L 8".to_owned(),
            ..good(8)
        },
        good(9),
    ];
    let done = publish(&db, &hospital, &letters).await;
    published(&done.results[0]);
    published(&done.results[8]);
    let codes: Vec<Code> = done.results[1..8].iter().map(refused).collect();
    assert_eq!(
        codes,
        [
            Code::UnknownPatient,
            Code::PatientMismatch,
            Code::NotSigned,
            Code::UnknownDocument,
            Code::UnknownAppointment,
            Code::InvalidField,
            Code::InvalidField,
        ]
    );
    assert_eq!(hospital.count("SELECT count(*) FROM letters").await, 2);
    assert_eq!(
        hospital.count("SELECT count(*) FROM quarantine").await,
        5,
        "mistakes of form are the sender's to see"
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn many_publishers_of_the_same_letters_make_each_letter_once() {
    let db = TestDb::with(&[("database.web_connections", "8")]).await;
    let hospital = Hospital::open(&db).await;
    let mut letters = Vec::new();
    for number in 0..10 {
        let patient = hospital.member(number).await;
        letters.extend((0..5).map(|n| hospital.letter(&patient, &format!("L-{number}-{n}"))));
    }
    let publishers = (0..8_usize).map(|who| {
        let mut mine = letters.clone();
        mine.rotate_left(who * 7);
        let (store, system) = (db.store().clone(), hospital.system);
        tokio::spawn(async move {
            let mut new = 0;
            for part in mine.chunks(10 + who) {
                let done = publish_letters(&store, &system, part)
                    .await
                    .expect("the call succeeds");
                for result in done.results {
                    match result {
                        PublishResult::Published(_) => new += 1,
                        PublishResult::Repeated(_) => {}
                        PublishResult::Refused(refusal) => panic!("{refusal}"),
                    }
                }
            }
            new
        })
    });
    let mut new = 0;
    for publisher in publishers.collect::<Vec<_>>() {
        new += tokio::time::timeout(Duration::from_secs(60), publisher)
            .await
            .expect("in time")
            .expect("no panic");
    }
    assert_eq!(new, 50, "each letter is new to exactly one of them");
    assert_eq!(hospital.count("SELECT count(*) FROM letters").await, 50);
    hospital.assert_sound().await;
}

#[tokio::test]
async fn r3_3_a_letter_from_a_sensitive_specialty_is_restricted_and_one_not_live_stays_with_the_trust()
 {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let trust = hospital.system.trust.as_uuid();
    for sql in [
        "INSERT INTO sensitive_specialties VALUES ($1, 'Sexual health')",
        "INSERT INTO rollout VALUES ($1, 'Podiatry', 'clinic', app_now() + interval '1 day', 'we_post')",
    ] {
        hospital
            .client()
            .execute(sql, &[&trust])
            .await
            .expect("written");
    }
    let of = |specialty: &str, source: &str| NewLetter {
        specialty: specialty.to_owned(),
        ..hospital.letter(&asha, source)
    };
    let done = publish(
        &db,
        &hospital,
        &[of("Sexual health", "L-1"), of("Podiatry", "L-2")],
    )
    .await;
    published(&done.results[0]);
    let later = published(&done.results[1]);
    assert_eq!(
        (later.route, later.reason, later.deadline_at),
        (Route::YouPost, RouteReason::NotLive, None)
    );
    assert_eq!(later.promise, "The hospital is posting this");
    assert_eq!(
        done.wake
            .events
            .iter()
            .map(|event| event.restricted)
            .collect::<Vec<_>>(),
        [true, false]
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_mailbox_read_again_equals_its_events() {
    use letterbox_actors::ports::MailboxReader;
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let letters: Vec<_> = (0..3)
        .map(|n| hospital.letter(&asha, &format!("L-{n}")))
        .collect();
    publish(&db, &hospital, &letters).await;
    let snapshot = db
        .store()
        .snapshot(asha.id)
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((snapshot.head, snapshot.items.len()), (Seq(3), 3));
    let since = db.store().since(asha.id, Seq(1), 1).await.expect("reads");
    assert_eq!(
        since.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [Seq(2)]
    );
    let node = letterbox_actors::ports::NodeId::random();
    let heads = db.store().heads(node, &[asha.id]).await.expect("reads");
    assert_eq!(heads.heads[0].seq, Seq(3));
    assert!(
        db.store()
            .heads(node, &[])
            .await
            .expect("reads")
            .heads
            .is_empty()
    );
    db.store().polled(node, heads.began).await.expect("stamps");
    let stamped = "SELECT count(*) FROM nodes WHERE polled_from <= heartbeat_at";
    assert_eq!(hospital.count(stamped).await, 1);
    let tx = db.store().begin(&Principal::SERVER).await.expect("begins");
    let taken = crate::store::outbox::claim_and_take(&tx, 2)
        .await
        .expect("takes");
    assert_eq!(
        taken.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [Seq(1), Seq(2)]
    );
    drop(tx);
    hospital.assert_sound().await; // a node that dies before its commit takes nothing
}
