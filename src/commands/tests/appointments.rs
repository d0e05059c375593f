//! Appointments: told, moved, cancelled; alone, with a letter, and a whole clinic at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::appointment::AppointmentState;
use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::EventKind;
use letterbox_domain::letter::{LetterKind, LetterState};
use letterbox_domain::policy::Policy;
use letterbox_domain::time::local_date;

use super::{code, publish, published};
use crate::commands::cancel_clinic::cancel_clinic;
use crate::commands::forms::NewLetter;
use crate::commands::letter_answer::ask_letter;
use crate::commands::put_appointment::{AppointmentAnswer, NewAppointment, put_appointment};
use crate::commands::put_patient::Applied;
use crate::commands::{Code, Wake};
use crate::testing::{Hospital, Patient, TestDb};

pub(super) fn appointment(
    patient: &Patient,
    source_id: &str,
    version: i64,
    starts_at: DateTime<Utc>,
) -> NewAppointment {
    NewAppointment {
        source_id: source_id.to_owned(),
        source_version: version,
        patient: patient.source_id.clone(),
        nhs_number: patient.nhs_number,
        state: AppointmentState::Booked,
        starts_at,
        minutes: Some(20),
        specialty: "Ophthalmology".to_owned(),
        clinic: "Eye clinic".to_owned(),
        clinic_code: Some("EYE-0900".to_owned()),
        location: "Eye unit, first floor".to_owned(),
        contact_phone: "01632 960002".to_owned(),
        contact_hours: None,
        contact_email: None,
        bring: None,
        instructions: None,
        cancel_reason: None,
    }
}

pub(super) async fn put(
    db: &TestDb,
    hospital: &Hospital,
    form: &NewAppointment,
) -> (AppointmentAnswer, Wake) {
    put_appointment(db.store(), &hospital.system, form)
        .await
        .expect("taken in")
}

fn kinds(wake: &Wake) -> Vec<EventKind> {
    wake.events.iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn making_moving_and_cancelling_each_open_a_case_and_end_the_one_before() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let start = hospital.now().await + TimeDelta::days(40);
    let (made, wake) = put(&db, &hospital, &appointment(&asha, "A-1", 1, start)).await;
    assert_eq!(
        (made.outcome, made.is_new, kinds(&wake)),
        (
            Applied::Applied,
            true,
            vec![EventKind::AppointmentPublished]
        )
    );
    assert!(
        made.promise.starts_with("New. We will post this on "),
        "{}",
        made.promise
    );
    let (same, wake) = put(&db, &hospital, &appointment(&asha, "A-1", 1, start)).await;
    assert_eq!(
        (same.outcome, same.appointment_id, wake.events.len()),
        (Applied::Unchanged, made.appointment_id, 0)
    );

    let described = NewAppointment {
        instructions: Some("Bring your glasses".to_owned()),
        ..appointment(&asha, "A-1", 2, start)
    };
    let (_, wake) = put(&db, &hospital, &described).await;
    assert!(wake.events.is_empty(), "only described better");
    let moved = appointment(&asha, "A-1", 3, start + TimeDelta::days(1));
    assert_eq!(
        kinds(&put(&db, &hospital, &moved).await.1),
        [EventKind::AppointmentMoved]
    );
    let (stale, _) = put(&db, &hospital, &described).await;
    assert_eq!(stale.outcome, Applied::Stale);
    let cancelled = NewAppointment {
        state: AppointmentState::Cancelled,
        source_version: 4,
        ..moved.clone()
    };
    assert_eq!(
        kinds(&put(&db, &hospital, &cancelled).await.1),
        [EventKind::AppointmentCancelled]
    );
    assert_eq!(hospital.count("SELECT count(*) FROM cases").await, 3);
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE end_detail = 'overtaken'")
            .await,
        2
    );
    assert_eq!(
        hospital
            .count("SELECT change::bigint FROM appointments")
            .await,
        3
    );

    let other = NewAppointment {
        location: "Elsewhere".to_owned(),
        ..cancelled
    };
    assert_eq!(
        code(put_appointment(db.store(), &hospital.system, &other).await),
        Code::SourceVersionReused
    );
    let gwyn = hospital.member(2).await;
    let elses = appointment(&gwyn, "A-1", 9, start);
    assert_eq!(
        code(put_appointment(db.store(), &hospital.system, &elses).await),
        Code::PatientMismatch
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM quarantine WHERE kind = 'appointment'")
            .await,
        2
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_letter_about_an_appointment_carries_its_case_and_is_superseded_when_it_moves() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let start = hospital.now().await + TimeDelta::days(40);
    put(&db, &hospital, &appointment(&asha, "A-1", 1, start)).await;
    let letter = NewLetter {
        kind: LetterKind::Appointment,
        appointment: Some("A-1".to_owned()),
        ..hospital.letter(&asha, "L-1")
    };
    let done = publish(&db, &hospital, &[letter]).await;
    published(&done.results[0]);
    assert_eq!(
        kinds(&done.wake),
        [EventKind::PromiseChanged, EventKind::LetterPublished]
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE end_detail = 'carried_by_letter'")
            .await,
        1
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE ended_at IS NULL")
            .await,
        1
    );

    let moved = appointment(&asha, "A-1", 2, start + TimeDelta::days(2));
    let (_, wake) = put(&db, &hospital, &moved).await;
    assert_eq!(
        kinds(&wake),
        [EventKind::LetterSuperseded, EventKind::AppointmentMoved]
    );
    let old = ask_letter(db.store(), &hospital.system, "L-1")
        .await
        .expect("an answer");
    assert_eq!(
        old.state,
        LetterState::Superseded,
        "paper with the old time is never posted"
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE ended_at IS NULL")
            .await,
        1
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_letter_about_an_appointment_tomorrow_is_told_everywhere_at_once_and_somebody_will_phone()
{
    let db = TestDb::new().await;
    let hospital = Hospital::with_policy(&db, &Policy::demo()).await;
    let asha = hospital.member(1).await;
    let start = hospital.now().await + TimeDelta::hours(20);
    put(&db, &hospital, &appointment(&asha, "A-1", 1, start)).await;
    let letter = NewLetter {
        kind: LetterKind::Appointment,
        appointment: Some("A-1".to_owned()),
        ..hospital.letter(&asha, "L-1")
    };
    let done = publish(&db, &hospital, &[letter]).await;
    let answer = published(&done.results[0]);
    assert!(
        answer.promise.contains("We will phone the patient by"),
        "{}",
        answer.promise
    );
    assert!(
        done.wake.channels.contains(&Channel::Email) && done.wake.channels.contains(&Channel::Text)
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn cancelling_a_clinic_tells_everybody_in_one_transaction_and_once() {
    let db = TestDb::new().await;
    let hospital = Hospital::with_policy(&db, &Policy::demo()).await;
    let start = hospital.now().await + TimeDelta::hours(30);
    let mut forms = Vec::new();
    for number in 0..12 {
        let patient = if number < 10 {
            hospital.member(number).await
        } else {
            hospital.patient(number).await
        };
        forms.push(appointment(
            &patient,
            &format!("A-{number}"),
            1,
            start + TimeDelta::minutes(number.into()),
        ));
    }
    let elsewhere = NewAppointment {
        clinic_code: Some("EYE-1400".to_owned()),
        source_id: "A-x".to_owned(),
        ..forms[0].clone()
    };
    forms.push(elsewhere);
    for form in &forms {
        put(&db, &hospital, form).await;
    }
    let cancel = async || {
        let day = local_date(start);
        let (store, principal) = (db.store().clone(), hospital.system.principal());
        cancel_clinic(
            &store,
            &principal,
            hospital.system.trust,
            "EYE-0900",
            day,
            "The doctor is ill",
        )
        .await
    };
    let (cancelled, wake) = cancel().await.expect("cancelled");
    assert_eq!((cancelled, wake.events.len()), (12, 12));
    assert!(
        wake.events
            .iter()
            .all(|event| event.kind == EventKind::AppointmentCancelled)
    );
    assert!(
        wake.channels.contains(&Channel::Email) && wake.channels.contains(&Channel::Text),
        "told at once"
    );
    let open = "SELECT count(*) FROM cases c JOIN appointments a ON a.id = c.appointment_id AND a.change = c.appointment_change
                WHERE c.ended_at IS NULL AND a.state = 'cancelled' AND 4 = ANY(c.step_rungs)";
    assert_eq!(
        hospital.count(open).await,
        12,
        "each will be phoned unless it is opened"
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM appointments WHERE state = 'booked'")
            .await,
        1
    );
    assert_eq!(cancel().await.expect("nothing is left").0, 0);
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM cases WHERE ended_at IS NULL")
            .await,
        13
    );
    hospital.assert_sound().await;
    // The trust's own system hears of it later, under its next version; nobody is told twice.
    let (told, wake) = put(
        &db,
        &hospital,
        &NewAppointment {
            state: AppointmentState::Cancelled,
            source_version: 2,
            ..forms[3].clone()
        },
    )
    .await;
    assert_eq!((told.outcome, wake.events.len()), (Applied::Applied, 0));
    db.pass(Duration::from_secs(1)).await;
    hospital.assert_sound().await;
}
