//! The countdown of the demonstration's post, from the records themselves.

use crate::store::{StoreError, Tx};

/// What the printer takes next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperDue {
    pub letters: i64,
    pub seconds: f64,
    /// Their deadlines have passed: opening no longer keeps them from the printer.
    pub decided: bool,
}

/// What the printer takes next, of letters on their way to it and of those promised to it unless somebody opens them.
///
/// # Errors
/// Any [`StoreError`].
pub async fn paper_due(tx: &Tx) -> Result<Option<PaperDue>, StoreError> {
    let sql = "
        SELECT count(*), extract(epoch FROM at - app_now())::float8, decided
        FROM (
            SELECT d.due_at, true FROM dispatches d WHERE d.channel = 'post' AND d.state = 'queued'
            UNION ALL
            SELECT c.promised_at, false FROM cases c
            WHERE c.ended_at IS NULL AND c.promised_at > app_now()
              AND NOT EXISTS (SELECT FROM dispatches d WHERE d.case_id = c.id AND d.channel = 'post')
        ) AS paper (at, decided)
        GROUP BY at, decided ORDER BY at, decided DESC LIMIT 1";
    Ok(tx.query_opt(sql, &[]).await?.map(|row| PaperDue {
        letters: row.get(0),
        seconds: row.get(1),
        decided: row.get(2),
    }))
}
