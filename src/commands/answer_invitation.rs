//! Somebody answers an invitation: only whoever has verified the invited address, once, and never by looking at it.
//!
//! Before the grant stands nothing of the patient's is visible to whoever answers, so this runs as the server itself,
//! after its own check of token and person.

use letterbox_domain::circle::Grant;
use letterbox_domain::id::{AccountId, GrantsVersion, PatientId};
use letterbox_domain::invitation::{Ended, NotYours, may_answer};
use letterbox_domain::time::local_date;

use super::invite::note;
use crate::store::audit::{self, Seen};
use crate::store::grants::{self, NewGrant};
use crate::store::invitations::{self, Found};
use crate::store::{Principal, Retryable, Store, StoreError, Tx, mails};

/// Why an invitation is not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is none under this token: never was, or a newer mail has another one.
    #[error("there is no such invitation")]
    NotFound,
    /// There is one, and it is not for this account, or not any more.
    #[error(transparent)]
    NotYours(#[from] NotYours),
    /// Try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retryable for AnswerError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_contention())
    }
}

/// The invitation under this token, as it stands. Changes nothing, whoever asks. Needs a transaction of the server's.
///
/// # Errors
/// Any [`StoreError`].
pub async fn look(tx: &Tx, token: &str) -> Result<Option<Found>, StoreError> {
    invitations::by_token(tx, &mails::sha256(token)).await
}

/// Whether this account may answer it now.
///
/// # Errors
/// [`AnswerError`].
pub async fn allowed(tx: &Tx, found: &Found, account: AccountId) -> Result<(), AnswerError> {
    let person = invitations::invitee(tx, account)
        .await?
        .ok_or(AnswerError::NotFound)?;
    may_answer(&found.terms, &person, local_date(found.now)).map_err(AnswerError::from)
}

/// The person wants to help: the grant stands from this commit on.
///
/// # Errors
/// [`AnswerError`]; a refusal is in the audit too.
pub async fn accept(
    store: &Store,
    account: AccountId,
    token: &str,
) -> Result<(Grant, GrantsVersion), AnswerError> {
    let write = |tx: Tx| async move {
        let found = match vouched(&tx, account, token).await {
            Ok(found) => found,
            Err(AnswerError::Store(error)) => return Err(AnswerError::Store(error)),
            // Committed: the attempt stays in the audit.
            Err(refused) => return Ok(Err(refused)),
        };
        let new = NewGrant {
            carer: account,
            relationship: found.relationship.clone(),
            ticks: found.ticks,
            may_read_for_me: found.may_read_for_me,
        };
        let grant = grants::give(&tx, account, found.patient, &new).await?;
        invitations::end(&tx, found.id, Ended::Accepted, Some(grant.id)).await?;
        let kind = "invitation.accepted";
        note(&tx, account, found.patient, found.id, kind).await?;
        Ok(Ok((grant, grant.version)))
    };
    store
        .run("invitations.accept", &Principal::SERVER, write)
        .await?
}

/// The person does not want to.
///
/// # Errors
/// [`AnswerError`]; a refusal is in the audit too.
pub async fn decline(
    store: &Store,
    account: AccountId,
    token: &str,
) -> Result<(PatientId, GrantsVersion), AnswerError> {
    let write = |tx: Tx| async move {
        let found = match vouched(&tx, account, token).await {
            Ok(found) => found,
            Err(AnswerError::Store(error)) => return Err(AnswerError::Store(error)),
            Err(refused) => return Ok(Err(refused)),
        };
        let version = grants::touch(&tx, found.patient).await?;
        invitations::end(&tx, found.id, Ended::Declined, None).await?;
        let kind = "invitation.declined";
        note(&tx, account, found.patient, found.id, kind).await?;
        Ok(Ok((found.patient, version)))
    };
    store
        .run("invitations.decline", &Principal::SERVER, write)
        .await?
}

/// Found, locked behind the patient, read again, and allowed.
async fn vouched(tx: &Tx, account: AccountId, token: &str) -> Result<Found, AnswerError> {
    let first = look(tx, token).await?.ok_or(AnswerError::NotFound)?;
    invitations::lock(tx, first.patient).await?;
    let found = look(tx, token).await?.ok_or(AnswerError::NotFound)?;
    let answer = allowed(tx, &found, account).await;
    if let Err(AnswerError::NotYours(_)) = &answer {
        // A refusal changes nothing and stands in the audit alone.
        let seen = Seen {
            account: Some(account),
            trust: None,
            patient: Some(found.patient),
            action: "invitation.answer",
            object_kind: "invitation",
            object: Some(found.id),
            allowed: false,
            request: None,
        };
        audit::write(tx, &seen).await?;
    }
    answer.map(|()| found)
}
