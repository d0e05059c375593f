//! Accounts, the identities that open them, and memberships: made and ended here. Decides nothing.

use chrono::{DateTime, NaiveDate, Utc};
use letterbox_domain::id::{AccountId, GrantId, GrantsVersion, PatientId};
use letterbox_domain::joining::Left;
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts::{self, Act};
use super::audit::{self, Seen};
use super::{StoreError, Tx};

/// Whoever an identity belongs to.
pub struct Known {
    pub account: AccountId,
    /// The NHS number of the mailbox they are a member of.
    pub mailbox: Option<String>,
}

/// The mailbox with an NHS number. No `Debug`: it is somebody.
pub struct Mailbox {
    pub patient: PatientId,
    pub family_name: String,
    pub birth_date: NaiveDate,
    pub is_deceased: bool,
    /// Its member today.
    pub member: Option<AccountId>,
}

/// An account to be opened.
#[derive(Clone, Copy)]
pub struct NewAccount<'a> {
    pub account: AccountId,
    pub name: &'a str,
    /// Verified.
    pub email: &'a str,
    /// Verified, in E.164.
    pub mobile: Option<&'a str>,
}

/// A membership that has ended, with the grants that ended with it.
pub struct Ended {
    pub patient: PatientId,
    pub grants: Vec<GrantId>,
    pub version: GrantsVersion,
}

/// Somebody whom we cannot place.
#[derive(Clone, Copy)]
pub struct Mismatch<'a> {
    /// `number_changed`, `other_login` or `details_differ`.
    pub kind: &'static str,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub account: Option<AccountId>,
    pub patient: Option<PatientId>,
    pub nhs_number: Option<&'a str>,
}

const KNOWN: &str = "
    SELECT a.id, p.nhs_number
    FROM identities i JOIN accounts a ON a.id = i.account_id AND a.closed_at IS NULL
    LEFT JOIN memberships m ON m.account_id = a.id AND m.left_at IS NULL
    LEFT JOIN patients p ON p.id = m.patient_id
    WHERE i.issuer = $1 AND i.subject = $2";

const MAILBOX: &str = "
    SELECT p.id, p.family_name, p.birth_date, p.deceased_at IS NOT NULL AS is_deceased,
           (SELECT m.account_id FROM memberships m WHERE m.patient_id = p.id AND m.left_at IS NULL) AS member
    FROM patients p WHERE p.nhs_number = $1
    FOR NO KEY UPDATE OF p";

const EMAIL_TAKEN: &str = "
    SELECT FROM accounts WHERE lower(email) = lower($1) AND closed_at IS NULL AND email IS NOT NULL
        AND id IS DISTINCT FROM $2";

const OPEN: &str = "
    INSERT INTO accounts (id, kind, display_name, email, email_verified_at, mobile, mobile_verified_at)
    VALUES ($1, 'person', $2, $3, app_now(), $4, CASE WHEN $4::text IS NULL THEN NULL ELSE app_now() END)
    ON CONFLICT (lower(email)) WHERE closed_at IS NULL AND email IS NOT NULL DO NOTHING";

/// An identity whose account was closed may open another one.
const BIND: &str = "
    INSERT INTO identities (issuer, subject, account_id) VALUES ($1, $2, $3)
    ON CONFLICT (issuer, subject) DO UPDATE SET account_id = excluded.account_id, created_at = app_now()
    WHERE (SELECT closed_at FROM accounts WHERE id = identities.account_id) IS NOT NULL";

/// Coming back begins afresh: only what is sent from now on comes here.
const JOIN: &str = "
    INSERT INTO memberships (patient_id, account_id, joined_at, consent_version, practice_code)
    VALUES ($1, $2, app_now(), $3, $4)
    ON CONFLICT (patient_id) DO UPDATE SET account_id = excluded.account_id, joined_at = excluded.joined_at,
        consent_version = excluded.consent_version, practice_code = excluded.practice_code,
        paper_since = NULL, left_at = NULL, left_reason = NULL, reminders = NULL, reminders_since = NULL
    WHERE memberships.left_at IS NOT NULL";

const LEAVE: &str = "
    UPDATE memberships SET left_at = app_now(), left_reason = $2 WHERE account_id = $1 AND left_at IS NULL
    RETURNING patient_id";

const RAISE: &str = "UPDATE patients SET grants_version = grants_version + 1 WHERE id = $1 RETURNING grants_version";

const REVOKE_ALL: &str = "
    UPDATE grants SET revoked_at = app_now(), revocation_committed_by = NULL, version = $2
    WHERE patient_id = $1 AND revoked_at IS NULL RETURNING id";

const NOTE: &str = "
    INSERT INTO identity_mismatches (id, kind, issuer, subject, account_id, patient_id, nhs_number)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (issuer, subject, kind) WHERE closed_at IS NULL
    DO UPDATE SET times = identity_mismatches.times + 1, nhs_number = excluded.nhs_number";

/// The transaction's time.
///
/// # Errors
/// Any [`StoreError`], as with everything here.
pub async fn now(tx: &Tx) -> Result<DateTime<Utc>, StoreError> {
    Ok(tx.query_one("SELECT app_now()", &[]).await?.get(0))
}

/// Whose identity this is; `None` for a stranger and for whoever has closed their account.
pub async fn known(tx: &Tx, issuer: &str, subject: &str) -> Result<Option<Known>, StoreError> {
    let row = tx.query_opt(KNOWN, &[&issuer, &subject]).await?;
    Ok(row.map(|row| Known {
        account: row.get::<_, Uuid>(0).into(),
        mailbox: row.get(1),
    }))
}

/// The mailbox with this NHS number, locked.
pub async fn mailbox(tx: &Tx, nhs_number: &str) -> Result<Option<Mailbox>, StoreError> {
    let row = tx.query_opt(MAILBOX, &[&nhs_number]).await?;
    Ok(row.map(|row| Mailbox {
        patient: row.get::<_, Uuid>("id").into(),
        family_name: row.get("family_name"),
        birth_date: row.get("birth_date"),
        is_deceased: row.get("is_deceased"),
        member: row.get::<_, Option<Uuid>>("member").map(AccountId::from),
    }))
}

/// Whether an open account other than `own` has this address.
pub async fn is_email_taken(
    tx: &Tx,
    email: &str,
    own: Option<AccountId>,
) -> Result<bool, StoreError> {
    let own = own.map(Uuid::from);
    Ok(tx.query_opt(EMAIL_TAKEN, &[&email, &own]).await?.is_some())
}

/// Opens an account for an identity; `false` when another open account has the address.
pub async fn open(
    tx: &Tx,
    new: &NewAccount<'_>,
    issuer: &str,
    subject: &str,
) -> Result<bool, StoreError> {
    let id = new.account.as_uuid();
    let opened = tx
        .execute(OPEN, &[&id, &new.name, &new.email, &new.mobile])
        .await?;
    if opened == 0 {
        return Ok(false);
    }
    if tx.execute(BIND, &[&issuer, &subject, &id]).await? == 0 {
        // The other tab of the same person was quicker; asked again, the account is found.
        return Err(StoreError::Contention(
            "this identity has just opened an account".to_owned(),
        ));
    }
    record(tx, new.account, None, "account.opened", json!({})).await?;
    Ok(true)
}

/// Makes the account the mailbox's member.
pub async fn join(
    tx: &Tx,
    account: AccountId,
    patient: PatientId,
    consent_version: i32,
    practice_code: Option<&str>,
) -> Result<(), StoreError> {
    let params: super::Params<'_> = &[
        &patient.as_uuid(),
        &account.as_uuid(),
        &consent_version,
        &practice_code,
    ];
    if tx.execute(JOIN, params).await? == 0 {
        return Err(StoreError::Contention(
            "this mailbox has just got a member".to_owned(),
        ));
    }
    let facts = json!({ "consent_version": consent_version });
    record(tx, account, Some(patient), "membership.began", facts).await
}

/// Ends the account's membership and everything that was shared out of its mailbox.
pub async fn leave(tx: &Tx, account: AccountId, why: Left) -> Result<Option<Ended>, StoreError> {
    let Some(row) = tx
        .query_opt(LEAVE, &[&account.as_uuid(), &why.name()])
        .await?
    else {
        return Ok(None);
    };
    let patient: Uuid = row.get(0);
    let version: i64 = tx.query_one(RAISE, &[&patient]).await?.get(0);
    let rows = tx.query(REVOKE_ALL, &[&patient, &version]).await?;
    let grants: Vec<GrantId> = rows
        .iter()
        .map(|row| row.get::<_, Uuid>(0).into())
        .collect();
    let facts = json!({ "reason": why.name(), "grants": grants.len() });
    record(tx, account, Some(patient.into()), "membership.ended", facts).await?;
    Ok(Some(Ended {
        patient: patient.into(),
        grants,
        version: GrantsVersion(version),
    }))
}

/// Lays somebody before the help desk; once, however often they try.
pub async fn note_mismatch(tx: &Tx, mismatch: &Mismatch<'_>) -> Result<(), StoreError> {
    let account = mismatch.account.map(Uuid::from);
    let patient = mismatch.patient.map(Uuid::from);
    tx.execute(
        NOTE,
        &[
            &Uuid::now_v7(),
            &mismatch.kind,
            &mismatch.issuer,
            &mismatch.subject,
            &account,
            &patient,
            &mismatch.nhs_number,
        ],
    )
    .await?;
    let seen = Seen {
        account: mismatch.account,
        trust: None,
        patient: mismatch.patient,
        action: "sign_in.mismatch",
        object_kind: "identity",
        object: None,
        allowed: false,
        request: None,
    };
    audit::write(tx, &seen).await
}

/// A sign-in, or the attempt at one, of a known account.
pub async fn note_sign_in(
    tx: &Tx,
    account: AccountId,
    action: &'static str,
    allowed: bool,
) -> Result<(), StoreError> {
    let seen = Seen {
        account: Some(account),
        trust: None,
        patient: None,
        action,
        object_kind: "account",
        object: Some(account.as_uuid()),
        allowed,
        request: None,
    };
    audit::write(tx, &seen).await
}

/// See [`acts`].
async fn record(
    tx: &Tx,
    account: AccountId,
    patient: Option<PatientId>,
    kind: &'static str,
    facts: Value,
) -> Result<(), StoreError> {
    let act = Act {
        account,
        patient,
        object_kind: "account",
        object: account.as_uuid(),
        kind,
        facts,
    };
    acts::note(tx, act).await
}
