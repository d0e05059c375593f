//! Row locks in the one order that everybody keeps: patients by id, then cases by id, then what hangs on them.

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

/// Locks mailboxes, so that their next event numbers are ours.
pub(super) async fn patients(tx: &Tx, ids: &[Uuid]) -> Result<(), StoreError> {
    if !ids.is_empty() {
        tx.execute(PATIENTS, &[&ids]).await?;
    }
    Ok(())
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
