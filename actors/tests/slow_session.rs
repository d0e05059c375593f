//! Slow, full and vanished sessions: constant memory, nothing lost, nobody else delayed.

use letterbox_actors::{
    messages::{AttachError, Continuity},
    testing::{RecordingSession, World, eventually},
};
use letterbox_domain::id::Seq;

const MORNING: &str = "2026-03-02T09:00:00Z";

#[actix::test]
async fn a_full_session_is_left_alone_and_resumes_without_loss() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let (slow, quick) = (RecordingSession::with_room(2), RecordingSession::open());
    let attached = world
        .tab(patient, Some(Seq::START), &slow)
        .await
        .expect("attached");
    let _quick = world
        .tab(patient, Some(Seq::START), &quick)
        .await
        .expect("attached");
    for _ in 0..6 {
        world.publish(patient);
    }
    eventually("the quick one has all", || quick.seqs().len() == 6).await;
    assert_eq!(slow.seqs(), [Seq(1), Seq(2)]);
    assert_eq!(
        attached.attachment.position(),
        None,
        "a dirty view has no position"
    );
    slow.make_room(100);
    world.publish(patient);
    eventually("the quick one has one more", || quick.seqs().len() == 7).await;
    assert_eq!(
        slow.seqs(),
        [Seq(1), Seq(2)],
        "room alone lets nothing slip in out of order"
    );
    let resumed = world
        .system
        .resume(attached.attachment, Seq(2))
        .await
        .expect("resumed");
    let Continuity::CatchUp(missed) = resumed.from else {
        panic!("not {:?}", resumed.from)
    };
    assert_eq!(
        missed
            .iter()
            .map(|event| event.seq.get())
            .collect::<Vec<_>>(),
        [3, 4, 5, 6, 7]
    );
    world.publish(patient);
    eventually("it is live again", || {
        slow.seqs() == [Seq(1), Seq(2), Seq(8)]
    })
    .await;
    world.end().await;
}

#[actix::test]
async fn a_vanished_session_is_forgotten_at_the_next_event() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let (gone, stays) = (RecordingSession::open(), RecordingSession::open());
    let attached = world
        .tab(patient, Some(Seq::START), &gone)
        .await
        .expect("attached");
    let _stays = world
        .tab(patient, Some(Seq::START), &stays)
        .await
        .expect("attached");
    gone.vanish();
    world.publish(patient);
    eventually("the other hears", || stays.seqs() == [Seq(1)]).await;
    assert!(attached.attachment.is_over());
    world.end().await;
}

#[actix::test]
async fn leaving_is_dropping_and_the_empty_actor_is_retired() {
    let world = World::at(MORNING)
        .with(|settings| settings.patient_idle = std::time::Duration::from_secs(30))
        .start();
    let patient = world.hospital.patient();
    let attached = world
        .tab(patient, None, &RecordingSession::open())
        .await
        .expect("attached");
    assert_eq!(world.system.patients(), 1);
    drop(attached);
    // Seen empty first, then idle for the bound.
    let before = world.hospital.questions().0;
    eventually("two comparisons have passed", || {
        world.hospital.questions().0 > before + 2
    })
    .await;
    assert_eq!(
        world.system.patients(),
        1,
        "a page change does not cost the actor"
    );
    world.clock.pass(std::time::Duration::from_secs(31));
    eventually("it is retired", || world.system.patients() == 0).await;
    assert!(
        world
            .tab(patient, None, &RecordingSession::open())
            .await
            .is_ok(),
        "and starts again when asked for"
    );
    world.end().await;
}

#[actix::test]
async fn attaching_while_actors_retire_never_fails() {
    let world = World::at(MORNING)
        .with(|settings| {
            settings.patient_idle = std::time::Duration::ZERO;
            settings.heads_every = std::time::Duration::from_millis(1);
        })
        .start();
    let patient = world.hospital.patient();
    for _ in 0..500 {
        drop(
            world
                .tab(patient, None, &RecordingSession::open())
                .await
                .expect("attached"),
        );
    }
    world.end().await;
}

#[actix::test]
async fn a_view_that_was_never_full_is_not_resumed_but_attached_again() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let attached = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    let refused = world.system.resume(attached.attachment, Seq::START).await;
    assert_eq!(refused.err(), Some(AttachError::Unavailable));
    world.publish(patient);
    let again = world
        .tab(patient, Some(Seq::START), &RecordingSession::open())
        .await
        .expect("attached");
    assert!(matches!(again.from, Continuity::CatchUp(missed) if missed.len() == 1));
    assert_eq!(tab.heard(), [], "the refused view hears nothing more");
    world.end().await;
}
