//! A file comes in, inspected already: stored once per trust, whichever letters refer to it.

use bytes::Bytes;

use super::{CommandError, TrustSystem};
use crate::store::{Store, StoreError, documents};

/// A file that may be shown and printed. `Debug` is not derived: its content is clinical.
pub struct NewDocument {
    /// Its name.
    pub sha256: [u8; 32],
    /// As inspected; at least 1.
    pub pages: u32,
    /// The file.
    pub content: Bytes,
}

/// How many pages a document has that this trust sent before.
///
/// # Errors
/// [`CommandError::Store`].
pub async fn known_document(
    store: &Store,
    sender: &TrustSystem,
    sha256: &[u8; 32],
) -> Result<Option<u32>, CommandError> {
    let tx = store.begin(&sender.principal()).await?;
    let pages = documents::pages(&tx, sender.trust, sha256).await?;
    tx.commit().await?;
    let positive = |pages| {
        u32::try_from(pages)
            .map_err(|error| CommandError::from(StoreError::corrupt("documents", "pages", error)))
    };
    pages.map(positive).transpose()
}

/// Stores a document; sent again, it changes nothing.
///
/// # Errors
/// [`CommandError::Store`]; sending the same document again is safe.
pub async fn put_document(
    store: &Store,
    sender: &TrustSystem,
    document: &NewDocument,
) -> Result<(), CommandError> {
    let pages = i32::try_from(document.pages)
        .map_err(|error| StoreError::corrupt("documents", "pages", error))?;
    store
        .run("documents.put", &sender.principal(), |tx| async move {
            documents::insert(
                &tx,
                sender.trust,
                &document.sha256,
                pages,
                &document.content,
            )
            .await?;
            Ok::<_, CommandError>(())
        })
        .await
}
