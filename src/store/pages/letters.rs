//! Letters as a mailbox lists them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::id::{LetterId, PatientId, TrustId};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::policy::Policy;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::store::standing::{Facts, letter_facts, letter_joins};
use crate::store::{StoreError, Tx, policies};

/// A letter with everything a list or a letter page says about it; never its text or its file.
#[derive(Clone)]
pub struct LetterView {
    pub id: LetterId,
    pub patient: PatientId,
    pub kind: LetterKind,
    pub title: String,
    pub trust: String,
    pub specialty: String,
    pub clinic: String,
    pub contact_phone: String,
    pub contact_hours: Option<String>,
    pub authored_at: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
    /// Start of the appointment it is about.
    pub appointment_at: Option<DateTime<Utc>>,
    pub restricted: bool,
    /// Hidden by the patient from the circle of care.
    pub hidden: bool,
    pub pages: i32,
    pub size_bytes: i32,
    /// Whether the hospital sent the text along.
    pub has_text: bool,
    /// How it stands.
    pub facts: Facts,
    /// Under which policy it runs.
    pub policy: Arc<Policy>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for LetterView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LetterView")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl LetterView {
    /// The tick box that covers it.
    #[must_use]
    pub fn share(&self) -> ShareKind {
        match self.kind {
            LetterKind::Appointment => ShareKind::AppointmentLetters,
            LetterKind::Clinic => ShareKind::ClinicLetters,
        }
    }
}

macro_rules! select_letters {
    () => {
        concat!(
            "SELECT l.id, l.patient_id, l.trust_id, l.kind, l.title, l.specialty, l.clinic, l.contact_phone, l.contact_hours, ",
            "l.authored_at, l.published_at, l.restricted, l.hidden_at IS NOT NULL AS hidden, t.name AS trust, t.policy_version AS current_policy, ",
            "doc.pages, doc.size_bytes, l.full_text IS NOT NULL AS has_text, ",
            letter_facts!(),
            " FROM letters l JOIN trusts t ON t.id = l.trust_id JOIN documents doc ON doc.id = l.document_id ",
            letter_joins!(),
        )
    };
}

/// Newest first; held letters are not there yet, and letters from before the patient joined never come.
const OF_PATIENT: &str = concat!(
    select_letters!(),
    " WHERE l.patient_id = $1 AND l.state <> 'held' AND l.published_at >= m.joined_at \
      AND ($2::timestamptz IS NULL OR l.published_at < $2) \
      ORDER BY l.published_at DESC, l.id DESC LIMIT $3"
);

const ONE: &str = concat!(
    select_letters!(),
    " WHERE l.id = $1 AND l.state <> 'held' AND l.published_at >= m.joined_at"
);

/// Letters of one mailbox published before `before` (or all), newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn letters(
    tx: &Tx,
    patient: PatientId,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<LetterView>, StoreError> {
    let rows = tx
        .query(OF_PATIENT, &[&patient.as_uuid(), &before, &limit])
        .await?;
    let mut letters = Vec::with_capacity(rows.len());
    for row in &rows {
        letters.push(read(tx, row).await?);
    }
    Ok(letters)
}

/// One letter, if it is in its patient's mailbox.
///
/// # Errors
/// Any [`StoreError`].
pub async fn letter(tx: &Tx, letter: LetterId) -> Result<Option<LetterView>, StoreError> {
    match tx.query_opt(ONE, &[&letter.as_uuid()]).await? {
        Some(row) => read(tx, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The accessible text of an opened letter; `None` for one that is not opened, or came without.
///
/// # Errors
/// Any [`StoreError`].
pub async fn full_text(tx: &Tx, letter: LetterId) -> Result<Option<String>, StoreError> {
    let sql = "SELECT full_text FROM letters WHERE id = $1 AND state = 'opened'";
    let row = tx.query_opt(sql, &[&letter.as_uuid()]).await?;
    Ok(row.and_then(|row| row.get(0)))
}

async fn read(tx: &Tx, row: &Row) -> Result<LetterView, StoreError> {
    let facts = Facts::read(row)?;
    let trust = TrustId::from(row.get::<_, Uuid>("trust_id"));
    let version = facts
        .case
        .as_ref()
        .map_or_else(|| row.get("current_policy"), |case| case.policy_version);
    let kind: &str = row.get("kind");
    Ok(LetterView {
        id: LetterId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        kind: LetterKind::from_name(kind)
            .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))?,
        title: row.get("title"),
        trust: row.get("trust"),
        specialty: row.get("specialty"),
        clinic: row.get("clinic"),
        contact_phone: row.get("contact_phone"),
        contact_hours: row.get("contact_hours"),
        authored_at: row.get("authored_at"),
        published_at: row.get("published_at"),
        appointment_at: row.get("known_by"),
        restricted: row.get("restricted"),
        hidden: row.get("hidden"),
        pages: row.get("pages"),
        size_bytes: row.get("size_bytes"),
        has_text: row.get("has_text"),
        policy: policies::get(tx, trust, version).await?,
        now: row.get("now"),
        facts,
    })
}
