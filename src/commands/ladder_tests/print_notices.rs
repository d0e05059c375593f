//! Paper that is not a letter in time: an appointment's notice, and a letter that comes too late.

use chrono::TimeDelta;
use letterbox_actors::ports::{PrintStore, Verdict};
use letterbox_domain::event::EventKind;
use letterbox_domain::ladder::plan_post;

use super::print::{ack, batches};
use super::world::World;

#[tokio::test]
async fn an_appointments_notice_is_made_and_printed_once() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let (_, case) = world.cancel(gwyn.patient, TimeDelta::days(20)).await;
    world.pass(TimeDelta::seconds(31)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    let batch = batches(&world).await.remove(0);
    assert_eq!(batch.items[0].subject, case.as_uuid());
    assert!(batch.items[0].pdf.starts_with(b"%PDF Cancelled"));
    let events = world
        .ladder
        .acknowledge(vec![ack(&batch, case.as_uuid(), Verdict::Posted)])
        .await
        .expect("takes in");
    assert_eq!(events[0].kind, EventKind::PromiseChanged);
    assert_eq!(world.end_of(case).await.as_deref(), Some("posted"));
}

#[tokio::test]
async fn paper_that_comes_too_late_is_posted_for_the_record_only() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let now = world.now().await;
    let tomorrow = Some(now + TimeDelta::days(1));
    let plan = plan_post(&world.policy, &world.calendars, now, tomorrow);
    assert!(!plan.paper_ends_case());
    let letter = world.publish_with(gwyn.patient, &plan).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    world.supervise().await;
    let batch = batches(&world).await.remove(0);
    world
        .ladder
        .acknowledge(vec![ack(&batch, letter.letter.as_uuid(), Verdict::Posted)])
        .await
        .expect("takes in");
    assert_eq!(
        world.end_of(letter.case).await,
        None,
        "somebody must still speak to the patient"
    );
    assert_eq!(
        world
            .count("tasks WHERE kind = 'phone' AND closed_at IS NULL")
            .await,
        1
    );
}
