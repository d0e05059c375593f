//! Whom a patient shares with, and what a carer finds at home.

use chrono::{DateTime, Utc};
use letterbox_domain::circle::{Grant, ShareKind, Ticks};
use letterbox_domain::id::{AccountId, GrantId, PatientId};
use uuid::Uuid;

use crate::store::{StoreError, Tx};

/// One carer as the patient sees them.
#[derive(Clone)]
pub struct CarerView {
    pub id: GrantId,
    pub account: AccountId,
    pub name: String,
    pub relationship: String,
    pub ticks: Ticks,
    pub may_read_for_me: bool,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Ended by the carer, not by the patient.
    pub left: bool,
    /// When the patient was asked whether this carer may still read for them, if that is open.
    pub asked_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for CarerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarerView")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The patient's carers, also those whose access has been withdrawn.
///
/// # Errors
/// Any [`StoreError`].
pub async fn carers(tx: &Tx, patient: PatientId) -> Result<Vec<CarerView>, StoreError> {
    let sql = "
        SELECT g.id, g.carer_account_id, a.display_name, g.relationship, g.ticks, g.may_read_for_me, g.revoked_at,
               g.carer_left, g.reading_asked_at
        FROM grants g JOIN accounts a ON a.id = g.carer_account_id
        WHERE g.patient_id = $1 ORDER BY g.created_at, g.id";
    let rows = tx.query(sql, &[&patient.as_uuid()]).await?;
    rows.iter()
        .map(|row| {
            let ticks: Vec<&str> = row.get("ticks");
            Ok(CarerView {
                id: GrantId::from(row.get::<_, Uuid>("id")),
                account: AccountId::from(row.get::<_, Uuid>("carer_account_id")),
                name: row.get("display_name"),
                relationship: row.get("relationship"),
                ticks: Ticks::from_names(ticks)
                    .map_err(|error| StoreError::corrupt("grants", "ticks", error))?,
                may_read_for_me: row.get("may_read_for_me"),
                revoked_at: row.get("revoked_at"),
                left: row.get("carer_left"),
                asked_at: row.get("reading_asked_at"),
            })
        })
        .collect()
}

/// What a carer's home says about one person: only of what may be seen, so that two mailboxes which differ in hidden
/// things alone look the same.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Glimpse {
    /// Letters that nobody has opened.
    pub unread: i64,
    /// Title and time of the newest letter.
    pub latest: Option<(String, DateTime<Utc>)>,
}

impl std::fmt::Debug for Glimpse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Glimpse")
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

/// What this grant shows of the mailbox's letters.
///
/// # Errors
/// Any [`StoreError`].
pub async fn glimpse(tx: &Tx, grant: &Grant) -> Result<Glimpse, StoreError> {
    let sql = "
        SELECT l.title, l.published_at, count(*) FILTER (WHERE l.state = 'published') OVER () AS unread
        FROM letters l JOIN memberships m ON m.patient_id = l.patient_id AND m.left_at IS NULL
        WHERE l.patient_id = $1 AND l.state <> 'held' AND l.published_at >= m.joined_at AND l.kind = ANY ($2)
          AND NOT l.restricted AND l.hidden_at IS NULL
        ORDER BY l.published_at DESC, l.id DESC LIMIT 1";
    let kinds = kinds(grant.ticks);
    let row = tx
        .query_opt(sql, &[&grant.patient.as_uuid(), &kinds])
        .await?;
    Ok(row.map_or_else(Glimpse::default, |row| Glimpse {
        unread: row.get("unread"),
        latest: Some((row.get("title"), row.get("published_at"))),
    }))
}

/// The kinds of letters that these ticks cover, as the database calls them.
fn kinds(ticks: Ticks) -> Vec<&'static str> {
    let named = [
        (ShareKind::AppointmentLetters, "appointment"),
        (ShareKind::ClinicLetters, "clinic"),
    ];
    let ticked = named.into_iter().filter(|(kind, _)| ticks.has(*kind));
    ticked.map(|(_, name)| name).collect()
}

/// Whom this carer helps, and of whom they want emails.
#[derive(Clone)]
pub struct Helped {
    pub grant: GrantId,
    pub given_name: String,
    pub tell: bool,
}

impl std::fmt::Debug for Helped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Helped")
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// Everybody who shares with this account, and whether the account has a verified address.
///
/// # Errors
/// Any [`StoreError`].
pub async fn helped(tx: &Tx, account: AccountId) -> Result<(Vec<Helped>, bool), StoreError> {
    let sql = "
        SELECT g.id, p.given_name, g.tell_carer FROM grants g JOIN patients p ON p.id = g.patient_id
        WHERE g.carer_account_id = $1 AND g.revoked_at IS NULL ORDER BY p.given_name, g.id";
    let verified = "SELECT email_verified_at IS NOT NULL FROM accounts WHERE id = $1";
    let rows = tx.query(sql, &[&account.as_uuid()]).await?;
    let helped = rows.iter().map(|row| Helped {
        grant: GrantId::from(row.get::<_, Uuid>(0)),
        given_name: row.get(1),
        tell: row.get(2),
    });
    let verified = tx.query_one(verified, &[&account.as_uuid()]).await?;
    Ok((helped.collect(), verified.get(0)))
}
