//! What a patient says about an appointment ("I'll be there", "please cancel", "another time"), and what the hospital
//! answers. None of it changes the appointment.

use letterbox_domain::change_request::Wish;
use letterbox_domain::id::{AccountId, AppointmentId, TrustId};
use uuid::Uuid;

use super::forms::check_text;
use super::{CommandError, calendars};
use crate::store::{Principal, Store, StoreError, change_requests};

pub use crate::store::change_requests::{AnswerAnswer, AskAnswer, WaitingRequest};

/// Longest note or message: a few sentences, as the page's box shows them.
pub const WORDS: usize = 500;

/// Asks for the appointment to be cancelled or moved.
///
/// # Errors
/// [`CommandError::Refused`] for a note that is too long; else when the store does not answer.
pub async fn ask_change(
    store: &Store,
    account: AccountId,
    appointment: AppointmentId,
    wish: Wish,
    note: Option<&str>,
) -> Result<AskAnswer, CommandError> {
    check_text("/note", note, WORDS)?;
    Ok(store
        .ask_change(account, appointment, wish, note, calendars())
        .await?)
}

/// Takes a waiting request back.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take_back_change(
    store: &Store,
    account: AccountId,
    appointment: AppointmentId,
) -> Result<AskAnswer, StoreError> {
    store.take_back_change(account, appointment).await
}

/// Says that the patient will be there.
///
/// # Errors
/// Any [`StoreError`].
pub async fn say_coming(
    store: &Store,
    account: AccountId,
    appointment: AppointmentId,
) -> Result<AskAnswer, StoreError> {
    store.coming(account, appointment).await
}

/// The hospital's answer to a request of its own patients. Once: a later one changes nothing.
///
/// # Errors
/// [`CommandError::Refused`] for a message that is too long; else when the store does not answer.
pub async fn answer_change(
    store: &Store,
    principal: &Principal,
    trust: TrustId,
    request: Uuid,
    accepted: bool,
    message: Option<&str>,
) -> Result<AnswerAnswer, CommandError> {
    check_text("/message", message, WORDS)?;
    Ok(store
        .answer_change(principal, trust, request, accepted, message)
        .await?)
}

/// Requests of the trust's patients that wait, the one that must be answered first in front.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting_requests(
    store: &Store,
    principal: &Principal,
    trust: TrustId,
) -> Result<Vec<WaitingRequest>, StoreError> {
    let tx = store.begin_snapshot(principal).await?;
    let found = change_requests::waiting(&tx, trust).await?;
    tx.commit().await?;
    Ok(found)
}
