//! A person opens the details of an appointment by a form of their own: that is reading it, as it now stands.

use letterbox_domain::event::Event;
use letterbox_domain::id::{AccountId, AppointmentId};

use crate::store::openings::{self, Opening};
use crate::store::{Principal, Store, StoreError, Tx};

/// Opens it; `None` when there is no such appointment for this account. Idempotent. A carer who may not read for the
/// patient may look, and that look is recorded as theirs and changes nothing.
///
/// # Errors
/// Any [`StoreError`].
pub async fn open_appointment(
    store: &Store,
    account: AccountId,
    appointment: AppointmentId,
) -> Result<Option<Vec<Event>>, StoreError> {
    let open = |tx: Tx| async move { openings::open_appointment(&tx, account, appointment).await };
    let opening = store
        .run("appointments.open", &Principal::Account { account }, open)
        .await?;
    Ok(match opening {
        Opening::Forbidden => None,
        Opening::Unchanged => Some(Vec::new()),
        Opening::Opened(events) => Some(events),
    })
}
