//! "I'll be there", and asking for a change: nothing moves until the hospital moves it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::appointment::AppointmentState;
use letterbox_domain::change_request::{RequestState, Wish};
use letterbox_domain::id::{AccountId, AppointmentId};
use letterbox_domain::time::Calendars;
use uuid::Uuid;

use super::appointments::{appointment, put};
use crate::commands::change_appointment::{
    AnswerAnswer, AskAnswer, answer_change, ask_change, say_coming, take_back_change,
    waiting_requests,
};
use crate::commands::open_appointment::open_appointment;
use crate::commands::put_appointment::NewAppointment;
use crate::store::Principal;
use crate::store::pages::{self, AppointmentView};
use crate::testing::{Hospital, Patient, TestDb};

struct Booked {
    patient: Patient,
    account: AccountId,
    id: AppointmentId,
    starts_at: DateTime<Utc>,
}

/// An appointment that its patient has read.
async fn booked(db: &TestDb, hospital: &Hospital, starts_in: TimeDelta) -> Booked {
    let patient = hospital.member(1).await;
    let account = patient.account.expect("a member");
    let starts_at = hospital.now().await + starts_in;
    let (made, _) = put(db, hospital, &appointment(&patient, "A-1", 1, starts_at)).await;
    let id = made.appointment_id;
    open_appointment(db.store(), account, id)
        .await
        .expect("opens");
    Booked {
        patient,
        account,
        id,
        starts_at,
    }
}

async fn seen(db: &TestDb, id: AppointmentId) -> AppointmentView {
    let tx = db
        .store()
        .begin_snapshot(&Principal::SERVER)
        .await
        .expect("begins");
    pages::appointment(&tx, id)
        .await
        .expect("reads")
        .expect("is there")
}

async fn ask(db: &TestDb, account: AccountId, id: AppointmentId, wish: Wish) -> AskAnswer {
    ask_change(db.store(), account, id, wish, Some("Mornings suit me"))
        .await
        .expect("answers")
}

async fn waiting(db: &TestDb, hospital: &Hospital) -> Vec<Uuid> {
    let (principal, trust) = (hospital.system.principal(), hospital.system.trust);
    let found = waiting_requests(db.store(), &principal, trust)
        .await
        .expect("reads");
    found.iter().map(|request| request.id).collect()
}

async fn answer(db: &TestDb, hospital: &Hospital, id: Uuid, accepted: bool) -> AnswerAnswer {
    let (principal, trust) = (hospital.system.principal(), hospital.system.trust);
    let message = Some("We will send you a new date.");
    answer_change(db.store(), &principal, trust, id, accepted, message)
        .await
        .expect("answers")
}

#[tokio::test]
async fn r5_1_r5_2_a_request_is_pending_until_the_trust_answers_and_changes_no_appointment() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let one = booked(&db, &hospital, TimeDelta::days(40)).await;
    let asked = ask(&db, one.account, one.id, Wish::Rebook).await;
    assert!(
        matches!(&asked, AskAnswer::Done { events } if events.len() == 1),
        "{asked:?}"
    );
    assert_eq!(
        ask(&db, one.account, one.id, Wish::Cancel).await,
        AskAnswer::Unchanged,
        "one at a time"
    );
    let view = seen(&db, one.id).await;
    let request = view.request.expect("is shown");
    assert_eq!(
        (request.wish, request.state),
        (Wish::Rebook, RequestState::Pending)
    );
    assert_eq!(
        (view.state, view.change, view.starts_at),
        (AppointmentState::Booked, 1, one.starts_at)
    );

    let elsewhere = Hospital::open(&db).await;
    let id = waiting(&db, &hospital).await[0];
    assert!(waiting(&db, &elsewhere).await.is_empty());
    assert_eq!(
        answer(&db, &elsewhere, id, true).await,
        AnswerAnswer::NotFound
    );
    let answered = answer(&db, &hospital, id, true).await;
    assert!(
        matches!(&answered, AnswerAnswer::Done { events } if events.len() == 1),
        "{answered:?}"
    );
    assert_eq!(
        answer(&db, &hospital, id, false).await,
        AnswerAnswer::Settled(RequestState::Accepted)
    );
    let view = seen(&db, one.id).await;
    let request = view.request.expect("is shown");
    assert_eq!(request.state, RequestState::Accepted);
    assert_eq!(
        request.message.as_deref(),
        Some("We will send you a new date.")
    );
    assert_eq!(
        (view.state, view.change, view.starts_at),
        (AppointmentState::Booked, 1, one.starts_at),
        "it still stands"
    );
    assert!(waiting(&db, &hospital).await.is_empty());
    hospital.assert_sound().await;
}

#[tokio::test]
async fn r5_2_the_trusts_own_change_settles_what_was_asked_before() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let one = booked(&db, &hospital, TimeDelta::days(40)).await;
    ask(&db, one.account, one.id, Wish::Rebook).await;
    let id = waiting(&db, &hospital).await[0];
    let moved = appointment(&one.patient, "A-1", 2, one.starts_at + TimeDelta::days(7));
    put(&db, &hospital, &moved).await;
    assert_eq!(
        answer(&db, &hospital, id, true).await,
        AnswerAnswer::Settled(RequestState::Overtaken)
    );
    assert_eq!(
        ask(&db, one.account, one.id, Wish::Cancel).await,
        AskAnswer::TooLate,
        "the change is unread"
    );
    open_appointment(db.store(), one.account, one.id)
        .await
        .expect("opens");
    assert!(matches!(
        ask(&db, one.account, one.id, Wish::Cancel).await,
        AskAnswer::Done { .. }
    ));
    let cancelled = NewAppointment {
        state: AppointmentState::Cancelled,
        ..appointment(&one.patient, "A-1", 3, one.starts_at + TimeDelta::days(7))
    };
    put(&db, &hospital, &cancelled).await;
    assert_eq!(
        ask(&db, one.account, one.id, Wish::Cancel).await,
        AskAnswer::TooLate
    );
}

#[tokio::test]
async fn r22_1_near_the_appointment_the_answer_is_the_telephone() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let one = booked(&db, &hospital, TimeDelta::hours(20)).await;
    assert_eq!(
        ask(&db, one.account, one.id, Wish::Cancel).await,
        AskAnswer::Phone
    );
    db.pass(Duration::from_secs(21 * 3600)).await;
    assert_eq!(
        ask(&db, one.account, one.id, Wish::Cancel).await,
        AskAnswer::TooLate
    );
    assert_eq!(
        hospital.count("SELECT count(*) FROM change_requests").await,
        0
    );
}

#[tokio::test]
async fn r5_1_only_the_patient_asks_and_takes_it_back() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let one = booked(&db, &hospital, TimeDelta::days(40)).await;
    let other = hospital.member(2).await.account.expect("a member");
    let client = hospital.client();
    client
        .execute(
            "INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, may_read_for_me, version)
             VALUES ($1, $2, $3, 'daughter', ARRAY['appointments'], true, 1)",
            &[&Uuid::now_v7(), &one.patient.id.as_uuid(), &other.as_uuid()],
        )
        .await
        .expect("a grant");
    assert_eq!(
        ask(&db, other, one.id, Wish::Cancel).await,
        AskAnswer::NotFound,
        "a carer asks for nothing"
    );
    assert_eq!(
        say_coming(db.store(), other, one.id)
            .await
            .expect("answers"),
        AskAnswer::NotFound
    );
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM audit WHERE NOT allowed")
            .await,
        2
    );
    ask(&db, one.account, one.id, Wish::Cancel).await;
    assert_eq!(
        take_back_change(db.store(), other, one.id)
            .await
            .expect("answers"),
        AskAnswer::NotFound
    );
    let back = take_back_change(db.store(), one.account, one.id)
        .await
        .expect("answers");
    assert!(matches!(back, AskAnswer::Done { .. }));
    assert_eq!(
        take_back_change(db.store(), one.account, one.id)
            .await
            .expect("answers"),
        AskAnswer::Unchanged
    );
    assert_eq!(
        seen(&db, one.id).await.request.expect("is kept").state,
        RequestState::TakenBack
    );
}

#[tokio::test]
async fn r5_1_an_unanswered_request_becomes_a_task_after_a_working_day_and_goes_with_its_answer() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let one = booked(&db, &hospital, TimeDelta::days(60)).await;
    ask(&db, one.account, one.id, Wish::Cancel).await;
    let overdue = async || {
        let principal = Principal::SERVER;
        db.store()
            .overdue_change_requests(&principal)
            .await
            .expect("sweeps")
    };
    assert_eq!(overdue().await, 0);
    let due: DateTime<Utc> = hospital
        .client()
        .query_one("SELECT answer_by FROM change_requests", &[])
        .await
        .expect("reads")
        .get(0);
    let asked: DateTime<Utc> = hospital
        .client()
        .query_one("SELECT asked_at FROM change_requests", &[])
        .await
        .expect("reads")
        .get(0);
    let calendars = Calendars::built_in();
    assert_eq!(
        due,
        letterbox_domain::change_request::ANSWER_WITHIN.after(asked, &calendars)
    );
    let wait = (due - hospital.now().await + TimeDelta::seconds(1))
        .to_std()
        .expect("ahead");
    db.pass(wait).await;
    assert_eq!((overdue().await, overdue().await), (1, 0), "once");
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM tasks WHERE kind = 'change_request' AND closed_at IS NULL")
            .await,
        1
    );
    let line = "SELECT count(*) FROM history WHERE kind = 'appointment.change_overdue' AND patient_id IS NOT NULL";
    assert_eq!(hospital.count(line).await, 1, "and history says so");
    let id = waiting(&db, &hospital).await[0];
    answer(&db, &hospital, id, false).await;
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM tasks WHERE closed_at IS NULL")
            .await,
        0
    );
    assert_eq!(overdue().await, 0);
}

#[tokio::test]
async fn r29_2_i_will_be_there_is_said_of_the_appointment_as_it_stands() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let one = booked(&db, &hospital, TimeDelta::days(40)).await;
    let said = say_coming(db.store(), one.account, one.id)
        .await
        .expect("answers");
    assert!(matches!(said, AskAnswer::Done { .. }));
    assert_eq!(
        say_coming(db.store(), one.account, one.id)
            .await
            .expect("answers"),
        AskAnswer::Unchanged
    );
    assert!(seen(&db, one.id).await.coming_at.is_some());
    let moved = appointment(&one.patient, "A-1", 2, one.starts_at + TimeDelta::days(1));
    put(&db, &hospital, &moved).await;
    assert!(
        seen(&db, one.id).await.coming_at.is_none(),
        "said of another time"
    );
    assert_eq!(
        say_coming(db.store(), one.account, one.id)
            .await
            .expect("answers"),
        AskAnswer::TooLate,
        "unread"
    );
}

#[tokio::test]
async fn r21_1_the_booking_contact_and_what_to_bring_arrive_with_the_appointment() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let patient = hospital.member(1).await;
    let start = hospital.now().await + TimeDelta::days(40);
    let form = NewAppointment {
        contact_email: Some("eye.bookings@example.test".to_owned()),
        contact_hours: Some("Monday to Friday, 9am to 5pm".to_owned()),
        bring: Some("Your glasses".to_owned()),
        ..appointment(&patient, "A-1", 1, start)
    };
    let (made, _) = put(&db, &hospital, &form).await;
    let view = seen(&db, made.appointment_id).await;
    assert_eq!(
        view.contact_email.as_deref(),
        Some("eye.bookings@example.test")
    );
    assert_eq!(
        (view.contact_phone.as_str(), view.bring.as_deref()),
        ("01632 960002", Some("Your glasses"))
    );
    let wrong = NewAppointment {
        contact_email: Some("not an address".to_owned()),
        ..appointment(&patient, "A-2", 1, start)
    };
    let refused =
        crate::commands::put_appointment::put_appointment(db.store(), &hospital.system, &wrong)
            .await;
    assert!(refused.is_err());
}
