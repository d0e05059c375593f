//! Letters held back until a clinician has spoken to the patient, and their release.

use chrono::{DateTime, Utc};
use letterbox_domain::id::{CaseId, LetterId, PatientId, TrustId};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::route::Route;
use tokio_postgres::Row;
use uuid::Uuid;

use super::known::kind;
use super::{CaseColumns, NewCase};
use crate::store::{StoreError, Tx};

const HELD: &str = "
    SELECT l.patient_id FROM letters l WHERE l.state = 'held' AND l.release_at <= app_now()
    ORDER BY l.release_at LIMIT $1";

const HELD_OF: &str = "
    SELECT l.id, l.trust_id, l.patient_id, l.kind, l.route, l.restricted, l.release_at,
           c.id AS case_id, c.policy_version, c.climbed, c.promised_at, about.starts_at
    FROM letters l
    LEFT JOIN cases c ON c.letter_id = l.id AND c.ended_at IS NULL
    LEFT JOIN appointments about ON about.id = l.appointment_id
    WHERE l.patient_id = ANY($1) AND l.state = 'held' AND l.release_at <= app_now()
    ORDER BY l.release_at, l.id
    FOR NO KEY UPDATE OF l";

const RELEASE: &str = "
    UPDATE letters SET state = 'published', published_at = app_now(), version = version + 1 WHERE id = ANY($1)";

const REPLAN: &str = "
    UPDATE cases SET step_rungs = ($2::smallint[])[n.first:n.last], step_ats = ($3::timestamptz[])[n.first:n.last],
                     climbed = n.climbed,
                     deadline_at = n.deadline, promised_at = n.promised, due_at = n.due, urgent = n.urgent
    FROM unnest($1::uuid[], $9::integer[], $10::integer[], $4::smallint[], $5::timestamptz[], $6::timestamptz[],
                $7::timestamptz[], $8::boolean[]) AS n (id, first, last, climbed, deadline, promised, due, urgent)
    WHERE cases.id = n.id AND cases.ended_at IS NULL";

/// A held letter whose time has come.
#[derive(Clone, Debug)]
pub struct HeldLetter {
    /// Which.
    pub id: LetterId,
    /// From whom.
    pub trust: TrustId,
    /// To whom.
    pub patient: PatientId,
    /// Its kind.
    pub kind: LetterKind,
    /// Who delivers.
    pub route: Route,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// Start of the appointment it is about.
    pub known_by: Option<DateTime<Utc>>,
    /// Its open case, the policy it runs under, and whether it has climbed already.
    pub case: Option<(CaseId, i32, bool)>,
    /// The cut-off promised when it was planned.
    pub promised_at: Option<DateTime<Utc>>,
}

/// Patients with held letters that are due for release, at most `limit` letters.
///
/// # Errors
/// Any [`StoreError`].
pub async fn patients_with_releases(tx: &Tx, limit: i64) -> Result<Vec<PatientId>, StoreError> {
    let rows = tx.query(HELD, &[&limit]).await?;
    Ok(rows
        .iter()
        .map(|row| PatientId::from(row.get::<_, Uuid>(0)))
        .collect())
}

/// These patients' held letters that are due, locked. The patients must be locked.
///
/// # Errors
/// [`StoreError::Corrupt`] when a row cannot be understood.
pub async fn due_for_release(
    tx: &Tx,
    patients: &[PatientId],
) -> Result<Vec<HeldLetter>, StoreError> {
    let ids: Vec<Uuid> = patients.iter().map(PatientId::as_uuid).collect();
    let rows = tx.query(HELD_OF, &[&ids]).await?;
    let read = |row: &Row| {
        let case = row.get::<_, Option<Uuid>>("case_id").map(CaseId::from);
        let climbed = row.get::<_, Option<i16>>("climbed").unwrap_or(0) > 0;
        Ok(HeldLetter {
            id: LetterId::from(row.get::<_, Uuid>("id")),
            trust: TrustId::from(row.get::<_, Uuid>("trust_id")),
            patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
            kind: kind(row)?,
            route: Route::from_name(row.get("route"))
                .ok_or_else(|| StoreError::corrupt("letters", "route", "no such route"))?,
            restricted: row.get("restricted"),
            known_by: row.get("starts_at"),
            case: case
                .zip(row.get("policy_version"))
                .map(|(case, version)| (case, version, climbed)),
            promised_at: row.get("promised_at"),
        })
    };
    rows.iter().map(read).collect()
}

/// Lets held letters into their mailboxes, published now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn release(tx: &Tx, letters: &[LetterId]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = letters.iter().map(LetterId::as_uuid).collect();
    tx.execute(RELEASE, &[&ids]).await.map(drop)
}

/// Gives open cases a new plan.
///
/// # Errors
/// Any [`StoreError`].
pub async fn replan(tx: &Tx, cases: &[NewCase]) -> Result<(), StoreError> {
    if cases.is_empty() {
        return Ok(());
    }
    let nobody = PatientId::from(Uuid::nil());
    let columns = CaseColumns::of(cases.iter().map(|case| (nobody, Uuid::nil(), case)));
    tx.execute(
        REPLAN,
        &[
            &columns.ids,
            &columns.rungs,
            &columns.ats,
            &columns.climbed,
            &columns.deadlines,
            &columns.promised,
            &columns.dues,
            &columns.urgent,
            &columns.first,
            &columns.last,
        ],
    )
    .await
    .map(drop)
}
