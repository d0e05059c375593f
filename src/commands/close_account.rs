//! Somebody leaves the portal: unread letters go to the post first, then timers, grants, sessions and the account end.

use letterbox_domain::choice::Leaving;
use letterbox_domain::id::AccountId;

use crate::store::StoreError;
use crate::store::ladder::LadderStore;

pub use crate::store::closures::Closed;

/// Closes the account. `None`: there is none (any more), so a form that is sent twice closes once.
///
/// # Errors
/// Any [`StoreError`]; nothing has changed then.
pub async fn close_account(
    ladder: &LadderStore,
    account: AccountId,
    reason: Leaving,
) -> Result<Option<Closed>, StoreError> {
    ladder.close_account(account, reason).await
}
