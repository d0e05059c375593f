//! What a carer sees, and how surely they stop seeing it.

use std::time::Duration;

use letterbox_actors::{
    messages::{AttachError, Continuity},
    ports::ResetReason,
    testing::{Heard, RecordingSession, World, eventually},
};
use letterbox_domain::{
    circle::{ShareKind, Ticks, Viewer},
    id::{GrantId, Seq},
};

const MORNING: &str = "2026-03-02T09:00:00Z";

fn letters() -> Ticks {
    Ticks::of(&[ShareKind::ClinicLetters])
}

fn grant_of(viewer: &Viewer) -> GrantId {
    match viewer {
        Viewer::Carer(grant) => grant.id,
        Viewer::Patient { .. } => panic!("not a carer"),
    }
}

#[actix::test]
async fn r27_5_a_carer_hears_what_is_ticked_and_of_nothing_else() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let (sees, blind) = (
        world.hospital.share(patient, letters()),
        world.hospital.share(patient, Ticks::NONE),
    );
    let (seeing, unseeing) = (RecordingSession::open(), RecordingSession::open());
    let _a = world
        .tab_as(sees, patient, Some(Seq::START), &seeing)
        .await
        .expect("attached");
    let b = world
        .tab_as(blind, patient, Some(Seq::START), &unseeing)
        .await
        .expect("attached");
    assert_eq!(b.items, 0);
    world.publish(patient);
    eventually("the ticked carer hears", || seeing.seqs() == [Seq(1)]).await;
    assert_eq!(unseeing.heard(), []);
    let (position, _) = b.attachment.position().expect("live");
    assert_eq!(
        position,
        Seq(1),
        "the other's position moves on without a word"
    );
    world.end().await;
}

#[actix::test]
async fn r27_2_a_withdrawn_carer_is_cut_off_before_revoke_returns_and_hears_nothing_after() {
    // No comparison in sight: what happens here happens through the call alone.
    let world = World::at(MORNING)
        .with(|settings| settings.heads_every = Duration::from_secs(60))
        .start();
    let patient = world.hospital.patient();
    let susan = world.hospital.share(patient, letters());
    let (hers, mine) = (RecordingSession::open(), RecordingSession::open());
    let attached = world
        .tab_as(susan, patient, Some(Seq::START), &hers)
        .await
        .expect("attached");
    let _mine = world
        .tab(patient, Some(Seq::START), &mine)
        .await
        .expect("attached");
    let version = world.hospital.withdraw(patient, grant_of(&susan));
    assert_eq!(world.system.revoke(patient, grant_of(&susan), version), 1);
    assert_eq!(hers.heard(), [Heard::Gone]);
    assert!(attached.attachment.is_over() && attached.attachment.position().is_none());
    world.publish(patient);
    eventually("the patient hears", || mine.seqs() == [Seq(1)]).await;
    assert_eq!(hers.heard(), [Heard::Gone]);
    let again = world
        .tab_as(susan, patient, Some(Seq::START), &RecordingSession::open())
        .await;
    assert_eq!(again.err(), Some(AttachError::NotAllowed));
    world.end().await;
}

#[actix::test]
async fn another_node_cuts_a_withdrawn_carer_off_by_its_next_comparison() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let susan = world.hospital.share(patient, letters());
    let other = world.second_node();
    let hers = RecordingSession::open();
    let _held = other
        .tab_as(susan, patient, Some(Seq::START), &hers)
        .await
        .expect("attached");
    let version = world.hospital.withdraw(patient, grant_of(&susan));
    world.system.revoke(patient, grant_of(&susan), version);
    eventually("the other node cuts her off", || {
        hers.heard() == [Heard::Gone]
    })
    .await;
    other.end().await;
    world.end().await;
}

#[actix::test]
async fn while_the_circle_is_in_doubt_carers_hear_nothing_and_patients_everything() {
    let world = World::at(MORNING)
        .with(|settings| settings.read_patience = Duration::from_millis(100))
        .start();
    let patient = world.hospital.patient();
    let susan = world.hospital.share(patient, letters());
    let (hers, mine) = (RecordingSession::open(), RecordingSession::open());
    let _hers = world
        .tab_as(susan, patient, Some(Seq::START), &hers)
        .await
        .expect("attached");
    let _mine = world
        .tab(patient, Some(Seq::START), &mine)
        .await
        .expect("attached");
    world.hospital.set_down(true);
    let version = world.hospital.withdraw(patient, grant_of(&susan));
    world.system.grants_changed(patient, version);
    world.publish(patient);
    eventually("the patient hears", || mine.seqs() == [Seq(1)]).await;
    assert_eq!(hers.heard(), [], "nobody knows whether she may still look");
    world.hospital.set_down(false);
    eventually("the circle is read", || hers.heard() == [Heard::Gone]).await;
    world.end().await;
}

#[actix::test]
async fn a_carer_whose_boxes_changed_reads_the_page_again() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let susan = world.hospital.share(patient, letters());
    let hers = RecordingSession::open();
    let _held = world
        .tab_as(susan, patient, Some(Seq::START), &hers)
        .await
        .expect("attached");
    world.hospital.withdraw(patient, GrantId::random()); // another's grant: hers stands
    eventually("a comparison has passed", || {
        world.hospital.questions().0 > 10
    })
    .await;
    assert_eq!(hers.heard(), []);
    let version = world
        .hospital
        .retick(patient, grant_of(&susan), Ticks::NONE);
    world.system.grants_changed(patient, version);
    eventually("she is told", || {
        hers.heard() == [Heard::Reset(ResetReason::RightsChanged)]
    })
    .await;
    let back = world
        .tab_as(susan, patient, Some(Seq::START), &RecordingSession::open())
        .await
        .expect("attached");
    assert_eq!(back.items, 0, "she is let in with the rights of today");
    world.end().await;
}

#[actix::test]
async fn a_node_cut_off_from_the_store_silences_carers_when_their_lease_ends() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let susan = world.hospital.share(patient, letters());
    let (hers, mine) = (RecordingSession::open(), RecordingSession::open());
    let _hers = world
        .tab_as(susan, patient, Some(Seq::START), &hers)
        .await
        .expect("attached");
    let _mine = world
        .tab(patient, Some(Seq::START), &mine)
        .await
        .expect("attached");
    world.hospital.set_down(true);
    world.clock.pass(Duration::from_secs(11));
    eventually("her view is silenced", || {
        hers.heard() == [Heard::Reset(ResetReason::LeaseLapsed)]
    })
    .await;
    world.publish(patient);
    eventually("the patient's own stays", || mine.seqs() == [Seq(1)]).await;
    let refused = world
        .tab_as(susan, patient, Some(Seq::START), &RecordingSession::open())
        .await;
    assert_eq!(refused.err(), Some(AttachError::Unavailable));
    world.hospital.set_down(false);
    let tab = RecordingSession::open();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let back = loop {
        match world.tab_as(susan, patient, Some(Seq::START), &tab).await {
            Ok(back) => break back,
            Err(why) => assert_eq!(why, AttachError::Unavailable),
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "she is never let in again"
        );
        tokio::task::yield_now().await;
    };
    assert!(matches!(back.from, Continuity::CatchUp(missed) if missed.len() == 1));
    world.end().await;
}

#[actix::test]
async fn even_a_hanging_comparison_lets_no_event_through_after_the_lease() {
    let world = World::at(MORNING)
        .with(|settings| settings.read_patience = Duration::from_secs(30))
        .start();
    let patient = world.hospital.patient();
    let susan = world.hospital.share(patient, letters());
    let hers = RecordingSession::open();
    let _held = world
        .tab_as(susan, patient, Some(Seq::START), &hers)
        .await
        .expect("attached");
    world.hospital.set_hanging(true);
    world.clock.pass(Duration::from_secs(11));
    world.publish(patient);
    eventually("her view is silenced", || {
        hers.heard() == [Heard::Reset(ResetReason::LeaseLapsed)]
    })
    .await;
    world.hospital.set_hanging(false);
    world.end().await;
}

#[actix::test]
async fn the_node_says_from_when_on_it_has_obeyed() {
    let world = World::at(MORNING).start();
    eventually("a node without sessions says so too", || {
        world.hospital.polled_from().is_some()
    })
    .await;
    let before = world.hospital.polled_from().expect("just seen");
    world.clock.pass(Duration::from_secs(1));
    eventually("it moves on", || {
        world.hospital.polled_from().is_some_and(|now| now > before)
    })
    .await;
    world.end().await;
}
