//! Receipts: stored once, answered always, and never the opening of a letter.

use uuid::Uuid;

use crate::world::{World, events_of, until};

#[actix_rt::test]
async fn a_receipt_is_stored_once_and_answered_each_time() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut wire = world.at_home(&patient).await;
    world.publish(&patient, 1).await;
    let event = events_of(&mut wire, 1, 1).await.remove(0);
    let id = Uuid::now_v7();
    for kind in ["shown", "shown", "opened"] {
        wire.say(&format!(
            r#"{{"t":"rx","id":"{id}","ev":"{event}","k":"{kind}"}}"#
        ))
        .await;
        let answer = wire.json().await;
        assert_eq!(
            (answer["t"].as_str(), answer["id"].as_str()),
            (Some("rxok"), Some(id.to_string().as_str()))
        );
    }
    let rows = world
        .rows
        .query("SELECT event_id, account_id, kind FROM receipts", &[])
        .await
        .expect("receipts");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, Uuid>("event_id").to_string(), event);
    assert_eq!(
        rows[0].get::<_, Uuid>("account_id"),
        patient.person.account.as_uuid()
    );
    assert_eq!(rows[0].get::<_, &str>("kind"), "shown");
    let opened = world
        .rows
        .query_one(
            "SELECT count(*) FROM letters WHERE opened_at IS NOT NULL OR state = 'opened'",
            &[],
        )
        .await
        .expect("letters");
    assert_eq!(opened.get::<_, i64>(0), 0, "a socket never opens a letter");
}

#[actix_rt::test]
async fn a_receipt_for_somebody_elses_event_is_not_kept() {
    let world = World::new().await;
    let (mine, other) = (world.patient().await, world.patient().await);
    let foreign = world.publish(&other, 1).await.remove(0);
    let mut wire = world.at_home(&mine).await;
    for event in [foreign.id.as_uuid(), Uuid::now_v7()] {
        let id = Uuid::now_v7();
        wire.say(&format!(
            r#"{{"t":"rx","id":"{id}","ev":"{event}","k":"shown"}}"#
        ))
        .await;
        // Answered alike: the answer tells nothing about whether the event exists.
        assert_eq!(wire.json().await["id"], id.to_string());
    }
    let kept = world
        .rows
        .query_one("SELECT count(*) FROM receipts", &[])
        .await;
    assert_eq!(kept.expect("a count").get::<_, i64>(0), 0);
}

#[actix_rt::test]
async fn receipts_of_many_browsers_are_stored_together() {
    let world = World::new().await;
    let mut wires = Vec::new();
    for _ in 0..20 {
        let patient = world.patient().await;
        let mut wire = world.at_home(&patient).await;
        world.publish(&patient, 3).await;
        let events = events_of(&mut wire, 3, 1).await;
        wires.push((wire, events));
    }
    for (wire, events) in &mut wires {
        for event in events {
            let id = Uuid::now_v7();
            wire.say(&format!(
                r#"{{"t":"rx","id":"{id}","ev":"{event}","k":"shown"}}"#
            ))
            .await;
        }
    }
    for (wire, events) in &mut wires {
        for _ in events {
            assert_eq!(wire.json().await["t"], "rxok");
        }
    }
    until("all are stored", async || {
        let stored = world
            .rows
            .query_one("SELECT count(*) FROM receipts", &[])
            .await;
        stored.expect("a count").get::<_, i64>(0) == 60
    })
    .await;
}
