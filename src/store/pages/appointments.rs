//! Appointments as a mailbox lists them: each as its latest change left it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use letterbox_domain::appointment::AppointmentState;
use letterbox_domain::change_request::{RequestState, Wish};
use letterbox_domain::id::{AppointmentId, PatientId, TrustId};
use letterbox_domain::policy::Policy;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::store::standing::Facts;
use crate::store::{StoreError, Tx, policies};

/// An appointment with everything a page says about it.
#[derive(Clone)]
pub struct AppointmentView {
    pub id: AppointmentId,
    pub patient: PatientId,
    pub state: AppointmentState,
    /// Rises with each change that the patient must hear of; the first is 1.
    pub change: i32,
    pub starts_at: DateTime<Utc>,
    pub minutes: Option<i32>,
    pub trust: String,
    pub specialty: String,
    pub clinic: String,
    pub location: String,
    pub contact_phone: String,
    pub contact_hours: Option<String>,
    pub contact_email: Option<String>,
    pub instructions: Option<String>,
    /// What to bring.
    pub bring: Option<String>,
    /// When the patient said "I'll be there", of the appointment as it now stands.
    pub coming_at: Option<DateTime<Utc>>,
    /// The patient's latest request to cancel or rebook it.
    pub request: Option<RequestView>,
    pub cancel_reason: Option<String>,
    pub restricted: bool,
    pub hidden: bool,
    /// How its latest change stands.
    pub facts: Facts,
    /// Under which policy it runs.
    pub policy: Arc<Policy>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// A request to cancel or rebook.
#[derive(Clone)]
pub struct RequestView {
    pub wish: Wish,
    pub state: RequestState,
    pub asked_at: DateTime<Utc>,
    /// The hospital's answer, in its words.
    pub message: Option<String>,
}

impl RequestView {
    /// Whether the hospital has still to answer.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.state == RequestState::Pending
    }

    fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(wish) = row.get::<_, Option<&str>>("wish") else {
            return Ok(None);
        };
        Ok(Some(Self {
            wish: Wish::from_name(wish)
                .ok_or_else(|| StoreError::corrupt("change_requests", "wish", "no such wish"))?,
            state: RequestState::from_name(row.get("request_state"))
                .ok_or_else(|| StoreError::corrupt("change_requests", "state", "no such state"))?,
            asked_at: row.get("asked_at"),
            message: row.get("message"),
        }))
    }
}

impl std::fmt::Debug for AppointmentView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppointmentView")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The columns of [`Facts`] for the latest change of an appointment `a` with its case `c`.
macro_rules! appointment_facts {
    () => {
        "CASE WHEN a.opened_change >= a.change THEN 'opened' ELSE 'published' END AS state, \
         CASE WHEN m.account_id IS NULL THEN 'we_post' ELSE 'portal' END AS route, \
         CASE WHEN a.opened_change >= a.change THEN a.opened_at END AS opened_at, \
         CASE WHEN c.end_kind = 'posted' THEN c.ended_at END AS posted_at, NULL::timestamptz AS gone_at, NULL::timestamptz AS not_mine_at, \
         false AS opened_by_carer, NULL::text AS opener, NULL::uuid AS opened_by, \
         c.id AS case_id, c.policy_version, c.step_rungs, c.deadline_at, c.promised_at, c.created_at AS case_created_at, \
         c.ended_at, c.end_kind, c.end_detail, print.closed_at AS batch_closed_at, \
         EXISTS (SELECT FROM tasks t WHERE t.case_id = c.id AND t.closed_at IS NULL AND t.kind <> 'phone') AS in_hand, \
         false AS paper_asked, \
         a.starts_at AS known_by, app_now() AS now"
    };
}

/// Joins for [`appointment_facts!`].
macro_rules! appointment_joins {
    () => {
        " LEFT JOIN cases c ON c.appointment_id = a.id AND c.appointment_change = a.change \
          LEFT JOIN memberships m ON m.patient_id = a.patient_id AND m.left_at IS NULL \
          LEFT JOIN LATERAL (SELECT b.closed_at FROM dispatches d JOIN print_items i ON i.dispatch_id = d.id \
              JOIN print_batches b ON b.id = i.batch_id \
              WHERE d.case_id = c.id AND i.state = 'sent' LIMIT 1) AS print ON true "
    };
}

pub(super) use {appointment_facts, appointment_joins};

macro_rules! select_appointments {
    () => {
        concat!(
            "SELECT a.id, a.patient_id, a.trust_id, a.state AS booking, a.change, a.starts_at, a.minutes, a.specialty, ",
            "a.clinic, a.location, a.contact_phone, a.contact_hours, a.instructions, a.cancel_reason, a.restricted, ",
            "a.hidden_at IS NOT NULL AS hidden, t.name AS trust, t.policy_version AS current_policy, a.contact_email, a.bring, ",
            "CASE WHEN a.coming_change = a.change THEN a.coming_at END AS coming_at, ",
            "asked.wish, asked.state AS request_state, asked.asked_at, asked.message, ",
            appointment_facts!(),
            " FROM appointments a JOIN trusts t ON t.id = a.trust_id ",
            appointment_joins!(),
            " LEFT JOIN LATERAL (SELECT r.wish, r.state, r.asked_at, r.message FROM change_requests r ",
            "WHERE r.appointment_id = a.id ORDER BY r.asked_at DESC, r.id DESC LIMIT 1) AS asked ON true ",
        )
    };
}

/// In the order of their start; the page splits them into upcoming, past and cancelled.
const OF_PATIENT: &str = concat!(
    select_appointments!(),
    " WHERE a.patient_id = $1 ORDER BY a.starts_at DESC, a.id LIMIT $2"
);
const ONE: &str = concat!(select_appointments!(), " WHERE a.id = $1");

/// Appointments of one mailbox, the latest start first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn appointments(
    tx: &Tx,
    patient: PatientId,
    limit: i64,
) -> Result<Vec<AppointmentView>, StoreError> {
    let rows = tx.query(OF_PATIENT, &[&patient.as_uuid(), &limit]).await?;
    let mut appointments = Vec::with_capacity(rows.len());
    for row in &rows {
        appointments.push(read(tx, row).await?);
    }
    Ok(appointments)
}

/// One appointment.
///
/// # Errors
/// Any [`StoreError`].
pub async fn appointment(
    tx: &Tx,
    appointment: AppointmentId,
) -> Result<Option<AppointmentView>, StoreError> {
    match tx.query_opt(ONE, &[&appointment.as_uuid()]).await? {
        Some(row) => read(tx, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn read(tx: &Tx, row: &Row) -> Result<AppointmentView, StoreError> {
    let facts = Facts::read(row)?;
    let trust = TrustId::from(row.get::<_, Uuid>("trust_id"));
    let version = facts
        .case
        .as_ref()
        .map_or_else(|| row.get("current_policy"), |case| case.policy_version);
    let state: &str = row.get("booking");
    Ok(AppointmentView {
        id: AppointmentId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        state: AppointmentState::from_name(state)
            .ok_or_else(|| StoreError::corrupt("appointments", "state", "no such state"))?,
        change: row.get("change"),
        starts_at: row.get("starts_at"),
        minutes: row.get("minutes"),
        trust: row.get("trust"),
        specialty: row.get("specialty"),
        clinic: row.get("clinic"),
        location: row.get("location"),
        contact_phone: row.get("contact_phone"),
        contact_hours: row.get("contact_hours"),
        contact_email: row.get("contact_email"),
        instructions: row.get("instructions"),
        bring: row.get("bring"),
        coming_at: row.get("coming_at"),
        request: RequestView::read(row)?,
        cancel_reason: row.get("cancel_reason"),
        restricted: row.get("restricted"),
        hidden: row.get("hidden"),
        policy: policies::get(tx, trust, version).await?,
        now: row.get("now"),
        facts,
    })
}
