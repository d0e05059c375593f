//! Requests to cancel or rebook, from the patient's form to the hospital's answer. Never touches the appointment itself:
//! that is the hospital's, by its own call. Locks the mailbox first, like everybody.

use chrono::{DateTime, Utc};
use letterbox_domain::change_request::{ANSWER_WITHIN, RequestState, Way, Wish, way};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::event::{Event, EventKind, ItemRef};
use letterbox_domain::id::{AccountId, AppointmentId, PatientId, TrustId};
use letterbox_domain::time::Calendars;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::events::NewEvent;
use super::openings::{self, Look};
use super::{Principal, Store, StoreError, Tx, circle, events, history, locks};

/// What asking, or taking it back, came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskAnswer {
    /// No such appointment of this account's own.
    NotFound,
    /// Nothing to ask any more: cancelled, begun, not read yet, or answered.
    TooLate,
    /// Too near for writing: phone.
    Phone,
    /// A request waits already, or none does where one is to be taken back.
    Unchanged,
    /// It is so.
    Done {
        /// What the mailbox hears.
        events: Vec<Event>,
    },
}

/// What answering came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerAnswer {
    /// No such request of this trust.
    NotFound,
    /// It has been answered, taken back or overtaken before.
    Settled(RequestState),
    /// It is answered.
    Done {
        /// What the mailbox hears.
        events: Vec<Event>,
    },
}

/// A request that waits, for the board and the trust's own systems.
#[derive(Clone)]
pub struct WaitingRequest {
    pub id: Uuid,
    pub appointment: AppointmentId,
    /// The trust's id of the appointment.
    pub source_id: String,
    pub wish: Wish,
    pub note: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub answer_by: DateTime<Utc>,
    pub name: String,
    pub phone: Option<String>,
    pub clinic: String,
    pub starts_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for WaitingRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitingRequest")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Most that one person looks through, and one call answers.
pub const MOST_WAITING: i64 = 100;

const APPOINTMENT: &str = "
    SELECT trust_id, patient_id, state, change, starts_at, restricted, opened_change >= change AS read, coming_change,
           app_now() AS now
    FROM appointments WHERE id = $1";

const ASK: &str = "
    INSERT INTO change_requests (id, trust_id, patient_id, appointment_id, appointment_change, wish, note, asked_by, answer_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (appointment_id) WHERE state = 'pending' DO NOTHING";

const TAKE_BACK: &str = "
    UPDATE change_requests SET state = 'taken_back', answered_at = app_now(), answered_by = $2
    WHERE appointment_id = $1 AND state = 'pending' RETURNING id";

const OVERTAKE: &str = "
    WITH gone AS (
        UPDATE change_requests SET state = 'overtaken', answered_at = app_now(), answered_by = $2
        WHERE appointment_id = ANY($1) AND state = 'pending' RETURNING id
    )
    UPDATE tasks t SET closed_at = app_now(), outcome = 'resolved' FROM gone WHERE t.request_id = gone.id AND t.closed_at IS NULL";

const FIND: &str = "
    SELECT r.patient_id, r.appointment_id, r.state, a.restricted
    FROM change_requests r JOIN appointments a ON a.id = r.appointment_id WHERE r.id = $1 AND r.trust_id = $2";

const ANSWER: &str = "
    UPDATE change_requests SET state = $2, message = $3, answered_at = app_now(), answered_by = $4
    WHERE id = $1 AND state = 'pending'";

const CLOSE_TASK: &str = "
    UPDATE tasks SET closed_at = app_now(), outcome = 'resolved', closed_by = $2
    WHERE request_id = $1 AND closed_at IS NULL";

const COMING: &str = "
    UPDATE appointments SET coming_change = change, coming_at = app_now() WHERE id = $1 AND coming_change IS DISTINCT FROM change";

const WAITING: &str = "
    SELECT r.id, r.appointment_id, a.source_id, r.wish, r.note, r.asked_at, r.answer_by,
           p.given_name || ' ' || p.family_name AS name, p.phone, a.clinic, a.starts_at, app_now() AS now
    FROM change_requests r JOIN appointments a ON a.id = r.appointment_id JOIN patients p ON p.id = r.patient_id
    WHERE r.trust_id = $1 AND r.state = 'pending' ORDER BY r.answer_by, r.id LIMIT $2";

/// A request that nobody has answered becomes a task, once; the sweep that looks after tasks without a case takes it on.
const OVERDUE: &str = "
    WITH made AS (
        INSERT INTO tasks (id, trust_id, request_id, kind, due_at)
        SELECT gen_random_uuid(), trust_id, id, 'change_request', app_now() FROM change_requests
        WHERE state = 'pending' AND answer_by <= app_now()
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.request_id = change_requests.id AND t.closed_at IS NULL)
        ORDER BY answer_by LIMIT 100
        ON CONFLICT DO NOTHING RETURNING id, request_id
    )
    SELECT made.id AS task, r.id, r.trust_id, r.patient_id, r.appointment_id
    FROM made JOIN change_requests r ON r.id = made.request_id";

/// An appointment of this account's own, under its mailbox's lock.
struct Own {
    trust: Uuid,
    patient: PatientId,
    change: i32,
    starts_at: DateTime<Utc>,
    restricted: bool,
    /// Booked, and read as it now stands.
    stands: bool,
    now: DateTime<Utc>,
}

impl Store {
    /// The patient asks. `note` is the patient's own words, for the booking office.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn ask_change(
        &self,
        account: AccountId,
        appointment: AppointmentId,
        wish: Wish,
        note: Option<&str>,
        calendars: &Calendars,
    ) -> Result<AskAnswer, StoreError> {
        let principal = Principal::Account { account };
        let ask = |tx: Tx| async move {
            let Some(own) = own(&tx, account, appointment, "appointment.ask_change").await? else {
                return Ok::<_, StoreError>(AskAnswer::NotFound);
            };
            match way(own.starts_at, own.now, calendars) {
                Way::Online if own.stands => {}
                Way::Phone if own.stands => return Ok(AskAnswer::Phone),
                _ => return Ok(AskAnswer::TooLate),
            }
            let answer_by = ANSWER_WITHIN.after(own.now, calendars);
            let params: super::Params<'_> = &[
                &Uuid::now_v7(),
                &own.trust,
                &own.patient.as_uuid(),
                &appointment.as_uuid(),
                &own.change,
                &wish.name(),
                &note,
                &account.as_uuid(),
                &answer_by,
            ];
            if tx.execute(ASK, params).await? == 0 {
                return Ok(AskAnswer::Unchanged);
            }
            let facts = json!({"wish": wish.name(), "answer_by": answer_by});
            let events = own
                .tell(&tx, account, appointment, "appointment.change_asked", facts)
                .await?;
            Ok(AskAnswer::Done { events })
        };
        self.run("change_requests.ask", &principal, ask).await
    }

    /// The patient takes the request back while it waits.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn take_back_change(
        &self,
        account: AccountId,
        appointment: AppointmentId,
    ) -> Result<AskAnswer, StoreError> {
        let principal = Principal::Account { account };
        let take = |tx: Tx| async move {
            let Some(own) = own(&tx, account, appointment, "appointment.take_back_change").await?
            else {
                return Ok::<_, StoreError>(AskAnswer::NotFound);
            };
            let by = Principal::Account { account }.to_string();
            let Some(row) = tx
                .query_opt(TAKE_BACK, &[&appointment.as_uuid(), &by])
                .await?
            else {
                return Ok(AskAnswer::Unchanged);
            };
            let id: Uuid = row.try_get(0)?;
            tx.execute(CLOSE_TASK, &[&id, &None::<Uuid>]).await?;
            let kind = "appointment.change_taken_back";
            let events = own.tell(&tx, account, appointment, kind, json!({})).await?;
            Ok(AskAnswer::Done { events })
        };
        self.run("change_requests.take_back", &principal, take)
            .await
    }

    /// "I'll be there", of the appointment as it now stands.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn coming(
        &self,
        account: AccountId,
        appointment: AppointmentId,
    ) -> Result<AskAnswer, StoreError> {
        let principal = Principal::Account { account };
        let say = |tx: Tx| async move {
            let Some(own) = own(&tx, account, appointment, "appointment.coming").await? else {
                return Ok::<_, StoreError>(AskAnswer::NotFound);
            };
            if !own.stands || own.starts_at <= own.now {
                return Ok(AskAnswer::TooLate);
            }
            if tx.execute(COMING, &[&appointment.as_uuid()]).await? == 0 {
                return Ok(AskAnswer::Unchanged);
            }
            let kind = "appointment.coming";
            let facts = json!({"change": own.change});
            let events = own.tell(&tx, account, appointment, kind, facts).await?;
            Ok(AskAnswer::Done { events })
        };
        self.run("appointments.coming", &principal, say).await
    }

    /// The hospital answers, by its own system or a member of its staff; the patient reads the message.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn answer_change(
        &self,
        principal: &Principal,
        trust: TrustId,
        request: Uuid,
        accepted: bool,
        message: Option<&str>,
    ) -> Result<AnswerAnswer, StoreError> {
        let answer = |tx: Tx| async move {
            let Some(row) = tx.query_opt(FIND, &[&request, &trust.as_uuid()]).await? else {
                return Ok::<_, StoreError>(AnswerAnswer::NotFound);
            };
            let patient: Uuid = row.try_get("patient_id")?;
            locks::patients(&tx, &[patient]).await?;
            let row = tx.query_one(FIND, &[&request, &trust.as_uuid()]).await?;
            let state = if accepted {
                RequestState::Accepted
            } else {
                RequestState::Declined
            };
            let before = state_of(&row)?;
            if !before.may_become(state) {
                return Ok(AnswerAnswer::Settled(before));
            }
            let by = principal.to_string();
            tx.execute(ANSWER, &[&request, &state.name(), &message, &by])
                .await?;
            let closed_by = match principal {
                Principal::Account { account } => Some(account.as_uuid()),
                _ => None,
            };
            tx.execute(CLOSE_TASK, &[&request, &closed_by]).await?;
            let appointment: AppointmentId = row.try_get::<_, Uuid>("appointment_id")?.into();
            let line = history::Entry {
                trust: trust.as_uuid(),
                patient: Some(patient),
                subject_kind: "appointment",
                subject: appointment.as_uuid(),
                kind: "appointment.change_answered",
                policy_version: None,
                facts: json!({"request": request, "state": state.name()}),
            };
            history::append(&tx, principal, &[line]).await?;
            let event = heard(patient.into(), appointment, row.try_get("restricted")?);
            let events = events::append(&tx, &[event]).await?;
            Ok(AnswerAnswer::Done { events })
        };
        self.run("change_requests.answer", principal, answer).await
    }

    /// Makes a task of each request that nobody has answered in time; answers how many.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn overdue_change_requests(&self, principal: &Principal) -> Result<u64, StoreError> {
        let make = |tx: Tx| async move {
            let rows = tx.query(OVERDUE, &[]).await?;
            let lines = rows
                .iter()
                .map(overdue)
                .collect::<Result<Vec<_>, StoreError>>()?;
            history::append(&tx, principal, &lines).await?;
            Ok::<_, StoreError>(lines.len() as u64)
        };
        self.run("change_requests.overdue", principal, make).await
    }
}

/// The hospital has changed these appointments itself: what was asked of them before is settled.
///
/// # Errors
/// Any [`StoreError`].
pub async fn overtake(
    tx: &Tx,
    principal: &Principal,
    appointments: &[AppointmentId],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = appointments.iter().map(AppointmentId::as_uuid).collect();
    tx.execute(OVERTAKE, &[&ids, &principal.to_string()])
        .await
        .map(drop)
}

/// Requests of a trust that wait, the one that must be answered first in front.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting(tx: &Tx, trust: TrustId) -> Result<Vec<WaitingRequest>, StoreError> {
    let rows = tx
        .query(WAITING, &[&trust.as_uuid(), &MOST_WAITING])
        .await?;
    let read = |row: &Row| {
        Ok(WaitingRequest {
            id: row.try_get("id")?,
            appointment: row.try_get::<_, Uuid>("appointment_id")?.into(),
            source_id: row.try_get("source_id")?,
            wish: Wish::from_name(row.try_get("wish")?)
                .ok_or_else(|| StoreError::corrupt("change_requests", "wish", "no such wish"))?,
            note: row.try_get("note")?,
            asked_at: row.try_get("asked_at")?,
            answer_by: row.try_get("answer_by")?,
            name: row.try_get("name")?,
            phone: row.try_get("phone")?,
            clinic: row.try_get("clinic")?,
            starts_at: row.try_get("starts_at")?,
            now: row.try_get("now")?,
        })
    };
    rows.iter().map(read).collect()
}

fn overdue(row: &Row) -> Result<history::Entry, StoreError> {
    let (request, task): (Uuid, Uuid) = (row.try_get("id")?, row.try_get("task")?);
    Ok(history::Entry {
        trust: row.try_get("trust_id")?,
        patient: Some(row.try_get("patient_id")?),
        subject_kind: "appointment",
        subject: row.try_get("appointment_id")?,
        kind: "appointment.change_overdue",
        policy_version: None,
        facts: json!({"request": request, "task": task}),
    })
}

fn state_of(row: &Row) -> Result<RequestState, StoreError> {
    RequestState::from_name(row.try_get("state")?)
        .ok_or_else(|| StoreError::corrupt("change_requests", "state", "no such state"))
}

fn heard(patient: PatientId, appointment: AppointmentId, restricted: bool) -> NewEvent {
    NewEvent {
        patient,
        kind: EventKind::PromiseChanged,
        item: ItemRef::Appointment(appointment),
        share: ShareKind::Appointments,
        restricted,
        due: None,
    }
}

/// The patient's own only: a carer asks for nothing in the patient's name. The attempt is in the audit.
async fn own(
    tx: &Tx,
    account: AccountId,
    appointment: AppointmentId,
    action: &'static str,
) -> Result<Option<Own>, StoreError> {
    let id = appointment.as_uuid();
    let Some(row) = tx.query_opt(APPOINTMENT, &[&id]).await? else {
        openings::refused(tx, account, action, ItemRef::Appointment(appointment)).await?;
        return Ok(None);
    };
    let patient: Uuid = row.try_get("patient_id")?;
    locks::patients(tx, &[patient]).await?;
    let row = tx.query_one(APPOINTMENT, &[&id]).await?;
    let viewer = circle::viewer(tx, account, patient.into()).await?;
    let allowed = viewer.is_some_and(|viewer| viewer.is_patient());
    let look = Look {
        account,
        trust: row.try_get("trust_id")?,
        patient: patient.into(),
        action,
        item: ItemRef::Appointment(appointment),
    };
    openings::seen(tx, &look, allowed).await?;
    let booked = row.try_get::<_, &str>("state")? == "booked";
    let own = Own {
        trust: look.trust,
        patient: look.patient,
        change: row.try_get("change")?,
        starts_at: row.try_get("starts_at")?,
        restricted: row.try_get("restricted")?,
        stands: booked && row.try_get("read")?,
        now: row.try_get("now")?,
    };
    Ok(allowed.then_some(own))
}

impl Own {
    async fn tell(
        &self,
        tx: &Tx,
        account: AccountId,
        appointment: AppointmentId,
        kind: &'static str,
        facts: serde_json::Value,
    ) -> Result<Vec<Event>, StoreError> {
        let line = history::Entry {
            trust: self.trust,
            patient: Some(self.patient.as_uuid()),
            subject_kind: "appointment",
            subject: appointment.as_uuid(),
            kind,
            policy_version: None,
            facts,
        };
        history::append(tx, &Principal::Account { account }, &[line]).await?;
        events::append(tx, &[heard(self.patient, appointment, self.restricted)]).await
    }
}
