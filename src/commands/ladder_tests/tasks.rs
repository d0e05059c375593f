//! Tasks: what people do, and that nothing is left with nobody.

use chrono::{DateTime, TimeDelta};
use letterbox_actors::ports::PrintStore;
use letterbox_domain::id::{AccountId, CaseId, TaskId};
use uuid::Uuid;

use super::world::{World, pairs};
use crate::commands::close_task::{Done, TaskAnswer, close_task, take_task};

/// A cancellation for tomorrow that nobody has read: somebody must phone.
async fn to_be_phoned(world: &World) -> (CaseId, TaskId) {
    let gwyn = world.member("Gwyn").await;
    let (_, case) = world.cancel(gwyn.patient, TimeDelta::hours(23)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(11)).await;
    world.supervise().await;
    (case, open_task(world).await.expect("a task"))
}

async fn open_task(world: &World) -> Option<TaskId> {
    let row = world
        .sql
        .query_opt("SELECT id FROM tasks WHERE closed_at IS NULL", &[])
        .await
        .expect("reads");
    row.map(|row| row.get::<_, Uuid>(0).into())
}

async fn done(world: &World, clerk: AccountId, task: TaskId, done: Done) -> TaskAnswer {
    close_task(&world.ladder, clerk, task, done)
        .await
        .expect("answers")
}

#[tokio::test]
async fn r3_8_only_having_spoken_ends_the_case() {
    let world = World::new().await;
    let (case, task) = to_be_phoned(&world).await;
    let clerk = world.clerk().await;
    assert!(
        take_task(&world.ladder, clerk, task)
            .await
            .expect("answers")
    );
    let answer = done(&world, clerk, task, Done::Spoke).await;
    assert!(
        matches!(&answer, TaskAnswer::Closed { events } if events.len() == 1),
        "{answer:?}"
    );
    assert_eq!(world.end_of(case).await.as_deref(), Some("handed_over"));
    assert_eq!(
        world
            .count("cases WHERE end_detail = 'told_by_phone'")
            .await,
        1
    );
    assert_eq!(
        world
            .count("tasks WHERE outcome = 'spoke' AND closed_by IS NOT NULL")
            .await,
        1
    );
    assert_eq!(
        done(&world, clerk, task, Done::Spoke).await,
        TaskAnswer::ClosedAlready
    );
    let tally = world
        .db
        .store()
        .tally(DateTime::UNIX_EPOCH)
        .await
        .expect("counts");
    assert!(
        tally.is_sound() && (tally.sent, tally.told) == (1, 1),
        "{tally:?}"
    );
}

#[tokio::test]
async fn staff_of_another_trust_see_no_task() {
    let world = World::new().await;
    let (_, task) = to_be_phoned(&world).await;
    let stranger = world.member("Stranger").await.account;
    assert_eq!(
        done(&world, stranger, task, Done::Spoke).await,
        TaskAnswer::NotFound
    );
    assert!(
        !take_task(&world.ladder, stranger, task)
            .await
            .expect("answers")
    );
}

#[tokio::test]
async fn r3_8_three_calls_without_an_answer_escalate_and_send_paper() {
    let world = World::new().await;
    let (case, task) = to_be_phoned(&world).await;
    let clerk = world.clerk().await;
    for _ in 0..2 {
        let answer = done(&world, clerk, task, Done::NoAnswer).await;
        assert!(
            matches!(&answer, TaskAnswer::Again { events, .. } if events.is_empty()),
            "{answer:?}"
        );
    }
    assert_eq!(world.count("dispatches WHERE channel = 'post'").await, 0);
    let third = done(&world, clerk, task, Done::NoAnswer).await;
    assert!(
        matches!(&third, TaskAnswer::Again { events, .. } if events.len() == 1),
        "{third:?}"
    );
    assert_eq!(
        world.one::<i16>("SELECT escalations FROM tasks", &[]).await,
        1
    );
    assert!(
        world
            .messages(case)
            .await
            .contains(&("post".into(), "queued".into()))
    );
    assert_eq!(world.end_of(case).await, None);
}

#[tokio::test]
async fn a_wrong_number_is_struck_off_and_paper_is_next() {
    let world = World::new().await;
    let (case, task) = to_be_phoned(&world).await;
    let answer = done(&world, world.clerk().await, task, Done::WrongNumber).await;
    assert!(
        matches!(&answer, TaskAnswer::Closed { events } if events.len() == 1),
        "{answer:?}"
    );
    assert_eq!(world.count("bad_contacts WHERE channel = 'phone'").await, 1);
    assert!(
        world
            .messages(case)
            .await
            .contains(&("post".into(), "queued".into()))
    );
    assert_eq!(world.end_of(case).await, None);
}

#[tokio::test]
async fn told_and_wants_paper_is_over_when_the_paper_has_left() {
    let world = World::new().await;
    let (case, task) = to_be_phoned(&world).await;
    let answer = done(&world, world.clerk().await, task, Done::WantsPaper).await;
    assert!(
        matches!(&answer, TaskAnswer::Closed { events } if events[0].due.is_some()),
        "{answer:?}"
    );
    assert_eq!(
        world.end_of(case).await,
        None,
        "the promise is not kept yet"
    );
    world.pass(TimeDelta::seconds(16)).await;
    world
        .ladder
        .close_due_batches(world.node)
        .await
        .expect("closes");
    let batch = world
        .ladder
        .unfinished(world.node, 1)
        .await
        .expect("reads")
        .remove(0);
    let posted = letterbox_actors::ports::Verdict::Posted;
    let ack = letterbox_actors::ports::Ack {
        batch_name: batch.name,
        item: case.as_uuid(),
        verdict: posted,
    };
    world.ladder.acknowledge(vec![ack]).await.expect("takes in");
    assert_eq!(world.end_of(case).await.as_deref(), Some("posted"));
}

#[tokio::test]
async fn an_address_that_was_found_lets_the_paper_go() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let nowhere = "UPDATE patients SET address_lines = ARRAY['?']";
    world.run(nowhere, &[]).await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(50)).await;
    world.supervise().await;
    let (clerk, task) = (
        world.clerk().await,
        open_task(&world).await.expect("a task"),
    );
    assert_eq!(
        done(&world, clerk, task, Done::WantsPaper).await,
        TaskAnswer::NoAddress
    );
    world
        .run(
            "UPDATE patients SET address_lines = ARRAY['1 High Street', 'HR1 2ER']",
            &[],
        )
        .await;
    assert!(matches!(
        done(&world, clerk, task, Done::WantsPaper).await,
        TaskAnswer::Closed { .. }
    ));
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("post", "queued")])
    );
}

#[tokio::test]
async fn a_case_whose_task_was_closed_without_reaching_anybody_gets_another() {
    let world = World::new().await;
    let (case, _) = to_be_phoned(&world).await;
    world
        .run(
            "UPDATE tasks SET closed_at = app_now(), outcome = 'resolved'",
            &[],
        )
        .await;
    world.pass(TimeDelta::hours(30)).await;
    world.supervise().await;
    assert!(open_task(&world).await.is_some(), "somebody is asked again");
    assert_eq!(world.end_of(case).await, None);
}

#[tokio::test]
async fn every_open_case_has_a_next_step_and_the_audit_finds_one_that_has_none() {
    let world = World::new().await;
    to_be_phoned(&world).await;
    let margaret = world.member("Margaret").await;
    world.publish(margaret.patient).await;
    for _ in 0..8 {
        world.pass(TimeDelta::seconds(20)).await;
        world.supervise().await;
        world.every_open_case_has_a_next_step().await;
    }
    world.run("UPDATE cases SET ended_at = app_now(), end_kind = 'opened' WHERE letter_id IS NOT NULL", &[]).await;
    assert_eq!(
        world
            .db
            .store()
            .cases_without_next_step()
            .await
            .expect("counts")
            .len(),
        1
    );
    assert_eq!(
        world
            .db
            .store()
            .tally(DateTime::UNIX_EPOCH)
            .await
            .expect("counts")
            .lost,
        1
    );
}

#[tokio::test]
async fn every_sweep_runs_on_this_schema() {
    let world = World::new().await;
    to_be_phoned(&world).await;
    let quarantined = "INSERT INTO tasks (id, trust_id, kind, due_at) VALUES (gen_random_uuid(), $1, 'quarantine', app_now())";
    world.run(quarantined, &[&world.trust.as_uuid()]).await;
    for chore in world.ladder.chores() {
        let changed = chore
            .run()
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", chore.name()));
        assert_eq!(
            changed,
            u64::from(chore.name() == "tasks.escalate"),
            "{}",
            chore.name()
        );
    }
}
