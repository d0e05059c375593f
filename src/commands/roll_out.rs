//! A manager changes which letters of the trust come to the portal, and from when.

use letterbox_domain::id::{AccountId, TrustId};

use super::forms::check_line;
use super::{CommandError, CommandError::Refused};
use crate::store::Store;

pub use crate::store::roll_out::RollOutChange;

/// Longest name of a specialty, as the intake takes it.
const SPECIALTY: usize = 100;

/// Writes one row of the matrix; `false` for anybody but a manager of this trust.
///
/// # Errors
/// [`CommandError::Refused`] for a specialty that is empty or too long; else when the store does not answer.
pub async fn change_roll_out(
    store: &Store,
    account: AccountId,
    trust: TrustId,
    change: &RollOutChange,
) -> Result<bool, CommandError> {
    check_line("/specialty", &change.specialty, SPECIALTY).map_err(Refused)?;
    Ok(store.change_roll_out(account, trust, change).await?)
}
