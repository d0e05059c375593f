//! Overdue cases: who is due, and taking them under a lease. Writing what was decided is in `case_commit.rs`.
//!
//! Claims scan the whole range of overdue rows and never look at a single date, so that no outage leaves rows
//! behind. Two nodes never hold the same case: a claim raises its fence, and every write names the fence it holds.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::{
    CaseStore, ClaimedCase, ClaimedCases, CommitReport, NodeId, PortResult,
};
use letterbox_domain::{id::TrustId, ladder::Decision};
use tokio_postgres::Row;

use super::case_rows::{view, view_columns, view_joins};
use super::ladder::{LadderStore, acting, housekeeping};
use super::{StoreError, Tx};
use crate::crash;

/// Rows in hand are few (one claim per supervisor), so their leases may be read one by one.
const NEXT_DUE: &str = "
    SELECT extract(epoch FROM least(
        (SELECT due_at FROM cases
         WHERE trust_id = $1 AND ended_at IS NULL AND (lease_until IS NULL OR lease_until <= app_now())
         ORDER BY due_at LIMIT 1),
        (SELECT min(greatest(due_at, lease_until)) FROM cases
         WHERE trust_id = $1 AND ended_at IS NULL AND due_at <= app_now() AND lease_until > app_now())
    ) - app_now())::float8";

/// Always answers a row, so that the instant of the claim is known even when nothing was due.
///
/// `= ANY (ARRAY …)` rather than a join: the planner then reckons with a few rows, and reaches them and theirs by
/// their keys; a join under an unknown LIMIT would read whole tables.
const CLAIM: &str = concat!(
    "WITH c AS (
        UPDATE cases SET fence = fence + 1, lease_until = app_now() + make_interval(secs => $3), lease_node = $4
        WHERE id = ANY (ARRAY (
            SELECT id FROM cases
            WHERE trust_id = $1 AND ended_at IS NULL AND due_at <= app_now()
              AND (lease_until IS NULL OR lease_until <= app_now())
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING *
    ), claimed AS (SELECT ",
    view_columns!(),
    " FROM c ",
    view_joins!(),
    ") SELECT app_now() AS claimed_at, claimed.* FROM (SELECT) AS always LEFT JOIN claimed ON true ORDER BY due_at"
);

#[async_trait]
impl CaseStore for LadderStore {
    async fn next_due(&self, trust: TrustId) -> PortResult<Option<TimeDelta>> {
        crash::point("case.next_due");
        let tx = self.store.begin(&housekeeping()).await?;
        let row = tx.query_one(NEXT_DUE, &[&trust.as_uuid()]).await?;
        tx.commit().await?;
        Ok(row
            .try_get::<_, Option<f64>>(0)
            .map_err(StoreError::from)?
            .map(from_seconds))
    }

    async fn claim_overdue(
        &self,
        node: NodeId,
        trust: TrustId,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<ClaimedCases> {
        let claimed: ClaimedCases = self
            .store
            .run("cases.claim_overdue", &acting(node), |tx| {
                self.claim_cases(tx, node, trust, limit, lease)
            })
            .await?;
        if !claimed.cases.is_empty() {
            crash::point("case.claimed");
        }
        Ok(claimed)
    }

    async fn commit(
        &self,
        node: NodeId,
        decided: Vec<(ClaimedCase, Decision)>,
    ) -> PortResult<CommitReport> {
        let decided = &decided;
        Ok(self
            .store
            .run_to_commit("cases.commit", &acting(node), |tx| {
                self.commit_decisions(tx, node, decided)
            })
            .await?)
    }

    async fn trusts(&self) -> PortResult<Vec<TrustId>> {
        let tx = self.store.begin(&housekeeping()).await?;
        let rows = tx.query("SELECT id FROM trusts ORDER BY id", &[]).await?;
        tx.commit().await?;
        let id = |row: &Row| row.try_get::<_, uuid::Uuid>(0).map(TrustId::from);
        Ok(rows
            .iter()
            .map(id)
            .collect::<Result<_, _>>()
            .map_err(StoreError::from)?)
    }
}

impl LadderStore {
    async fn claim_cases(
        &self,
        tx: Tx,
        node: NodeId,
        trust: TrustId,
        limit: u16,
        lease: TimeDelta,
    ) -> Result<ClaimedCases, StoreError> {
        let params: super::Params<'_> = &[
            &trust.as_uuid(),
            &i64::from(limit),
            &seconds(lease),
            &node.0,
        ];
        let rows = tx.query(CLAIM, params).await?;
        let now: DateTime<Utc> = rows
            .first()
            .map_or_else(|| Ok(DateTime::UNIX_EPOCH), |row| row.try_get("claimed_at"))?;
        let mut cases = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.try_get::<_, Option<uuid::Uuid>>("id")?.is_none() {
                continue;
            }
            match self.claimed(&tx, row).await {
                Ok(claimed) => cases.push(claimed),
                // One senseless row must not keep its neighbours waiting; its lease lets it come back, loudly.
                Err(StoreError::Corrupt { table, column, why }) => {
                    let case: Option<uuid::Uuid> = row.try_get("id").ok();
                    tracing::error!(?case, table, column, why, "a case makes no sense");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(ClaimedCases { now, cases })
    }

    async fn claimed(&self, tx: &Tx, row: &Row) -> Result<ClaimedCase, StoreError> {
        let key = (row.try_get("trust_id")?, row.try_get("policy_version")?);
        let policy = self.policy(tx, key).await?;
        Ok(ClaimedCase {
            case: row.try_get::<_, uuid::Uuid>("id")?.into(),
            fence: row.try_get("fence")?,
            patient: row.try_get::<_, uuid::Uuid>("patient_id")?.into(),
            view: view(row, &policy)?,
        })
    }
}

/// For SQL's `make_interval`.
pub(super) fn seconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64()
}

/// From SQL's `extract(epoch …)`; microseconds are as fine as PostgreSQL counts.
#[expect(
    clippy::cast_possible_truncation,
    reason = "far inside the range: spans of years in microseconds"
)]
pub(super) fn from_seconds(seconds: f64) -> TimeDelta {
    TimeDelta::microseconds((seconds * 1e6) as i64)
}
