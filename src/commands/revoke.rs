//! A patient withdraws a carer, or a carer leaves. From the commit on, pages, downloads and catch-up obey; this node's
//! sockets when the caller has woken the mailbox; other nodes once they have compared, which [`is_settled`] tells.

use letterbox_domain::id::{AccountId, GrantId};

use crate::store::{Store, StoreError};

pub use crate::store::grants::Revoked;

/// Withdraws; `None` for a grant that is not this account's to withdraw. Twice is the same as once.
///
/// # Errors
/// Any [`StoreError`].
pub async fn revoke(
    store: &Store,
    account: AccountId,
    grant: GrantId,
) -> Result<Option<Revoked>, StoreError> {
    store.revoke(account, grant).await
}

/// Whether every node obeys the withdrawal: "Withdrawing…" may become "Withdrawn".
///
/// # Errors
/// Any [`StoreError`].
pub async fn is_settled(store: &Store, grant: GrantId) -> Result<bool, StoreError> {
    store.revocation_settled(grant).await
}
