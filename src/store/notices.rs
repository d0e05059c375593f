//! Notices: what the trust is told without having to act. An unread letter that paper will reach in time is one.
//! Closed by the printer's acknowledgement or by opening; see `endings.rs`.

use uuid::Uuid;

use super::{StoreError, Tx};

/// One notice per case, whoever writes it how often.
pub(super) struct New {
    pub(super) case: Uuid,
    pub(super) trust: Uuid,
}

const INSERT: &str = "
    INSERT INTO notices (id, trust_id, case_id)
    SELECT id, trust_id, case_id FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n(id, trust_id, case_id)
    ON CONFLICT (case_id) DO NOTHING";

/// Prepares [`insert`], so that it leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(INSERT).await.map(drop)
}

pub(super) async fn insert(tx: &Tx, new: &[New]) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
    let trusts: Vec<Uuid> = new.iter().map(|notice| notice.trust).collect();
    let cases: Vec<Uuid> = new.iter().map(|notice| notice.case).collect();
    tx.execute(INSERT, &[&ids, &trusts, &cases]).await.map(drop)
}
