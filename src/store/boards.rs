//! Whether a trust's board may have changed. Boards re-read; they get no events.

use async_trait::async_trait;
use letterbox_actors::ports::{BoardReader, PortResult};
use letterbox_domain::id::TrustId;
use uuid::Uuid;

use super::{Principal, Store};

/// Not the highest id: ids are taken before their commits, so a lower one may become visible later. Five hundred
/// rows are more than all transactions under way at any moment write.
const MARKS: &str = "
    SELECT t.id, coalesce(sum(recent.id), 0)::bigint
    FROM unnest($1::uuid[]) AS t (id)
    LEFT JOIN LATERAL (SELECT id FROM history WHERE trust_id = t.id ORDER BY id DESC LIMIT 500) AS recent ON true
    GROUP BY t.id";

#[async_trait]
impl BoardReader for Store {
    async fn marks(&self, trusts: &[TrustId]) -> PortResult<Vec<(TrustId, i64)>> {
        let tx = self.begin(&Principal::SERVER).await?;
        let ids: Vec<Uuid> = trusts.iter().map(TrustId::as_uuid).collect();
        let rows = tx.query(MARKS, &[&ids]).await?;
        Ok(rows
            .iter()
            .map(|row| (TrustId::from(row.get::<_, Uuid>(0)), row.get(1)))
            .collect())
    }
}
