//! Who saw or tried what: one row before the first byte leaves. Added to, never changed or read by pages.

use letterbox_domain::id::{AccountId, PatientId, TrustId};
use uuid::Uuid;

use super::{StoreError, Tx};

/// A look, or the attempt at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who, when signed in.
    pub account: Option<AccountId>,
    /// At which trust, where one is concerned.
    pub trust: Option<TrustId>,
    /// Whose, where a patient is concerned.
    pub patient: Option<PatientId>,
    /// What was done: `letter.view`, `letter.download` …
    pub action: &'static str,
    /// `letter`, `appointment`, `grant`, `task` …
    pub object_kind: &'static str,
    /// Which.
    pub object: Option<Uuid>,
    /// False for an attempt that was refused.
    pub allowed: bool,
    /// The request, to find its log lines.
    pub request: Option<Uuid>,
}

const WRITE: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Writes one row.
///
/// # Errors
/// Any [`StoreError`].
pub async fn write(tx: &Tx, seen: &Seen) -> Result<(), StoreError> {
    let account = seen.account.map(Uuid::from);
    let (trust, patient) = (seen.trust.map(Uuid::from), seen.patient.map(Uuid::from));
    let params: super::Params<'_> = &[
        &account,
        &trust,
        &patient,
        &seen.action,
        &seen.object_kind,
        &seen.object,
        &seen.allowed,
        &seen.request,
    ];
    tx.execute(WRITE, params).await.map(drop)
}
