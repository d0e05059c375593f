//! Visits to an identity provider, and what it said of somebody who has yet to decide. Hashes come in; no secret
//! ever does. Decides nothing.

use std::time::Duration;

use chrono::NaiveDate;
use letterbox_domain::id::AccountId;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Principal, Store, StoreError, Tx};

/// Rows swept whenever a visit begins: more than begin in the same time, so the table never grows.
const SWEPT: i64 = 100;

/// A visit to be made.
#[derive(Clone, Copy)]
pub struct NewSignIn<'a> {
    pub state_sha256: [u8; 32],
    pub browser_sha256: [u8; 32],
    pub nonce_sha256: [u8; 32],
    pub issuer: &'a str,
    pub purpose: &'static str,
    pub account: Option<AccountId>,
    pub public_computer: bool,
    pub next: &'a str,
    pub lives: Duration,
}

/// A visit that has just been used up.
pub struct SignIn {
    pub nonce_sha256: [u8; 32],
    pub issuer: String,
    pub purpose: String,
    pub account: Option<AccountId>,
    pub public_computer: bool,
    pub next: String,
}

/// Somebody who has yet to decide. No `Debug`: it is somebody.
#[derive(Clone)]
pub struct Joining {
    pub id: Uuid,
    pub issuer: String,
    pub subject: String,
    pub account: Option<AccountId>,
    pub given_name: String,
    pub family_name: String,
    pub birth_date: NaiveDate,
    /// Ten digits, where a mailbox may be opened.
    pub nhs_number: Option<String>,
    /// Why not, where it may not.
    pub no_mailbox: Option<String>,
    pub email: String,
    pub mobile: Option<String>,
    pub practice_code: Option<String>,
    pub public_computer: bool,
    pub next: String,
}

const BEGIN: &str = "
    INSERT INTO sign_ins (id, state_sha256, browser_sha256, nonce_sha256, issuer, purpose, account_id,
                          public_computer, next, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, app_now() + make_interval(secs => $10))";

/// An hour's grace only helps whoever reads the table after a complaint.
const SWEEP_SIGN_INS: &str = "
    DELETE FROM sign_ins WHERE id IN (
        SELECT id FROM sign_ins WHERE expires_at < app_now() - interval '1 hour' ORDER BY expires_at
        LIMIT $1 FOR UPDATE SKIP LOCKED)";

const SWEEP_JOININGS: &str = "
    DELETE FROM joinings WHERE id IN (
        SELECT id FROM joinings WHERE expires_at < app_now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)";

/// Only the browser that began it uses it, once: a stranger's try leaves it as it is.
const USE: &str = "
    UPDATE sign_ins SET used_at = app_now()
    WHERE state_sha256 = $1 AND browser_sha256 = $2 AND used_at IS NULL AND expires_at > app_now()
    RETURNING nonce_sha256, issuer, purpose, account_id, public_computer, next";

const KEEP: &str = "
    INSERT INTO joinings (id, secret_sha256, issuer, subject, account_id, given_name, family_name, birth_date,
                          nhs_number, no_mailbox, email, mobile, practice_code, public_computer, next, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, app_now() + make_interval(secs => $16))";

const FIND: &str = "
    SELECT id, issuer, subject, account_id, given_name, family_name, birth_date, nhs_number, no_mailbox, email,
           mobile, practice_code, public_computer, next
    FROM joinings WHERE secret_sha256 = $1 AND expires_at > app_now()
    FOR UPDATE";

impl Store {
    /// Notes that a browser sets out.
    ///
    /// # Errors
    /// Any [`StoreError`]; nobody may be sent out then.
    pub async fn begin_sign_in(&self, new: &NewSignIn<'_>) -> Result<(), StoreError> {
        let tx = self.begin(&Principal::SERVER).await?;
        tx.execute(SWEEP_SIGN_INS, &[&SWEPT]).await?;
        tx.execute(SWEEP_JOININGS, &[&SWEPT]).await?;
        let account = new.account.map(Uuid::from);
        tx.execute(
            BEGIN,
            &[
                &Uuid::now_v7(),
                &new.state_sha256.as_slice(),
                &new.browser_sha256.as_slice(),
                &new.nonce_sha256.as_slice(),
                &new.issuer,
                &new.purpose,
                &account,
                &new.public_computer,
                &new.next,
                &new.lives.as_secs_f64(),
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Uses up a visit of this browser's. `None` when there is none that is unused and young enough.
    ///
    /// # Errors
    /// Any [`StoreError`]; the visit may be used up or not.
    pub async fn use_sign_in(
        &self,
        state_sha256: &[u8; 32],
        browser_sha256: &[u8; 32],
    ) -> Result<Option<SignIn>, StoreError> {
        let tx = self.begin(&Principal::SERVER).await?;
        let used = tx
            .query_opt(USE, &[&state_sha256.as_slice(), &browser_sha256.as_slice()])
            .await?;
        let visit = used.as_ref().map(sign_in_of).transpose()?;
        tx.commit().await?;
        Ok(visit)
    }

    /// Who is deciding behind this secret, if anybody still is.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn joining(&self, secret_sha256: &[u8; 32]) -> Result<Option<Joining>, StoreError> {
        let tx = self.begin(&Principal::SERVER).await?;
        let found = find_joining(&tx, secret_sha256).await?;
        tx.commit().await?;
        Ok(found)
    }
}

/// Keeps what was said until the person has decided.
///
/// # Errors
/// Any [`StoreError`].
pub async fn keep_joining(
    tx: &Tx,
    secret_sha256: &[u8; 32],
    joining: &Joining,
    lives: Duration,
) -> Result<(), StoreError> {
    let account = joining.account.map(Uuid::from);
    tx.execute(
        KEEP,
        &[
            &joining.id,
            &secret_sha256.as_slice(),
            &joining.issuer,
            &joining.subject,
            &account,
            &joining.given_name,
            &joining.family_name,
            &joining.birth_date,
            &joining.nhs_number,
            &joining.no_mailbox,
            &joining.email,
            &joining.mobile,
            &joining.practice_code,
            &joining.public_computer,
            &joining.next,
            &lives.as_secs_f64(),
        ],
    )
    .await
    .map(drop)
}

/// Finds and locks it: of two presses of the button, the second waits and finds nothing.
///
/// # Errors
/// Any [`StoreError`].
pub async fn find_joining(
    tx: &Tx,
    secret_sha256: &[u8; 32],
) -> Result<Option<Joining>, StoreError> {
    let row = tx.query_opt(FIND, &[&secret_sha256.as_slice()]).await?;
    Ok(row.as_ref().map(joining_of))
}

/// It is decided, one way or the other.
///
/// # Errors
/// Any [`StoreError`].
pub async fn forget_joining(tx: &Tx, id: Uuid) -> Result<(), StoreError> {
    tx.execute("DELETE FROM joinings WHERE id = $1", &[&id])
        .await
        .map(drop)
}

fn sign_in_of(row: &Row) -> Result<SignIn, StoreError> {
    let nonce: Vec<u8> = row.get("nonce_sha256");
    Ok(SignIn {
        nonce_sha256: nonce
            .try_into()
            .map_err(|_| StoreError::corrupt("sign_ins", "nonce_sha256", "32 bytes"))?,
        issuer: row.get("issuer"),
        purpose: row.get("purpose"),
        account: row
            .get::<_, Option<Uuid>>("account_id")
            .map(AccountId::from),
        public_computer: row.get("public_computer"),
        next: row.get("next"),
    })
}

fn joining_of(row: &Row) -> Joining {
    Joining {
        id: row.get("id"),
        issuer: row.get("issuer"),
        subject: row.get("subject"),
        account: row
            .get::<_, Option<Uuid>>("account_id")
            .map(AccountId::from),
        given_name: row.get("given_name"),
        family_name: row.get("family_name"),
        birth_date: row.get("birth_date"),
        nhs_number: row.get("nhs_number"),
        no_mailbox: row.get("no_mailbox"),
        email: row.get("email"),
        mobile: row.get("mobile"),
        practice_code: row.get("practice_code"),
        public_computer: row.get("public_computer"),
        next: row.get("next"),
    }
}
