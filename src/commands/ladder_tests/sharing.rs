//! What a grant lets a carer hear and do besides looking: emails, reading for the patient, changes of ticks.

use chrono::TimeDelta;
use letterbox_actors::ports::DispatchStore;
use letterbox_domain::circle::{ShareKind, Ticks};
use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{AccountId, GrantId, LetterId, PatientId};

use super::world::{LEASE, World};
use crate::commands::hide_item::hide_item;
use crate::commands::open_letter::{Form, OpenError, begin, finish};
use crate::commands::revoke::revoke;
use crate::commands::share::{ShareError, change};
use crate::store::Principal;
use crate::store::events::{self, NewEvent};
use crate::store::ladder::Sender;
use crate::store::mails::AccountMails;
use crate::store::pages;

fn mails(world: &World) -> AccountMails {
    let sender = Sender {
        service: "My Health and Wellbeing".into(),
        portal: None,
    };
    AccountMails::new(world.db.store(), sender)
}

async fn grant_of(world: &World, carer: AccountId) -> GrantId {
    let sql = "SELECT id FROM grants WHERE carer_account_id = $1";
    let id: uuid::Uuid = world.one(sql, &[&carer.as_uuid()]).await;
    id.into()
}

/// A clinic letter with its event, as carers' emails go by events.
async fn publish(world: &World, to: PatientId, restricted: bool) -> LetterId {
    let letter = world.publish(to).await.letter;
    if restricted {
        let mark = "UPDATE letters SET restricted = true WHERE id = $1";
        world.run(mark, &[&letter.as_uuid()]).await;
    }
    let store = world.db.store();
    let tx = store.begin(&Principal::SERVER).await.expect("begins");
    let event = NewEvent {
        patient: to,
        kind: EventKind::LetterPublished,
        item: ItemRef::Letter(letter),
        share: ShareKind::ClinicLetters,
        restricted,
        due: None,
    };
    events::append(&tx, &[event]).await.expect("an event");
    tx.commit().await.expect("commits");
    letter
}

#[tokio::test]
async fn r27_5_a_carer_hears_of_what_they_may_see_and_never_of_the_rest() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], false)
        .await;
    let sam = world
        .carer(margaret.patient, &["appointments"], false)
        .await;
    let (to_susan, to_sam) = (grant_of(&world, susan).await, grant_of(&world, sam).await);
    publish(&world, margaret.patient, false).await;
    assert_eq!(store.tell_carers().await.expect("tells"), 0, "nobody asked");
    store.tell_carer(susan, &[to_susan]).await.expect("asks");
    store
        .tell_carer(sam, &[to_sam, to_susan])
        .await
        .expect("asks");
    assert_eq!(
        store.tell_carers().await.expect("tells"),
        0,
        "that was before"
    );

    publish(&world, margaret.patient, true).await;
    assert_eq!(store.tell_carers().await.expect("tells"), 0, "sensitive");
    let letter = publish(&world, margaret.patient, false).await;
    let hide = ItemRef::Letter(letter);
    hide_item(store, margaret.account, hide, true)
        .await
        .expect("hides");
    assert_eq!(store.tell_carers().await.expect("tells"), 0, "hidden");
    publish(&world, margaret.patient, false).await;
    publish(&world, margaret.patient, false).await;
    assert_eq!(
        store.tell_carers().await.expect("tells"),
        1,
        "one, to Susan"
    );
    let address: String = world.one("SELECT to_address FROM account_mails", &[]).await;
    assert_eq!(address, format!("{}@example.org", susan.as_uuid()));
    publish(&world, margaret.patient, false).await;
    assert_eq!(
        store.tell_carers().await.expect("tells"),
        0,
        "not within the hour"
    );
    world.pass(TimeDelta::hours(1)).await;
    assert_eq!(
        store.tell_carers().await.expect("tells"),
        0,
        "not while one waits to leave, which may be all night"
    );
    world
        .run("UPDATE account_mails SET state = 'sent'", &[])
        .await;
    assert_eq!(store.tell_carers().await.expect("tells"), 1);
}

#[tokio::test]
async fn r27_2_a_queued_email_obeys_what_the_patient_has_changed_meanwhile() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let mails = mails(&world);
    let mut left = Vec::new();
    for change_of in ["nothing", "ticks", "withdrawn", "hidden"] {
        let carer = world
            .carer(margaret.patient, &["clinic_letters"], false)
            .await;
        let grant = grant_of(&world, carer).await;
        store.tell_carer(carer, &[grant]).await.expect("asks");
        let letter = publish(&world, margaret.patient, false).await;
        world.run("UPDATE grants SET told_at = NULL", &[]).await;
        store.tell_carers().await.expect("tells");
        match change_of {
            "ticks" => {
                let ticks = Ticks::of(&[ShareKind::Appointments]);
                change(store, margaret.account, grant, ticks, false)
                    .await
                    .map(drop)
            }
            .expect("changes"),
            "withdrawn" => drop(
                revoke(store, margaret.account, grant)
                    .await
                    .expect("withdraws"),
            ),
            "hidden" => {
                let item = ItemRef::Letter(letter);
                hide_item(store, margaret.account, item, true)
                    .await
                    .map(drop)
                    .expect("hides");
            }
            _ => {}
        }
        let claimed = mails
            .claim(world.node, Channel::Email, 10, LEASE)
            .await
            .expect("claims");
        let own = format!("{}@example.org", carer.as_uuid());
        let mail = claimed
            .iter()
            .find(|mail| mail.outgoing.to == own)
            .expect("queued");
        if mails.still_wanted(mail).await.expect("answers") {
            left.push(change_of);
        }
        revoke(store, margaret.account, grant).await.expect("ends");
        world.run("DELETE FROM account_mails", &[]).await;
    }
    assert_eq!(left, ["nothing"]);
}

#[tokio::test]
async fn case_95_r27_4_a_carers_reading_stops_the_deadline_only_with_the_tick_and_the_patient_hears_of_it()
 {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], false)
        .await;
    let grant = grant_of(&world, susan).await;
    let first = world.publish(margaret.patient).await;
    let refused = begin(store, susan, first.letter, &[1; 32], Form::Pdf).await;
    assert!(matches!(refused, Err(OpenError::NotFound)), "{refused:?}");
    assert_eq!(world.end_of(first.case).await, None, "the deadline runs on");
    assert_eq!(
        world.count("audit WHERE NOT allowed").await,
        1,
        "recorded as hers"
    );

    let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
    change(store, margaret.account, grant, ticks, true)
        .await
        .expect("changes");
    let viewing = begin(store, susan, first.letter, &[2; 32], Form::Pdf)
        .await
        .expect("allowed");
    assert!(finish(store, &viewing).await.expect("finishes").is_open);
    assert_eq!(world.end_of(first.case).await.as_deref(), Some("opened"));
    let by: uuid::Uuid = world
        .one(
            "SELECT opened_by_account_id FROM letters WHERE id = $1",
            &[&first.letter.as_uuid()],
        )
        .await;
    assert_eq!(by, susan.as_uuid(), "as her own view");
    let told: String = world
        .one(
            "SELECT to_address FROM account_mails WHERE kind = 'read_for_you'",
            &[],
        )
        .await;
    assert_eq!(told, format!("{}@example.org", margaret.account.as_uuid()));
    let own = world.publish(margaret.patient).await;
    let viewing = begin(store, margaret.account, own.letter, &[3; 32], Form::Pdf)
        .await
        .expect("hers");
    finish(store, &viewing).await.expect("finishes");
    assert_eq!(
        world.count("account_mails").await,
        1,
        "not of her own reading"
    );
}

#[tokio::test]
async fn reading_for_a_patient_is_asked_about_after_a_year_and_lapses_softly() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], false)
        .await;
    let grant = grant_of(&world, susan).await;
    let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
    change(store, margaret.account, grant, ticks, true)
        .await
        .expect("changes");
    world.pass(TimeDelta::days(364)).await;
    assert_eq!(store.review_reading().await.expect("reviews"), 0);
    world.pass(TimeDelta::days(1)).await;
    assert_eq!(store.review_reading().await.expect("reviews"), 1, "asked");
    assert_eq!(store.review_reading().await.expect("reviews"), 0, "once");
    assert_eq!(
        world
            .count("account_mails WHERE kind = 'still_reading'")
            .await,
        1
    );
    // Saying yes begins another year.
    change(store, margaret.account, grant, ticks, true)
        .await
        .expect("changes");
    world.pass(TimeDelta::days(31)).await;
    assert_eq!(store.review_reading().await.expect("reviews"), 0);
    world.pass(TimeDelta::days(334)).await;
    assert_eq!(
        store.review_reading().await.expect("reviews"),
        1,
        "asked again"
    );
    world.pass(TimeDelta::days(30)).await;
    assert_eq!(store.review_reading().await.expect("reviews"), 1, "lapsed");
    let reads: bool = world.one("SELECT may_read_for_me FROM grants", &[]).await;
    assert!(!reads);
    let viewer = store
        .viewer(susan, margaret.patient)
        .await
        .expect("answers");
    assert!(viewer.is_some(), "she still sees what is shared");
}

#[tokio::test]
async fn r27_2_changed_ticks_hold_with_the_commit_and_only_the_patient_changes_them() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], false)
        .await;
    let (grant, letter) = (
        grant_of(&world, susan).await,
        world.publish(margaret.patient).await,
    );
    let ticks = Ticks::of(&[ShareKind::Appointments]);
    let hers = change(store, susan, grant, ticks, true).await;
    assert!(matches!(hers, Err(ShareError::NoSuchGrant)), "{hers:?}");
    let nothing = change(store, margaret.account, grant, Ticks::NONE, false).await;
    assert!(
        matches!(nothing, Err(ShareError::NothingTicked)),
        "{nothing:?}"
    );
    let opened = "UPDATE letters SET state = 'opened', opened_at = app_now() WHERE id = $1";
    world.run(opened, &[&letter.letter.as_uuid()]).await;
    begin(store, susan, letter.letter, &[1; 32], Form::Pdf)
        .await
        .expect("she sees it");
    change(store, margaret.account, grant, ticks, false)
        .await
        .expect("changes");
    let gone = begin(store, susan, letter.letter, &[2; 32], Form::Pdf).await;
    assert!(matches!(gone, Err(OpenError::NotFound)), "{gone:?}");
    revoke(store, margaret.account, grant)
        .await
        .expect("withdraws");
    let after = change(store, margaret.account, grant, ticks, false).await;
    assert!(matches!(after, Err(ShareError::NoSuchGrant)), "{after:?}");
}

#[tokio::test]
async fn a_carer_who_leaves_is_remembered_as_having_left() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], false)
        .await;
    let grant = grant_of(&world, susan).await;
    revoke(store, susan, grant).await.expect("leaves");
    assert!(
        store
            .viewer(susan, margaret.patient)
            .await
            .expect("answers")
            .is_none()
    );
    assert!(
        world
            .one::<bool>("SELECT carer_left FROM grants", &[])
            .await
    );
}

#[tokio::test]
async fn r27_5_two_mailboxes_that_differ_in_hidden_items_look_the_same_to_a_carer() {
    let world = World::new().await;
    let store = world.db.store();
    let mut seen = Vec::new();
    for hidden in [0, 60] {
        let patient = world.member("Margaret").await;
        let susan = world
            .carer(patient.patient, &["clinic_letters"], false)
            .await;
        world.publish(patient.patient).await;
        for one in 0..hidden {
            let letter = world.publish(patient.patient).await.letter.as_uuid();
            let sql = if one % 2 == 0 {
                "UPDATE letters SET restricted = true WHERE id = $1"
            } else {
                "UPDATE letters SET hidden_at = app_now() WHERE id = $1"
            };
            world.run(sql, &[&letter]).await;
        }
        let same = "UPDATE letters SET published_at = date_trunc('day', app_now()) + interval '1 day' WHERE patient_id = $1";
        world.run(same, &[&patient.patient.as_uuid()]).await;
        let carer = Principal::Account { account: susan };
        let tx = store.begin(&carer).await.expect("begins");
        let grant = pages::shared_patient(&tx, susan, grant_of(&world, susan).await).await;
        let (grant, _, _) = grant.expect("reads").expect("hers");
        seen.push(pages::glimpse(&tx, &grant).await.expect("reads"));
    }
    assert_eq!(seen[0].unread, 1);
    assert!(seen[0] == seen[1], "{seen:?}");
}
