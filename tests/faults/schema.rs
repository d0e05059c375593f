//! Case 18: a server on a schema that is newer than it.

use crate::rig::world::Wanted;
use crate::rig::{hospital::Hospital, seconds, world::World};

/// The migration after the newest that this binary knows.
const NEWER: &str = "
    INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
    SELECT max(version) + 1, 'later', now()::text, '0' FROM refinery_schema_history";
/// It says that servers one migration behind may go on.
const COMPATIBLE: &str = "
    INSERT INTO schema_compat (version, oldest_server)
    SELECT max(version), max(version) - 1 FROM refinery_schema_history";

/// The migration changes nothing that this server uses, and says so; the server publishes before and after it.
#[tokio::test]
async fn case_18_a_server_goes_on_beside_one_that_is_a_migration_ahead() {
    let world = World::shared(&Wanted::patients(1)).await;
    let old = world.running("node-a", &[]).await;
    let hospital = Hospital::meet(&old, &world.cast.api_key).await;
    let publish = async |node, source_id| {
        let answer = hospital
            .publish(node, &hospital.letter(source_id, world.patient(0)))
            .await;
        assert_eq!(answer.expect("an answer").status, 201, "{source_id}");
    };
    publish(&old, "before").await;
    let db = world.superuser().await;
    db.batch_execute(&format!("BEGIN; {NEWER}; {COMPATIBLE}; COMMIT"))
        .await
        .expect("it migrates");
    publish(&old, "during").await;
    let started_later = world.running("node-b", &[]).await;
    publish(&started_later, "after").await;
    assert_eq!(old.answers("/health/ready").await, Some(200));
}

#[tokio::test]
async fn case_18_a_server_refuses_a_newer_schema_that_does_not_know_it() {
    let world = World::shared(&Wanted::patients(1)).await;
    world
        .superuser()
        .await
        .batch_execute(NEWER)
        .await
        .expect("it migrates");
    let node = world.node("node-a", &[]);
    node.launch(node.command(&[]));
    let ended = node.end(seconds(60)).await.expect("it does not serve");
    assert!(!ended.success());
    let said = node.log_end();
    assert!(
        said.contains("does not understand: start a newer server"),
        "it says why, and what to do: {said}"
    );
}
