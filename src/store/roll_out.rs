//! Changing the roll-out matrix: by a manager of the trust, with history and audit in the same commit. Letters that
//! are here keep the route they were given; only later ones read the new row.

use chrono::{DateTime, Utc};
use letterbox_domain::circle::Role;
use letterbox_domain::id::{AccountId, TrustId};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::route::Route;
use serde_json::json;

use super::audit::{self, Seen};
use super::{Principal, Store, StoreError, Tx, history, pages};

/// A row as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollOutChange {
    /// The trust's word for it, or `*` for every specialty without a row of its own.
    pub specialty: String,
    /// Which letters.
    pub kind: LetterKind,
    /// From when they come to the portal.
    pub live_from: DateTime<Utc>,
    /// Whose the paper of somebody is who has not joined.
    pub paper: Route,
}

const WRITE: &str = "
    INSERT INTO rollout (trust_id, specialty, letter_kind, live_from, non_member_route, changed_at, changed_by)
    VALUES ($1, $2, $3, $4, $5, app_now(), $6)
    ON CONFLICT (trust_id, specialty, letter_kind) DO UPDATE SET live_from = excluded.live_from,
        non_member_route = excluded.non_member_route, changed_at = excluded.changed_at, changed_by = excluded.changed_by";

impl Store {
    /// Writes one row; `false` for anybody but a manager of this trust, whose attempt is in the audit.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn change_roll_out(
        &self,
        account: AccountId,
        trust: TrustId,
        change: &RollOutChange,
    ) -> Result<bool, StoreError> {
        let principal = Principal::Account { account };
        let write = |tx: Tx| async move { write(&tx, account, trust, change).await };
        self.run("rollout.change", &principal, write).await
    }
}

async fn write(
    tx: &Tx,
    account: AccountId,
    trust: TrustId,
    change: &RollOutChange,
) -> Result<bool, StoreError> {
    let roles = pages::staff_roles(tx, account, trust).await?;
    let allowed = roles.contains(&Role::Manager);
    let seen = Seen {
        account: Some(account),
        trust: Some(trust),
        patient: None,
        action: "rollout.change",
        object_kind: "trust",
        object: Some(trust.as_uuid()),
        allowed,
        request: None,
    };
    audit::write(tx, &seen).await?;
    if !allowed {
        return Ok(false);
    }
    let paper = match change.paper {
        Route::YouPost => Route::YouPost,
        Route::WePost | Route::Portal => Route::WePost,
    };
    let params: super::Params<'_> = &[
        &trust.as_uuid(),
        &change.specialty,
        &change.kind.name(),
        &change.live_from,
        &paper.name(),
        &account.as_uuid(),
    ];
    tx.execute(WRITE, params).await?;
    let line = history::Entry {
        trust: trust.as_uuid(),
        patient: None,
        subject_kind: "trust",
        subject: trust.as_uuid(),
        kind: "rollout.changed",
        policy_version: None,
        facts: json!({
            "specialty": change.specialty, "kind": change.kind.name(), "live_from": change.live_from, "paper": paper.name(),
        }),
    };
    history::append(tx, &Principal::Account { account }, &[line]).await?;
    Ok(true)
}
