//! The countdown of the demonstration's post, from the records themselves.

use crate::store::{StoreError, Tx};

/// How many letters the next print cut-off takes, and in how many seconds it comes.
///
/// # Errors
/// Any [`StoreError`].
pub async fn paper_due(tx: &Tx) -> Result<Option<(i64, f64)>, StoreError> {
    let sql = "
        SELECT count(*), extract(epoch FROM d.due_at - app_now())::float8
        FROM dispatches d WHERE d.channel = 'post' AND d.state = 'queued'
        GROUP BY d.due_at ORDER BY d.due_at LIMIT 1";
    Ok(tx
        .query_opt(sql, &[])
        .await?
        .map(|row| (row.get(0), row.get(1))))
}
