//! Invitations to circles of care: rows only. Who may invite and who may accept is decided by the commands.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::circle::{ShareKind, Ticks};
use letterbox_domain::id::{AccountId, GrantId, PatientId};
use letterbox_domain::invitation::{Ended, Invitee, Standing, Terms, standing};
use letterbox_domain::person::{Email, NhsNumber};
use tokio_postgres::Row;
use uuid::Uuid;

use super::mails::MailState;
use super::{StoreError, Tx, locks};

/// What a patient fills in. No `Debug`: it is about somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct NewInvitation {
    /// How the patient calls the person.
    pub name: String,
    /// Where the mail goes; whoever accepts has verified this address.
    pub email: Email,
    /// What they are to the patient, in the patient's words.
    pub relationship: String,
    /// When given, whoever accepts must not have another one.
    pub nhs_number: Option<NhsNumber>,
    /// The ticked boxes.
    pub ticks: Ticks,
    /// Whether this carer's opening is to count as the patient's.
    pub may_read_for_me: bool,
}

/// A patient's circle under the lock of the patient's row, as far as inviting depends on it.
pub struct Circle {
    /// Whose.
    pub patient: PatientId,
    /// The patient's own address, folded.
    pub email: Option<String>,
    /// The patient's own NHS number.
    pub nhs_number: String,
    /// Grants in force and invitations waiting.
    pub standing: usize,
    /// Invitation mails of the last 24 hours.
    pub mails_today: usize,
    /// The database's time.
    pub now: DateTime<Utc>,
}

const OWN: &str = "
    SELECT p.id FROM memberships m JOIN patients p ON p.id = m.patient_id
    WHERE m.account_id = $1 AND m.left_at IS NULL";

const CIRCLE: &str = "
    SELECT p.nhs_number, lower(a.email) AS email, app_now() AS now,
        (SELECT count(*) FROM grants g WHERE g.patient_id = p.id AND g.revoked_at IS NULL)
        + (SELECT count(*) FROM invitations i WHERE i.patient_id = p.id AND i.outcome IS NULL AND i.expires_at > app_now())
            AS standing,
        (SELECT count(*) FROM account_mails m JOIN invitations i ON i.id = m.invitation_id
         WHERE i.patient_id = p.id AND m.created_at > app_now() - interval '1 day') AS mails_today
    FROM patients p JOIN accounts a ON a.id = $2 WHERE p.id = $1";

/// The circle of the patient behind this account, locked; `None` without a mailbox.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_circle(tx: &Tx, account: AccountId) -> Result<Option<Circle>, StoreError> {
    let Some(own) = tx.query_opt(OWN, &[&account.as_uuid()]).await? else {
        return Ok(None);
    };
    let patient: Uuid = own.get(0);
    locks::patients(tx, &[patient]).await?;
    let row = tx
        .query_one(CIRCLE, &[&patient, &account.as_uuid()])
        .await?;
    let count = |name| usize::try_from(row.get::<_, i64>(name)).unwrap_or(usize::MAX);
    Ok(Some(Circle {
        patient: patient.into(),
        email: row.get("email"),
        nhs_number: row.get("nhs_number"),
        standing: count("standing"),
        mails_today: count("mails_today"),
        now: row.get("now"),
    }))
}

const KNOWN: &str = "
    SELECT EXISTS (SELECT FROM invitations i WHERE i.patient_id = $1 AND i.email_folded = $2 AND i.outcome IS NULL
                   AND i.expires_at > app_now()) AS invited,
           EXISTS (SELECT FROM grants g JOIN accounts a ON a.id = g.carer_account_id
                   WHERE g.patient_id = $1 AND g.revoked_at IS NULL AND lower(a.email) = $2
                     AND a.email_verified_at IS NOT NULL AND a.closed_at IS NULL) AS shares";

/// Whether this address has been invited and not answered, and whether it shares already.
///
/// # Errors
/// Any [`StoreError`].
pub async fn known(tx: &Tx, patient: PatientId, email: &Email) -> Result<(bool, bool), StoreError> {
    let row = tx
        .query_one(KNOWN, &[&patient.as_uuid(), &email.folded()])
        .await?;
    Ok((row.get("invited"), row.get("shares")))
}

const INSERT: &str = "
    INSERT INTO invitations (id, patient_id, invited_by, name, email, email_folded, relationship, nhs_number, ticks,
                             may_read_for_me, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, app_now() + make_interval(secs => $11))";

/// Writes an invitation; without a mail nobody hears of it.
///
/// # Errors
/// Any [`StoreError`].
pub async fn insert(
    tx: &Tx,
    by: AccountId,
    patient: PatientId,
    new: &NewInvitation,
    stands_for: TimeDelta,
) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    let number = new.nhs_number.map(|number| number.expose());
    let params: super::Params<'_> = &[
        &id,
        &patient.as_uuid(),
        &by.as_uuid(),
        &new.name,
        &new.email.expose(),
        &new.email.folded(),
        &new.relationship,
        &number,
        &new.ticks.names(),
        &new.may_read_for_me,
        &stands_for.as_seconds_f64(),
    ];
    tx.execute(INSERT, params).await?;
    Ok(id)
}

/// An invitation as its patient sees it. `Debug` shows its id only.
#[derive(Clone)]
pub struct Sent {
    /// Which.
    pub id: Uuid,
    /// How the patient calls the person.
    pub name: String,
    /// Where it went.
    pub email: String,
    /// What they are to the patient.
    pub relationship: String,
    /// What would be shared.
    pub ticks: Ticks,
    /// Whether their opening would count.
    pub may_read_for_me: bool,
    /// How it stands.
    pub standing: Standing,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Until when it can be answered.
    pub expires_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How its last mail stands.
    pub mail: Option<MailState>,
    /// How many mails it has had.
    pub mails: i64,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sent")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Accepted ones are grants by now; a patient needs no others on the page than the latest.
const OF_PATIENT: &str = "
    SELECT i.id, i.name, i.email, i.relationship, i.ticks, i.may_read_for_me, i.created_at, i.expires_at, i.ended_at,
           i.outcome, app_now() AS now,
           (SELECT m.state FROM account_mails m WHERE m.invitation_id = i.id ORDER BY m.created_at DESC, m.id LIMIT 1) AS mail,
           (SELECT count(*) FROM account_mails m WHERE m.invitation_id = i.id) AS mails
    FROM invitations i
    WHERE i.patient_id = $1 AND i.outcome IS DISTINCT FROM 'accepted'
    ORDER BY i.created_at DESC LIMIT 40";

/// Unanswered, declined, expired and cancelled invitations of the last month, newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_patient(tx: &Tx, patient: PatientId) -> Result<Vec<Sent>, StoreError> {
    let rows = tx.query(OF_PATIENT, &[&patient.as_uuid()]).await?;
    Ok(rows.iter().map(sent).collect())
}

fn sent(row: &Row) -> Sent {
    let mail: Option<&str> = row.get("mail");
    Sent {
        id: row.get("id"),
        name: row.get("name"),
        email: row.get("email"),
        relationship: row.get("relationship"),
        ticks: ticks(row),
        may_read_for_me: row.get("may_read_for_me"),
        standing: standing_of(row),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
        ended_at: row.get("ended_at"),
        mail: mail.and_then(MailState::from_name),
        mails: row.get("mails"),
    }
}

fn ticks(row: &Row) -> Ticks {
    let names: Vec<&str> = row.get("ticks");
    // What this version does not know, it does not share.
    Ticks::of(
        &names
            .into_iter()
            .filter_map(ShareKind::from_name)
            .collect::<Vec<_>>(),
    )
}

fn standing_of(row: &Row) -> Standing {
    let ended = row
        .get::<_, Option<&str>>("outcome")
        .and_then(Ended::from_name);
    standing(ended, row.get("expires_at"), row.get("now"))
}

const PROLONG: &str = "
    UPDATE invitations SET expires_at = app_now() + make_interval(secs => $3)
    WHERE id = $1 AND patient_id = $2 AND outcome IS NULL
    RETURNING email, (SELECT count(*) FROM account_mails m WHERE m.invitation_id = $1) AS mails, expires_at";

/// Lets an unanswered invitation stand anew; answers its address and how many mails it has had.
///
/// # Errors
/// Any [`StoreError`].
pub async fn prolong(
    tx: &Tx,
    patient: PatientId,
    invitation: Uuid,
    stands_for: TimeDelta,
) -> Result<Option<(Email, i64)>, StoreError> {
    let secs = stands_for.as_seconds_f64();
    let row = tx
        .query_opt(PROLONG, &[&invitation, &patient.as_uuid(), &secs])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let email = Email::parse(row.get("email"))
        .map_err(|error| StoreError::corrupt("invitations", "email", error))?;
    Ok(Some((email, row.get("mails"))))
}

const CANCEL: &str = "
    UPDATE invitations SET outcome = 'cancelled', ended_at = app_now()
    WHERE id = $1 AND patient_id = $2 AND outcome IS NULL";

/// Takes an unanswered invitation back; `false` if there is none.
///
/// # Errors
/// Any [`StoreError`].
pub async fn cancel(tx: &Tx, patient: PatientId, invitation: Uuid) -> Result<bool, StoreError> {
    Ok(tx
        .execute(CANCEL, &[&invitation, &patient.as_uuid()])
        .await?
        == 1)
}

/// An invitation as it is found by its token. `Debug` shows its id only.
#[derive(Clone)]
pub struct Found {
    /// Which.
    pub id: Uuid,
    /// Whose circle.
    pub patient: PatientId,
    /// First name of that patient.
    pub inviter: String,
    /// What the person is to the patient.
    pub relationship: String,
    /// What would be shared.
    pub ticks: Ticks,
    /// Whether their opening would count.
    pub may_read_for_me: bool,
    /// Until when it can be answered.
    pub expires_at: DateTime<Utc>,
    /// The grant it became.
    pub grant: Option<GrantId>,
    /// Who may answer.
    pub terms: Terms,
    /// The database's time.
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

const BY_TOKEN: &str = "
    SELECT i.id, i.patient_id, i.invited_by, i.email_folded, i.relationship, i.nhs_number, i.ticks, i.may_read_for_me,
           i.expires_at, i.outcome, i.grant_id, p.given_name, app_now() AS now
    FROM invitations i JOIN patients p ON p.id = i.patient_id WHERE i.token_sha256 = $1";

/// The invitation whose last mail carried the token with this hash.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_token(tx: &Tx, token_sha256: &[u8; 32]) -> Result<Option<Found>, StoreError> {
    let row = tx.query_opt(BY_TOKEN, &[&token_sha256.as_slice()]).await?;
    row.as_ref().map(found).transpose()
}

fn found(row: &Row) -> Result<Found, StoreError> {
    let number: Option<&str> = row.get("nhs_number");
    let number = number.map(NhsNumber::parse).transpose();
    Ok(Found {
        id: row.get("id"),
        patient: row.get::<_, Uuid>("patient_id").into(),
        inviter: row.get("given_name"),
        relationship: row.get("relationship"),
        ticks: ticks(row),
        may_read_for_me: row.get("may_read_for_me"),
        expires_at: row.get("expires_at"),
        grant: row.get::<_, Option<Uuid>>("grant_id").map(GrantId::from),
        terms: Terms {
            standing: standing_of(row),
            inviter: row.get::<_, Uuid>("invited_by").into(),
            email: row.get("email_folded"),
            nhs_number: number
                .map_err(|error| StoreError::corrupt("invitations", "nhs_number", error))?,
        },
        now: row.get("now"),
    })
}

const INVITEE: &str = "
    SELECT CASE WHEN a.email_verified_at IS NOT NULL THEN lower(a.email) END AS email, p.nhs_number, p.birth_date
    FROM accounts a
    LEFT JOIN memberships m ON m.account_id = a.id AND m.left_at IS NULL
    LEFT JOIN patients p ON p.id = m.patient_id
    WHERE a.id = $1 AND a.kind = 'person' AND a.closed_at IS NULL";

/// What we know of whoever wants to answer; `None` for staff and closed accounts.
///
/// # Errors
/// Any [`StoreError`].
pub async fn invitee(tx: &Tx, account: AccountId) -> Result<Option<Invitee>, StoreError> {
    let Some(row) = tx.query_opt(INVITEE, &[&account.as_uuid()]).await? else {
        return Ok(None);
    };
    let number: Option<&str> = row.get("nhs_number");
    Ok(Some(Invitee {
        account,
        email: row.get("email"),
        nhs_number: number.and_then(|number| NhsNumber::parse(number).ok()),
        birth_date: row
            .get::<_, Option<chrono::NaiveDate>>("birth_date")
            .and_then(|day| letterbox_domain::person::BirthDate::new(day).ok()),
    }))
}

const END: &str = "
    UPDATE invitations SET outcome = $2, ended_at = app_now(), grant_id = $3 WHERE id = $1 AND outcome IS NULL";

/// Writes the answer.
///
/// # Errors
/// Any [`StoreError`].
pub async fn end(
    tx: &Tx,
    invitation: Uuid,
    end: Ended,
    grant: Option<GrantId>,
) -> Result<(), StoreError> {
    let grant = grant.map(Uuid::from);
    tx.execute(END, &[&invitation, &end.name(), &grant])
        .await
        .map(drop)
}

/// Locks the patient's row: two answers, or an answer and a withdrawal, follow one another.
///
/// # Errors
/// Any [`StoreError`].
pub async fn lock(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    locks::patients(tx, &[patient.as_uuid()]).await
}
