//! Refused input on the trust's page: unseen, it would be a lost letter.

use letterbox_domain::id::TrustId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CommandError, Refusal, TrustSystem, calendars};
use crate::store::history::{self, Entry};
use crate::store::quarantine::{self, NewQuarantine, Quarantined};
use crate::store::{Principal, Store, Tx, people, policies};

/// Most rows of one page.
pub const PAGE: i64 = 100;

/// The trust's open refusals after `after`, oldest first, at most [`PAGE`].
///
/// # Errors
/// [`CommandError::Store`].
pub async fn quarantined(
    store: &Store,
    sender: &TrustSystem,
    after: Option<Uuid>,
) -> Result<Vec<Quarantined>, CommandError> {
    let tx = store.begin(&sender.principal()).await?;
    let rows = quarantine::list(&tx, sender.trust, after, PAGE).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Lays refused input before a person, in a transaction of its own: for input that failed before any command.
///
/// # Errors
/// [`CommandError::Store`]; the sender must then be told to send it again.
pub async fn quarantine(
    store: &Store,
    sender: &TrustSystem,
    kind: &'static str,
    source_id: Option<&str>,
    refusal: &Refusal,
    body: Value,
) -> Result<(), CommandError> {
    let body = &body;
    let work = |tx: Tx| async move {
        lay(&tx, sender.trust, kind, source_id, refusal, body.clone()).await
    };
    store
        .run("quarantine.insert", &sender.principal(), work)
        .await
}

/// The same inside a transaction.
pub(super) async fn lay(
    tx: &Tx,
    trust: TrustId,
    kind: &'static str,
    source_id: Option<&str>,
    refusal: &Refusal,
    body: Value,
) -> Result<(), CommandError> {
    let (now, version) = people::now(tx, trust).await?;
    let policy = policies::get(tx, trust, version).await?;
    let look_by = policy.escalate_after.after(now, calendars());
    let new = NewQuarantine {
        kind,
        source_id,
        code: refusal.code.name(),
        detail: &refusal.detail,
        body,
    };
    Ok(quarantine::insert(tx, trust, look_by, &[new]).await?)
}

/// A person has dealt with it; false when there was nothing open of that id in this trust.
///
/// # Errors
/// [`CommandError::Store`].
pub async fn resolve_quarantined(
    store: &Store,
    principal: &Principal,
    trust: TrustId,
    id: Uuid,
    by: Uuid,
) -> Result<bool, CommandError> {
    let work = |tx: Tx| async move {
        let resolved = quarantine::resolve(&tx, trust, id, by).await?;
        if resolved {
            let entry = Entry {
                trust: trust.as_uuid(),
                patient: None,
                subject_kind: "quarantine",
                subject: id,
                kind: "quarantine.resolved",
                policy_version: None,
                facts: json!({}),
            };
            history::append(&tx, principal, &[entry]).await?;
        }
        Ok(resolved)
    };
    store.run("quarantine.resolve", principal, work).await
}
