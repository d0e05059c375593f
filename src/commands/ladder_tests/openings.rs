//! Opening: whose, how often, and what it stops.

use chrono::TimeDelta;
use letterbox_domain::event::{EventKind, ItemRef};

use super::world::World;
use crate::commands::hide_item::hide_item;
use crate::commands::open_appointment::open_appointment;
use crate::commands::open_letter::{Content, Form, OpenError, begin, finish};

const NONCE: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];

#[tokio::test]
async fn a_patient_opens_a_letter_and_everything_that_was_planned_stops() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let letter = world.publish(margaret.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    let viewing = begin(store, margaret.account, letter.letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    assert_eq!(viewing.content, Content::Pdf("%PDF letter".into()));
    assert_eq!(
        world.end_of(letter.case).await,
        None,
        "being handed over is not having been read"
    );
    let opened = finish(store, &viewing).await.expect("opens");
    assert_eq!(
        opened
            .events
            .iter()
            .map(|event| event.kind)
            .collect::<Vec<_>>(),
        [EventKind::LetterOpened]
    );
    assert_eq!(world.end_of(letter.case).await.as_deref(), Some("opened"));
    assert_eq!(world.count("dispatches WHERE state = 'queued'").await, 0);
    assert_eq!(world.count("notices WHERE closed_at IS NULL").await, 0);
    assert_eq!(
        world
            .count("audit WHERE action = 'letter.view' AND allowed")
            .await,
        1
    );
    let again = finish(store, &viewing).await.expect("is idempotent");
    assert!(again.is_open && again.events.is_empty());
    world.pass(TimeDelta::days(30)).await;
    assert_eq!(
        world.supervise().await.done,
        0,
        "an opened letter is left in peace"
    );
}

#[tokio::test]
async fn a_form_works_once() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let letter = world.publish(margaret.patient).await.letter;
    begin(store, margaret.account, letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    let again = begin(store, margaret.account, letter, &NONCE, Form::Pdf).await;
    assert!(matches!(again, Err(OpenError::FormUsed)), "{again:?}");
    assert!(
        begin(store, margaret.account, letter, &OTHER, Form::Pdf)
            .await
            .is_ok()
    );
    assert!(matches!(
        begin(store, margaret.account, letter, &[9; 32], Form::FullText).await,
        Err(OpenError::NoFullText)
    ));
}

#[tokio::test]
async fn a_stranger_and_a_carer_without_the_tick_cannot_open() {
    let world = World::new().await;
    let (store, margaret, gwyn) = (
        world.db.store(),
        world.member("Margaret").await,
        world.member("Gwyn").await,
    );
    let letter = world.publish(margaret.patient).await;
    let looker = world
        .carer(margaret.patient, &["clinic_letters"], false)
        .await;
    let wrong_tick = world.carer(margaret.patient, &["appointments"], true).await;
    for account in [gwyn.account, looker, wrong_tick] {
        let refused = begin(store, account, letter.letter, &NONCE, Form::Pdf).await;
        assert!(matches!(refused, Err(OpenError::NotFound)), "{refused:?}");
    }
    assert_eq!(
        world.count("audit WHERE NOT allowed").await,
        3,
        "attempts are kept"
    );
    assert_eq!(world.count("used_nonces").await, 0);
    assert_eq!(world.end_of(letter.case).await, None);
    // Once the patient has opened it, the carer with the tick may look, which changes nothing.
    let viewing = begin(store, margaret.account, letter.letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    finish(store, &viewing).await.expect("opens");
    let look = begin(store, looker, letter.letter, &OTHER, Form::Pdf)
        .await
        .expect("allowed");
    assert!(
        finish(store, &look)
            .await
            .expect("changes nothing")
            .events
            .is_empty()
    );
    assert!(
        begin(store, wrong_tick, letter.letter, &[9; 32], Form::Pdf)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_carer_who_may_read_for_the_patient_opens_unless_withdrawn_meanwhile() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let (first, second) = (
        world.publish(margaret.patient).await,
        world.publish(margaret.patient).await,
    );
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], true)
        .await;
    let viewing = begin(store, susan, first.letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    assert!(finish(store, &viewing).await.expect("opens").is_open);
    assert_eq!(world.end_of(first.case).await.as_deref(), Some("opened"));
    let viewing = begin(store, susan, second.letter, &OTHER, Form::Pdf)
        .await
        .expect("allowed");
    world
        .run("UPDATE grants SET revoked_at = app_now()", &[])
        .await;
    assert!(
        !finish(store, &viewing)
            .await
            .expect("does not count")
            .is_open
    );
    assert_eq!(
        world.end_of(second.case).await,
        None,
        "the patient still gets the paper"
    );
}

#[tokio::test]
async fn a_withdrawn_letter_says_so_and_is_not_handed_over() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let letter = world.publish(margaret.patient).await;
    let viewing = begin(store, margaret.account, letter.letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    world
        .run(
            "UPDATE letters SET state = 'withdrawn', withdrawn_at = app_now()",
            &[],
        )
        .await;
    assert!(
        finish(store, &viewing)
            .await
            .expect("changes nothing")
            .events
            .is_empty()
    );
    assert_eq!(world.count("letters WHERE state = 'withdrawn'").await, 1);
    let gone = begin(store, margaret.account, letter.letter, &OTHER, Form::Pdf).await;
    assert!(matches!(gone, Err(OpenError::Withdrawn)), "{gone:?}");
}

#[tokio::test]
async fn opening_an_appointments_details_ends_its_case_and_a_carers_look_does_not() {
    let world = World::new().await;
    let (store, gwyn) = (world.db.store(), world.member("Gwyn").await);
    let (appointment, case) = world.cancel(gwyn.patient, TimeDelta::hours(20)).await;
    world.supervise().await;
    let looker = world.carer(gwyn.patient, &["appointments"], false).await;
    assert_eq!(
        open_appointment(store, looker, appointment)
            .await
            .expect("answers"),
        Some(Vec::new())
    );
    assert_eq!(world.end_of(case).await, None);
    let events = open_appointment(store, gwyn.account, appointment)
        .await
        .expect("answers")
        .expect("it is his");
    assert_eq!(events[0].kind, EventKind::AppointmentOpened);
    assert_eq!(world.end_of(case).await.as_deref(), Some("opened"));
    assert_eq!(
        open_appointment(store, gwyn.account, appointment)
            .await
            .expect("answers"),
        Some(Vec::new())
    );
    let stranger = world.member("Stranger").await;
    assert_eq!(
        open_appointment(store, stranger.account, appointment)
            .await
            .expect("answers"),
        None
    );
}

#[tokio::test]
async fn a_hidden_item_is_nobody_elses() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let letter = world.publish(margaret.patient).await.letter;
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], true)
        .await;
    let item = ItemRef::Letter(letter);
    assert_eq!(
        hide_item(store, susan, item, true).await.expect("answers"),
        None,
        "the patient only"
    );
    let hidden = hide_item(store, margaret.account, item, true)
        .await
        .expect("answers")
        .expect("hers");
    assert_eq!(hidden[0].kind, EventKind::ItemHidden);
    assert_eq!(
        hide_item(store, margaret.account, item, true)
            .await
            .expect("answers"),
        Some(Vec::new())
    );
    assert!(matches!(
        begin(store, susan, letter, &NONCE, Form::Pdf).await,
        Err(OpenError::NotFound)
    ));
    let shown = hide_item(store, margaret.account, item, false)
        .await
        .expect("answers")
        .expect("hers");
    assert_eq!(shown[0].kind, EventKind::ItemShown);
    assert!(begin(store, susan, letter, &NONCE, Form::Pdf).await.is_ok());
}
