//! Wake-ups still to be rung. Taking one and deleting it are one step, so that nodes share the work without talking.

use letterbox_domain::event::Event;
use tokio_postgres::Row;

use super::{StoreError, Tx, events};

/// Rows that another node is taking are left to it; a node that dies before its commit leaves them to the others.
const TAKE: &str = "
    WITH taken AS (
        DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING patient_id, seq
    )
    SELECT e.patient_id, e.seq, e.id, e.kind, e.letter_id, e.appointment_id, e.share, e.restricted, e.at, e.due_at
    FROM taken JOIN events e ON e.patient_id = taken.patient_id AND e.seq = taken.seq
    ORDER BY e.patient_id, e.seq";

const WAITING: &str = "SELECT count(*) FROM outbox";

/// Takes up to `limit` wake-ups, ordered by patient and number. Ring them before committing: a node that dies in
/// between rings twice rather than never, and everyone who hears knows the number already.
///
/// # Errors
/// [`StoreError::Corrupt`] when an event cannot be understood.
pub async fn claim_and_take(tx: &Tx, limit: i64) -> Result<Vec<Event>, StoreError> {
    let rows = tx.query(TAKE, &[&limit]).await?;
    rows.iter().map(|row: &Row| events::read(row)).collect()
}

/// How many wake-ups wait; for health and tests.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting(tx: &Tx) -> Result<i64, StoreError> {
    Ok(tx.query_one(WAITING, &[]).await?.get(0))
}
