//! A patient lets a carer see something else than before. Who is let in at all is decided by an invitation.

use letterbox_domain::circle::{Grant, Ticks};
use letterbox_domain::id::{AccountId, GrantId};

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
    /// The grant is not this patient's, or no longer stands.
    #[error("there is no such grant")]
    NoSuchGrant,
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

/// Gives a carer other ticks. Takes effect with the commit: pages, downloads, catch-up and queued mails obey.
///
/// # Errors
/// [`ShareError`]; nothing ticked is refused, because that is a withdrawal.
pub async fn change(
    store: &Store,
    patient: AccountId,
    grant: GrantId,
    ticks: Ticks,
    may_read_for_me: bool,
) -> Result<Grant, ShareError> {
    if ticks.is_empty() {
        return Err(ShareError::NothingTicked);
    }
    store
        .change_grant(patient, grant, ticks, may_read_for_me)
        .await?
        .ok_or(ShareError::NoSuchGrant)
}
