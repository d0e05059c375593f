//! A provider says what became of a message. The caller has checked that it is the provider who speaks.

use crate::store::StoreError;
use crate::store::ladder::LadderStore;

pub use crate::store::receipts::{About, Heard, Receipt};

/// Writes a receipt, in whatever order and number they come.
///
/// # Errors
/// Any [`StoreError`]: answer 503, so that the provider comes back.
pub async fn record_receipt(
    ladder: &LadderStore,
    receipt: Receipt<'_>,
) -> Result<Heard, StoreError> {
    ladder.hear(receipt).await
}
