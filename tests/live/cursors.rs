//! Positions: whatever a browser claims, it gets its own mailbox, whole and in order, or `reset`; never another's.

use letterbox::live::boxes::BoxName;
use letterbox::live::cursor::Position;
use letterbox_domain::circle::ShareKind;
use letterbox_domain::id::{GrantsVersion, Seq};
use serde_json::{Value, json};

use crate::client::Wire;
use crate::world::{Patient, World, events_of, ids, nowhere};

fn opened(ok: &Value) -> &Value {
    &ok["boxes"][0]
}

fn at(patient: &Patient, cursor: &str) -> Value {
    json!({ patient.id.to_string(): cursor })
}

fn sealed(world: &World, patient: &Patient, seq: i64) -> String {
    let position = Position {
        seq: Seq(seq),
        version: GrantsVersion(0),
    };
    let name = BoxName::Mailbox(patient.id);
    world
        .node
        .live
        .cursors()
        .seal(patient.person.account, &name, position)
}

async fn last_cursor(wire: &mut Wire, events: usize) -> String {
    let mut cursor = String::new();
    for _ in 0..events {
        cursor = wire.json().await["c"]
            .as_str()
            .expect("a cursor")
            .to_owned();
    }
    cursor
}

#[actix_rt::test]
async fn case_40_case_74_a_claimed_position_that_is_not_ours_resets_and_never_opens_another_mailbox()
 {
    let world = World::new().await;
    let (mine, other) = (world.patient().await, world.patient().await);
    world.publish(&mine, 3).await;
    world.publish(&other, 5).await;
    let ahead = sealed(&world, &mine, 4);
    let far_ahead = sealed(&world, &mine, i64::MAX);
    let negative = sealed(&world, &mine, -1);
    let lowest = sealed(&world, &mine, i64::MIN);
    let foreign = sealed(&world, &other, 1);
    let long = "9".repeat(59);
    let claims = [
        ("ahead of the head", ahead.as_str()),
        ("2^63-1, sealed", &far_ahead),
        ("negative, sealed", &negative),
        ("the lowest number, sealed", &lowest),
        ("another patient's", &foreign),
        ("a bare number", "1"),
        ("negative", "-1"),
        ("2^63", "9223372036854775808"),
        ("2^64", "18446744073709551616"),
        ("digits of the right length", &long),
        ("empty", ""),
        ("a path", "../../etc/passwd"),
    ];
    for (what, claim) in claims {
        let (mut wire, ok) = world.node.browse(&mine.person, &at(&mine, claim)).await;
        let opened = opened(&ok);
        assert_eq!(opened["b"], mine.id.to_string(), "{what}");
        assert_eq!(opened["res"], "reset", "{what}");
        assert_eq!(ok["boxes"].as_array().map(Vec::len), Some(1), "{what}");
        let fresh = world.publish(&mine, 1).await;
        assert_eq!(events_of(&mut wire, 1, 1).await, ids(&fresh), "{what}");
    }
}

#[actix_rt::test]
async fn naming_another_patients_box_opens_nothing() {
    let world = World::new().await;
    let (mine, other) = (world.patient().await, world.patient().await);
    world.publish(&other, 2).await;
    let claim = json!({ other.id.to_string(): sealed(&world, &other, 0) });
    let (mut wire, ok) = world.node.browse(&mine.person, &claim).await;
    assert_eq!(ok["boxes"].as_array().map(Vec::len), Some(1));
    assert_eq!(opened(&ok)["b"], mine.id.to_string());
    world.publish(&other, 1).await;
    let own = world.publish(&mine, 1).await;
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&own));
}

#[actix_rt::test]
async fn every_box_has_a_position_at_once_even_if_nothing_ever_happened() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (wire, ok) = world.node.browse(&patient.person, &nowhere()).await;
    let position = opened(&ok)["pos"].as_str().expect("a position").to_owned();
    drop(wire);
    let missed = world.publish(&patient, 1).await;
    let (mut wire, ok) = world
        .node
        .browse(&patient.person, &at(&patient, &position))
        .await;
    assert_eq!(opened(&ok)["res"], "catchup");
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&missed));
}

#[actix_rt::test]
async fn coming_back_ten_times_gives_the_same_each_time() {
    let world = World::new().await;
    let patient = world.patient().await;
    let start = sealed(&world, &patient, 0);
    let missed = world.publish(&patient, 25).await;
    for _ in 0..10 {
        let (mut wire, ok) = world
            .node
            .browse(&patient.person, &at(&patient, &start))
            .await;
        assert_eq!(opened(&ok)["res"], "catchup");
        assert_eq!(events_of(&mut wire, 25, 1).await, ids(&missed));
    }
}

#[actix_rt::test]
async fn each_events_cursor_continues_right_behind_it() {
    let world = World::new().await;
    let patient = world.patient().await;
    let all = world.publish(&patient, 6).await;
    let mut cursor = sealed(&world, &patient, 0);
    for seen in [2, 3, 1] {
        let (mut wire, _) = world
            .node
            .browse(&patient.person, &at(&patient, &cursor))
            .await;
        cursor = last_cursor(&mut wire, seen).await;
    }
    let (mut wire, ok) = world
        .node
        .browse(&patient.person, &at(&patient, &cursor))
        .await;
    assert_eq!(opened(&ok)["res"], "live", "all {} were seen", all.len());
    let next = world.publish(&patient, 1).await;
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&next));
}

#[actix_rt::test]
async fn who_was_away_for_too_long_reads_the_page_again() {
    let world = World::new().await;
    let patient = world.patient().await;
    let start = sealed(&world, &patient, 0);
    world.publish(&patient, 400).await;
    let (_, ok) = world
        .node
        .browse(&patient.person, &at(&patient, &start))
        .await;
    assert_eq!(opened(&ok)["res"], "reset");
}

#[actix_rt::test]
async fn case_40_a_database_that_was_set_back_resets_whoever_is_ahead() {
    let world = World::new().await;
    let patient = world.patient().await;
    world.publish(&patient, 5).await;
    let cursor = sealed(&world, &patient, 5);
    world
        .rows
        .batch_execute("DELETE FROM outbox; DELETE FROM events WHERE seq > 2; UPDATE patients SET head_seq = 2")
        .await
        .expect("a restore");
    let node = world.another_node().await;
    let (_, ok) = node.browse(&patient.person, &at(&patient, &cursor)).await;
    assert_eq!(opened(&ok)["res"], "reset");
}

/// An event committed at any moment around the attachment is seen exactly once: by catching up or live.
#[actix_rt::test]
async fn case_41_nothing_falls_between_the_page_and_the_socket() {
    let world = World::new().await;
    let patient = world.patient().await;
    for round in 0..40_u64 {
        let page = sealed(&world, &patient, i64::try_from(round).expect("small"));
        let connect = async {
            let (mut wire, _) = world
                .node
                .browse(&patient.person, &at(&patient, &page))
                .await;
            events_of(&mut wire, 1, 1).await
        };
        let publish = async {
            // Each round a little later: from before the ticket to after the attachment.
            tokio::time::sleep(std::time::Duration::from_micros(round * 300)).await;
            if round % 2 == 0 {
                world.publish(&patient, 1).await
            } else {
                // And without the doorbell, which may always be lost.
                world.commit(&patient, 1, ShareKind::ClinicLetters).await
            }
        };
        let (seen, committed) = tokio::join!(connect, publish);
        assert_eq!(seen, ids(&committed), "round {round}");
    }
}

#[actix_rt::test]
async fn a_commit_that_nobody_rang_for_arrives_all_the_same() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut wire = world.at_home(&patient).await;
    let silent = world.commit(&patient, 3, ShareKind::ClinicLetters).await;
    assert_eq!(events_of(&mut wire, 3, 1).await, ids(&silent));
}
