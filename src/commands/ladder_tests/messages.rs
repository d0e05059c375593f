//! Messages: claims, attempts, outcomes, receipts, and never one too many.

use chrono::TimeDelta;
use letterbox_actors::ports::{ClaimedDispatch, DispatchStore, NodeId};
use letterbox_domain::dispatch::{Channel, DispatchState, Outcome};

use super::world::{LEASE, Published, World, pairs};
use crate::config::Settings;
use crate::store::ladder::{Bounds, LadderStore};
use crate::store::receipts::{About, Heard, Receipt};

async fn claim(ladder: &LadderStore, channel: Channel) -> Vec<ClaimedDispatch> {
    ladder
        .claim(NodeId::random(), channel, 10, LEASE)
        .await
        .expect("claims")
}

/// A letter whose email is due, claimed.
async fn with_an_email(world: &World) -> (Published, ClaimedDispatch) {
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(15)).await;
    world.supervise().await;
    let claimed = claim(&world.ladder, Channel::Email).await;
    assert_eq!(claimed.len(), 1);
    (letter, claimed.into_iter().next().expect("one"))
}

fn accepted() -> Outcome {
    Outcome::Accepted {
        reference: "SM1".into(),
    }
}

async fn state(world: &World) -> (String, Option<String>) {
    let row = world
        .sql
        .query_one(
            "SELECT state, code FROM dispatches WHERE channel = 'email'",
            &[],
        )
        .await
        .expect("one");
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_message_is_claimed_asked_about_sent_and_recorded() {
    let world = World::new().await;
    let (letter, email) = with_an_email(&world).await;
    assert!(!email.unknown_before);
    assert!(email.outgoing.to.ends_with("@example.org"));
    assert!(
        email.outgoing.body.contains("we will post it to you at"),
        "{}",
        email.outgoing.body
    );
    assert!(
        !email.outgoing.body.contains(&letter.letter.to_string()),
        "no id leaves the building"
    );
    assert!(world.ladder.still_wanted(&email).await.expect("answers"));
    assert!(
        world
            .ladder
            .record(&email, accepted())
            .await
            .expect("records")
    );
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("email", "accepted")])
    );
    assert_eq!(
        world
            .count("attempts WHERE outcome = 'accepted' AND sent_at IS NOT NULL")
            .await,
        1
    );
    world
        .ladder
        .record(&email, Outcome::Unknown)
        .await
        .expect("answers");
    assert_eq!(
        state(&world).await.0,
        "accepted",
        "a second record of the same attempt changes nothing"
    );
}

#[tokio::test]
async fn a_worker_that_slept_past_its_lease_neither_sends_nor_records() {
    let world = World::new().await;
    let (_, sleeper) = with_an_email(&world).await;
    world.pass(LEASE).await;
    let other = claim(&world.ladder, Channel::Email).await.remove(0);
    assert_eq!(other.attempt, sleeper.attempt + 1);
    assert!(
        !other.unknown_before,
        "nothing can have left: the first never asked to send"
    );
    assert!(world.ladder.still_wanted(&other).await.expect("answers"));
    assert!(
        world
            .ladder
            .record(&other, accepted())
            .await
            .expect("records")
    );
    assert!(
        !world.ladder.still_wanted(&sleeper).await.expect("answers"),
        "no second submission"
    );
    assert!(
        !world
            .ladder
            .record(&sleeper, Outcome::Unknown)
            .await
            .expect("answers")
    );
    assert_eq!(state(&world).await.0, "accepted");
    assert_eq!(world.count("attempts WHERE sent_at IS NOT NULL").await, 1);
    assert_eq!(world.count("attempts WHERE outcome = 'fenced'").await, 1);
}

/// The counter-test: the same sleeper, with the fencing check removed, would send a second time without a trace of doubt.
#[tokio::test]
async fn without_fencing_the_sleeper_would_send_again() {
    let world = World::new().await;
    let (_, sleeper) = with_an_email(&world).await;
    world.pass(LEASE).await;
    let other = claim(&world.ladder, Channel::Email).await.remove(0);
    let unfenced = world.ladder.clone().without_fencing();
    assert!(unfenced.still_wanted(&other).await.expect("answers"));
    assert!(unfenced.record(&other, accepted()).await.expect("records"));
    assert!(
        unfenced.still_wanted(&sleeper).await.expect("answers"),
        "the unfenced store lets it through"
    );
}

#[tokio::test]
async fn a_claim_that_died_after_it_may_have_sent_is_looked_up_and_repeated_once_at_most() {
    let world = World::new().await;
    let (letter, first) = with_an_email(&world).await;
    assert!(world.ladder.still_wanted(&first).await.expect("answers"));
    world.pass(LEASE).await;
    let second = claim(&world.ladder, Channel::Email).await.remove(0);
    assert!(second.unknown_before, "it may have left");
    assert!(
        world
            .ladder
            .still_wanted(&second)
            .await
            .expect("one repetition is allowed")
    );
    assert_eq!(
        world
            .count("history WHERE kind = 'dispatch.possible_duplicate'")
            .await,
        1
    );
    assert!(
        world
            .ladder
            .record(&second, Outcome::Unknown)
            .await
            .expect("records")
    );
    world.pass(TimeDelta::seconds(30)).await;
    let third = claim(&world.ladder, Channel::Email).await.remove(0);
    assert!(third.unknown_before);
    assert!(
        !world.ladder.still_wanted(&third).await.expect("answers"),
        "never a third time"
    );
    assert_eq!(
        state(&world).await,
        ("failed".into(), Some("outcome_unknown".into()))
    );
    assert_eq!(world.messages(letter.case).await.len(), 1);
    assert_eq!(
        world.count("cases WHERE due_at <= app_now()").await,
        1,
        "the next step comes forward"
    );
}

#[tokio::test]
async fn an_opened_letter_is_not_written_about() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(15)).await;
    world.supervise().await;
    let email = claim(&world.ladder, Channel::Email).await.remove(0);
    let tx = world
        .db
        .store()
        .begin(&crate::store::Principal::SERVER)
        .await
        .expect("begins");
    crate::store::openings::open_letter(&tx, gwyn.account, letter.letter)
        .await
        .expect("opens");
    tx.commit().await.expect("commits");
    assert!(!world.ladder.still_wanted(&email).await.expect("answers"));
    assert_eq!(state(&world).await.0, "cancelled");
    assert_eq!(world.end_of(letter.case).await.as_deref(), Some("opened"));
}

#[tokio::test]
async fn a_refused_address_is_remembered_and_the_next_step_comes_at_once() {
    let world = World::new().await;
    let (letter, email) = with_an_email(&world).await;
    assert!(world.ladder.still_wanted(&email).await.expect("answers"));
    let refused = Outcome::Rejected {
        code: "5.1.1".into(),
    };
    assert!(world.ladder.record(&email, refused).await.expect("records"));
    assert_eq!(
        world
            .count("bad_contacts WHERE channel = 'email' AND code = '5.1.1'")
            .await,
        1
    );
    let report = world.supervise().await;
    assert!(
        report.dispatched.contains(&Channel::Text),
        "{:?}",
        world.messages(letter.case).await
    );
    // The next letter does not try that address again.
    let patient = letter.patient;
    let next = world.publish(patient).await;
    world.pass(TimeDelta::seconds(16)).await;
    world.supervise().await;
    assert_eq!(
        world.messages(next.case).await,
        pairs(&[]),
        "no email to an address that does not exist"
    );
}

#[tokio::test]
async fn a_mistake_of_ours_at_the_provider_strikes_nobodys_number_off() {
    let world = World::new().await;
    let (_, email) = with_an_email(&world).await;
    let refused = Outcome::Rejected {
        code: "5.7.8".into(),
    };
    assert!(world.ladder.record(&email, refused).await.expect("records"));
    assert_eq!(world.count("bad_contacts").await, 0);
    assert_eq!(state(&world).await.0, "rejected");
}

#[tokio::test]
async fn the_jump_fences_off_a_decision_that_is_under_way() {
    let world = World::new().await;
    let (_, email) = with_an_email(&world).await;
    world.pass(TimeDelta::seconds(7)).await;
    let stale = world.claim(10).await;
    assert_eq!(stale.len(), 1, "the text is due");
    world
        .ladder
        .record(
            &email,
            Outcome::Rejected {
                code: "5.1.1".into(),
            },
        )
        .await
        .expect("records");
    let report = letterbox_actors::ports::CaseStore::commit(&world.ladder, world.node, stale)
        .await
        .expect("commits");
    assert_eq!(
        (report.done, report.lost_lease),
        (0, 1),
        "it was decided before the refusal"
    );
    assert_eq!(world.supervise().await.done, 1, "and is decided again");
}

#[tokio::test]
async fn later_waits_as_long_as_the_provider_wishes_and_not_for_ever() {
    let world = World::new().await;
    let (_, email) = with_an_email(&world).await;
    let later = Outcome::Later {
        after: World::second() * 30,
    };
    assert!(
        world
            .ladder
            .record(&email, later.clone())
            .await
            .expect("records")
    );
    assert!(claim(&world.ladder, Channel::Email).await.is_empty());
    world.pass(TimeDelta::hours(25)).await;
    let again = claim(&world.ladder, Channel::Email).await.remove(0);
    assert!(!again.unknown_before);
    assert!(world.ladder.record(&again, later).await.expect("records"));
    assert_eq!(
        state(&world).await,
        ("failed".into(), Some("given_up".into()))
    );
}

#[tokio::test]
async fn a_provider_that_puts_off_is_asked_after_each_configured_wait_and_then_given_up() {
    let mut world = World::new().await;
    let bounds = |waits: &str| {
        let settings = Settings::with(&[("mode", "test"), ("dispatch.retry_after", waits)])
            .expect("they are valid");
        Bounds::new(&settings.dispatch, &settings.channels.post)
    };
    world.ladder = world.ladder.clone().within(bounds("30s,2min"));
    let (_, mut email) = with_an_email(&world).await;
    let later = Outcome::Later {
        after: World::second(),
    };
    for wait in [30, 120] {
        assert!(
            world
                .ladder
                .record(&email, later.clone())
                .await
                .expect("records")
        );
        world.pass(TimeDelta::seconds(wait - 1)).await;
        assert!(
            claim(&world.ladder, Channel::Email).await.is_empty(),
            "not before {wait} s"
        );
        world.pass(TimeDelta::seconds(1)).await;
        email = claim(&world.ladder, Channel::Email).await.remove(0);
    }
    assert!(world.ladder.record(&email, later).await.expect("records"));
    assert_eq!(
        state(&world).await,
        ("failed".into(), Some("given_up".into()))
    );
}

#[tokio::test]
async fn receipts_in_any_order_only_move_a_message_on() {
    let world = World::new().await;
    let (_, email) = with_an_email(&world).await;
    let about = About::Reference("SM1");
    let hear = async |said| {
        world
            .ladder
            .hear(Receipt {
                about,
                said,
                code: None,
            })
            .await
            .expect("hears")
    };
    assert_eq!(
        hear(DispatchState::Delivered).await,
        Heard::Unknown,
        "nobody knows this reference yet"
    );
    // By our own key it is known, even before our own record.
    let early = Receipt {
        about: About::Dispatch(email.id.as_uuid()),
        said: DispatchState::Delivered,
        code: None,
    };
    assert!(matches!(
        world.ladder.hear(early).await.expect("hears"),
        Heard::Moved(_)
    ));
    assert!(
        world
            .ladder
            .record(&email, accepted())
            .await
            .expect("records")
    );
    assert_eq!(
        state(&world).await.0,
        "delivered",
        "our own record comes later and says less"
    );
    assert_eq!(hear(DispatchState::Accepted).await, Heard::Nothing);
    assert!(matches!(hear(DispatchState::Failed).await, Heard::Moved(_)));
    assert_eq!(hear(DispatchState::Delivered).await, Heard::Nothing);
    assert_eq!(
        world.count("cases WHERE due_at <= app_now()").await,
        1,
        "a failure is loud"
    );
}

#[tokio::test]
async fn one_senseless_row_does_not_keep_its_neighbours_waiting() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    for _ in 0..3 {
        world.publish(gwyn.patient).await;
    }
    world.pass(TimeDelta::seconds(15)).await;
    world.supervise().await;
    world.run("UPDATE cases SET step_rungs[1] = 99 WHERE id = (SELECT min(id::text)::uuid FROM cases)", &[]).await;
    assert_eq!(claim(&world.ladder, Channel::Email).await.len(), 2);
    world.pass(TimeDelta::seconds(10)).await;
    assert_eq!(world.claim(10).await.len(), 2, "nor does a senseless case");
}

#[tokio::test]
async fn a_message_claimed_before_quiet_hours_and_asked_about_in_them_waits_until_they_end() {
    let mut policy = letterbox_domain::policy::Policy::demo();
    let hours = letterbox_domain::time::QuietHours {
        days: letterbox_domain::time::WeekDays::EVERY_DAY,
        ..letterbox_domain::time::QuietHours::standard()
    };
    policy.nudge_hours = Some(hours);
    let world = World::with(policy).await;
    // Claimed at one minute to eight in the evening of some coming day, asked about at three minutes past.
    let now = world.now().await;
    let tomorrow = letterbox_domain::time::local_date(now) + chrono::Days::new(1);
    let evening = chrono::NaiveTime::from_hms_opt(19, 58, 45).expect("a time");
    world
        .pass(letterbox_domain::time::instant(tomorrow.and_time(evening)) - now)
        .await;
    let (_, email) = with_an_email(&world).await;
    assert!(
        world.count("dispatches WHERE state = 'claimed'").await == 1
            && hours.allows(world.now().await),
        "it was claimed while it was allowed"
    );
    world.pass(TimeDelta::minutes(4)).await;
    assert!(
        !world.ladder.still_wanted(&email).await.expect("answers"),
        "it is quiet now"
    );
    let morning = hours.next_allowed(world.now().await);
    let due: chrono::DateTime<chrono::Utc> = world
        .one("SELECT due_at FROM dispatches WHERE state = 'queued'", &[])
        .await;
    assert_eq!(due, morning);
}
