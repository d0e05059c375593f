//! Appointments and the cases of their changes. Writes in sets; decides nothing.

use chrono::{DateTime, NaiveDate, Utc};
use letterbox_domain::appointment::AppointmentState;
use letterbox_domain::id::{AppointmentId, CaseId, PatientId, TrustId};
use letterbox_domain::letter::LetterState;
use letterbox_domain::route::Route;
use tokio_postgres::Row;
use uuid::Uuid;

use super::letters::{CaseColumns, NewCase};
use super::standing::{CaseFacts, Facts, case_facts, print_join};
use super::{StoreError, Tx};

const KNOWN: &str = concat!(
    "SELECT v.id, v.patient_id, v.source_version, v.body_sha256, v.state AS appointment_state, v.change, v.starts_at, ",
    "v.location, v.restricted, v.opened_change >= v.change AS seen, v.opened_at, v.changed_at, v.cancel_reason, ",
    "v.answer->>'route' AS route, ",
    case_facts!(),
    " FROM appointments v LEFT JOIN cases c ON c.appointment_id = v.id AND c.appointment_change = v.change ",
    print_join!(),
    " WHERE v.trust_id = $1 AND v.source_id = $2"
);

const PUT: &str = "
    INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer, state, change,
                              starts_at, minutes, specialty, clinic, clinic_code, location, contact_phone,
                              contact_hours, instructions, cancel_reason, restricted, contact_email, bring, published_at,
                              changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, jsonb_build_object('route', $7::text, 'reason', $8::text), $9, $10, $11, $12, $13,
            $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, app_now(), app_now())
    ON CONFLICT (trust_id, source_id) DO UPDATE SET
        source_version = excluded.source_version, body_sha256 = excluded.body_sha256, answer = excluded.answer,
        state = excluded.state, change = excluded.change, starts_at = excluded.starts_at, minutes = excluded.minutes,
        specialty = excluded.specialty, clinic = excluded.clinic, clinic_code = excluded.clinic_code,
        location = excluded.location, contact_phone = excluded.contact_phone, contact_hours = excluded.contact_hours,
        instructions = excluded.instructions, cancel_reason = excluded.cancel_reason,
        restricted = excluded.restricted, contact_email = excluded.contact_email, bring = excluded.bring,
        changed_at = CASE WHEN appointments.change < excluded.change THEN app_now() ELSE appointments.changed_at END";

const SESSION: &str = "
    SELECT id, patient_id, specialty, starts_at, change, restricted FROM appointments
    WHERE trust_id = $1 AND clinic_code = $2 AND state = 'booked' AND starts_at > app_now()
      AND (starts_at AT TIME ZONE 'Europe/London')::date = $3
    ORDER BY patient_id, id
    LIMIT $4";

const CANCEL: &str = "
    UPDATE appointments SET state = 'cancelled', change = change + 1, cancel_reason = $2, changed_at = app_now(),
           answer = answer || jsonb_build_object('route', n.route, 'reason', n.why)
    FROM unnest($1::uuid[], $3::text[], $4::text[]) AS n (id, route, why)
    WHERE appointments.id = n.id AND state = 'booked'";

const OPEN_CASES: &str = "
    SELECT id FROM cases WHERE appointment_id = ANY($1) AND ended_at IS NULL ORDER BY id";

const CASES: &str = "
    INSERT INTO cases (id, trust_id, patient_id, appointment_id, appointment_change, policy_version, urgent, step_rungs,
                       step_ats, climbed, deadline_at, promised_at, due_at, created_at)
    SELECT c.id, $1, c.patient, c.appointment, c.change, c.policy, c.urgent,
           ($8::smallint[])[c.first:c.last], ($9::timestamptz[])[c.first:c.last], c.climbed, c.deadline, c.promised, c.due, app_now()
    FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::integer[], $6::integer[], $7::boolean[], $14::integer[],
                $15::integer[], $10::smallint[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
         AS c (id, patient, appointment, change, policy, urgent, first, last, climbed, deadline, promised, due)";

/// An appointment of the trust that is here already.
#[derive(Clone, Debug)]
pub struct KnownAppointment {
    /// Which.
    pub id: AppointmentId,
    /// Whose.
    pub patient: PatientId,
    /// The version last taken in, and its body's hash.
    pub source: (i64, Vec<u8>),
    /// Booked or cancelled.
    pub state: AppointmentState,
    /// Number of the last change that the patient had to hear of.
    pub change: i32,
    /// When.
    pub starts_at: DateTime<Utc>,
    /// Where.
    pub location: String,
    /// How its last change stands.
    pub facts: Facts,
    /// The transaction's time.
    pub now: DateTime<Utc>,
}

/// The trust's appointment with this id of its own.
///
/// # Errors
/// [`StoreError::Corrupt`] when the row cannot be understood.
pub async fn known(
    tx: &Tx,
    trust: TrustId,
    source_id: &str,
) -> Result<Option<KnownAppointment>, StoreError> {
    let row = tx.query_opt(KNOWN, &[&trust.as_uuid(), &source_id]).await?;
    row.as_ref().map(read_known).transpose()
}

fn read_known(row: &Row) -> Result<KnownAppointment, StoreError> {
    let seen: bool = row.get("seen");
    let route = row
        .get::<_, Option<&str>>("route")
        .and_then(Route::from_name);
    let starts_at = row.get("starts_at");
    Ok(KnownAppointment {
        id: AppointmentId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        source: (row.get("source_version"), row.get("body_sha256")),
        state: AppointmentState::from_name(row.get("appointment_state"))
            .ok_or_else(|| StoreError::corrupt("appointments", "state", "no such state"))?,
        change: row.get("change"),
        starts_at,
        location: row.get("location"),
        facts: Facts {
            state: if seen {
                LetterState::Opened
            } else {
                LetterState::Published
            },
            route: route
                .ok_or_else(|| StoreError::corrupt("appointments", "answer", "names no route"))?,
            opened_at: row
                .get::<_, Option<DateTime<Utc>>>("opened_at")
                .filter(|_| seen),
            opened_by_carer: None,
            opened_by: None,
            posted_at: None,
            gone_at: None,
            not_mine_at: None,
            case: CaseFacts::read(row)?,
            known_by: Some(starts_at),
        },
        now: row.get("now"),
    })
}

/// An appointment as it is to stand.
#[derive(Clone, Copy, Debug)]
pub struct AppointmentRow<'a> {
    /// Its id; of a known one, its own.
    pub id: AppointmentId,
    /// The trust's id of it.
    pub source_id: &'a str,
    /// Whose.
    pub patient: PatientId,
    /// The trust's version.
    pub source_version: i64,
    /// Hash of the form.
    pub body_sha256: &'a [u8],
    /// Who delivers what must be told of it.
    pub route: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Booked or cancelled.
    pub state: AppointmentState,
    /// Number of the last change that the patient must hear of.
    pub change: i32,
    /// When.
    pub starts_at: DateTime<Utc>,
    /// How long.
    pub minutes: Option<i32>,
    /// Of which specialty.
    pub specialty: &'a str,
    /// In which clinic.
    pub clinic: &'a str,
    /// In which session of it.
    pub clinic_code: Option<&'a str>,
    /// Where.
    pub location: &'a str,
    /// Whom to phone.
    pub contact_phone: &'a str,
    /// When.
    pub contact_hours: Option<&'a str>,
    /// Where to write.
    pub contact_email: Option<&'a str>,
    /// What to bring.
    pub bring: Option<&'a str>,
    /// What to do.
    pub instructions: Option<&'a str>,
    /// Why it was cancelled.
    pub cancel_reason: Option<&'a str>,
    /// Of a sensitive specialty.
    pub restricted: bool,
}

/// Writes an appointment as it is to stand. Its patient must be locked.
///
/// # Errors
/// Any [`StoreError`].
pub async fn put(tx: &Tx, trust: TrustId, row: &AppointmentRow<'_>) -> Result<(), StoreError> {
    tx.execute(
        PUT,
        &[
            &row.id.as_uuid(),
            &trust.as_uuid(),
            &row.source_id,
            &row.patient.as_uuid(),
            &row.source_version,
            &row.body_sha256,
            &row.route,
            &row.reason,
            &row.state.name(),
            &row.change,
            &row.starts_at,
            &row.minutes,
            &row.specialty,
            &row.clinic,
            &row.clinic_code,
            &row.location,
            &row.contact_phone,
            &row.contact_hours,
            &row.instructions,
            &row.cancel_reason,
            &row.restricted,
            &row.contact_email,
            &row.bring,
        ],
    )
    .await
    .map(drop)
}

/// A booked appointment of a clinic's session.
#[derive(Clone, Debug)]
pub struct Booked {
    /// Which.
    pub id: AppointmentId,
    /// Whose.
    pub patient: PatientId,
    /// Of which specialty.
    pub specialty: String,
    /// When.
    pub starts_at: DateTime<Utc>,
    /// Number of its last change.
    pub change: i32,
    /// Of a sensitive specialty.
    pub restricted: bool,
}

/// Booked appointments of a session that have not begun, by patient; `day` is the day in Europe/London.
///
/// # Errors
/// Any [`StoreError`].
pub async fn session(
    tx: &Tx,
    trust: TrustId,
    clinic_code: &str,
    day: NaiveDate,
    limit: i64,
) -> Result<Vec<Booked>, StoreError> {
    let rows = tx
        .query(SESSION, &[&trust.as_uuid(), &clinic_code, &day, &limit])
        .await?;
    let read = |row: &Row| Booked {
        id: AppointmentId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        specialty: row.get("specialty"),
        starts_at: row.get("starts_at"),
        change: row.get("change"),
        restricted: row.get("restricted"),
    };
    Ok(rows.iter().map(read).collect())
}

/// Cancels booked appointments, each with the route of its message. Their patients must be locked.
///
/// # Errors
/// Any [`StoreError`].
pub async fn cancel(
    tx: &Tx,
    reason: &str,
    appointments: &[(AppointmentId, &'static str, &'static str)],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = appointments.iter().map(|(id, ..)| id.as_uuid()).collect();
    let routes: Vec<&str> = appointments.iter().map(|(_, route, _)| *route).collect();
    let whys: Vec<&str> = appointments.iter().map(|(.., why)| *why).collect();
    tx.execute(CANCEL, &[&ids, &reason, &routes, &whys])
        .await
        .map(drop)
}

/// Open cases of earlier changes of these appointments.
///
/// # Errors
/// Any [`StoreError`].
pub async fn open_cases(
    tx: &Tx,
    appointments: &[AppointmentId],
) -> Result<Vec<CaseId>, StoreError> {
    let ids: Vec<Uuid> = appointments.iter().map(AppointmentId::as_uuid).collect();
    let rows = tx.query(OPEN_CASES, &[&ids]).await?;
    Ok(rows
        .iter()
        .map(|row| CaseId::from(row.get::<_, Uuid>(0)))
        .collect())
}

/// The case of one change of an appointment.
#[derive(Clone, Copy, Debug)]
pub struct ChangeCase<'a> {
    /// Whose.
    pub patient: PatientId,
    /// Of which appointment.
    pub appointment: AppointmentId,
    /// Of which of its changes.
    pub change: i32,
    /// The case.
    pub case: &'a NewCase,
}

/// Writes cases of changes. The appointments must be written, their patients locked.
///
/// # Errors
/// Any [`StoreError`].
pub async fn insert_cases(
    tx: &Tx,
    trust: TrustId,
    new: &[ChangeCase<'_>],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let cases = CaseColumns::of(
        new.iter()
            .map(|one| (one.patient, one.appointment, one.case)),
    );
    let changes: Vec<i32> = new.iter().map(|one| one.change).collect();
    tx.execute(
        CASES,
        &[
            &trust.as_uuid(),
            &cases.ids,
            &cases.patients,
            &cases.subjects,
            &changes,
            &cases.policies,
            &cases.urgent,
            &cases.rungs,
            &cases.ats,
            &cases.climbed,
            &cases.deadlines,
            &cases.promised,
            &cases.dues,
            &cases.first,
            &cases.last,
        ],
    )
    .await
    .map(drop)
}
