//! One letter's way from the commit to the open pages, with every wake-up lost, doubled or out of order.

use std::time::Duration;

use letterbox_actors::{
    messages::{AttachError, Continuity},
    ports::ResetReason,
    testing::{Heard, RecordingSession, World, eventually},
};
use letterbox_domain::id::{PatientId, Seq};

const MORNING: &str = "2026-03-02T09:00:00Z";

fn seqs(range: std::ops::RangeInclusive<i64>) -> Vec<Seq> {
    range.map(Seq).collect()
}

#[actix::test]
async fn a_letter_reaches_every_open_tab_once_and_is_allocated_once() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tabs = [
        RecordingSession::open(),
        RecordingSession::open(),
        RecordingSession::open(),
    ];
    let mut held = Vec::new();
    for tab in &tabs {
        held.push(
            world
                .tab(patient, Some(Seq::START), tab)
                .await
                .expect("attached"),
        );
    }
    world.publish(patient);
    world.publish(patient);
    for tab in &tabs {
        eventually("each tab has both", || tab.seqs() == seqs(1..=2)).await;
        assert_eq!(
            tab.allocations(),
            tabs[0].allocations(),
            "the tabs share one allocation a letter"
        );
    }
    world.end().await;
}

#[actix::test]
async fn another_patients_letter_stays_with_the_other_patient() {
    let world = World::at(MORNING).start();
    let (mine, theirs) = (world.hospital.patient(), world.hospital.patient());
    let (my_tab, their_tab) = (RecordingSession::open(), RecordingSession::open());
    let _mine = world
        .tab(mine, Some(Seq::START), &my_tab)
        .await
        .expect("attached");
    let _theirs = world
        .tab(theirs, Some(Seq::START), &their_tab)
        .await
        .expect("attached");
    world.publish(theirs);
    eventually("it has arrived", || their_tab.seqs() == seqs(1..=1)).await;
    assert_eq!(my_tab.heard(), []);
    world.end().await;
}

#[actix::test]
async fn a_tab_that_was_away_gets_exactly_what_it_missed_every_time_it_asks() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    for _ in 0..5 {
        world.publish(patient);
    }
    for _ in 0..3 {
        let attached = world
            .tab(patient, Some(Seq(2)), &RecordingSession::open())
            .await
            .expect("attached");
        let Continuity::CatchUp(missed) = attached.from else {
            panic!("not {:?}", attached.from)
        };
        assert_eq!(
            missed.iter().map(|event| event.seq).collect::<Vec<_>>(),
            seqs(3..=5)
        );
        assert_eq!((attached.head, attached.items), (Seq(5), 5));
    }
    world.end().await;
}

#[actix::test]
async fn a_tab_that_received_nothing_yet_misses_nothing() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let first = world
        .tab(patient, Some(Seq::START), &RecordingSession::open())
        .await
        .expect("attached");
    assert!(matches!(first.from, Continuity::Live));
    drop(first);
    world.publish(patient);
    let back = world
        .tab(patient, Some(Seq::START), &RecordingSession::open())
        .await
        .expect("attached");
    assert!(matches!(back.from, Continuity::CatchUp(missed) if missed.len() == 1));
    world.end().await;
}

#[actix::test]
async fn an_event_committed_while_a_tab_attaches_is_neither_lost_nor_doubled() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    for round in 0..40 {
        let tab = RecordingSession::open();
        let shown = Seq(round * 2);
        let publishing = async {
            world.publish(patient);
            tokio::task::yield_now().await;
            world.publish(patient);
        };
        let (attached, ()) = tokio::join!(world.tab(patient, Some(shown), &tab), publishing);
        let attached = attached.expect("attached");
        let mut got = match &attached.from {
            Continuity::CatchUp(missed) => missed.iter().map(|event| event.seq).collect(),
            Continuity::Live => Vec::new(),
            Continuity::Reset(why) => panic!("reset: {why:?}"),
        };
        eventually("both events are there", || {
            got.len() + tab.seqs().len() >= 2
        })
        .await;
        got.extend(tab.seqs());
        assert_eq!(
            got,
            seqs(shown.get() + 1..=shown.get() + 2),
            "round {round}"
        );
    }
    world.end().await;
}

#[actix::test]
async fn what_passes_by_while_a_catch_up_is_read_is_part_of_it() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let (early, late) = (RecordingSession::open(), RecordingSession::open());
    let _early = world
        .tab(patient, Some(Seq::START), &early)
        .await
        .expect("attached");
    for _ in 0..3 {
        world.publish(patient);
    }
    eventually("three are there", || early.seqs().len() == 3).await;
    world.hospital.set_late(Duration::from_millis(100));
    let before = world.hospital.questions().0;
    let publishing = async {
        eventually("the read has begun", || {
            world.hospital.questions().0 > before
        })
        .await;
        world.publish(patient);
        world.publish(patient);
    };
    let (attached, ()) = tokio::join!(world.tab(patient, Some(Seq(1)), &late), publishing);
    let attached = attached.expect("attached");
    let Continuity::CatchUp(missed) = attached.from else {
        panic!("not {:?}", attached.from)
    };
    let missed: Vec<_> = missed.iter().map(|event| event.seq).collect();
    assert_eq!((missed, attached.head), (seqs(2..=5), Seq(5)));
    assert_eq!(late.heard(), [], "nothing twice");
    assert_eq!(
        early.seqs(),
        seqs(1..=5),
        "the read held up nobody who was there"
    );
    world.end().await;
}

#[actix::test]
async fn positions_that_cannot_be_are_answered_with_a_reset_and_a_live_view() {
    let world = World::at(MORNING)
        .with(|settings| settings.catch_up_max = 10)
        .start();
    let patient = world.hospital.patient();
    for _ in 0..20 {
        world.publish(patient);
    }
    // Positions count from the head of the moment: every round adds one event.
    let cases = [
        (None, ResetReason::NoPosition),
        (Some(Seq(22)), ResetReason::AheadOfHead),
        (Some(Seq(i64::MAX)), ResetReason::AheadOfHead),
        (Some(Seq(-1)), ResetReason::AheadOfHead),
        (Some(Seq(i64::MIN)), ResetReason::AheadOfHead),
        (Some(Seq(14)), ResetReason::TooFarBehind),
    ];
    for (since, expected) in cases {
        let tab = RecordingSession::open();
        let attached = world.tab(patient, since, &tab).await.expect("attached");
        let Continuity::Reset(why) = attached.from else {
            panic!("{since:?}: {:?}", attached.from)
        };
        assert_eq!(why, expected, "{since:?}");
        let next = world.publish(patient);
        eventually("live events follow", || tab.seqs() == [next.seq]).await;
    }
    world.end().await;
}

#[actix::test]
async fn a_page_newer_than_memory_is_believed_after_asking_the_store() {
    let world = World::at(MORNING)
        .with(|settings| settings.heads_every = Duration::from_secs(60))
        .start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    world.cut_the_bell();
    world.publish(patient);
    let newer = world
        .tab(patient, Some(Seq(1)), &RecordingSession::open())
        .await
        .expect("attached");
    assert!(matches!(newer.from, Continuity::Live), "{:?}", newer.from);
    assert_eq!(tab.seqs(), seqs(1..=1), "the older tab was told in passing");
    world.end().await;
}

#[actix::test]
async fn lost_wake_ups_cost_one_comparison_and_no_letter() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    world.cut_the_bell();
    for _ in 0..3 {
        world.publish(patient);
    }
    eventually("the comparison finds them", || tab.seqs() == seqs(1..=3)).await;
    world.end().await;
}

#[actix::test]
async fn doubled_reordered_and_gappy_wake_ups_are_heard_once_and_in_order() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    world.cut_the_bell();
    for _ in 0..30 {
        world.publish(patient);
    }
    let events = world.hospital.events_after(patient, Seq::START);
    for index in [4, 0, 0, 2, 29, 1, 3, 28, 5, 5, 17] {
        world.system.deliver(vec![events[index].clone()]);
    }
    world.system.deliver(events.into_iter().rev().collect());
    eventually("all are heard", || tab.seqs().len() >= 30).await;
    assert_eq!(tab.seqs(), seqs(1..=30));
    world.end().await;
}

#[actix::test]
async fn ten_thousand_letters_to_one_mailbox_arrive_densely() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    for _ in 0..10_000 {
        world.publish(patient);
    }
    eventually("all have arrived", || tab.seqs().len() >= 10_000).await;
    assert_eq!(tab.seqs(), seqs(1..=10_000));
    world.end().await;
}

#[actix::test]
async fn nobody_exists_by_being_asked_for() {
    let world = World::at(MORNING).start();
    let refused = world
        .tab(PatientId::random(), None, &RecordingSession::open())
        .await;
    assert_eq!(refused.err(), Some(AttachError::NoSuchMailbox));
    world.end().await;
}

#[actix::test]
async fn a_store_that_is_down_or_silent_refuses_kindly_and_later_serves() {
    let world = World::at(MORNING)
        .with(|settings| settings.read_patience = Duration::from_millis(50))
        .start();
    let patient = world.hospital.patient();
    world.hospital.set_down(true);
    let refused = world.tab(patient, None, &RecordingSession::open()).await;
    assert_eq!(refused.err(), Some(AttachError::Unavailable));
    world.hospital.set_down(false);
    world.hospital.set_hanging(true);
    let refused = world.tab(patient, None, &RecordingSession::open()).await;
    assert_eq!(refused.err(), Some(AttachError::Unavailable));
    world.hospital.set_hanging(false);
    assert!(
        world
            .tab(patient, None, &RecordingSession::open())
            .await
            .is_ok()
    );
    world.end().await;
}

#[actix::test]
async fn a_restored_backup_resets_every_view_and_never_hides_it() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    for _ in 0..3 {
        world.publish(patient);
    }
    eventually("all have arrived", || tab.seqs().len() == 3).await;
    world.hospital.restore_to(patient, Seq(1));
    eventually("the view is reset", || {
        tab.has_heard(&Heard::Reset(ResetReason::AheadOfHead))
    })
    .await;
    let back = world
        .tab(patient, Some(Seq(3)), &RecordingSession::open())
        .await
        .expect("attached");
    assert!(matches!(
        back.from,
        Continuity::Reset(ResetReason::AheadOfHead)
    ));
    world.end().await;
}
