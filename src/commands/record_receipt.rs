//! A provider says what became of a message. The caller has checked that it is the provider who speaks.

use uuid::Uuid;

use crate::store::StoreError;
use crate::store::ladder::LadderStore;
use crate::store::receipts::twilio_state;

pub use crate::store::receipts::{About, Heard, Receipt};

/// Writes a receipt, in whatever order and number they come.
///
/// # Errors
/// Any [`StoreError`]: answer 503, so that the provider comes back.
pub async fn record_receipt(
    ladder: &LadderStore,
    receipt: Receipt<'_>,
) -> Result<Heard, StoreError> {
    ladder.hear(receipt).await
}

/// A Twilio status call-back: its message id, status and error code, and our own key if the address carried one.
/// A status that this version does not know says nothing.
///
/// # Errors
/// As [`record_receipt`].
pub async fn twilio_status(
    ladder: &LadderStore,
    sid: &str,
    status: &str,
    error_code: Option<&str>,
    key: Option<Uuid>,
) -> Result<Heard, StoreError> {
    let Some(said) = twilio_state(status) else {
        return Ok(Heard::Nothing);
    };
    let by_reference = Receipt {
        about: About::Reference(sid),
        said,
        code: error_code,
    };
    match (record_receipt(ladder, by_reference).await?, key) {
        // It overtook our own record of the answer, which would have told us the reference.
        (Heard::Unknown, Some(key)) => {
            record_receipt(
                ladder,
                Receipt {
                    about: About::Dispatch(key),
                    ..by_reference
                },
            )
            .await
        }
        (heard, _) => Ok(heard),
    }
}
