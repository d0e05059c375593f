//! The one policy function: what an account may look at. Pages, API, sockets, downloads and print previews call this
//! and nothing else. The default is nothing.
//!
//! What a [`Viewer`] sees of a mailbox, item by item, is the domain's rule ([`Viewer::sees`]); here it is only decided
//! whether there is a viewer at all.

use letterbox_domain::circle::{Role, Viewer};
use letterbox_domain::id::{AccountId, PatientId, TrustId};

use crate::store::{Store, StoreError};

/// As whom this account looks into this patient's mailbox: the patient by membership, a carer by a standing grant,
/// anybody else not at all.
///
/// # Errors
/// When the store does not answer; nothing is shown then.
pub async fn may_view_mailbox(
    store: &Store,
    account: AccountId,
    patient: PatientId,
) -> Result<Option<Viewer>, StoreError> {
    store.viewer(account, patient).await
}

/// The most far-reaching role of this account at this trust, if it is staff there.
///
/// # Errors
/// When the store does not answer; nothing is shown then.
pub async fn staff_role(
    store: &Store,
    account: AccountId,
    trust: TrustId,
) -> Result<Option<Role>, StoreError> {
    store.staff_role(account, trust).await
}
