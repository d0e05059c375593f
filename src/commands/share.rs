//! A patient lets a carer see something, or something else than before.

use letterbox_domain::circle::Grant;
use letterbox_domain::id::AccountId;

use crate::store::{Store, StoreError};

pub use crate::store::grants::NewGrant;

/// Why nothing is shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// Only a patient has something to share.
    #[error("this account has no mailbox to share")]
    NoMailbox,
    /// Nobody is their own carer.
    #[error("a patient cannot be their own carer")]
    OwnCarer,
    /// A grant without any tick is a withdrawal: use that.
    #[error("nothing is ticked: withdraw the carer instead")]
    NothingTicked,
    /// Words for the relationship are missing or too long.
    #[error("say in 1 to 60 characters what the carer is to you")]
    Relationship,
    /// Try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives a grant, or changes the one that this carer has. Takes effect with the commit.
///
/// # Errors
/// [`ShareError`].
pub async fn share(store: &Store, patient: AccountId, new: &NewGrant) -> Result<Grant, ShareError> {
    if new.carer == patient {
        return Err(ShareError::OwnCarer);
    }
    if new.ticks.is_empty() {
        return Err(ShareError::NothingTicked);
    }
    if !(1..=60).contains(&new.relationship.trim().chars().count()) {
        return Err(ShareError::Relationship);
    }
    store
        .share(patient, new)
        .await?
        .ok_or(ShareError::NoMailbox)
}
