//! What people decide for themselves (about their account, their carers, their invitations): a line of history and one
//! of audit, written with the decision. No trust is concerned, so the history stands under the nil id.

use letterbox_domain::id::{AccountId, PatientId};
use serde_json::Value;
use uuid::Uuid;

use super::audit::{self, Seen};
use super::{Principal, StoreError, Tx, history};

/// One decision.
pub struct Act {
    /// Who decided.
    pub account: AccountId,
    /// Whose mailbox it concerns; a carer's own account concerns none.
    pub patient: Option<PatientId>,
    /// `account`, `grant` or `invitation`.
    pub object_kind: &'static str,
    /// Which.
    pub object: Uuid,
    /// What was done: `invitation.sent`, `account.ways_chosen` …
    pub kind: &'static str,
    /// What the history keeps of it; nothing personal.
    pub facts: Value,
}

/// Writes both lines.
///
/// # Errors
/// Any [`StoreError`].
pub async fn note(tx: &Tx, act: Act) -> Result<(), StoreError> {
    let seen = Seen {
        account: Some(act.account),
        trust: None,
        patient: act.patient,
        action: act.kind,
        object_kind: act.object_kind,
        object: Some(act.object),
        allowed: true,
        request: None,
    };
    let line = history::Entry {
        trust: Uuid::nil(),
        patient: act.patient.map(Uuid::from),
        subject_kind: act.object_kind,
        subject: act.object,
        kind: act.kind,
        policy_version: None,
        facts: act.facts,
    };
    let actor = Principal::Account {
        account: act.account,
    };
    history::append(tx, &actor, &[line]).await?;
    audit::write(tx, &seen).await
}
