//! A patient hides an item from the circle of care, or shows it again.

use letterbox_domain::event::{Event, ItemRef};
use letterbox_domain::id::AccountId;

use crate::store::{Store, StoreError};

/// Hides or shows; `None` when the item is not this account's own. Twice is the same as once.
///
/// # Errors
/// Any [`StoreError`].
pub async fn hide_item(
    store: &Store,
    account: AccountId,
    item: ItemRef,
    hidden: bool,
) -> Result<Option<Vec<Event>>, StoreError> {
    store.hide(account, item, hidden).await
}
