//! Many mailboxes at once: one question for thousands, every change found.

use std::time::Duration;

use letterbox_actors::testing::{RecordingSession, World, eventually};
use letterbox_domain::id::Seq;

const MORNING: &str = "2026-03-02T09:00:00Z";
const BOXES: usize = 6_000;

#[actix::test]
async fn thousands_of_boxes_are_compared_in_chunks_and_every_lost_wake_up_is_found() {
    let world = World::at(MORNING)
        .with(|settings| settings.patient_threads = 2)
        .start();
    world.cut_the_bell();
    let mut tabs = Vec::new();
    for _ in 0..BOXES {
        let (patient, tab) = (world.hospital.patient(), RecordingSession::open());
        let attached = world
            .tab(patient, Some(Seq::START), &tab)
            .await
            .expect("attached");
        tabs.push((patient, tab, attached));
    }
    assert_eq!(world.system.patients(), BOXES);
    for (patient, _, _) in tabs.iter().step_by(7) {
        world.publish(*patient);
    }
    for (index, (_, tab, _)) in tabs.iter().enumerate() {
        let wanted = usize::from(index % 7 == 0);
        eventually("the comparison finds it", || tab.seqs().len() == wanted).await;
    }
    let (_, largest) = world.hospital.questions();
    assert!(largest <= 5_000, "one question asked for {largest} boxes");
    drop(tabs);
    world.clock.pass(Duration::from_secs(1));
    eventually("seen empty", || world.system.patients() == BOXES).await;
    eventually("all are retired", || {
        world.clock.pass(Duration::from_secs(61));
        world.system.patients() == 0
    })
    .await;
    world.end().await;
}

#[actix::test]
async fn a_full_node_refuses_new_boxes_and_keeps_those_it_has() {
    use letterbox_actors::messages::AttachError;
    let world = World::at(MORNING)
        .with(|settings| settings.patients_max = 2)
        .start();
    let (first, tab) = (world.hospital.patient(), RecordingSession::open());
    let _a = world
        .tab(first, Some(Seq::START), &tab)
        .await
        .expect("attached");
    let _b = world
        .tab(world.hospital.patient(), None, &RecordingSession::open())
        .await
        .expect("attached");
    let refused = world
        .tab(world.hospital.patient(), None, &RecordingSession::open())
        .await;
    assert_eq!(refused.err(), Some(AttachError::Busy));
    assert!(
        world
            .tab(first, None, &RecordingSession::open())
            .await
            .is_ok(),
        "a second tab costs no box"
    );
    world.publish(first);
    eventually("the first still hears", || tab.seqs() == [Seq(1)]).await;
    world.end().await;
}
