//! A member of staff takes a task, or says what came of it. What follows from that is the ladder's.

use letterbox_domain::id::{AccountId, TaskId};

use crate::store::StoreError;
use crate::store::ladder::LadderStore;

pub use crate::store::task_outcomes::{Done, MOST_TRIES, TaskAnswer};

/// Makes this person the task's owner; `false` when there is no such open task at a trust of theirs.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take_task(
    ladder: &LadderStore,
    account: AccountId,
    task: TaskId,
) -> Result<bool, StoreError> {
    ladder.take_task(account, task).await
}

/// Writes what came of a task. Only [`Done::Spoke`] and [`Done::Resolved`] end its case.
///
/// # Errors
/// Any [`StoreError`].
pub async fn close_task(
    ladder: &LadderStore,
    account: AccountId,
    task: TaskId,
    done: Done,
) -> Result<TaskAnswer, StoreError> {
    ladder.task_done(account, task, done).await
}
