//! API keys of the trusts' systems. Only hashes are stored, so only hashes are compared.

use letterbox_domain::id::TrustId;
use uuid::Uuid;

use super::{Principal, Store, StoreError};

/// Which trust a key belongs to, and which of its keys it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    pub trust: TrustId,
    pub key: Uuid,
}

impl Store {
    /// Whose key hashes to `sha256`; nobody's when it is unknown or revoked.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn key_holder(&self, sha256: &[u8; 32]) -> Result<Option<KeyHolder>, StoreError> {
        let tx = self.begin(&Principal::Anonymous).await?;
        let found = tx
            .query_opt(
                "SELECT trust_id, id FROM trust_api_keys WHERE key_sha256 = $1 AND revoked_at IS NULL",
                &[&sha256.as_slice()],
            )
            .await?;
        tx.commit().await?;
        Ok(found.map(|row| KeyHolder {
            trust: TrustId::from(row.get::<_, Uuid>(0)),
            key: row.get(1),
        }))
    }
}
