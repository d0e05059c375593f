//! One overdue letter's way out: supervisor, dispatchers, print room.

use std::time::Duration;

use chrono::TimeDelta;
use letterbox_actors::testing::{Script, World, eventually};
use letterbox_domain::{
    case::CaseEnd,
    dispatch::{Channel, DispatchState, Outcome},
    policy::Policy,
};

const MORNING: &str = "2026-03-02T09:00:00Z"; // a Monday

fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

/// The standard ladder without quiet hours: what is due is sent when it is due.
fn always() -> Policy {
    Policy {
        nudge_hours: None,
        ..Policy::standard()
    }
}

#[actix::test]
async fn r3_6_an_unopened_letter_climbs_the_ladder_until_it_is_opened() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    let letter = world.publish(patient);
    world.pass(hours(23)).await;
    assert_eq!(
        (world.email.count(), world.text.count()),
        (0, 0),
        "nothing before its time"
    );
    world.pass(hours(2)).await;
    assert_eq!((world.email.count(), world.text.count()), (1, 0));
    world.open(letter);
    world.pass(TimeDelta::days(30)).await;
    assert_eq!(
        (world.email.count(), world.text.count()),
        (1, 0),
        "an opened letter is left in peace"
    );
    assert_eq!(world.hospital.end_of(letter.case), Some(CaseEnd::Opened));
    world.end().await;
}

#[actix::test]
async fn r3_5_a_letter_that_nobody_opens_is_mailed_texted_printed_and_posted_once() {
    let world = World::at(MORNING).with_policy(always()).start();
    world
        .hospital
        .print_from("2026-03-02T17:30:00Z".parse().expect("an instant"));
    let patient = world.hospital.patient();
    let letter = world.publish(patient);
    world.pass(TimeDelta::days(5)).await;
    assert_eq!((world.email.count(), world.text.count()), (1, 1));
    let folders = world.press.folders();
    assert_eq!(
        folders.values().flatten().collect::<Vec<_>>(),
        [&letter.letter.as_uuid()]
    );
    assert_eq!(
        world.hospital.end_of(letter.case),
        None,
        "it is posted when the print house says so"
    );
    world.press.post_everything();
    world.system.poke_press();
    eventually("the case ends", || {
        world.hospital.end_of(letter.case) == Some(CaseEnd::Posted)
    })
    .await;
    for name in folders.keys() {
        eventually("the acknowledgement is forgotten", || {
            world.press.has_forgotten(name)
        })
        .await;
    }
    world.press.post_everything(); // the print house repeats itself
    world.pass(TimeDelta::days(10)).await;
    assert_eq!(world.press.folders(), folders, "nothing is printed twice");
    world.end().await;
}

#[actix::test]
async fn a_thousand_overdue_cases_are_drained_in_batches_without_a_rest_between() {
    let world = World::at(MORNING)
        .with_policy(always())
        .with(|settings| {
            settings.case_batch = 100;
            settings.poll = Duration::from_secs(5);
        })
        .start();
    for _ in 0..1_000 {
        let patient = world.hospital.patient();
        world.hospital.publish(world.trust, patient);
    }
    let began = std::time::Instant::now();
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.system.poke_cases(world.trust);
    eventually("all have been told", || world.email.count() == 1_000).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "no rest between batches"
    );
    world.end().await;
}

#[actix::test]
async fn two_nodes_tell_each_patient_once() {
    let world = World::at(MORNING).with_policy(always()).start();
    let other = world.second_node();
    for _ in 0..200 {
        let patient = world.hospital.patient();
        world.hospital.publish(world.trust, patient);
    }
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.settle().await;
    let mut received = world.email.received();
    for (key, count) in other.email.received() {
        *received.entry(key).or_default() += count;
    }
    assert_eq!(received.len(), 200);
    assert!(
        received.values().all(|count| *count == 1),
        "nobody is told twice"
    );
    other.end().await;
    world.end().await;
}

#[actix::test]
async fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.publish(patient);
    world.email.next(Script::TakeSilently);
    world.pass(hours(25)).await;
    assert_eq!(
        (world.email.count(), world.email.look_ups()),
        (1, 1),
        "it was there after all"
    );
    assert_eq!(
        world.hospital.dispatches_to(patient),
        [(Channel::Email, DispatchState::Accepted)]
    );
    world.end().await;
}

#[actix::test]
async fn a_message_that_was_lost_with_its_answer_is_sent_again_after_looking() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.publish(patient);
    world.email.next(Script::LoseSilently);
    world.pass(hours(25)).await;
    assert_eq!((world.email.count(), world.email.look_ups()), (1, 1));
    world.end().await;
}

#[actix::test]
async fn a_provider_that_cannot_be_asked_never_gets_a_second_copy() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    let letter = world.publish(patient);
    world.email.next(Script::TakeSilently);
    world.email.set_forgetful();
    world.pass(hours(25)).await;
    assert_eq!(world.email.count(), 1);
    assert_eq!(
        world.hospital.dispatches_to(patient),
        [(Channel::Email, DispatchState::Unknown)]
    );
    world.open(letter);
    world.pass(hours(1)).await;
    world.end().await;
}

#[actix::test]
async fn a_busy_provider_is_left_alone_for_as_long_as_it_says() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.publish(patient);
    world.email.next(Script::Answer(Outcome::Later {
        after: Duration::from_secs(3_600),
    }));
    world.pass(hours(24) + TimeDelta::minutes(30)).await;
    assert_eq!(world.email.count(), 0);
    world.pass(hours(1)).await;
    assert_eq!((world.email.count(), world.email.look_ups()), (1, 0));
    world.end().await;
}

#[actix::test]
async fn a_driver_that_panics_counts_as_no_answer_and_hurts_nobody_else() {
    let world = World::at(MORNING).with_policy(always()).start();
    for _ in 0..3 {
        let patient = world.hospital.patient();
        world.publish(patient);
    }
    world.email.next(Script::Panic);
    world.pass(hours(25)).await;
    assert!(world.email.received().values().all(|count| *count == 1) && world.email.count() == 3);
    world.end().await;
}

#[actix::test]
async fn a_slow_provider_holds_up_no_more_than_its_own_places() {
    let world = World::at(MORNING)
        .with_policy(always())
        .with(|settings| settings.dispatch_parallel = 4)
        .start();
    for _ in 0..12 {
        let patient = world.hospital.patient();
        world.hospital.publish(world.trust, patient);
    }
    world.email.set_slow(Duration::from_millis(30));
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.settle().await;
    assert_eq!((world.email.count(), world.email.most_at_once()), (12, 4));
    world.end().await;
}

#[actix::test]
async fn nothing_is_sent_on_a_lease_that_could_end_before_the_call() {
    let world = World::at(MORNING)
        .with_policy(always())
        .with(|settings| {
            settings.dispatch_lease = Duration::from_secs(5);
            settings.send_patience = Duration::from_secs(10);
        })
        .start();
    let patient = world.hospital.patient();
    world.hospital.publish(world.trust, patient);
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.system.poke_cases(world.trust);
    let claimed = [(Channel::Email, DispatchState::Claimed)];
    eventually("it is claimed", || {
        world.hospital.dispatches_to(patient) == claimed
    })
    .await;
    eventually("the loop turns on", || {
        let loops = world.system.health().loops();
        loops
            .iter()
            .any(|each| each.name == "dispatcher:email" && each.completed_ago.is_some())
    })
    .await;
    assert_eq!(world.email.count(), 0);
    world.end().await;
}

#[actix::test]
async fn a_broken_print_house_delays_the_batch_and_loses_nothing() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.publish(patient);
    world.clock.pass(Duration::from_secs(5 * 24 * 3_600));
    world.settle().await;
    world.press.set_broken(true);
    world
        .hospital
        .print_from("2026-03-07T17:30:00Z".parse().expect("an instant"));
    world.clock.pass(Duration::from_secs(24 * 3_600));
    eventually("the failure shows", || {
        world
            .system
            .health()
            .loops()
            .iter()
            .any(|each| each.name == "press" && each.failed_ago.is_some())
    })
    .await;
    assert!(world.press.folders().is_empty());
    world.press.set_broken(false);
    world.clock.pass(Duration::from_secs(61)); // past the lease on the batch
    eventually("the folder stands", || world.press.folders().len() == 1).await;
    world.end().await;
}

#[actix::test]
async fn a_store_that_fails_shows_in_health_and_is_caught_up_with() {
    let world = World::at(MORNING).with_policy(always()).start();
    let patient = world.hospital.patient();
    world.hospital.publish(world.trust, patient);
    let name = format!("supervisor:{}", world.trust);
    eventually("the supervisor works", || {
        world
            .system
            .health()
            .loops()
            .iter()
            .any(|each| each.name == name)
    })
    .await;
    world.hospital.set_down(true);
    world.clock.pass(Duration::from_secs(25 * 3_600));
    eventually("it shows", || {
        let loops = world.system.health().loops();
        loops
            .iter()
            .any(|each| each.name == name && each.failures_in_a_row >= 3 && each.error.is_some())
    })
    .await;
    eventually("failing is not standing still", || {
        world.system.health().alive(Duration::from_secs(60))
    })
    .await;
    world.hospital.set_down(false);
    world.settle().await;
    assert_eq!(world.email.count(), 1);
    world.end().await;
}

#[actix::test]
async fn a_trust_taken_on_later_gets_a_supervisor() {
    let world = World::at(MORNING).with_policy(always()).start();
    let trust = world.hospital.trust();
    let patient = world.hospital.patient();
    world.hospital.publish(trust, patient);
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.system.poke_cases(trust);
    eventually("the new trust's patient is told", || {
        world.email.count() == 1
    })
    .await;
    world.end().await;
}

#[actix::test]
async fn a_case_on_which_deciding_panics_holds_up_nobody_and_keeps_its_lease() {
    let world = World::at(MORNING).with_policy(always()).start();
    let bad = world
        .hospital
        .publish(world.trust, world.hospital.patient());
    world.hospital.poison(bad.case);
    for _ in 0..10 {
        let patient = world.hospital.patient();
        world.hospital.publish(world.trust, patient);
    }
    world.clock.pass(Duration::from_secs(25 * 3_600));
    world.system.poke_cases(world.trust);
    eventually("the others are told", || world.email.count() == 10).await;
    assert_eq!(world.hospital.end_of(bad.case), None);
    world.end().await;
}

#[actix::test]
async fn pokes_do_not_hurry_a_store_that_fails() {
    let world = World::at(MORNING)
        .with(|settings| {
            settings.back_off = Duration::from_secs(3_600);
            settings.back_off_max = Duration::from_secs(3_600);
        })
        .start();
    let press = || {
        let loops = world.system.health().loops();
        loops.into_iter().find(|each| each.name == "press")
    };
    world.hospital.set_down(true);
    let failures = || press().map_or(0, |press| press.failures_in_a_row);
    eventually("it fails", || failures() == 1).await;
    for _ in 0..50 {
        world.system.poke_press();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(failures(), 1);
    world.hospital.set_down(false);
    world.end().await;
}
