//! Who looked, who tried to, and what a reader is told of a look; and what an account leaves behind.

use chrono::{DateTime, Days, TimeDelta, Utc};
use letterbox_actors::ports::DispatchStore;
use letterbox_domain::choice::{Leaving, Print};
use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::ItemRef;
use letterbox_domain::id::{AccountId, AppointmentId, GrantId};
use letterbox_domain::policy::Policy;
use letterbox_domain::promise::{Audience, Precision, line};
use letterbox_domain::time::{Calendars, QuietHours, instant, local_date};
use uuid::Uuid;

use super::print::batches;
use super::world::{LEASE, Person, Published, World};
use crate::commands::choose_contact::choose_print;
use crate::commands::close_account::close_account;
use crate::commands::look::{self, Closed, OnBoard};
use crate::commands::open_appointment::open_appointment;
use crate::commands::open_letter::{Form, begin, finish};
use crate::store::ladder::Sender;
use crate::store::mails::{self, AccountMails, MailKind, NewMail, To};
use crate::store::pages::{self, LookView, LookedBy};
use crate::store::{Principal, accounts};

async fn looks(world: &World, of: Person) -> Vec<LookView> {
    let account = of.account;
    let store = world.db.store();
    let tx = store.begin_snapshot(&Principal::Account { account }).await;
    pages::looks(&tx.expect("begins"), of.patient, account, i64::MAX, 50)
        .await
        .expect("reads")
}

async fn book(world: &World, of: Person) -> AppointmentId {
    let id = Uuid::now_v7();
    let sql = "INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer, state,
                                         change, opened_change, starts_at, specialty, clinic, location, contact_phone)
               VALUES ($1::uuid, $2, $1::uuid::text, $3, 1, '', '{}', 'booked', 1, 1, app_now() + interval '30 days',
                       'cardiology', 'Heart clinic', 'Desk 1', '01432 222222')";
    let (trust, patient) = (world.trust.as_uuid(), of.patient.as_uuid());
    world.run(sql, &[&id, &trust, &patient]).await;
    id.into()
}

#[tokio::test]
async fn r17_3_staff_who_see_a_name_on_the_board_are_among_those_who_looked() {
    let world = World::new().await;
    let (gwyn, other) = (world.member("Gwyn").await, world.member("Other").await);
    let (letter, clerk) = (world.publish(gwyn.patient).await, world.clerk().await);
    let shown = OnBoard {
        cases: vec![letter.case.as_uuid()],
        ..OnBoard::default()
    };
    let look = async |who: AccountId| {
        look::at_board(world.db.store(), who, world.trust, &shown)
            .await
            .expect("is written");
    };
    look(clerk).await;
    look(clerk).await;
    let seen = looks(&world, gwyn).await;
    assert_eq!(seen.len(), 1, "a board that draws itself again is one look");
    assert_eq!(
        (seen[0].action.as_str(), seen[0].allowed),
        ("board.view", true)
    );
    let staff = LookedBy::Staff {
        role: "booking_clerk".into(),
        trust: "Test Trust".into(),
    };
    assert!(seen[0].who == staff);
    assert!(
        looks(&world, other).await.is_empty(),
        "whose name was not on it"
    );
    world.pass(TimeDelta::minutes(61)).await;
    look(clerk).await;
    assert_eq!(looks(&world, gwyn).await.len(), 2, "the next hour");
    // Whoever is no staff gets no such row, whatever ids they bring.
    look(other.account).await;
    assert_eq!(looks(&world, gwyn).await.len(), 2);
}

#[tokio::test]
async fn r17_3_every_look_at_an_appointments_details_is_written_down_and_so_is_every_attempt() {
    let world = World::new().await;
    let (gwyn, other) = (world.member("Gwyn").await, world.member("Other").await);
    let id = book(&world, gwyn).await;
    let carer = world.carer(gwyn.patient, &["appointments"], false).await;
    let letters_only = world.carer(gwyn.patient, &["clinic_letters"], false).await;
    let store = world.db.store();
    for who in [
        gwyn.account,
        gwyn.account,
        carer,
        letters_only,
        other.account,
    ] {
        look::at_appointment(store, who, id)
            .await
            .expect("is written");
    }
    let who: Vec<_> = looks(&world, gwyn)
        .await
        .into_iter()
        .map(|look| look.who)
        .collect();
    assert_eq!(
        who.len(),
        2,
        "within a minute one look each, and none of who may not"
    );
    assert!(matches!(who[0], LookedBy::Carer { .. }) && who[1] == LookedBy::Owner);
    world.pass(TimeDelta::seconds(61)).await;
    look::at_appointment(store, gwyn.account, id)
        .await
        .expect("is written");
    assert_eq!(looks(&world, gwyn).await.len(), 3);

    for who in [letters_only, other.account] {
        let answer = open_appointment(store, who, id).await.expect("answers");
        assert!(answer.is_none(), "not theirs");
    }
    let refused = looks(&world, gwyn)
        .await
        .into_iter()
        .filter(|look| !look.allowed);
    assert_eq!(refused.count(), 2, "R17.3 attempts too");
    let asked = crate::commands::change_appointment::say_coming(store, other.account, id).await;
    assert!(asked.is_ok());
    assert_eq!(
        world
            .count("audit WHERE NOT allowed AND action = 'appointment.coming'")
            .await,
        1
    );
}

#[tokio::test]
async fn r17_3_pages_that_were_asked_for_and_not_given_are_written_down_for_the_patient() {
    let world = World::new().await;
    let (gwyn, other) = (world.member("Gwyn").await, world.member("Other").await);
    let (letter, visit) = (
        world.publish(gwyn.patient).await.letter,
        book(&world, gwyn).await,
    );
    let carer = world.carer(gwyn.patient, &["appointments"], false).await;
    let grant: Uuid = world.one("SELECT id FROM grants", &[]).await;
    world
        .run("UPDATE grants SET revoked_at = app_now()", &[])
        .await;
    let away = async |who: AccountId, from: Closed| {
        look::turned_away(world.db.store(), who, from)
            .await
            .expect("is written");
    };
    let items = [ItemRef::Letter(letter), ItemRef::Appointment(visit)];
    for item in items {
        away(other.account, Closed::Item(item)).await;
        away(gwyn.account, Closed::Item(item)).await;
    }
    let nothing = ItemRef::Letter(letterbox_domain::id::LetterId::random());
    away(other.account, Closed::Item(nothing)).await;
    for who in [carer, carer, other.account] {
        away(who, Closed::Grant(grant.into())).await;
    }
    let seen = looks(&world, gwyn).await;
    let actions: Vec<_> = seen
        .iter()
        .map(|look| (look.action.as_str(), look.allowed))
        .collect();
    let expected = [
        ("mailbox.view", false),
        ("appointment.view", false),
        ("letter.view", false),
    ];
    assert_eq!(
        actions, expected,
        "newest first; none of his own, one of a page that asks by itself"
    );
    assert!(matches!(seen[0].who, LookedBy::Carer { .. }));
    assert!(looks(&world, other).await.is_empty());
}

#[tokio::test]
async fn r28_3_leaving_erases_what_was_written_to_the_booking_office_and_keeps_that_it_was_asked() {
    let world = World::new().await;
    let (gwyn, other) = (world.member("Gwyn").await, world.member("Other").await);
    for (person, state) in [(gwyn, "pending"), (gwyn, "declined"), (other, "declined")] {
        let id = book(&world, person).await;
        let sql = "INSERT INTO change_requests (id, trust_id, patient_id, appointment_id, appointment_change, wish, note, state,
                                                asked_by, answer_by, answered_at, message)
                   VALUES ($1, $2, $3, $4, 1, 'rebook', 'I am away', $5::text, $6, app_now(),
                           CASE WHEN $5::text <> 'pending' THEN app_now() END, CASE WHEN $5::text <> 'pending' THEN 'No' END)";
        let (trust, patient) = (world.trust.as_uuid(), person.patient.as_uuid());
        let account = person.account.as_uuid();
        world
            .run(
                sql,
                &[
                    &Uuid::now_v7(),
                    &trust,
                    &patient,
                    &id.as_uuid(),
                    &state,
                    &account,
                ],
            )
            .await;
    }
    close_account(&world.ladder, gwyn.account, Leaving::Other)
        .await
        .expect("closes")
        .expect("it was open");
    assert_eq!(
        world
            .count("change_requests WHERE num_nonnulls(note, message) = 0")
            .await,
        2
    );
    assert_eq!(
        world.count("change_requests WHERE state = 'pending'").await,
        1,
        "still the office's"
    );
    assert_eq!(
        world
            .count("change_requests WHERE note = 'I am away' AND message = 'No'")
            .await,
        1,
        "nobody else's"
    );
}

#[tokio::test]
async fn r28_2_what_is_posted_because_somebody_leaves_comes_in_the_format_they_chose() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    world.publish(gwyn.patient).await;
    let chosen = choose_print(&world.ladder, gwyn.account, Some(Print::Braille)).await;
    assert!(chosen.expect("it is kept"));
    let closed = close_account(&world.ladder, gwyn.account, Leaving::PreferPost).await;
    assert_eq!(closed.expect("closes").expect("it was open").posted, 1);
    world.pass(TimeDelta::seconds(16)).await;
    assert_eq!(batches(&world).await.len(), 1);
    let printed: Option<String> = world.one("SELECT format_need FROM print_items", &[]).await;
    assert_eq!(printed.as_deref(), Some("braille"));
}

/// What a carer's letter page says, with the appointment's time as the database gives it.
async fn as_read_by(world: &World, reader: AccountId, letter: Published) -> (String, bool) {
    let store = world.db.store();
    let tx = store
        .begin_snapshot(&Principal::Account { account: reader })
        .await;
    let view = pages::letter(&tx.expect("begins"), letter.letter)
        .await
        .expect("reads")
        .expect("shared");
    let calendars = Calendars::built_in();
    let standing = view
        .facts
        .standing_to(Some(reader), &view.policy, &calendars);
    let reads = Audience::Carer { patient: "Gwyn" };
    let said = line(&standing, reads, Precision::Day, local_date(view.now));
    (said, view.appointment_at.is_some())
}

#[tokio::test]
async fn r27_4_a_carer_who_has_read_for_the_patient_reads_you_and_other_carers_read_the_name() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    let susan = world.carer(gwyn.patient, &["clinic_letters"], true).await;
    let sam = world.carer(gwyn.patient, &["clinic_letters"], false).await;
    let viewing = begin(world.db.store(), susan, letter.letter, &[1; 32], Form::Pdf).await;
    assert!(
        finish(world.db.store(), &viewing.expect("allowed"))
            .await
            .expect("finishes")
            .is_open
    );
    let (to_susan, to_sam) = (
        as_read_by(&world, susan, letter).await.0,
        as_read_by(&world, sam, letter).await.0,
    );
    assert!(to_susan.starts_with("Opened by you for Gwyn"), "{to_susan}");
    assert!(to_sam.starts_with("Opened by Susan for Gwyn"), "{to_sam}");
}

#[tokio::test]
async fn r27_1_without_the_tick_for_appointments_a_letter_does_not_tell_when_the_appointment_is() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    let about = book(&world, gwyn).await;
    let tie = "UPDATE letters SET appointment_id = $1 WHERE id = $2";
    world
        .run(tie, &[&about.as_uuid(), &letter.letter.as_uuid()])
        .await;
    for (ticks, told) in [
        (&["clinic_letters"][..], false),
        (&["clinic_letters", "appointments"], true),
    ] {
        let carer = world.carer(gwyn.patient, ticks, false).await;
        assert_eq!(as_read_by(&world, carer, letter).await.1, told, "{ticks:?}");
    }
}

#[tokio::test]
async fn r30_2_who_comes_back_sees_nothing_of_an_earlier_membership() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    world.publish(gwyn.patient).await;
    let remind = "UPDATE memberships SET reminders = 'email', reminders_since = app_now(), text_choice = 'never'";
    world.run(remind, &[]).await;
    close_account(&world.ladder, gwyn.account, Leaving::PreferPost)
        .await
        .expect("closes")
        .expect("it was open");
    world.pass(TimeDelta::days(30)).await;
    let again = AccountId::random();
    let open = "INSERT INTO accounts (id, kind, display_name) VALUES ($1, 'person', 'Gwyn')";
    world.run(open, &[&again.as_uuid()]).await;
    let tx = world
        .db
        .store()
        .begin(&Principal::SERVER)
        .await
        .expect("begins");
    accounts::join(&tx, again, gwyn.patient, 1, None)
        .await
        .expect("joins");
    tx.commit().await.expect("commits");
    world.pass(TimeDelta::seconds(1)).await;
    let new = world.publish(gwyn.patient).await;
    let principal = Principal::Account { account: again };
    let tx = world
        .db
        .store()
        .begin_snapshot(&principal)
        .await
        .expect("begins");
    let letters = pages::letters(&tx, gwyn.patient, None, 50)
        .await
        .expect("reads");
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    assert_eq!(ids, [new.letter]);
    let account = pages::account(&tx, again).await.expect("reads");
    assert_eq!(account.reminders, None, "asked for anew");
    assert_eq!(
        account.text_way,
        letterbox_domain::choice::Way::Never,
        "what is not safe stays unsafe"
    );
}

fn sending(world: &World) -> AccountMails {
    let sender = Sender {
        service: "My Health and Wellbeing".into(),
        portal: None,
    };
    AccountMails::new(world.db.store(), sender)
}

/// One mail of each kind that goes to an account, queued for now.
async fn mails_to(world: &World, account: AccountId, grant: GrantId) {
    let store = world.db.store();
    let tx = store.begin(&Principal::SERVER).await.expect("begins");
    let now = world.now().await;
    let to = letterbox_domain::person::Email::parse("gwyn@example.test").expect("an address");
    for (number, kind) in [
        MailKind::ReadForYou { account, grant },
        MailKind::StillReading {
            account,
            grant,
            until: now,
        },
        MailKind::SomethingNew {
            account,
            grant,
            after: 0,
            up_to: 9,
        },
    ]
    .into_iter()
    .enumerate()
    {
        let mail = NewMail {
            id: mails::effect_id(
                grant.as_uuid(),
                &format!("test/{number}/{}", now.timestamp_micros()),
            ),
            kind,
            to: To::Email(&to),
            due_at: now,
        };
        assert!(mails::queue(&tx, &mail).await.expect("queues"));
    }
    tx.commit().await.expect("commits");
}

async fn leaving(world: &World) -> usize {
    let claimed = sending(world)
        .claim(world.node, Channel::Email, 10, LEASE)
        .await;
    let mut left = 0;
    for mail in claimed.expect("claims") {
        left += usize::from(sending(world).still_wanted(&mail).await.expect("answers"));
    }
    left
}

/// A carer of Gwyn's who is Gwyn's equal in everything: asked about reading, with something new to see.
async fn circle(world: &World, gwyn: Person) -> GrantId {
    let carer = world.carer(gwyn.patient, &["clinic_letters"], true).await;
    let ask = "UPDATE grants SET tell_carer = true, reading_asked_at = app_now() WHERE carer_account_id = $1";
    world.run(ask, &[&carer.as_uuid()]).await;
    let letter = world.publish(gwyn.patient).await;
    let event = "INSERT INTO events (patient_id, seq, id, kind, letter_id, share, restricted)
                 VALUES ($1, 1, $2, 'letter.published', $3, 'clinic_letters', false)";
    world
        .run(
            event,
            &[
                &gwyn.patient.as_uuid(),
                &Uuid::now_v7(),
                &letter.letter.as_uuid(),
            ],
        )
        .await;
    let found = "SELECT id FROM grants WHERE carer_account_id = $1";
    let id: Uuid = world.one(found, &[&carer.as_uuid()]).await;
    id.into()
}

#[tokio::test]
async fn never_by_email_holds_for_every_mail_to_an_account() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let grant = circle(&world, gwyn).await;
    for (choice, expected) in [("on", 3), ("off", 3), ("never", 0)] {
        world
            .run("UPDATE memberships SET email_choice = $1", &[&choice])
            .await;
        mails_to(&world, gwyn.account, grant).await;
        assert_eq!(leaving(&world).await, expected, "{choice}");
        world.run("DELETE FROM account_mails", &[]).await;
    }
}

#[tokio::test]
async fn carers_mails_keep_the_quiet_hours_and_what_a_person_has_just_caused_does_not_wait() {
    let policy = Policy {
        nudge_hours: Some(QuietHours::standard()),
        ..Policy::demo()
    };
    let world = World::with(policy).await;
    let gwyn = world.member("Gwyn").await;
    let grant = circle(&world, gwyn).await;
    let known = "INSERT INTO patient_sources (trust_id, source_id, patient_id, source_version, body_sha256, answer)
                 VALUES ($1, 'P1', $2, 1, '', '{}')";
    world
        .run(known, &[&world.trust.as_uuid(), &gwyn.patient.as_uuid()])
        .await;
    let evening = local_date(world.now().await) + Days::new(1);
    let evening = instant(evening.and_hms_opt(22, 0, 0).expect("a time"));
    world.pass(evening - world.now().await).await;
    mails_to(&world, gwyn.account, grant).await;
    assert_eq!(leaving(&world).await, 1);
    let now_gone: String = world
        .one(
            "SELECT kind FROM account_mails WHERE leaving_at IS NOT NULL",
            &[],
        )
        .await;
    assert_eq!(now_gone, "read_for_you");
    let morning = QuietHours::standard().next_allowed(world.now().await);
    let due: DateTime<Utc> = world
        .one(
            "SELECT min(due_at) FROM account_mails WHERE state = 'queued' HAVING count(*) = 2",
            &[],
        )
        .await;
    assert_eq!(due, morning);
    world.pass(morning - world.now().await).await;
    world
        .run(
            "UPDATE account_mails SET state = 'sent' WHERE leaving_at IS NOT NULL",
            &[],
        )
        .await;
    assert_eq!(leaving(&world).await, 2);
}
