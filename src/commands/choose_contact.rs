//! A patient chooses how they are told of new letters, what would be unsafe, and how paper is printed. No deadline moves.

use letterbox_domain::choice::Print;
use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::Event;
use letterbox_domain::id::AccountId;

use crate::store::ladder::LadderStore;
use crate::store::{Store, StoreError};

pub use crate::store::choices::Ways;

/// By which ways the patient is told. Answers the events to ring; `None` for an account without a mailbox.
///
/// # Errors
/// Any [`StoreError`].
pub async fn choose_ways(
    ladder: &LadderStore,
    account: AccountId,
    ways: Ways,
) -> Result<Option<Vec<Event>>, StoreError> {
    ladder.choose_ways(account, ways).await
}

/// How the patient is reminded of appointments; `None`: not at all. `false` for an account without a mailbox.
///
/// # Errors
/// Any [`StoreError`].
pub async fn choose_reminders(
    store: &Store,
    account: AccountId,
    by: Option<Channel>,
) -> Result<bool, StoreError> {
    store.choose_reminders(account, by).await
}

/// How paper is printed; `None` leaves it to what the hospital has on file. `false` for an account without a mailbox.
///
/// # Errors
/// Any [`StoreError`].
pub async fn choose_print(
    ladder: &LadderStore,
    account: AccountId,
    print: Option<Print>,
) -> Result<bool, StoreError> {
    ladder.choose_print(account, print).await
}
