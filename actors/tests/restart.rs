//! Draining, and what a node that went leaves to the next.

use std::time::Duration;

use letterbox_actors::{
    messages::AttachError,
    testing::{Heard, RecordingSession, World, eventually},
};
use letterbox_domain::{dispatch::DispatchState, id::Seq, policy::Policy};

const MORNING: &str = "2026-03-02T09:00:00Z";

fn always() -> Policy {
    Policy {
        nudge_hours: None,
        ..Policy::standard()
    }
}

#[actix::test]
async fn draining_tells_everybody_lets_calls_finish_and_claims_nothing_more() {
    let world = World::at(MORNING)
        .with_policy(always())
        .with(|settings| settings.dispatch_parallel = 1)
        .start();
    let patient = world.hospital.patient();
    let (tab, staff) = (RecordingSession::open(), RecordingSession::open());
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    let _seat = world
        .system
        .attach_board(world.trust, staff.clone())
        .expect("seated");
    for _ in 0..3 {
        let patient = world.hospital.patient();
        world.hospital.publish(world.trust, patient);
    }
    world.email.set_slow(Duration::from_millis(300));
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.system.poke_cases(world.trust);
    eventually("a call is in flight", || world.email.most_at_once() == 1).await;
    let report = world.system.drain(Duration::from_secs(5)).await;
    assert_eq!(report.unfinished, Vec::<String>::new());
    assert!(tab.has_heard(&Heard::Drain) && staff.has_heard(&Heard::Drain));
    assert_eq!(
        world.email.count(),
        1,
        "the call in flight was finished, none was begun"
    );
    let refused = world.tab(patient, None, &RecordingSession::open()).await;
    assert_eq!(refused.err(), Some(AttachError::Draining));
    assert!(
        world
            .system
            .attach_board(world.trust, RecordingSession::open())
            .is_err()
    );
}

#[actix::test]
async fn r3_7_what_a_drained_node_left_is_done_by_another() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.hospital.publish(world.trust, patient);
    assert_eq!(
        world.system.drain(Duration::from_secs(5)).await.unfinished,
        Vec::<String>::new()
    );
    world.clock.pass(Duration::from_secs(25 * 3_600));
    let next = world.second_node();
    next.settle().await;
    assert_eq!((world.email.count(), next.email.count()), (0, 1));
    next.end().await;
}

#[actix::test]
async fn a_call_that_outlives_the_deadline_is_named_and_comes_back_to_be_looked_up() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.hospital.publish(world.trust, patient);
    world.email.set_slow(Duration::from_secs(60));
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.system.poke_cases(world.trust);
    eventually("the call is in flight", || world.email.most_at_once() == 1).await;
    let report = world.system.drain(Duration::from_millis(200)).await;
    assert!(
        report.unfinished.contains(&"dispatcher:email".to_owned()),
        "{report:?}"
    );
    world.clock.pass(Duration::from_secs(61));
    let next = world.second_node();
    next.settle().await;
    assert_eq!((next.email.look_ups(), next.email.count()), (1, 1));
    assert!(
        next.hospital
            .dispatches_to(patient)
            .iter()
            .all(|(_, state)| *state == DispatchState::Accepted)
    );
    next.end().await;
}

#[actix::test]
async fn a_loop_that_stands_still_makes_the_node_dead() {
    let world = World::at(MORNING)
        .with(|settings| settings.port_patience = Duration::from_secs(3_600))
        .start();
    let bound = Duration::from_secs(60);
    eventually("all loops turn", || {
        world
            .system
            .health()
            .loops()
            .iter()
            .all(|each| each.completed_ago.is_some())
    })
    .await;
    assert!(world.system.health().alive(bound));
    world.hospital.set_hanging(true);
    world.clock.pass(Duration::from_secs(61));
    eventually("it is seen", || !world.system.health().alive(bound)).await;
    world.hospital.set_hanging(false);
    eventually("it recovers", || world.system.health().alive(bound)).await;
    world.end().await;
}
