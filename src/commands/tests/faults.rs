//! The database or the way to it fails at the worst moment.

use std::time::Duration;

use super::publish;
use crate::commands::CommandError;
use crate::commands::publish_letters::{PublishResult, publish_letters};
use crate::commands::withdraw_letter::withdraw_letter;
use crate::store::StoreError;
use crate::testing::{Hospital, Proxy, TestDb};

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_looked_up_and_never_done_twice() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let (asha, gwyn) = (hospital.member(1).await, hospital.patient(2).await);
    let proxy = Proxy::to(db.address()).await;
    let store = db.store_through(&proxy).await;
    for n in 0..5 {
        let letters = [
            hospital.letter(&asha, &format!("L-{n}-a")),
            hospital.letter(&gwyn, &format!("L-{n}-b")),
        ];
        proxy.cut_the_next_commit();
        let done = publish_letters(&store, &hospital.system, &letters)
            .await
            .expect("looked up");
        for result in &done.results {
            // New, not "repeated": the caller's first call did it.
            assert!(matches!(result, PublishResult::Published(_)), "{result:?}");
        }
        assert_eq!(proxy.cuts(), n + 1);
    }
    assert_eq!(hospital.count("SELECT count(*) FROM letters").await, 10);
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM dispatches WHERE channel = 'post'")
            .await,
        5
    );
    hospital.assert_sound().await;

    proxy.cut_the_next_commit();
    let (answer, _) = withdraw_letter(&store, &hospital.system, "L-0-a", "Sent by mistake")
        .await
        .expect("looked up");
    assert!(
        answer.promise.starts_with("Withdrawn "),
        "{}",
        answer.promise
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM events WHERE kind = 'letter.withdrawn'")
            .await,
        1
    );
    assert_eq!(proxy.cuts(), 6);
}

#[tokio::test]
async fn a_backend_killed_in_the_middle_leaves_nothing_half_done_and_the_next_call_works() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let holder = db.superuser().await;
    holder
        .batch_execute("BEGIN; SELECT FROM patients FOR UPDATE")
        .await
        .expect("held");
    let (store, system, letter) = (
        db.store().clone(),
        hospital.system,
        hospital.letter(&asha, "L-1"),
    );
    let sent = letter.clone();
    let call = tokio::spawn(async move { publish_letters(&store, &system, &[sent]).await });
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND datname = current_database()";
    tokio::time::timeout(Duration::from_secs(20), async {
        while hospital.count(kill).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the publication waits for the row, and is killed");
    holder.batch_execute("COMMIT").await.expect("let go");
    // Before COMMIT was sent nothing can have happened, so the caller is told to send it again.
    let failed = call.await.expect("no panic");
    match failed {
        Err(CommandError::Store(StoreError::Unavailable(_) | StoreError::CommitUnknown)) => {}
        Ok(done) => assert!(
            matches!(done.results[..], [PublishResult::Published(_)]),
            "looked up and done"
        ),
        Err(other) => panic!("{other:?}"),
    }
    let done = publish(&db, &hospital, &[letter]).await;
    assert!(!matches!(done.results[0], PublishResult::Refused(_)));
    assert_eq!(hospital.count("SELECT count(*) FROM letters").await, 1);
    hospital.assert_sound().await;
}

#[tokio::test]
async fn letters_and_withdrawals_of_the_same_patients_in_opposite_order_all_succeed() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let mut patients = Vec::new();
    for number in 0..6 {
        patients.push(hospital.member(number).await);
    }
    let mut calls = Vec::new();
    for round in 0..6_usize {
        let mut order: Vec<_> = patients.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        let letters: Vec<_> = order
            .iter()
            .map(|who| hospital.letter(who, &format!("L-{round}-{}", who.source_id)))
            .collect();
        let (store, system) = (db.store().clone(), hospital.system);
        calls.push(tokio::spawn(async move {
            publish_letters(&store, &system, &letters)
                .await
                .expect("published");
            for letter in letters.iter().rev() {
                withdraw_letter(&store, &system, &letter.source_id, "Test")
                    .await
                    .expect("withdrawn");
            }
        }));
    }
    for call in calls {
        tokio::time::timeout(Duration::from_secs(60), call)
            .await
            .expect("nobody waits for ever")
            .expect("no panic");
    }
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM letters WHERE state = 'withdrawn'")
            .await,
        36
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE ended_at IS NULL")
            .await,
        0
    );
    hospital.assert_sound().await;
}
