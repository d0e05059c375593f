//! What the account's pages show: contacts and choices, and who looked at the record.

use chrono::{DateTime, Utc};
use letterbox_domain::choice::{Print, Way};
use letterbox_domain::dispatch::Channel;
use letterbox_domain::id::{AccountId, PatientId};
use letterbox_domain::person::PostalAddress;
use tokio_postgres::Row;

use crate::store::{StoreError, Tx};

/// An account as its owner sees it. No `Debug`: it is somebody.
#[derive(Clone)]
pub struct AccountView {
    /// As pages name them.
    pub name: String,
    /// False for a carer. The NHS number itself is never shown, so it is not read either.
    pub has_mailbox: bool,
    /// When the mailbox was opened.
    pub joined_at: Option<DateTime<Utc>>,
    /// Email, where it has been verified.
    pub email: Option<String>,
    /// Mobile number, where it has been verified.
    pub mobile: Option<String>,
    /// An email did not arrive there.
    pub email_is_bad: bool,
    /// A text did not arrive there.
    pub mobile_is_bad: bool,
    /// Whether they are told by email.
    pub email_way: Way,
    /// Whether they are told by text.
    pub text_way: Way,
    /// How they are reminded of appointments; `None`: not at all.
    pub reminders: Option<Channel>,
    /// Nothing may be posted.
    pub post_is_unsafe: bool,
    /// Where post goes, as far as it is shown: `…HR4 •••`. `None`: no hospital has told us an address.
    pub post_hint: Option<String>,
    /// How paper is printed: their own choice.
    pub print: Option<Print>,
    /// And what the hospital has on file.
    pub print_on_file: Option<Print>,
    /// Letters that they have not opened.
    pub unread: i64,
    /// People they share with.
    pub carers: i64,
}

const ACCOUNT: &str = "
    SELECT a.display_name, p.id IS NOT NULL AS has_mailbox, m.joined_at, p.address_lines, p.format_need, m.format_choice,
           CASE WHEN a.email_verified_at IS NOT NULL THEN a.email END AS email,
           CASE WHEN a.mobile_verified_at IS NOT NULL THEN a.mobile END AS mobile,
           EXISTS (SELECT FROM bad_contacts b WHERE (b.patient_id, b.channel, b.contact) = (p.id, 'email', a.email)) AS email_is_bad,
           EXISTS (SELECT FROM bad_contacts b WHERE (b.patient_id, b.channel, b.contact) = (p.id, 'text', a.mobile)) AS mobile_is_bad,
           coalesce(m.email_choice, 'on') AS email_choice, coalesce(m.text_choice, 'on') AS text_choice, m.reminders,
           p.post_unsafe_since IS NOT NULL AS post_is_unsafe,
           (SELECT count(*) FROM letters l WHERE l.patient_id = p.id AND l.state = 'published' AND l.route = 'portal') AS unread,
           (SELECT count(*) FROM grants g WHERE g.patient_id = p.id AND g.revoked_at IS NULL) AS carers
    FROM accounts a
    LEFT JOIN memberships m ON m.account_id = a.id AND m.left_at IS NULL
    LEFT JOIN patients p ON p.id = m.patient_id
    WHERE a.id = $1";

/// The account of whoever is signed in.
///
/// # Errors
/// Any [`StoreError`]; a name that no choice has counts as corrupt.
pub async fn account(tx: &Tx, account: AccountId) -> Result<AccountView, StoreError> {
    let row = tx.query_one(ACCOUNT, &[&account.as_uuid()]).await?;
    let lines: Option<Vec<String>> = row.try_get("address_lines")?;
    let address = lines.and_then(|lines| PostalAddress::parse(&lines).ok());
    Ok(AccountView {
        name: row.try_get("display_name")?,
        has_mailbox: row.try_get("has_mailbox")?,
        joined_at: row.try_get("joined_at")?,
        email: row.try_get("email")?,
        mobile: row.try_get("mobile")?,
        email_is_bad: row.try_get("email_is_bad")?,
        mobile_is_bad: row.try_get("mobile_is_bad")?,
        email_way: way(&row, "email_choice")?,
        text_way: way(&row, "text_choice")?,
        reminders: row
            .try_get::<_, Option<&str>>("reminders")?
            .and_then(Channel::from_name),
        post_is_unsafe: row
            .try_get::<_, Option<bool>>("post_is_unsafe")?
            .unwrap_or(false),
        post_hint: address.map(|address| address.hint()),
        print: print(&row, "format_choice")?,
        print_on_file: print(&row, "format_need")?,
        unread: row.try_get("unread")?,
        carers: row.try_get("carers")?,
    })
}

fn way(row: &Row, column: &'static str) -> Result<Way, StoreError> {
    Way::from_name(row.try_get(column)?)
        .ok_or_else(|| StoreError::corrupt("memberships", column, "no such choice"))
}

fn print(row: &Row, column: &'static str) -> Result<Option<Print>, StoreError> {
    let Some(name) = row.try_get::<_, Option<&str>>(column)? else {
        return Ok(None);
    };
    let print = Print::from_name(name);
    print
        .map(Some)
        .ok_or_else(|| StoreError::corrupt("memberships", column, "no such print"))
}

/// Somebody's look at the record, or the attempt.
#[derive(Clone)]
pub struct LookView {
    /// Where the list goes on.
    pub id: i64,
    pub at: DateTime<Utc>,
    /// As in the audit: `letter.view`.
    pub action: String,
    /// False for an attempt that was refused.
    pub allowed: bool,
    /// Title of the letter or name of the clinic, where the look was at one.
    pub what: Option<String>,
    pub who: LookedBy,
}

/// Who it was, as far as the patient is told.
#[derive(Clone, PartialEq, Eq)]
pub enum LookedBy {
    /// The patient.
    Owner,
    /// A carer, by name and relationship: they were invited by the patient.
    Carer { name: String, relationship: String },
    /// Staff, by role and trust, never by name.
    Staff { role: String, trust: String },
    /// Anybody else.
    Somebody,
}

/// Newest first, below `$3`.
const LOOKS: &str = "
    SELECT au.id, au.at, au.action, au.allowed, coalesce(l.title, ap.clinic) AS what,
           au.account_id IS NOT DISTINCT FROM $2 AS is_owner, who.kind, who.display_name, g.relationship,
           (SELECT r.role FROM staff_roles r WHERE r.account_id = au.account_id ORDER BY r.trust_id = au.trust_id DESC, r.role LIMIT 1) AS role,
           (SELECT t.name FROM staff_roles r JOIN trusts t ON t.id = r.trust_id WHERE r.account_id = au.account_id
            ORDER BY r.trust_id = au.trust_id DESC, t.name LIMIT 1) AS trust
    FROM audit au
    LEFT JOIN accounts who ON who.id = au.account_id
    LEFT JOIN grants g ON g.patient_id = au.patient_id AND g.carer_account_id = au.account_id
    LEFT JOIN letters l ON au.object_kind = 'letter' AND l.id = au.object_id AND l.patient_id = au.patient_id
    LEFT JOIN appointments ap ON au.object_kind = 'appointment' AND ap.id = au.object_id AND ap.patient_id = au.patient_id
    WHERE au.patient_id = $1 AND au.id < $3 ORDER BY au.id DESC LIMIT $4";

/// Who looked at this patient's record, newest first, below `before`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn looks(
    tx: &Tx,
    patient: PatientId,
    owner: AccountId,
    before: i64,
    limit: i64,
) -> Result<Vec<LookView>, StoreError> {
    let params: crate::store::Params<'_> = &[&patient.as_uuid(), &owner.as_uuid(), &before, &limit];
    let rows = tx.query(LOOKS, params).await?;
    rows.iter()
        .map(|row| {
            Ok(LookView {
                id: row.try_get("id")?,
                at: row.try_get("at")?,
                action: row.try_get("action")?,
                allowed: row.try_get("allowed")?,
                what: row.try_get("what")?,
                who: looked_by(row)?,
            })
        })
        .collect()
}

fn looked_by(row: &Row) -> Result<LookedBy, StoreError> {
    if row.try_get("is_owner")? {
        return Ok(LookedBy::Owner);
    }
    if let (Some(role), Some(trust)) = (row.try_get("role")?, row.try_get("trust")?) {
        return Ok(LookedBy::Staff { role, trust });
    }
    let carer = row.try_get::<_, Option<String>>("display_name")?;
    Ok(match carer.zip(row.try_get("relationship")?) {
        Some((name, relationship)) => LookedBy::Carer { name, relationship },
        None => LookedBy::Somebody,
    })
}
