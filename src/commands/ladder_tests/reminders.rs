//! Reminders of appointments: who gets one, when, how often, and what stops one at the last moment.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use letterbox_actors::ports::{ClaimedDispatch, DispatchStore};
use letterbox_domain::dispatch::{Channel, Outcome};
use letterbox_domain::id::AccountId;
use letterbox_domain::policy::Policy;
use letterbox_domain::reminder::Notice;
use letterbox_domain::time::{QuietHours, instant, local_date};
use uuid::Uuid;

use super::world::{LEASE, Person, World};
use crate::commands::choose_contact::{Ways, choose_reminders, choose_ways};
use crate::store::ladder::Sender;
use crate::store::mails::AccountMails;
use crate::store::receipts::{About, Heard, Receipt};

fn mails(world: &World) -> AccountMails {
    let sender = Sender {
        service: "My Health and Wellbeing".into(),
        portal: Some("https://portal.example.test".into()),
    };
    AccountMails::new(world.db.store(), sender)
}

async fn wants(world: &World, account: AccountId, by: Option<Channel>) -> bool {
    choose_reminders(world.db.store(), account, by)
        .await
        .expect("it is kept")
}

async fn reminded_member(world: &World, by: Channel) -> Person {
    let person = world.member("Margaret").await;
    assert!(wants(world, person.account, Some(by)).await);
    person
}

async fn book(world: &World, of: Person, starts_at: DateTime<Utc>) -> Uuid {
    let id = Uuid::now_v7();
    let sql = "INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer, state,
                                         change, starts_at, specialty, clinic, location, contact_phone)
               VALUES ($1::uuid, $2, $1::uuid::text, $3, 1, '', '{}', 'booked', 1, $4, 'cardiology', 'Heart clinic', 'Desk 1', '01432 222222')";
    let (trust, patient) = (world.trust.as_uuid(), of.patient.as_uuid());
    world.run(sql, &[&id, &trust, &patient, &starts_at]).await;
    id
}

/// As the trust's call writes it: another change, known since now.
async fn change(world: &World, appointment: Uuid, sql: &str) {
    let sql = format!(
        "UPDATE appointments SET change = change + 1, changed_at = app_now(), {sql} WHERE id = $1"
    );
    assert_eq!(world.run(&sql, &[&appointment]).await, 1);
}

/// Half past nine on the wall, so many days from today.
async fn in_days(world: &World, days: u64) -> DateTime<Utc> {
    at_half_past_nine(local_date(world.now().await) + Days::new(days))
}

fn at_half_past_nine(day: NaiveDate) -> DateTime<Utc> {
    instant(day.and_hms_opt(9, 30, 0).expect("a time"))
}

async fn wait_until(world: &World, at: DateTime<Utc>) {
    let now = world.now().await;
    world.pass(at - now).await;
}

async fn sweep(world: &World) -> u64 {
    world.db.store().remind().await.expect("sweeps")
}

async fn claim(world: &World, by: Channel) -> Vec<ClaimedDispatch> {
    mails(world)
        .claim(world.node, by, 10, LEASE)
        .await
        .expect("claims")
}

/// Whatever is due that way and still wanted.
async fn leaving(world: &World, by: Channel) -> Vec<ClaimedDispatch> {
    let mut left = Vec::new();
    for claimed in claim(world, by).await {
        if mails(world).still_wanted(&claimed).await.expect("answers") {
            left.push(claimed);
        }
    }
    left
}

#[tokio::test]
async fn a_reminder_goes_seven_and_two_days_before_once_each_and_only_to_who_asked() {
    let world = World::new().await;
    let (margaret, gwyn) = (
        reminded_member(&world, Channel::Email).await,
        world.member("Gwyn").await,
    );
    let starts = in_days(&world, 12).await;
    book(&world, margaret, starts).await;
    book(&world, gwyn, starts).await;
    assert_eq!(sweep(&world).await, 0, "too early");
    for notice in Notice::ALL {
        wait_until(&world, notice.due_at(starts) - TimeDelta::minutes(1)).await;
        assert_eq!(sweep(&world).await, 0, "{notice:?}: a minute too early");
        world.pass(TimeDelta::minutes(1)).await;
        let (one, other) = tokio::join!(sweep(&world), sweep(&world));
        assert_eq!(one + other, 1, "{notice:?}: two nodes at the same time");
        assert!(claim(&world, Channel::Text).await.is_empty());
        let sent = leaving(&world, Channel::Email).await;
        assert_eq!(sent.len(), 1);
        assert_eq!(
            sent[0].outgoing.to,
            format!("{}@example.org", margaret.account.as_uuid())
        );
        let accepted = Outcome::Accepted {
            reference: "1".into(),
        };
        assert!(
            mails(&world)
                .record(&sent[0], accepted)
                .await
                .expect("records")
        );
        world.pass(TimeDelta::hours(2)).await;
        assert_eq!(sweep(&world).await, 0, "{notice:?}: none twice");
    }
    world.pass(TimeDelta::days(3)).await;
    assert_eq!(sweep(&world).await, 0, "it is past");
    assert_eq!(world.count("account_mails").await, 2);
}

#[tokio::test]
async fn a_reminder_by_text_says_the_day_and_carries_no_link_and_a_failure_is_kept() {
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Text).await;
    let starts = in_days(&world, 9).await;
    let id = book(&world, margaret, starts).await;
    wait_until(&world, Notice::Week.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 1);
    assert!(claim(&world, Channel::Email).await.is_empty());
    let sent = leaving(&world, Channel::Text).await;
    assert_eq!(sent[0].outgoing.to, "+447700900001");
    let body = &sent[0].outgoing.body;
    let day = letterbox_domain::time::local(starts)
        .format("%a %-d %b")
        .to_string();
    assert!(body.contains(&day), "{body}");
    for word in [
        "http",
        "example",
        "09:30",
        "eart",
        "linic",
        "Margaret",
        &id.to_string(),
    ] {
        assert!(!body.contains(word), "{word} in {body}");
    }
    let accepted = Outcome::Accepted {
        reference: "SM1".into(),
    };
    assert!(
        mails(&world)
            .record(&sent[0], accepted)
            .await
            .expect("records")
    );
    let receipt = Receipt {
        about: About::Dispatch(sent[0].id.as_uuid()),
        said: letterbox_domain::dispatch::DispatchState::Failed,
        code: Some("30005"),
    };
    assert_eq!(
        world.ladder.hear(receipt).await.expect("hears"),
        Heard::Nothing
    );
    let kept: String = world
        .one("SELECT state || ' ' || code FROM account_mails", &[])
        .await;
    assert_eq!(kept, "failed 30005");
}

#[tokio::test]
async fn a_queued_reminder_is_asked_again_just_before_it_leaves() {
    let changes: [(&str, &str); 9] = [
        (
            "cancelled",
            "UPDATE appointments SET state = 'cancelled', change = change + 1",
        ),
        (
            "moved",
            "UPDATE appointments SET starts_at = starts_at + interval '9 days', change = change + 1",
        ),
        ("begun", "UPDATE appointments SET starts_at = app_now()"),
        (
            "not wanted",
            "UPDATE memberships SET reminders = NULL, reminders_since = NULL",
        ),
        ("another way", "UPDATE memberships SET reminders = 'text'"),
        ("never", "UPDATE memberships SET email_choice = 'never'"),
        ("left", "UPDATE memberships SET left_at = app_now()"),
        (
            "another address",
            "UPDATE accounts SET email = 'new' || email",
        ),
        ("died", "UPDATE patients SET deceased_at = '2026-01-01'"),
    ];
    for (what, sql) in changes {
        let world = World::new().await;
        let margaret = reminded_member(&world, Channel::Email).await;
        let starts = in_days(&world, 9).await;
        book(&world, margaret, starts).await;
        wait_until(&world, Notice::Week.due_at(starts)).await;
        assert_eq!(sweep(&world).await, 1, "{what}");
        let claimed = claim(&world, Channel::Email).await;
        assert_eq!(claimed.len(), 1, "{what}");
        world.run(sql, &[]).await;
        assert!(
            !mails(&world)
                .still_wanted(&claimed[0])
                .await
                .expect("answers"),
            "{what}"
        );
        let state: String = world.one("SELECT state FROM account_mails", &[]).await;
        assert_eq!(state, "cancelled", "{what}");
        assert_eq!(sweep(&world).await, 0, "{what}: and it does not come back");
    }
}

#[tokio::test]
async fn the_earlier_reminder_is_dropped_once_the_later_one_is_due() {
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Email).await;
    let starts = in_days(&world, 9).await;
    book(&world, margaret, starts).await;
    wait_until(&world, Notice::Week.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 1);
    // The provider was away for five days.
    wait_until(&world, Notice::TwoDays.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 1);
    assert_eq!(leaving(&world, Channel::Email).await.len(), 1);
    let cancelled = "account_mails WHERE state = 'cancelled' AND params->>'days' = '7'";
    assert_eq!(world.count(cancelled).await, 1);
}

#[tokio::test]
async fn a_reminding_text_of_unknown_outcome_is_looked_up_before_anything_else() {
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Text).await;
    let starts = in_days(&world, 9).await;
    book(&world, margaret, starts).await;
    wait_until(&world, Notice::Week.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 1);
    let sent = leaving(&world, Channel::Text).await;
    assert!(!sent[0].unknown_before);
    let kept = mails(&world).record(&sent[0], Outcome::Unknown).await;
    assert!(kept.expect("it is kept"));
    assert!(
        claim(&world, Channel::Text).await.is_empty(),
        "the provider has time to know of it"
    );
    world.pass(TimeDelta::seconds(31)).await;
    let again = claim(&world, Channel::Text).await;
    assert_eq!(again.len(), 1);
    assert!(again[0].unknown_before, "asked about, not sent");
    assert_eq!(again[0].id, sent[0].id);
}

#[tokio::test]
async fn an_appointment_that_has_moved_is_reminded_of_anew_and_a_new_place_alone_is_not_said_twice()
{
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Email).await;
    let starts = in_days(&world, 12).await;
    let id = book(&world, margaret, starts).await;
    wait_until(&world, Notice::Week.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 1);
    // Another room: its news has just been read, the two days' reminder still comes.
    change(&world, id, "location = 'Desk 2'").await;
    assert_eq!(sweep(&world).await, 0);
    change(&world, id, "starts_at = starts_at + interval '14 days'").await;
    assert_eq!(sweep(&world).await, 0);
    let moved: DateTime<Utc> = world.one("SELECT starts_at FROM appointments", &[]).await;
    wait_until(&world, Notice::TwoDays.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 0, "nothing for the old day");
    for notice in Notice::ALL {
        wait_until(&world, notice.due_at(moved)).await;
        assert_eq!(sweep(&world).await, 1, "{notice:?}");
    }
}

#[tokio::test]
async fn who_hears_or_asks_late_gets_only_what_still_makes_sense() {
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Email).await;
    let asks_late = world.member("Gwyn").await;
    // At noon, so that today's ten o'clock has passed.
    let noon = instant(
        (local_date(world.now().await) + Days::new(1))
            .and_hms_opt(12, 0, 0)
            .expect("noon"),
    );
    wait_until(&world, noon).await;
    for days in [1, 2, 5, 7] {
        book(&world, margaret, in_days(&world, days).await).await;
    }
    book(&world, asks_late, in_days(&world, 7).await).await;
    assert_eq!(sweep(&world).await, 0, "all of it has just been published");
    world.pass(TimeDelta::hours(3)).await;
    assert!(wants(&world, asks_late.account, Some(Channel::Text)).await);
    assert_eq!(sweep(&world).await, 0, "what was due before is not sent");
    let mut sent = 0;
    for _ in 0..8 {
        world.pass(TimeDelta::days(1)).await;
        sent += sweep(&world).await;
    }
    assert_eq!(
        sent, 3,
        "two days before: those of 5 and 7 days, and of who asked late"
    );
    assert_eq!(
        world
            .count("account_mails WHERE params->>'days' = '2'")
            .await,
        3
    );
}

#[tokio::test]
async fn a_reminder_that_falls_into_the_quiet_waits_for_its_end() {
    let day = |date: NaiveDate, hour| instant(date.and_hms_opt(hour, 0, 0).expect("a time"));
    let policy = Policy {
        nudge_hours: Some(QuietHours::standard()),
        ..Policy::demo()
    };
    let world = World::with(policy).await;
    let margaret = reminded_member(&world, Channel::Email).await;
    let mut tuesday = local_date(world.now().await) + Days::new(4);
    while tuesday.weekday() != Weekday::Tue {
        tuesday = tuesday + Days::new(1);
    }
    book(&world, margaret, at_half_past_nine(tuesday)).await;
    // Ten o'clock two days before is a Sunday's.
    wait_until(&world, day(tuesday - Days::new(2), 10)).await;
    assert_eq!(sweep(&world).await, 0);
    wait_until(&world, day(tuesday - Days::new(1), 8)).await;
    assert_eq!(sweep(&world).await, 1);
    let claimed = claim(&world, Channel::Email).await;
    // The mail server puts it off until the evening: then it waits for the morning.
    wait_until(&world, day(tuesday - Days::new(1), 20)).await;
    assert!(
        !mails(&world)
            .still_wanted(&claimed[0])
            .await
            .expect("answers")
    );
    let due: DateTime<Utc> = world
        .one(
            "SELECT due_at FROM account_mails WHERE state = 'queued'",
            &[],
        )
        .await;
    assert_eq!(due, day(tuesday, 8));
    wait_until(&world, due).await;
    assert_eq!(leaving(&world, Channel::Email).await.len(), 1);
}

#[tokio::test]
async fn r29_3_reminders_keep_to_the_wall_clock_across_the_next_two_clock_changes() {
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Email).await;
    let mut changes = 0;
    let mut day = local_date(world.now().await) + Days::new(12);
    while changes < 2 {
        let night = at_half_past_nine(day) - at_half_past_nine(day - Days::new(1));
        if night != TimeDelta::days(1) {
            changes += 1;
            let starts = at_half_past_nine(day + Days::new(1));
            book(&world, margaret, starts).await;
            for notice in Notice::ALL {
                let due = instant(
                    (day + Days::new(1) - Days::new(notice.days().unsigned_abs().into()))
                        .and_hms_opt(10, 0, 0)
                        .expect("a time"),
                );
                wait_until(&world, due - TimeDelta::seconds(1)).await;
                assert_eq!(sweep(&world).await, 0, "{day} {notice:?}");
                world.pass(TimeDelta::seconds(1)).await;
                assert_eq!(sweep(&world).await, 1, "{day} {notice:?}");
            }
        }
        day = day + Days::new(1);
    }
}

#[tokio::test]
async fn an_account_without_a_mailbox_has_no_reminders_and_a_bad_contact_gets_none() {
    let world = World::new().await;
    let margaret = reminded_member(&world, Channel::Email).await;
    let carer = world
        .carer(margaret.patient, &["appointments"], false)
        .await;
    assert!(!wants(&world, carer, Some(Channel::Email)).await);
    let starts = in_days(&world, 9).await;
    book(&world, margaret, starts).await;
    let email = format!("{}@example.org", margaret.account.as_uuid());
    let bad = "INSERT INTO bad_contacts (patient_id, channel, contact, code) VALUES ($1, 'email', $2, '5.1.1')";
    world.run(bad, &[&margaret.patient.as_uuid(), &email]).await;
    wait_until(&world, Notice::Week.due_at(starts)).await;
    assert_eq!(sweep(&world).await, 0);
    // Another way that works, chosen meanwhile: still in time.
    assert!(wants(&world, margaret.account, Some(Channel::Text)).await);
    assert_eq!(sweep(&world).await, 1);
    let never = Ways {
        email: letterbox_domain::choice::Way::On,
        text: letterbox_domain::choice::Way::Never,
        post_is_unsafe: false,
    };
    choose_ways(&world.ladder, margaret.account, never)
        .await
        .expect("it is kept");
    assert!(
        leaving(&world, Channel::Text).await.is_empty(),
        "never is never"
    );
}
