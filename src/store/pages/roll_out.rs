//! The roll-out matrix of one trust: which specialty and kind of letter comes to the portal, and since when.

use chrono::{DateTime, Utc};
use letterbox_domain::id::TrustId;
use letterbox_domain::letter::LetterKind;
use letterbox_domain::route::Route;

use crate::store::{StoreError, Tx};

/// One cell: a specialty (or `*` for all without a row of their own) and a kind of letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollOutRow {
    pub specialty: String,
    pub kind: LetterKind,
    pub live_from: DateTime<Utc>,
    pub is_live: bool,
    /// Whose the paper of somebody is who has not joined.
    pub paper: Route,
    pub changed_at: Option<DateTime<Utc>>,
    /// Name of the member of staff.
    pub changed_by: Option<String>,
}

/// Rows of one trust; a trust has some hundred specialties and two kinds.
const MOST: i64 = 500;

const ROWS: &str = "
    SELECT r.specialty, r.letter_kind, r.live_from, r.live_from <= app_now() AS is_live, r.non_member_route, r.changed_at,
           a.display_name AS changed_by
    FROM rollout r LEFT JOIN accounts a ON a.id = r.changed_by
    WHERE r.trust_id = $1 ORDER BY r.specialty <> '*', lower(r.specialty), r.letter_kind LIMIT $2";

/// The trust's own words for its specialties, as its appointments name them: suggestions for the form.
const SPECIALTIES: &str = "
    SELECT DISTINCT specialty FROM appointments WHERE trust_id = $1 AND starts_at > app_now() - interval '1 year'
    ORDER BY specialty LIMIT 100";

/// The matrix.
///
/// # Errors
/// Any [`StoreError`].
pub async fn roll_out(tx: &Tx, trust: TrustId) -> Result<Vec<RollOutRow>, StoreError> {
    let rows = tx.query(ROWS, &[&trust.as_uuid(), &MOST]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(RollOutRow {
            specialty: row.get("specialty"),
            kind: LetterKind::from_name(row.get("letter_kind"))
                .ok_or_else(|| StoreError::corrupt("rollout", "letter_kind", "no such kind"))?,
            live_from: row.get("live_from"),
            is_live: row.get("is_live"),
            paper: Route::from_name(row.get("non_member_route")).ok_or_else(|| {
                StoreError::corrupt("rollout", "non_member_route", "no such route")
            })?,
            changed_at: row.get("changed_at"),
            changed_by: row.get("changed_by"),
        })
    };
    rows.iter().map(read).collect()
}

/// Specialties that the trust's appointments of the last year name.
///
/// # Errors
/// Any [`StoreError`].
pub async fn specialties(tx: &Tx, trust: TrustId) -> Result<Vec<String>, StoreError> {
    let rows = tx.query(SPECIALTIES, &[&trust.as_uuid()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
