//! A case that nobody can finish becomes a person's, and keeps nobody else waiting.

use chrono::TimeDelta;
use letterbox_domain::id::{AccountId, CaseId, TaskId};
use letterbox_domain::letter::LetterState;
use uuid::Uuid;

use super::world::{LEASE, World, pairs};
use crate::commands::close_task::{Done, TaskAnswer, close_task};

const BREAK_ITS_STEPS: &str = "UPDATE cases SET step_rungs[1] = 99 WHERE id = $1";
const BREAK_ITS_POLICY: &str = "UPDATE cases SET policy_version = 77 WHERE id = $1";

async fn sweep(world: &World) -> u64 {
    let chores = world.ladder.chores();
    let chore = chores
        .iter()
        .find(|chore| chore.name() == "cases.set_aside");
    chore
        .expect("there is such a chore")
        .run()
        .await
        .expect("it runs")
}

/// Claims and leases that end, as servers would have it go on for ever; answers how many claims it took until somebody
/// was asked.
async fn until_somebody_is_asked(world: &World) -> usize {
    for claims in 1..=20 {
        world.claim(10).await;
        if sweep(world).await > 0 {
            return claims;
        }
        world.pass(LEASE).await;
    }
    panic!("nobody was asked after twenty claims");
}

async fn phone_tasks(world: &World, case: CaseId) -> i64 {
    let sql =
        "SELECT count(*) FROM tasks WHERE case_id = $1 AND kind = 'phone' AND closed_at IS NULL";
    world.one(sql, &[&case.as_uuid()]).await
}

async fn spoke(world: &World, clerk: AccountId, case: CaseId) -> TaskAnswer {
    let id: Uuid = world
        .one(
            "SELECT id FROM tasks WHERE case_id = $1 AND closed_at IS NULL",
            &[&case.as_uuid()],
        )
        .await;
    let answer = close_task(&world.ladder, clerk, TaskId::from(id), Done::Spoke).await;
    answer.expect("answers")
}

#[tokio::test]
async fn a_case_that_cannot_be_read_becomes_a_phone_task_after_a_bounded_number_of_claims() {
    let world = World::new().await;
    let clerk = world.clerk().await;
    let gwyn = world.member("Gwyn").await;
    let (bad, good) = (
        world.publish(gwyn.patient).await,
        world.publish(gwyn.patient).await,
    );
    world.run(BREAK_ITS_STEPS, &[&bad.case.as_uuid()]).await;
    world.pass(TimeDelta::seconds(15)).await;
    world.supervise().await;
    assert_eq!(
        world.messages(good.case).await,
        pairs(&[("email", "queued")]),
        "its neighbour goes on"
    );
    let claims = until_somebody_is_asked(&world).await;
    assert!((5..=12).contains(&claims), "{claims} claims");
    assert_eq!(phone_tasks(&world, bad.case).await, 1);
    assert_eq!(phone_tasks(&world, good.case).await, 0);
    assert_eq!(
        world
            .count(
                "cases WHERE due_at <= app_now() AND lease_until > app_now() AND step_rungs = '{}'"
            )
            .await,
        0
    );
    world.every_open_case_has_a_next_step().await;
    assert_eq!(sweep(&world).await, 0, "once is enough");
    assert!(matches!(
        spoke(&world, clerk, bad.case).await,
        TaskAnswer::Closed { .. }
    ));
    assert_eq!(world.end_of(bad.case).await.as_deref(), Some("handed_over"));
    assert_eq!(
        world
            .one::<String>(
                "SELECT state FROM letters WHERE id = $1",
                &[&bad.letter.as_uuid()]
            )
            .await,
        LetterState::Published.name()
    );
}

#[tokio::test]
async fn a_case_whose_policy_is_missing_becomes_a_phone_task_and_keeps_its_steps() {
    let world = World::new().await;
    let bad = world.publish(world.member("Gwyn").await.patient).await;
    world.run(BREAK_ITS_POLICY, &[&bad.case.as_uuid()]).await;
    world.pass(TimeDelta::seconds(15)).await;
    until_somebody_is_asked(&world).await;
    assert_eq!(phone_tasks(&world, bad.case).await, 1);
    assert_eq!(
        world.count("cases WHERE cardinality(step_rungs) > 0").await,
        1
    );
    world.run("UPDATE cases SET policy_version = 1", &[]).await;
    world.pass(TimeDelta::days(5)).await;
    world.supervise().await;
    assert!(
        world
            .messages(bad.case)
            .await
            .iter()
            .any(|(channel, _)| channel == "post"),
        "mended, it goes on where it stood: {:?}",
        world.messages(bad.case).await
    );
}

#[tokio::test]
async fn a_case_that_goes_on_is_nobodys_task_however_often_it_was_claimed() {
    let world = World::new().await;
    let letter = world.publish(world.member("Gwyn").await.patient).await;
    world.pass(TimeDelta::seconds(15)).await;
    for _ in 0..4 {
        // A server that dies after its claim.
        world.claim(10).await;
        world.pass(LEASE).await;
        assert_eq!(sweep(&world).await, 0);
    }
    for _ in 0..8 {
        world.supervise().await;
        world.pass(TimeDelta::hours(30)).await;
        assert_eq!(sweep(&world).await, 0);
    }
    assert_eq!(phone_tasks(&world, letter.case).await, 0);
    assert_eq!(world.count("unfinished_cases").await, 0);
}
