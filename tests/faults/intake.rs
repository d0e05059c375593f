//! Letters coming in: deaths around the commit, repeats, mix-ups, deadlocks, a connection cut at the worst moment.

use serde_json::{Value, json};

use crate::proxy::{Cut, Proxy};
use crate::rig::hospital::Hospital;
use crate::rig::node::Extra;
use crate::rig::world::{Wanted, World};
use crate::rig::{seconds, until};
use crate::stage::Stage;

/// Rows that a publication writes.
const WRITTEN: &str = "SELECT (SELECT count(*) FROM letters) + (SELECT count(*) FROM cases)
    + (SELECT count(*) FROM events) + (SELECT count(*) FROM outbox)
    + (SELECT count(*) FROM history WHERE kind = 'letter.published')";
/// The same without the wake-ups, which are gone once they have been rung.
const KEPT: &str = "SELECT (SELECT count(*) FROM letters) + (SELECT count(*) FROM cases)
    + (SELECT count(*) FROM events) + (SELECT count(*) FROM history WHERE kind = 'letter.published')";

/// Case 1.
#[tokio::test]
async fn case_1_a_server_killed_before_its_commit_has_published_nothing() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let form = dies_while_publishing(
        &stage,
        &[("LETTERBOX_CRASH_POINT", "publish.before_commit:1")],
    )
    .await;
    assert_eq!(stage.world.count(WRITTEN).await, 0, "no half letter");
    stage.restart(&[]).await;
    let first = stage
        .hospital
        .publish(&stage.node, &form)
        .await
        .expect("an answer");
    let again = stage
        .hospital
        .publish(&stage.node, &form)
        .await
        .expect("an answer");
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.letter_id(), again.letter_id());
    assert_eq!(
        stage.world.count(KEPT).await,
        4,
        "one letter, one case, one event, one line of history"
    );
}

/// Case 2.
#[tokio::test]
async fn case_2_a_server_killed_before_it_could_answer_has_published_once() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let form = dies_while_publishing(
        &stage,
        &[("LETTERBOX_CRASH_POINT", "publish.after_commit:1")],
    )
    .await;
    assert_eq!(
        stage.world.count(KEPT).await,
        4,
        "it is there, although nobody was told"
    );
    stage.restart(&[]).await;
    let retry = stage
        .hospital
        .publish(&stage.node, &form)
        .await
        .expect("an answer");
    let again = stage
        .hospital
        .publish(&stage.node, &form)
        .await
        .expect("an answer");
    assert_eq!((retry.status, again.status), (200, 200));
    assert_eq!(retry.letter_id(), again.letter_id());
    assert_eq!(stage.world.count(KEPT).await, 4, "one letter, one timer");
}

async fn dies_while_publishing(stage: &Stage, trap: Extra<'_>) -> Value {
    stage.restart(trap).await;
    let form = stage.hospital.letter("letter-1", stage.world.patient(0));
    let answer = stage.hospital.publish(&stage.node, &form).await;
    assert!(answer.is_err(), "a dead server does not answer: {answer:?}");
    assert!(stage.node.end(seconds(20)).await.is_some() && stage.node.was_killed());
    form
}

/// Case 9: nobody knows whether the COMMIT arrived. Whatever the answer, the letter is published once.
#[tokio::test]
async fn case_9_a_connection_cut_at_the_commit_leaves_one_letter_whether_or_not_it_arrived() {
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        let world = World::shared(&Wanted::patients(1)).await;
        let proxy = Proxy::before(&world.database_url()).await;
        let node = world.node_at("node-a", &proxy.url(&world.database_url()), &[]);
        node.start(&[]).await;
        let hospital = Hospital::meet(&node, &world.cast.api_key).await;
        let form = hospital.letter("cut-letter", world.patient(0));
        proxy.cut_the_commit_of(cut, "cut-letter");
        let first = hospital
            .publish(&node, &form)
            .await
            .expect("the server is alive and says something");
        assert_eq!(proxy.cuts(), 1, "{cut:?}: the connection was cut");
        assert!(
            first.is_published() || first.status == 503,
            "{cut:?}: {first:?}"
        );
        let again = hospital.publish(&node, &form).await.expect("an answer");
        assert!(again.is_published(), "{cut:?}: {again:?}");
        if first.is_published() {
            assert_eq!(first.letter_id(), again.letter_id(), "{cut:?}");
        }
        assert_eq!(world.count(KEPT).await, 4, "{cut:?}: published once");
    }
}

/// Case 17: two transactions that want the same rows in opposite order; PostgreSQL ends ours, and nobody notices.
#[tokio::test]
async fn case_17_a_publication_that_loses_a_deadlock_is_tried_again_whole() {
    let stage = Stage::set(&Wanted::patients(2), &[]).await;
    let mut boxes = [
        stage.world.patient(0).mailbox,
        stage.world.patient(1).mailbox,
    ];
    boxes.sort_unstable();
    let (ours, watcher) = (stage.world.superuser().await, stage.world.superuser().await);
    // Ours waits longer before it looks for a deadlock, so that the server's transaction is the one that is ended.
    ours.batch_execute("SET deadlock_timeout = '60s'; BEGIN")
        .await
        .expect("it obeys");
    let lock = "SELECT 1 FROM patients WHERE id = $1 FOR UPDATE";
    ours.query(lock, &[&boxes[1]])
        .await
        .expect("the row is free");
    let letters = [0, 1].map(|who| {
        stage
            .hospital
            .letter(&format!("letter-{who}"), stage.world.patient(who))
    });
    let batch = json!({ "letters": letters });
    let publishing = stage
        .hospital
        .post(&stage.node, "/api/v1/letters/batch", &batch);
    let crossing = async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until("the server waits for our row", seconds(20), async || {
            watcher
                .query_one(waits, &[])
                .await
                .expect("it is readable")
                .get::<_, i64>(0)
                > 0
        })
        .await;
        ours.query(lock, &[&boxes[0]]).await.expect("ours wins");
        ours.batch_execute("COMMIT").await.expect("it obeys");
    };
    let (answer, ()) = futures_util::future::join(publishing, crossing).await;
    let answer = answer.expect("the server answers");
    let statuses: Vec<_> = answer.body["results"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, [201, 201], "{answer:?}");
    assert_eq!(stage.world.count("SELECT count(*) FROM letters").await, 2);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    until("PostgreSQL counts the deadlock", seconds(20), async || {
        stage.world.count(deadlocks).await > 0
    })
    .await;
}

/// Case 59.
#[tokio::test]
async fn case_59_the_same_letter_sent_again_is_the_same_letter() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let letter = stage.publish("letter-1").await;
    let form = stage.hospital.letter("letter-1", stage.world.patient(0));
    let answers = (0..20).map(|_| stage.hospital.publish(&stage.node, &form));
    for answer in futures_util::future::join_all(answers).await {
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.letter_id()), (200, letter));
    }
    assert_eq!(stage.world.count(KEPT).await, 4);
}

/// Case 60.
#[tokio::test]
async fn case_60_another_letter_under_a_used_id_is_quarantined_and_the_first_stays_as_it_is() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let letter = stage.publish("letter-1").await;
    let mut other = stage.hospital.letter("letter-1", stage.world.patient(0));
    other["title"] = "Something else".into();
    let answer = stage
        .hospital
        .publish(&stage.node, &other)
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status, answer.code()),
        (409, "source_id_reused"),
        "{answer:?}"
    );
    let quarantine = stage
        .hospital
        .get(&stage.node, "/api/v1/quarantine")
        .await
        .expect("an answer");
    assert!(
        quarantine.body.to_string().contains("source_id_reused"),
        "a person must see it: {quarantine:?}"
    );
    let first = stage.hospital.letter("letter-1", stage.world.patient(0));
    let first = stage
        .hospital
        .publish(&stage.node, &first)
        .await
        .expect("an answer");
    assert_eq!(
        (first.status, first.letter_id()),
        (200, letter),
        "the original is untouched"
    );
    assert_eq!(stage.world.count(KEPT).await, 4);
}

/// Case 62: wrong check digit, nobody's number, somebody else's number.
#[tokio::test]
async fn case_62_a_letter_for_a_mixed_up_patient_is_delivered_to_nobody() {
    let stage = Stage::set(&Wanted::patients(2), &[]).await;
    let (one, other) = (stage.world.patient(0), stage.world.patient(1));
    let table = [
        (
            "wrong-digit",
            one.source_id.as_str(),
            "9990000019",
            "invalid_nhs_number",
        ),
        ("nobody", "no-such-patient", "9999999999", "unknown_patient"),
        (
            "mixed-up",
            one.source_id.as_str(),
            other.nhs_number.as_str(),
            "patient_mismatch",
        ),
    ];
    for (source_id, patient, nhs_number, code) in table {
        let mut form = stage.hospital.letter(source_id, one);
        form["patient"] = patient.into();
        form["nhs_number"] = nhs_number.into();
        let answer = stage
            .hospital
            .publish(&stage.node, &form)
            .await
            .expect("an answer");
        assert!(
            (400..500).contains(&answer.status),
            "{source_id}: {answer:?}"
        );
        let named =
            answer.code() == code || answer.body["errors"].to_string().contains("/nhs_number");
        assert!(named, "{source_id}: {answer:?}");
    }
    assert_eq!(stage.world.count(WRITTEN).await, 0, "delivered to nobody");
    let quarantine = stage
        .hospital
        .get(&stage.node, "/api/v1/quarantine")
        .await
        .expect("an answer");
    assert!(
        quarantine.body.to_string().contains("mixed-up"),
        "a person must see it: {quarantine:?}"
    );
}
