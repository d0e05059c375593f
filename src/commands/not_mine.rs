//! A patient says that a letter is not theirs, or takes that back within ten minutes. What the trust does about it is
//! a task on its board: see [`close_task`](super::close_task).

use letterbox_domain::id::{AccountId, LetterId};

use crate::store::StoreError;
use crate::store::ladder::LadderStore;

pub use crate::store::disputes::DisputeAnswer;

/// Locks the letter away, hides it from carers, stops what waited for it and asks the trust's information governance.
/// Only the patient can; saying it twice is the same as once.
///
/// # Errors
/// Any [`StoreError`].
pub async fn say_not_mine(
    ladder: &LadderStore,
    account: AccountId,
    letter: LetterId,
) -> Result<DisputeAnswer, StoreError> {
    ladder.say_not_mine(account, letter).await
}

/// Puts everything back as it was, within ten minutes; a deadline that has passed meanwhile is taken at once.
///
/// # Errors
/// Any [`StoreError`].
pub async fn undo_not_mine(
    ladder: &LadderStore,
    account: AccountId,
    letter: LetterId,
) -> Result<DisputeAnswer, StoreError> {
    ladder.undo_not_mine(account, letter).await
}
