//! Staff boards: told at most once a second, never left behind.

use std::time::Duration;

use letterbox_actors::testing::{Heard, RecordingSession, World, eventually};

const MORNING: &str = "2026-03-02T09:00:00Z";

#[actix::test]
async fn staff_are_told_at_once_when_they_come_and_then_at_most_once_a_second() {
    let world = World::at(MORNING).start();
    let staff = RecordingSession::open();
    let _seat = world
        .system
        .attach_board(world.trust, staff.clone())
        .expect("seated");
    eventually("the newcomer reads", || {
        staff.heard() == [Heard::Dirty(world.trust)]
    })
    .await;
    for _ in 0..1_000 {
        world.system.poke_board(world.trust);
    }
    world.clock.pass(Duration::from_millis(900));
    assert!(staff.heard().len() <= 2, "{:?}", staff.heard());
    world.clock.pass(Duration::from_secs(1));
    eventually("they are told once more", || staff.heard().len() >= 2).await;
    assert!(staff.heard().len() <= 3, "a thousand pokes are one change");
    world.end().await;
}

#[actix::test]
async fn a_change_that_nobody_poked_about_is_found_by_its_mark() {
    let world = World::at(MORNING)
        .with(|settings| settings.board_every = Duration::from_millis(20))
        .start();
    let other = world.second_node();
    let (staff, elsewhere) = (RecordingSession::open(), RecordingSession::open());
    let _seat = world
        .system
        .attach_board(world.trust, staff.clone())
        .expect("seated");
    let third = world.hospital.trust();
    let _seat_elsewhere = world
        .system
        .attach_board(third, elsewhere.clone())
        .expect("seated");
    eventually("both have read", || {
        staff.heard().len() == 1 && elsewhere.heard().len() == 1
    })
    .await;
    eventually("marks are known", || {
        world
            .system
            .health()
            .loops()
            .iter()
            .any(|each| each.name == "board" && each.completed_ago.is_some())
    })
    .await;
    let patient = world.hospital.patient();
    other.hospital.publish(world.trust, patient);
    eventually("the mark is seen", || staff.heard().len() == 2).await;
    assert_eq!(
        elsewhere.heard().len(),
        1,
        "another trust's board has not changed"
    );
    other.end().await;
    world.end().await;
}

#[actix::test]
async fn whoever_leaves_is_told_nothing_more() {
    let world = World::at(MORNING)
        .with(|settings| settings.board_every = Duration::from_millis(5))
        .start();
    let (leaves, stays) = (RecordingSession::open(), RecordingSession::open());
    let seat = world
        .system
        .attach_board(world.trust, leaves.clone())
        .expect("seated");
    let _stays = world
        .system
        .attach_board(world.trust, stays.clone())
        .expect("seated");
    eventually("both have read", || {
        leaves.heard().len() == 1 && !stays.heard().is_empty()
    })
    .await;
    drop(seat);
    let before = stays.heard().len();
    world.system.poke_board(world.trust);
    eventually("the other is told", || stays.heard().len() > before).await;
    assert_eq!(leaves.heard().len(), 1);
    world.end().await;
}
