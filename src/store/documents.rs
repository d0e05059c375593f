//! Documents: each file once per trust, found by its hash.

use letterbox_domain::id::{DocumentId, TrustId};

use super::{StoreError, Tx};

/// How many pages the trust's document with this hash has; nothing when it is not stored.
///
/// # Errors
/// Any [`StoreError`].
pub async fn pages(tx: &Tx, trust: TrustId, sha256: &[u8; 32]) -> Result<Option<i32>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT pages FROM documents WHERE trust_id = $1 AND sha256 = $2",
            &[&trust.as_uuid(), &sha256.as_slice()],
        )
        .await?;
    row.map(|row| row.try_get(0).map_err(StoreError::from))
        .transpose()
}

/// Stores a document unless it is there.
///
/// # Errors
/// Any [`StoreError`].
pub async fn insert(
    tx: &Tx,
    trust: TrustId,
    sha256: &[u8; 32],
    pages: i32,
    content: &[u8],
) -> Result<(), StoreError> {
    let size = i32::try_from(content.len()).map_err(|_| {
        StoreError::corrupt("documents", "size_bytes", "larger than a column holds")
    })?;
    tx.execute(
        "INSERT INTO documents (id, trust_id, sha256, pages, size_bytes, content)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (trust_id, sha256) DO NOTHING",
        &[
            &DocumentId::random().as_uuid(),
            &trust.as_uuid(),
            &sha256.as_slice(),
            &pages,
            &size,
            &content,
        ],
    )
    .await
    .map(drop)
}
