//! Refused input that a person at the trust must look at: a row, and a task with an owner-to-be and a due time.
//! Unseen, it would be a lost letter.

use chrono::{DateTime, Utc};
use letterbox_domain::id::TrustId;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{StoreError, Tx};

/// The same refusal of the same input stands once, however often it is sent.
const INSERT: &str = "
    WITH refused AS (
        INSERT INTO quarantine (id, trust_id, kind, source_id, code, detail, body)
        SELECT id, $1, kind, source_id, code, detail, body
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[])
             AS n (id, kind, source_id, code, detail, body)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO tasks (id, trust_id, kind, quarantine_id, due_at)
    SELECT gen_random_uuid(), $1, 'quarantine', id, $8 FROM refused";

const LIST: &str = "
    SELECT id, kind, source_id, code, detail, created_at FROM quarantine
    WHERE trust_id = $1 AND resolved_at IS NULL
      AND ($2::uuid IS NULL OR (created_at, id) > (SELECT created_at, id FROM quarantine WHERE id = $2))
    ORDER BY created_at, id LIMIT $3";

const RESOLVE: &str = "
    WITH resolved AS (
        UPDATE quarantine SET resolved_at = app_now(), resolved_by = $3
        WHERE trust_id = $1 AND id = $2 AND resolved_at IS NULL RETURNING id
    ), done AS (
        UPDATE tasks SET closed_at = app_now(), outcome = 'resolved', closed_by = $3
        WHERE quarantine_id = $2 AND closed_at IS NULL
    )
    SELECT id FROM resolved";

/// One refused input.
#[derive(Clone, Debug)]
pub struct NewQuarantine<'a> {
    /// `letter`, `appointment`, `patient` or `document`.
    pub kind: &'static str,
    /// The trust's id of it, if it had one.
    pub source_id: Option<&'a str>,
    /// Why; stable.
    pub code: &'static str,
    /// What to do; nothing personal.
    pub detail: &'a str,
    /// As received, without a document's bytes.
    pub body: Value,
}

/// Writes refusals and their tasks, due at `due_at`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn insert(
    tx: &Tx,
    trust: TrustId,
    due_at: DateTime<Utc>,
    new: &[NewQuarantine<'_>],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
    let kinds: Vec<&str> = new.iter().map(|one| one.kind).collect();
    let sources: Vec<Option<&str>> = new.iter().map(|one| one.source_id).collect();
    let codes: Vec<&str> = new.iter().map(|one| one.code).collect();
    let details: Vec<&str> = new.iter().map(|one| one.detail).collect();
    let bodies: Vec<&Value> = new.iter().map(|one| &one.body).collect();
    tx.execute(
        INSERT,
        &[
            &trust.as_uuid(),
            &ids,
            &kinds,
            &sources,
            &codes,
            &details,
            &bodies,
            &due_at,
        ],
    )
    .await
    .map(drop)
}

/// One row of the trust's list; the refused body stays in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Which.
    pub id: Uuid,
    /// `letter`, `appointment`, `patient` or `document`.
    pub kind: String,
    /// The trust's id of it, if it had one.
    pub source_id: Option<String>,
    /// Why.
    pub code: String,
    /// What to do.
    pub detail: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// The trust's unresolved refusals after `after`, oldest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn list(
    tx: &Tx,
    trust: TrustId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Quarantined>, StoreError> {
    let rows = tx.query(LIST, &[&trust.as_uuid(), &after, &limit]).await?;
    let read = |row: &Row| Quarantined {
        id: row.get("id"),
        kind: row.get("kind"),
        source_id: row.get("source_id"),
        code: row.get("code"),
        detail: row.get("detail"),
        created_at: row.get("created_at"),
    };
    Ok(rows.iter().map(read).collect())
}

/// Notes that a person has dealt with it and closes its task; false when there was nothing open of that id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn resolve(tx: &Tx, trust: TrustId, id: Uuid, by: Uuid) -> Result<bool, StoreError> {
    Ok(tx
        .query_opt(RESOLVE, &[&trust.as_uuid(), &id, &by])
        .await?
        .is_some())
}
