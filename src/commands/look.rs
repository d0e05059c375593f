//! Somebody looks at what they may see: nothing changes but the audit, which the patient reads as "Who looked".

use letterbox_domain::id::{AccountId, AppointmentId, LetterId, TrustId};

use crate::store::{Store, StoreError};

pub use crate::store::looks::{Closed, OnBoard};

/// At an appointment's details. The caller has asked whether they may.
///
/// # Errors
/// Any [`StoreError`]; nothing is to be shown then.
pub async fn at_appointment(
    store: &Store,
    account: AccountId,
    appointment: AppointmentId,
) -> Result<(), StoreError> {
    store.saw_appointment(account, appointment).await
}

/// At an opened letter's text, again. The caller has asked whether they may.
///
/// # Errors
/// Any [`StoreError`]; nothing is to be shown then.
pub async fn at_letter(
    store: &Store,
    account: AccountId,
    letter: LetterId,
) -> Result<(), StoreError> {
    store.saw_letter(account, letter).await
}

/// Somebody asked for a page that they may not see, and does not get it.
///
/// # Errors
/// Any [`StoreError`].
pub async fn turned_away(
    store: &Store,
    account: AccountId,
    from: Closed,
) -> Result<(), StoreError> {
    store.turned_away(account, from).await
}

/// At the names on a trust's board. The caller has asked whether they are its staff.
///
/// # Errors
/// Any [`StoreError`]; nothing is to be shown then.
pub async fn at_board(
    store: &Store,
    account: AccountId,
    trust: TrustId,
    shown: &OnBoard,
) -> Result<(), StoreError> {
    store.saw_board(account, trust, shown).await
}
