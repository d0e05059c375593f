//! The crash harness: a hospital publishes at a steady rate while servers and PostgreSQL are killed, then the
//! clients' and the sandbox's journals judge.
//!
//! Counts come from the environment: `make test` runs the defaults, `make soak` the long ones (see `plan.rs`).

#[path = "../rig/mod.rs"]
mod rig;

mod journal;
mod judges;
mod keeper;
mod load;
mod plan;
mod records;
mod story;
mod tally;

use plan::Plan;
use story::Story;
use tokio::sync::Mutex;

/// Each story has a PostgreSQL and two servers of its own and means to load the machine: one at a time.
static STAGE: Mutex<()> = Mutex::const_new(());

/// Cases 1 to 8 of the fault catalogue, all at once and many times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_posted_twice_whoever_dies() {
    let _alone = STAGE.lock().await;
    let plan = Plan::from_environment();
    let story = Story::begin(&plan, &[]).await;
    story.kill_servers(&plan).await;
    story.stop_a_server_past_its_lease(&plan).await;
    story.kill_postgres(&plan).await;
    let objections = story.end().await;
    assert!(
        objections.is_empty(),
        "the judges object:\n{}",
        objections.join("\n")
    );
}

/// The judges are worth something only if they object where the guard is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_fencing_check_the_judges_object() {
    let _alone = STAGE.lock().await;
    let plan = Plan::small();
    let story = Story::begin(&plan, &[("LETTERBOX_TEST_UNFENCED", "1")]).await;
    story.stop_a_server_past_its_lease(&plan).await;
    let objections = story.end().await;
    println!("without the fencing check:\n{}", objections.join("\n"));
    let twice = objections
        .iter()
        .any(|objection| objection.contains("without an unknown outcome before"));
    assert!(twice, "the judges let it pass: {objections:?}");
}

/// The counter-test's own counter-test: the same story with the check in place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_fencing_check_the_same_story_passes() {
    let _alone = STAGE.lock().await;
    let plan = Plan::small();
    let story = Story::begin(&plan, &[]).await;
    story.stop_a_server_past_its_lease(&plan).await;
    let objections = story.end().await;
    assert!(
        objections.is_empty(),
        "the judges object:\n{}",
        objections.join("\n")
    );
}
