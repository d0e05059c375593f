//! Row locks in the one order that everybody keeps: patients by id, then cases by id, then what hangs on them.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use super::case_rows::{CaseRow, case_columns, case_joins};
use super::{StoreError, Tx};

const PATIENTS: &str = "SELECT FROM patients WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";

const CASES: &str = concat!(
    "SELECT ",
    case_columns!(),
    " FROM cases c ",
    case_joins!(),
    " WHERE c.id = ANY($1) ORDER BY c.id FOR UPDATE OF c"
);

/// The cases' own columns only: what most decisions need.
const HELD: &str = "
    SELECT id, fence, ended_at IS NULL AS is_open, trust_id, patient_id, letter_id, appointment_id, policy_version,
           climbed, promised_at, app_now() AS now
    FROM cases WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// A locked case, as far as writing a decision needs it.
pub(super) struct Held {
    pub(super) id: Uuid,
    pub(super) fence: i64,
    pub(super) is_open: bool,
    pub(super) trust: Uuid,
    pub(super) patient: Uuid,
    pub(super) letter: Option<Uuid>,
    pub(super) appointment: Option<Uuid>,
    pub(super) policy_version: i32,
    pub(super) climbed: i16,
    pub(super) post_at: Option<DateTime<Utc>>,
    pub(super) now: DateTime<Utc>,
}

/// Locks mailboxes, so that their next event numbers are ours.
pub(super) async fn patients(tx: &Tx, ids: &[Uuid]) -> Result<(), StoreError> {
    if !ids.is_empty() {
        tx.execute(PATIENTS, &[&ids]).await?;
    }
    Ok(())
}

/// Locks cases, nothing joined.
pub(super) async fn held(tx: &Tx, ids: &[Uuid]) -> Result<Vec<Held>, StoreError> {
    let read = |row: &Row| {
        Ok(Held {
            id: row.try_get(0)?,
            fence: row.try_get(1)?,
            is_open: row.try_get(2)?,
            trust: row.try_get(3)?,
            patient: row.try_get(4)?,
            letter: row.try_get(5)?,
            appointment: row.try_get(6)?,
            policy_version: row.try_get(7)?,
            climbed: row.try_get(8)?,
            post_at: row.try_get(9)?,
            now: row.try_get(10)?,
        })
    };
    tx.query(HELD, &[&ids]).await?.iter().map(read).collect()
}

/// Locks cases and reads them as they stand under the lock. One that makes no sense is left out, loudly: it must not
/// keep its neighbours waiting.
pub(super) async fn cases(tx: &Tx, ids: &[Uuid]) -> Result<Vec<CaseRow>, StoreError> {
    let rows = tx.query(CASES, &[&ids]).await?;
    let mut cases = Vec::with_capacity(rows.len());
    for row in &rows {
        match CaseRow::read(row) {
            Ok(case) => cases.push(case),
            Err(StoreError::Corrupt { table, column, why }) => {
                let case: Option<Uuid> = row.try_get("id").ok();
                tracing::error!(?case, table, column, why, "a case makes no sense");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(cases)
}
