//! Deadlines and messages: servers that die or stand still while they hold somebody's work.

use crate::rig::process::Signal;
use crate::rig::socket::{Heard, Page, Positions};
use crate::rig::world::{Contacts, Wanted, hurried};
use crate::rig::{browser::Browser, seconds, until};
use crate::stage::{LONG_LEASES, SHORT_LEASES, Stage, one_nudge};

/// Case 3, messages.
#[tokio::test]
async fn case_3_a_mail_claimed_by_a_dead_server_is_sent_once_by_another() {
    let stage = dies_at("dispatch.claimed:1").await;
    stage.until_outside("mail_accepted", 1).await;
    until("it is recorded", seconds(60), async || {
        accepted(&stage).await == 1
    })
    .await;
    assert_eq!(
        stage.world.outside.happened("mail_accepted").len(),
        1,
        "exactly once"
    );
    let fenced = "SELECT count(*) FROM attempts WHERE attempt = 1 AND outcome = 'fenced' AND sent_at IS NULL";
    assert_eq!(
        stage.world.count(fenced).await,
        1,
        "the dead one's attempt certainly sent nothing"
    );
}

/// Case 3, cases.
#[tokio::test]
async fn case_3_a_case_claimed_by_a_dead_server_is_decided_once_by_another() {
    let stage = dies_at("case.claimed:1").await;
    stage.until_outside("mail_accepted", 1).await;
    until("it is recorded", seconds(60), async || {
        accepted(&stage).await == 1
    })
    .await;
    assert_eq!(stage.world.outside.happened("mail_accepted").len(), 1);
    assert_eq!(
        stage.world.count("SELECT max(fence) FROM cases").await,
        2,
        "claimed twice"
    );
    assert_eq!(
        stage.world.count("SELECT climbed::bigint FROM cases").await,
        1,
        "climbed once"
    );
}

/// Case 4, email: a mail server cannot be asked, so the mail may go twice; never silently, never more often.
#[tokio::test]
async fn case_4_a_mail_of_which_nobody_knows_whether_it_left_goes_at_most_twice_and_says_so() {
    let stage = dies_at("dispatch.accepted:1").await;
    let known = "SELECT count(*) FROM history WHERE kind IN ('dispatch.outcome_unknown', 'dispatch.possible_duplicate')";
    until("it is written down", seconds(60), async || {
        stage.world.count(known).await > 0
    })
    .await;
    until("nobody holds it any more", seconds(60), async || {
        stage
            .world
            .count("SELECT count(*) FROM dispatches WHERE state IN ('queued', 'claimed')")
            .await
            == 0
    })
    .await;
    let mails = stage.world.outside.happened("mail_accepted");
    assert!((1..=2).contains(&mails.len()), "{mails:?}");
    let first = mails[0].text("message_id");
    assert!(
        mails.iter().all(|mail| mail.text("message_id") == first),
        "the same message each time"
    );
}

/// Case 4, texts: the provider can be asked, so the text goes once.
#[tokio::test]
async fn case_4_a_text_of_which_nobody_knows_whether_it_left_is_looked_up_and_goes_once() {
    let stage = Stage::set(&Wanted::patients(1).policy(hurried_text()), SHORT_LEASES).await;
    let silent = "UPDATE accounts SET email = NULL, email_verified_at = NULL";
    stage
        .world
        .superuser()
        .await
        .execute(silent, &[])
        .await
        .expect("the row takes it");
    stage
        .restart(&[("LETTERBOX_CRASH_POINT", "dispatch.accepted:1")])
        .await;
    stage.publish("letter-1").await;
    assert!(stage.node.end(seconds(60)).await.is_some() && stage.node.was_killed());
    stage.restart(&[]).await;
    until("it is recorded", seconds(60), async || {
        accepted(&stage).await == 1
    })
    .await;
    assert_eq!(
        stage.world.outside.happened("text_accepted").len(),
        1,
        "exactly once"
    );
}

/// Case 4, paper.
#[tokio::test]
async fn case_4_a_batch_whose_writer_died_right_after_the_rename_is_printed_once() {
    printed_once_after("print.after_rename:1").await;
}

/// Case 4, paper.
#[tokio::test]
async fn case_4_a_batch_whose_writer_died_half_way_is_printed_once() {
    printed_once_after("print.mid_write:1").await;
}

/// Case 4, paper.
#[tokio::test]
async fn case_4_a_batch_whose_answer_was_read_by_a_dying_server_is_posted_once() {
    printed_once_after("print.acked:1").await;
}

/// Case 5: the clock of the database ends the lease while the server stands still; another finishes.
#[tokio::test]
async fn case_5_a_server_that_stood_still_past_its_lease_completes_nothing() {
    let stage = Stage::set(&Wanted::patients(1).policy(one_nudge()), LONG_LEASES).await;
    stage
        .restart(&[("LETTERBOX_STALL_POINT", "dispatch.claimed:1")])
        .await;
    stage.publish("letter-1").await;
    until("the server stands still", seconds(60), async || {
        stage.node.is_stopped()
    })
    .await;
    stage.world.pass(61).await;
    let other = stage.world.running("node-b", LONG_LEASES).await;
    stage.until_outside("mail_accepted", 1).await;
    until("it is recorded", seconds(60), async || {
        accepted(&stage).await == 1
    })
    .await;
    stage.node.signal(Signal::CONT);
    until("the late one has done with it", seconds(60), async || {
        stage
            .node
            .figure("letterbox_dispatches_total", "unwanted")
            .await
            > 0
    })
    .await;
    assert_eq!(
        stage.world.outside.happened("mail_accepted").len(),
        1,
        "no second mail"
    );
    assert_eq!(
        stage
            .world
            .count("SELECT attempt::bigint FROM dispatches")
            .await,
        2
    );
    drop(other);
}

/// Case 5: two servers, no bus between them.
#[tokio::test]
async fn case_5_a_letter_published_on_one_server_reaches_a_page_on_the_other() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let other = stage.world.running("node-b", &[]).await;
    let browser = Browser::of(stage.world.patient(0));
    let mut page = Page::open(&browser, &other, &Positions::new())
        .await
        .expect("a socket");
    let letter = stage.publish("letter-1").await;
    // The goal is one comparison of heads, a second; a busy machine gets ten times that.
    match page.hear(seconds(10)).await {
        Heard::Event { kind, item, .. } => {
            assert_eq!((kind.as_str(), item), ("letter.published", letter))
        }
        other => panic!("no letter: {other:?}"),
    }
}

/// A server that dies with a nudge in its hands, and the one that comes after it.
async fn dies_at(point: &str) -> Stage {
    let stage = Stage::set(&Wanted::patients(1).policy(one_nudge()), SHORT_LEASES).await;
    stage.restart(&[("LETTERBOX_CRASH_POINT", point)]).await;
    stage.publish("letter-1").await;
    assert!(stage.node.end(seconds(60)).await.is_some() && stage.node.was_killed());
    stage.restart(&[]).await;
    stage
}

async fn printed_once_after(point: &str) {
    let wanted = Wanted::patients(1)
        .contacts(Contacts::First(0))
        .policy(hurried());
    let stage = Stage::set(&wanted, SHORT_LEASES).await;
    stage.restart(&[("LETTERBOX_CRASH_POINT", point)]).await;
    let letter = stage.publish("letter-1").await;
    assert!(stage.node.end(seconds(60)).await.is_some() && stage.node.was_killed());
    // The writer's lease, which saves work only.
    stage.world.pass(30).await;
    stage.restart(&[]).await;
    stage.until_state("letter-1", "posted_at").await;
    let printed = stage.world.outside.happened("printed");
    let ours: Vec<_> = printed
        .iter()
        .filter(|line| line.text("letter_id") == letter.to_string())
        .collect();
    assert_eq!(ours.len(), 1, "{point}: {printed:?}");
    assert_eq!(
        stage
            .world
            .count("SELECT count(*) FROM cases WHERE end_kind = 'posted'")
            .await,
        1
    );
}

async fn accepted(stage: &Stage) -> i64 {
    stage
        .world
        .count("SELECT count(*) FROM dispatches WHERE state IN ('accepted', 'delivered')")
        .await
}

fn hurried_text() -> letterbox_domain::policy::Policy {
    use letterbox_domain::time::Wait;
    letterbox_domain::policy::Policy {
        deadline_appointment: Wait::hours(48),
        deadline_clinic: Wait::hours(48),
        ..hurried()
    }
}
