//! Who is signed in, and whose mailbox or board they look at.

use chrono::{DateTime, Utc};
use letterbox_domain::circle::{Grant, Role};
use letterbox_domain::id::{AccountId, GrantId, PatientId, TrustId};
use uuid::Uuid;

use crate::store::{StoreError, Tx, circle};

/// The signed-in person as pages name them.
#[derive(Clone)]
pub struct Person {
    pub name: String,
    /// Their own mailbox.
    pub mailbox: Option<PatientId>,
    /// First name in that mailbox, for greetings.
    pub given_name: Option<String>,
    /// Whether somebody shares a mailbox with them.
    pub helps_others: bool,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}

/// What pages say about this account.
///
/// # Errors
/// Any [`StoreError`]; an account that does not exist counts as corrupt.
pub async fn person(tx: &Tx, account: AccountId) -> Result<Person, StoreError> {
    let sql = "
        SELECT a.display_name, p.id, p.given_name,
               EXISTS (SELECT FROM grants g WHERE g.carer_account_id = a.id AND g.revoked_at IS NULL)
        FROM accounts a
        LEFT JOIN memberships m ON m.account_id = a.id AND m.left_at IS NULL
        LEFT JOIN patients p ON p.id = m.patient_id
        WHERE a.id = $1";
    let row = tx.query_one(sql, &[&account.as_uuid()]).await?;
    Ok(Person {
        name: row.get(0),
        mailbox: row.get::<_, Option<Uuid>>(1).map(PatientId::from),
        given_name: row.get(2),
        helps_others: row.get(3),
    })
}

/// The standing grant `grant` of this carer, with the patient's first name and full name.
///
/// # Errors
/// Any [`StoreError`].
pub async fn shared_patient(
    tx: &Tx,
    account: AccountId,
    grant: GrantId,
) -> Result<Option<(Grant, String, String)>, StoreError> {
    let sql = "
        SELECT p.id, p.given_name, p.given_name || ' ' || p.family_name FROM grants g JOIN patients p ON p.id = g.patient_id
        WHERE g.id = $1 AND g.carer_account_id = $2 AND g.revoked_at IS NULL";
    let Some(row) = tx
        .query_opt(sql, &[&grant.as_uuid(), &account.as_uuid()])
        .await?
    else {
        return Ok(None);
    };
    let standing = circle::viewer(tx, account, PatientId::from(row.get::<_, Uuid>(0))).await?;
    Ok(match standing {
        Some(letterbox_domain::circle::Viewer::Carer(grant)) => {
            Some((grant, row.get(1), row.get(2)))
        }
        _ => None,
    })
}

/// The trust whose board this member of staff opens: the first by name, with its name.
///
/// # Errors
/// Any [`StoreError`].
pub async fn staff_trust(
    tx: &Tx,
    account: AccountId,
) -> Result<Option<(TrustId, String)>, StoreError> {
    let sql = "
        SELECT t.id, t.name FROM staff_roles r JOIN trusts t ON t.id = r.trust_id
        WHERE r.account_id = $1 ORDER BY t.name LIMIT 1";
    let row = tx.query_opt(sql, &[&account.as_uuid()]).await?;
    Ok(row.map(|row| (TrustId::from(row.get::<_, Uuid>(0)), row.get(1))))
}

/// The roles of this account at this trust, in the caller's own snapshot.
///
/// # Errors
/// Any [`StoreError`].
pub async fn staff_roles(
    tx: &Tx,
    account: AccountId,
    trust: TrustId,
) -> Result<Vec<Role>, StoreError> {
    let sql = "SELECT role FROM staff_roles WHERE account_id = $1 AND trust_id = $2";
    let rows = tx
        .query(sql, &[&account.as_uuid(), &trust.as_uuid()])
        .await?;
    let roles = rows.iter().filter_map(|row| Role::from_name(row.get(0)));
    Ok(roles.filter(|role| role.is_trust_staff()).collect())
}

/// Since when all letters of this account's own mailbox go by post as well, because the patient wishes so.
///
/// # Errors
/// Any [`StoreError`].
pub async fn paper_since(tx: &Tx, account: AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
    let sql = "SELECT paper_since FROM memberships WHERE account_id = $1 AND left_at IS NULL";
    let row = tx.query_opt(sql, &[&account.as_uuid()]).await?;
    Ok(row.and_then(|row| row.get(0)))
}

/// The database's time, which every page of one snapshot shares.
///
/// # Errors
/// Any [`StoreError`].
pub async fn now(tx: &Tx) -> Result<DateTime<Utc>, StoreError> {
    Ok(tx.query_one("SELECT app_now()", &[]).await?.get(0))
}

/// The open account behind an identity.
///
/// # Errors
/// Any [`StoreError`].
pub async fn account_of(
    tx: &Tx,
    issuer: &str,
    subject: &str,
) -> Result<Option<AccountId>, StoreError> {
    let sql = "
        SELECT a.id FROM identities i JOIN accounts a ON a.id = i.account_id
        WHERE i.issuer = $1 AND i.subject = $2 AND a.closed_at IS NULL";
    let row = tx.query_opt(sql, &[&issuer, &subject]).await?;
    Ok(row.map(|row| AccountId::from(row.get::<_, Uuid>(0))))
}
