//! A patient wants paper: this letter too, or all letters from now on.

use letterbox_domain::id::{AccountId, LetterId};

use crate::store::ladder::LadderStore;
use crate::store::{Store, StoreError};

pub use crate::store::paper::PaperAnswer;

/// Posts this letter too. One print item in all, however often it is asked for, and also where the deadline would
/// have posted it anyway.
///
/// # Errors
/// Any [`StoreError`].
pub async fn ask_paper(
    ladder: &LadderStore,
    account: AccountId,
    letter: LetterId,
) -> Result<PaperAnswer, StoreError> {
    ladder.ask_paper(account, letter).await
}

/// "Always post my letters", or no longer: the route of every later letter. `false` for an account without a mailbox.
///
/// # Errors
/// Any [`StoreError`].
pub async fn always_post(
    store: &Store,
    account: AccountId,
    always: bool,
) -> Result<bool, StoreError> {
    store.always_post(account, always).await
}
