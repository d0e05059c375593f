//! Overdue cases: claims, fences, climbs.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use letterbox_actors::ports::{CaseStore, NodeId};
use letterbox_domain::dispatch::Channel;

use super::world::{LEASE, World, pairs};

#[tokio::test]
async fn r3_5_an_unopened_letter_climbs_to_email_text_and_paper() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    let next = world
        .ladder
        .next_due(world.trust)
        .await
        .expect("answers")
        .expect("one is open");
    assert!(
        next > TimeDelta::seconds(10) && next <= TimeDelta::seconds(15),
        "{next}"
    );
    assert_eq!(world.supervise().await.done, 0, "never early");

    world.pass(TimeDelta::seconds(15)).await;
    let report = world.supervise().await;
    assert_eq!(
        (report.done, report.dispatched),
        (1, BTreeSet::from([Channel::Email]))
    );
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("email", "queued")])
    );

    world.pass(TimeDelta::seconds(7)).await;
    world.supervise().await;
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("email", "queued"), ("text", "queued")])
    );
    assert_eq!(world.count("notices").await, 0);

    world.pass(TimeDelta::seconds(23)).await;
    world.supervise().await;
    let all = pairs(&[("email", "queued"), ("post", "queued"), ("text", "queued")]);
    assert_eq!(world.messages(letter.case).await, all);
    assert_eq!(world.count("notices WHERE closed_at IS NULL").await, 1);
    assert_eq!(world.count("cases c JOIN dispatches d ON d.case_id = c.id WHERE channel = 'post' AND d.due_at = c.promised_at").await, 1);
}

#[tokio::test]
async fn after_an_outage_the_promise_names_the_next_cut_off_and_the_mailbox_hears_of_it() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::minutes(10)).await;
    let report = world.supervise().await;
    assert_eq!(report.events.len(), 1, "{:?}", report.events);
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("post", "queued")]),
        "late nudges are left out"
    );
    assert_eq!(
        world
            .count("cases WHERE promised_at > app_now() AND due_at > app_now()")
            .await,
        1
    );
    assert_eq!(world.count("outbox").await, 1);
}

#[tokio::test]
async fn a_patient_without_contacts_or_address_is_handed_to_a_person() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    world
        .run(
            "UPDATE accounts SET email_verified_at = NULL, mobile = NULL",
            &[],
        )
        .await;
    world
        .run(
            "UPDATE patients SET address_lines = ARRAY['no fixed abode', 'HR1 2ER']",
            &[],
        )
        .await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(50)).await;
    world.supervise().await;
    assert_eq!(world.messages(letter.case).await, pairs(&[]));
    assert_eq!(
        world
            .count("tasks WHERE kind = 'no_address' AND closed_at IS NULL")
            .await,
        1
    );
    assert_eq!(
        world
            .count("cases WHERE promised_at IS NULL AND due_at > app_now()")
            .await,
        1
    );
    // However often it is looked at: one task, which goes to the next person when nobody takes it.
    for _ in 0..3 {
        world.pass(TimeDelta::minutes(11)).await;
        world.supervise().await;
    }
    assert_eq!(world.count("tasks").await, 1);
    assert!(world.one::<i16>("SELECT escalations FROM tasks", &[]).await >= 2);
}

#[tokio::test]
async fn two_nodes_never_hold_the_same_case() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    for _ in 0..40 {
        world.publish(gwyn.patient).await;
    }
    world.pass(TimeDelta::seconds(15)).await;
    let (one, two) = (NodeId::random(), NodeId::random());
    let claims = futures_util::future::join_all((0..8).map(|n| {
        let node = if n % 2 == 0 { one } else { two };
        world.claim_on(&world.ladder, node, 7)
    }))
    .await;
    let held: Vec<_> = claims.iter().flatten().map(|(case, _)| case.case).collect();
    let distinct: BTreeSet<_> = held.iter().copied().collect();
    assert_eq!(held.len(), distinct.len(), "a case is in two hands");
    assert_eq!(held.len(), 40);
}

#[tokio::test]
async fn a_stale_decision_changes_nothing() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(15)).await;
    let stale = world.claim(10).await;
    world.pass(LEASE).await;
    // The other node sees all steps due, after the first was stopped past its lease.
    let other = NodeId::random();
    let fresh = world.claim_on(&world.ladder, other, 10).await;
    assert_eq!(fresh.len(), 1, "the lease has run out");
    let report = world.ladder.commit(other, fresh).await.expect("commits");
    assert_eq!(report.done, 1);
    let before: (i16, i64) = climbed(&world, letter.case.as_uuid()).await;
    let report = world
        .ladder
        .commit(world.node, stale)
        .await
        .expect("commits");
    assert_eq!((report.done, report.lost_lease), (0, 1));
    assert_eq!(climbed(&world, letter.case.as_uuid()).await, before);
}

/// The counter-test: without the comparison of fences the same story goes wrong, so the test above can fail.
#[tokio::test]
async fn without_fencing_a_stale_decision_would_move_a_case_back() {
    let mut world = World::new().await;
    world.ladder = world.ladder.clone().without_fencing();
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(15)).await;
    let stale = world.claim(10).await;
    world.pass(LEASE).await;
    let fresh = world.claim_on(&world.ladder, NodeId::random(), 10).await;
    world
        .ladder
        .commit(world.node, fresh)
        .await
        .expect("commits");
    let before = climbed(&world, letter.case.as_uuid()).await;
    world
        .ladder
        .commit(world.node, stale)
        .await
        .expect("commits");
    assert!(
        climbed(&world, letter.case.as_uuid()).await.0 < before.0,
        "the unfenced store moved a case back"
    );
}

async fn climbed(world: &World, case: uuid::Uuid) -> (i16, i64) {
    let climbed = world
        .one("SELECT climbed FROM cases WHERE id = $1", &[&case])
        .await;
    (climbed, world.count("history").await)
}

#[tokio::test]
async fn a_case_under_a_lease_is_next_due_when_the_lease_ends() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(20)).await;
    world.claim(10).await;
    let next = world
        .ladder
        .next_due(world.trust)
        .await
        .expect("answers")
        .expect("it is open");
    assert!(next > TimeDelta::seconds(50) && next <= LEASE, "{next}");
    world.pass(LEASE).await;
    assert_eq!(world.claim(10).await.len(), 1, "a lost claim comes back");
}

#[tokio::test]
async fn a_cancellation_for_tomorrow_is_told_at_once_and_then_by_telephone() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let (_, case) = world.cancel(gwyn.patient, TimeDelta::hours(23)).await;
    world.supervise().await;
    assert_eq!(
        world.messages(case).await,
        pairs(&[("email", "queued"), ("text", "queued")])
    );
    world.pass(TimeDelta::seconds(10)).await;
    world.supervise().await;
    let useful = "tasks WHERE kind = 'phone' AND latest_useful_at > app_now() AND due_at <= latest_useful_at";
    assert_eq!(world.count(useful).await, 1);
    assert_eq!(
        world.count("dispatches WHERE channel = 'post'").await,
        0,
        "paper would come too late"
    );
}
