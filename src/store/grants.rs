//! Giving, changing and withdrawing grants. Each raises the patient's grants version in the same commit: pages,
//! catch-up and this node's sockets obey from then on, other nodes once they have compared.

use chrono::{DateTime, Utc};
use letterbox_domain::{
    circle::{Grant, Ticks},
    id::{AccountId, GrantId, GrantsVersion, PatientId},
};
use serde_json::json;
use uuid::Uuid;

use super::acts::{self, Act};
use super::{Principal, Store, StoreError, Tx, locks};

/// What a patient ticks for a carer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Who may look.
    pub carer: AccountId,
    /// What they are to the patient, in the patient's words.
    pub relationship: String,
    /// The ticked boxes.
    pub ticks: Ticks,
    /// Whether this carer's opening counts as the patient's.
    pub may_read_for_me: bool,
}

/// A grant that was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The grant.
    pub grant: GrantId,
    /// Whose mailbox it opened.
    pub patient: PatientId,
    /// Who looked.
    pub carer: AccountId,
    /// The patient's circle as it stands now.
    pub version: GrantsVersion,
}

/// A node whose heartbeat is older than this shows nothing to carers any more, so nobody waits for it.
const LEASE_SECONDS: f64 = 10.0;

const OWN: &str = "SELECT patient_id FROM memberships WHERE account_id = $1 AND left_at IS NULL";

const RAISE: &str = "UPDATE patients SET grants_version = grants_version + 1 WHERE id = $1 RETURNING grants_version";

/// Events up to now are nothing new to whoever is let in now; who stays keeps the wish for emails.
const GIVE: &str = "
    INSERT INTO grants AS g (id, patient_id, carer_account_id, relationship, ticks, may_read_for_me, version,
                             reading_since, told_seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $6 THEN app_now() END, (SELECT head_seq FROM patients WHERE id = $2))
    ON CONFLICT (patient_id, carer_account_id) DO UPDATE SET relationship = excluded.relationship,
        ticks = excluded.ticks, may_read_for_me = excluded.may_read_for_me, version = excluded.version,
        revoked_at = NULL, revocation_committed_by = NULL, carer_left = false,
        reading_since = excluded.reading_since, reading_asked_at = NULL, told_seq = excluded.told_seq,
        tell_carer = g.tell_carer AND g.revoked_at IS NULL
    RETURNING id";

/// The same carer with other ticks. A tick for reading that the patient has just seen holds from now on.
const CHANGE: &str = "
    UPDATE grants SET ticks = $3, may_read_for_me = $4, version = $5,
        reading_since = CASE WHEN $4 THEN app_now() END, reading_asked_at = NULL
    WHERE id = $1 AND patient_id = $2 AND revoked_at IS NULL
    RETURNING carer_account_id";

/// Only what comes after the wish is worth an email.
const TELL: &str = "
    UPDATE grants g SET tell_carer = g.id = ANY ($2),
        told_seq = CASE WHEN g.tell_carer THEN g.told_seq ELSE p.head_seq END
    FROM patients p
    WHERE g.carer_account_id = $1 AND g.revoked_at IS NULL AND p.id = g.patient_id AND g.tell_carer <> (g.id = ANY ($2))";

const TELL_TOO: &str = "
    UPDATE grants SET tell_carer = true WHERE carer_account_id = $1 AND id = $2 AND revoked_at IS NULL";

/// By the patient, or by the carer who leaves.
const FIND: &str = "
    SELECT g.patient_id, g.carer_account_id FROM grants g WHERE g.id = $1 AND (g.carer_account_id = $2 OR EXISTS (
        SELECT FROM memberships m WHERE m.account_id = $2 AND m.patient_id = g.patient_id AND m.left_at IS NULL))";

const REVOKE: &str = "
    UPDATE grants SET revoked_at = app_now(), revocation_committed_by = NULL, version = $2,
                      carer_left = (carer_account_id = $3)
    WHERE id = $1 AND revoked_at IS NULL";

/// Written after the commit: whoever compares heads later than this has seen the withdrawal.
const COMMITTED: &str = "
    UPDATE grants SET revocation_committed_by = app_now()
    WHERE id = $1 AND revoked_at IS NOT NULL AND revocation_committed_by IS NULL";

/// Where a process died before it could write that instant, a transaction's longest life stands in for it.
const SETTLED: &str = "
    SELECT g.revoked_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM nodes n
        WHERE n.stopped_at IS NULL AND n.heartbeat_at > app_now() - make_interval(secs => $2)
          AND (n.polled_from IS NULL
               OR n.polled_from <= coalesce(g.revocation_committed_by, g.revoked_at + interval '60 seconds')))
    FROM grants g WHERE g.id = $1";

/// The mailbox that belongs to this account.
async fn own_mailbox(tx: &Tx, account: AccountId) -> Result<Option<Uuid>, StoreError> {
    let row = tx.query_opt(OWN, &[&account.as_uuid()]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn raise(tx: &Tx, patient: Uuid) -> Result<i64, StoreError> {
    locks::patients(tx, &[patient]).await?;
    Ok(tx.query_one(RAISE, &[&patient]).await?.try_get(0)?)
}

/// Notes that the patient's circle is another one now: open pages about it read it again.
///
/// # Errors
/// Any [`StoreError`].
pub async fn touch(tx: &Tx, patient: PatientId) -> Result<GrantsVersion, StoreError> {
    raise(tx, patient.as_uuid()).await.map(GrantsVersion)
}

/// Gives a grant, or changes the one that this carer has. `actor` is whoever made it happen: the patient, or the
/// carer who accepts.
///
/// # Errors
/// Any [`StoreError`].
pub async fn give(
    tx: &Tx,
    actor: AccountId,
    patient: PatientId,
    new: &NewGrant,
) -> Result<Grant, StoreError> {
    let version = raise(tx, patient.as_uuid()).await?;
    let params: super::Params<'_> = &[
        &Uuid::now_v7(),
        &patient.as_uuid(),
        &new.carer.as_uuid(),
        &new.relationship,
        &new.ticks.names(),
        &new.may_read_for_me,
        &version,
    ];
    let id: Uuid = tx.query_one(GIVE, params).await?.try_get(0)?;
    let grant = Grant {
        id: id.into(),
        patient,
        carer: new.carer,
        ticks: new.ticks,
        may_read_for_me: new.may_read_for_me,
        version: GrantsVersion(version),
    };
    record(
        tx,
        actor,
        grant.id,
        patient.as_uuid(),
        "grant.given",
        facts(&grant),
    )
    .await?;
    Ok(grant)
}

fn facts(grant: &Grant) -> serde_json::Value {
    json!({"ticks": grant.ticks.names(), "may_read_for_me": grant.may_read_for_me, "version": grant.version.get()})
}

impl Store {
    /// Gives a grant, or changes the one that this carer has; `None` for an account without a mailbox.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn share(
        &self,
        account: AccountId,
        new: &NewGrant,
    ) -> Result<Option<Grant>, StoreError> {
        let principal = Principal::Account { account };
        let give = |tx: Tx| async move {
            let Some(patient) = own_mailbox(&tx, account).await? else {
                return Ok::<_, StoreError>(None);
            };
            let grant = give(&tx, account, patient.into(), new).await?;
            Ok(Some(grant))
        };
        self.run("grants.share", &principal, give).await
    }

    /// Withdraws a grant, for the patient or for the carer who leaves; `None` for anybody else's. Withdrawing twice
    /// is the same as once.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn revoke(
        &self,
        account: AccountId,
        grant: GrantId,
    ) -> Result<Option<Revoked>, StoreError> {
        let principal = Principal::Account { account };
        let withdraw = |tx: Tx| async move {
            let Some(row) = tx
                .query_opt(FIND, &[&grant.as_uuid(), &account.as_uuid()])
                .await?
            else {
                return Ok::<_, StoreError>(None);
            };
            let (patient, carer): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            let version = raise(&tx, patient).await?;
            if tx
                .execute(REVOKE, &[&grant.as_uuid(), &version, &account.as_uuid()])
                .await?
                == 1
            {
                record(
                    &tx,
                    account,
                    grant,
                    patient,
                    "grant.revoked",
                    json!({"version": version}),
                )
                .await?;
            }
            Ok(Some(Revoked {
                grant,
                patient: patient.into(),
                carer: carer.into(),
                version: GrantsVersion(version),
            }))
        };
        let revoked = self.run("grants.revoke", &principal, withdraw).await?;
        if revoked.is_some() {
            let note = |tx: Tx| async move { tx.execute(COMMITTED, &[&grant.as_uuid()]).await };
            self.run("grants.committed", &principal, note).await?;
        }
        Ok(revoked)
    }

    /// Gives a standing grant other ticks; `None` for a grant that is not this patient's or no longer stands.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn change_grant(
        &self,
        account: AccountId,
        grant: GrantId,
        ticks: Ticks,
        may_read_for_me: bool,
    ) -> Result<Option<Grant>, StoreError> {
        let change = |tx: Tx| async move {
            let Some(patient) = own_mailbox(&tx, account).await? else {
                return Ok::<_, StoreError>(None);
            };
            let version = raise(&tx, patient).await?;
            let (id, names) = (grant.as_uuid(), ticks.names());
            let params: super::Params<'_> = &[&id, &patient, &names, &may_read_for_me, &version];
            let Some(row) = tx.query_opt(CHANGE, params).await? else {
                return Ok(None);
            };
            let changed = Grant {
                id: grant,
                patient: patient.into(),
                carer: row.try_get::<_, Uuid>(0)?.into(),
                ticks,
                may_read_for_me,
                version: GrantsVersion(version),
            };
            record(
                &tx,
                account,
                grant,
                patient,
                "grant.changed",
                facts(&changed),
            )
            .await?;
            Ok(Some(changed))
        };
        self.run("grants.change", &Principal::Account { account }, change)
            .await
    }

    /// Of which grants this carer wants an email when there is something new; no other grant of theirs.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn tell_carer(&self, carer: AccountId, of: &[GrantId]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = of.iter().map(GrantId::as_uuid).collect();
        let tx = self.begin(&Principal::Account { account: carer }).await?;
        tx.execute(TELL, &[&carer.as_uuid(), &ids]).await?;
        tx.commit().await
    }

    /// The same for one grant more: asked for with the answer to an invitation.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn tell_carer_too(&self, carer: AccountId, grant: GrantId) -> Result<(), StoreError> {
        let tx = self.begin(&Principal::Account { account: carer }).await?;
        tx.execute(TELL_TOO, &[&carer.as_uuid(), &grant.as_uuid()])
            .await?;
        tx.commit().await
    }

    /// Whether every node obeys a withdrawal: each has compared since, or its lease has lapsed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn revocation_settled(&self, grant: GrantId) -> Result<bool, StoreError> {
        let tx = self.begin(&Principal::SERVER).await?;
        let row = tx
            .query_opt(SETTLED, &[&grant.as_uuid(), &LEASE_SECONDS])
            .await?;
        tx.commit().await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
    }

    /// When a grant was withdrawn, if it was.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn revoked_at(&self, grant: GrantId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let tx = self.begin(&Principal::SERVER).await?;
        let row = tx
            .query_opt(
                "SELECT revoked_at FROM grants WHERE id = $1",
                &[&grant.as_uuid()],
            )
            .await?;
        tx.commit().await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
    }
}

/// See [`acts`].
pub(super) async fn record(
    tx: &Tx,
    account: AccountId,
    grant: GrantId,
    patient: Uuid,
    kind: &'static str,
    facts: serde_json::Value,
) -> Result<(), StoreError> {
    let act = Act {
        account,
        patient: Some(patient.into()),
        object_kind: "grant",
        object: grant.as_uuid(),
        kind,
        facts,
    };
    acts::note(tx, act).await
}
