//! The booking office's board of one trust.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use letterbox_domain::id::{TaskId, TrustId};
use letterbox_domain::policy::Policy;
use tokio_postgres::Row;
use uuid::Uuid;

use super::appointments::{appointment_facts, appointment_joins};
use crate::store::change_requests::{self, WaitingRequest};
use crate::store::standing::{Facts, letter_facts, letter_joins};
use crate::store::{StoreError, Tx, policies};

/// Rows of one list: what one person can look through. The counts above the lists say how many there are.
const MOST_ROWS: i64 = 50;

/// Everything on the board.
#[derive(Debug)]
pub struct Board {
    pub counts: CountsView,
    pub tasks: Vec<TaskView>,
    pub clinics: Vec<ClinicView>,
    pub sessions: Vec<SessionView>,
    pub unread: Vec<ItemView>,
    pub notices: Vec<ItemView>,
    pub settled: Vec<ItemView>,
    pub quarantine: Vec<QuarantineView>,
    /// Patients' requests that wait for an answer.
    pub requests: Vec<WaitingRequest>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// Waiting now; opened, posted and told by phone since midnight in London.
#[derive(Clone, Copy, Debug)]
pub struct CountsView {
    pub waiting: i64,
    pub opened: i64,
    pub posted: i64,
    pub told: i64,
}

/// A letter or a change of appointment.
pub struct ItemView {
    /// The case.
    pub id: Uuid,
    pub name: String,
    pub title: String,
    pub clinic: String,
    pub facts: Facts,
    pub policy: Arc<Policy>,
    pub now: DateTime<Utc>,
}

/// Something a person must do.
pub struct TaskView {
    pub id: TaskId,
    pub kind: String,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub phone: Option<String>,
    pub due_at: DateTime<Utc>,
    pub latest_useful_at: Option<DateTime<Utc>>,
    pub tries: i16,
    pub clinic: Option<String>,
    /// The letter's title; none for an appointment's change.
    pub title: Option<String>,
    pub appointment_at: Option<DateTime<Utc>>,
    pub appointment_cancelled: bool,
    /// What a quarantined input needs.
    pub detail: Option<String>,
    pub now: DateTime<Utc>,
}

/// A clinic that was cancelled, and how many of its patients know.
#[derive(Debug)]
pub struct ClinicView {
    pub code: String,
    pub clinic: String,
    pub starts_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub patients: i64,
    pub told: i64,
}

/// A session of a clinic that can be cancelled.
#[derive(Debug)]
pub struct SessionView {
    pub code: String,
    pub clinic: String,
    pub day: NaiveDate,
    pub starts_at: DateTime<Utc>,
    pub patients: i64,
    /// Patients who said "I'll be there".
    pub coming: i64,
}

/// Input that was refused and that somebody must look at.
#[derive(Debug)]
pub struct QuarantineView {
    pub id: Uuid,
    pub kind: String,
    pub source_id: Option<String>,
    pub detail: String,
    pub created_at: DateTime<Utc>,
}

macro_rules! nothing_personal_in_debug {
    ($($name:ident)+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("id", &self.id).finish_non_exhaustive()
            }
        }
    )+};
}
nothing_personal_in_debug! { ItemView TaskView }

const COUNTS: &str = "
    SELECT count(*) FILTER (WHERE ended_at IS NULL), count(*) FILTER (WHERE end_kind = 'opened'),
           count(*) FILTER (WHERE end_kind = 'posted'),
           count(*) FILTER (WHERE end_kind = 'handed_over' AND end_detail = 'told_by_phone'), app_now()
    FROM cases WHERE trust_id = $1 AND (ended_at IS NULL OR ended_at >=
        date_trunc('day', app_now() AT TIME ZONE 'Europe/London') AT TIME ZONE 'Europe/London')";

macro_rules! letter_items {
    ($rest:literal) => {
        concat!(
            "SELECT l.trust_id, p.given_name || ' ' || p.family_name AS name, l.title, l.clinic, ",
            "t.policy_version AS current_policy, ",
            letter_facts!(),
            " FROM letters l JOIN patients p ON p.id = l.patient_id JOIN trusts t ON t.id = l.trust_id ",
            letter_joins!(),
            $rest
        )
    };
}

macro_rules! appointment_items {
    ($rest:literal) => {
        concat!(
            "SELECT a.trust_id, p.given_name || ' ' || p.family_name AS name, ",
            "CASE a.state WHEN 'cancelled' THEN 'Appointment cancelled' ELSE 'Appointment' END AS title, a.clinic, ",
            "t.policy_version AS current_policy, ",
            appointment_facts!(),
            " FROM appointments a JOIN patients p ON p.id = a.patient_id JOIN trusts t ON t.id = a.trust_id ",
            appointment_joins!(),
            $rest
        )
    };
}

const UNREAD_LETTERS: &str = letter_items!(
    " WHERE c.trust_id = $1 AND c.ended_at IS NULL ORDER BY c.deadline_at, c.id LIMIT $2"
);
const UNREAD_APPOINTMENTS: &str = appointment_items!(
    " WHERE c.trust_id = $1 AND c.ended_at IS NULL ORDER BY c.deadline_at, c.id LIMIT $2"
);
const SETTLED_LETTERS: &str = letter_items!(
    " WHERE c.trust_id = $1 AND c.ended_at IS NOT NULL ORDER BY c.ended_at DESC, c.id LIMIT $2"
);
const SETTLED_APPOINTMENTS: &str = appointment_items!(
    " WHERE c.trust_id = $1 AND c.ended_at IS NOT NULL ORDER BY c.ended_at DESC, c.id LIMIT $2"
);
const NOTICED_LETTERS: &str = letter_items!(
    " JOIN notices n ON n.case_id = c.id AND n.closed_at IS NULL WHERE c.trust_id = $1 ORDER BY n.created_at, c.id LIMIT $2"
);
const NOTICED_APPOINTMENTS: &str = appointment_items!(
    " JOIN notices n ON n.case_id = c.id AND n.closed_at IS NULL WHERE c.trust_id = $1 ORDER BY n.created_at, c.id LIMIT $2"
);

const TASKS: &str = "
    SELECT k.id, k.kind, k.due_at, k.latest_useful_at, k.tries, p.given_name, p.given_name || ' ' || p.family_name AS name,
           p.phone, l.title, coalesce(l.clinic, a.clinic) AS clinic, coalesce(a.starts_at, about.starts_at) AS appointment_at,
           coalesce(a.state = 'cancelled', false) AS appointment_cancelled, q.detail, app_now() AS now
    FROM tasks k
    LEFT JOIN cases c ON c.id = k.case_id
    LEFT JOIN change_requests r ON r.id = k.request_id
    LEFT JOIN letters l ON l.id = coalesce(k.letter_id, c.letter_id)
    LEFT JOIN patients p ON p.id = coalesce(l.patient_id, c.patient_id, r.patient_id)
    LEFT JOIN appointments about ON about.id = l.appointment_id
    LEFT JOIN appointments a ON a.id = coalesce(c.appointment_id, r.appointment_id)
    LEFT JOIN quarantine q ON q.id = k.quarantine_id
    WHERE k.trust_id = $1 AND k.closed_at IS NULL ORDER BY k.due_at, k.id LIMIT $2";

/// A patient knows who has opened the change, or in whose case somebody or something else has reached them.
const CLINICS: &str = "
    SELECT a.clinic_code, a.clinic, min(a.starts_at) AS starts_at, max(a.changed_at) AS changed_at, count(*) AS patients,
           count(*) FILTER (WHERE a.opened_change >= a.change OR c.ended_at IS NOT NULL) AS told
    FROM appointments a
    LEFT JOIN cases c ON c.appointment_id = a.id AND c.appointment_change = a.change
    WHERE a.trust_id = $1 AND a.state = 'cancelled' AND a.clinic_code IS NOT NULL
      AND a.changed_at > app_now() - interval '7 days'
    GROUP BY a.clinic_code, a.clinic, (a.starts_at AT TIME ZONE 'Europe/London')::date
    ORDER BY changed_at DESC LIMIT $2";

const SESSIONS: &str = "
    SELECT clinic_code, clinic, (starts_at AT TIME ZONE 'Europe/London')::date AS day, min(starts_at) AS starts_at,
           count(*) AS patients, count(*) FILTER (WHERE coming_change = change) AS coming
    FROM appointments
    WHERE trust_id = $1 AND state = 'booked' AND clinic_code IS NOT NULL AND starts_at > app_now()
    GROUP BY clinic_code, clinic, day ORDER BY min(starts_at), clinic_code LIMIT $2";

const QUARANTINE: &str = "
    SELECT id, kind, source_id, detail, created_at FROM quarantine
    WHERE trust_id = $1 AND resolved_at IS NULL ORDER BY created_at, id LIMIT $2";

/// Reads the board of one trust; call it in a snapshot, or the lists may disagree with the counts.
///
/// # Errors
/// Any [`StoreError`].
pub async fn board(tx: &Tx, trust: TrustId) -> Result<Board, StoreError> {
    let id = trust.as_uuid();
    let counts = tx.query_one(COUNTS, &[&id]).await?;
    let tasks = tx.query(TASKS, &[&id, &MOST_ROWS]).await?;
    let clinics = tx.query(CLINICS, &[&id, &MOST_ROWS]).await?;
    let sessions = tx.query(SESSIONS, &[&id, &MOST_ROWS]).await?;
    let quarantine = tx.query(QUARANTINE, &[&id, &MOST_ROWS]).await?;
    let mut unread = items(tx, trust, UNREAD_LETTERS, UNREAD_APPOINTMENTS).await?;
    unread.sort_by_key(|item| item.facts.case.as_ref().map(|case| case.deadline_at));
    let mut settled = items(tx, trust, SETTLED_LETTERS, SETTLED_APPOINTMENTS).await?;
    settled.sort_by_key(|item| {
        std::cmp::Reverse(
            item.facts
                .case
                .as_ref()
                .and_then(|case| case.end)
                .map(|end| end.1),
        )
    });
    settled.truncate(usize::try_from(MOST_ROWS).unwrap_or(usize::MAX));
    Ok(Board {
        counts: CountsView {
            waiting: counts.get(0),
            opened: counts.get(1),
            posted: counts.get(2),
            told: counts.get(3),
        },
        now: counts.get(4),
        tasks: tasks.iter().map(task).collect(),
        clinics: clinics.iter().map(clinic).collect(),
        sessions: sessions.iter().map(session).collect(),
        unread,
        notices: items(tx, trust, NOTICED_LETTERS, NOTICED_APPOINTMENTS).await?,
        settled,
        quarantine: quarantine.iter().map(quarantined).collect(),
        requests: change_requests::waiting(tx, trust).await?,
    })
}

async fn items(
    tx: &Tx,
    trust: TrustId,
    letters: &'static str,
    appointments: &'static str,
) -> Result<Vec<ItemView>, StoreError> {
    let mut rows = tx.query(letters, &[&trust.as_uuid(), &MOST_ROWS]).await?;
    rows.extend(
        tx.query(appointments, &[&trust.as_uuid(), &MOST_ROWS])
            .await?,
    );
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(item(tx, trust, row).await?);
    }
    Ok(items)
}

async fn item(tx: &Tx, trust: TrustId, row: &Row) -> Result<ItemView, StoreError> {
    let facts = Facts::read(row)?;
    let version = facts
        .case
        .as_ref()
        .map_or_else(|| row.get("current_policy"), |case| case.policy_version);
    Ok(ItemView {
        id: row.get("case_id"),
        name: row.get("name"),
        title: row.get("title"),
        clinic: row.get("clinic"),
        policy: policies::get(tx, trust, version).await?,
        now: row.get("now"),
        facts,
    })
}

fn task(row: &Row) -> TaskView {
    TaskView {
        id: TaskId::from(row.get::<_, Uuid>("id")),
        kind: row.get("kind"),
        name: row.get("name"),
        given_name: row.get("given_name"),
        phone: row.get("phone"),
        due_at: row.get("due_at"),
        latest_useful_at: row.get("latest_useful_at"),
        tries: row.get("tries"),
        clinic: row.get("clinic"),
        title: row.get("title"),
        appointment_at: row.get("appointment_at"),
        appointment_cancelled: row.get("appointment_cancelled"),
        detail: row.get("detail"),
        now: row.get("now"),
    }
}

fn clinic(row: &Row) -> ClinicView {
    ClinicView {
        code: row.get("clinic_code"),
        clinic: row.get("clinic"),
        starts_at: row.get("starts_at"),
        changed_at: row.get("changed_at"),
        patients: row.get("patients"),
        told: row.get("told"),
    }
}

fn session(row: &Row) -> SessionView {
    SessionView {
        code: row.get("clinic_code"),
        clinic: row.get("clinic"),
        day: row.get("day"),
        starts_at: row.get("starts_at"),
        patients: row.get("patients"),
        coming: row.get("coming"),
    }
}

fn quarantined(row: &Row) -> QuarantineView {
    QuarantineView {
        id: row.get("id"),
        kind: row.get("kind"),
        source_id: row.get("source_id"),
        detail: row.get("detail"),
        created_at: row.get("created_at"),
    }
}
