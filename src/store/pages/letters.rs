//! Letters as a mailbox lists them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::dispatch::DispatchState;
use letterbox_domain::dispute::Dispute;
use letterbox_domain::id::{AppointmentId, LetterId, PatientId, TrustId};
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
    /// The appointment it is about: letters about the same one are a thread.
    pub appointment: Option<AppointmentId>,
    /// The letter that it replaces.
    pub replaces: Option<LetterId>,
    /// Why the hospital took it back, in its own words.
    pub withdrawn_reason: Option<String>,
    /// Letters about the same appointment in this mailbox, with this one; 0 where it is about none.
    pub thread: i64,
    /// The patient has said that it is not theirs.
    pub dispute: Option<Dispute>,
    /// Paper that the patient has asked for: how it stands, and for which cut-off it waits.
    pub asked: Option<(DispatchState, DateTime<Utc>)>,
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
            "doc.pages, doc.size_bytes, l.full_text IS NOT NULL AS has_text, l.appointment_id, l.replaces_id, ",
            "l.withdrawn_reason, disputes.accepted_at, too.state AS asked_state, too.due_at AS asked_due_at, ",
            "(SELECT count(*) FROM letters o WHERE o.appointment_id = l.appointment_id AND o.patient_id = l.patient_id ",
            "AND o.state <> 'held' AND o.published_at >= m.joined_at) AS thread, ",
            letter_facts!(),
            " FROM letters l JOIN trusts t ON t.id = l.trust_id JOIN documents doc ON doc.id = l.document_id ",
            letter_joins!(),
            " LEFT JOIN disputes ON disputes.letter_id = l.id ",
            "LEFT JOIN LATERAL (SELECT d.state, d.due_at FROM dispatches d WHERE d.case_id = c.id AND d.asked_at IS NOT NULL ",
            "LIMIT 1) AS too ON true ",
        )
    };
}

/// Newest first; held letters are not there yet, and letters from before the patient joined never come.
const OF_PATIENT: &str = concat!(
    select_letters!(),
    " WHERE l.patient_id = $1 AND l.state <> 'held' AND l.published_at >= m.joined_at \
      AND ($2::timestamptz IS NULL OR l.published_at < $2) \
      AND ($4::text IS NULL OR l.title ILIKE $4 OR l.clinic ILIKE $4 OR t.name ILIKE $4) \
      AND ($5::timestamptz IS NULL OR l.published_at >= $5) AND ($6::timestamptz IS NULL OR l.published_at < $6) \
      ORDER BY l.published_at DESC, l.id DESC LIMIT $3"
);

const ONE: &str = concat!(
    select_letters!(),
    " WHERE l.id = $1 AND l.state <> 'held' AND l.published_at >= m.joined_at"
);

/// Others about the same appointment, the one it replaces and the ones that replace it; twenty, because nobody reads
/// more of one appointment.
const THREAD: &str = concat!(
    select_letters!(),
    " WHERE l.patient_id = $1 AND l.id <> $2 AND l.state <> 'held' AND l.published_at >= m.joined_at \
      AND (l.appointment_id = $3 OR l.id = $4 OR l.replaces_id = $2) ORDER BY l.published_at DESC, l.id DESC LIMIT 20"
);

/// What to look for among the letters; nothing looks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// In title, clinic or hospital, capital or small.
    pub text: Option<String>,
    /// Sent at or after.
    pub from: Option<DateTime<Utc>>,
    /// Sent before.
    pub to: Option<DateTime<Utc>>,
}

impl Search {
    /// For `ILIKE`; signs that mean something there are looked for as they are.
    fn pattern(&self) -> Option<String> {
        let text = self.text.as_deref()?;
        let mut pattern = String::from("%");
        for sign in text.chars() {
            if matches!(sign, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(sign);
        }
        pattern.push('%');
        Some(pattern)
    }
}

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
    letters_found(tx, patient, before, &Search::default(), limit).await
}

/// Those of [`letters`] that are looked for.
///
/// # Errors
/// Any [`StoreError`].
pub async fn letters_found(
    tx: &Tx,
    patient: PatientId,
    before: Option<DateTime<Utc>>,
    search: &Search,
    limit: i64,
) -> Result<Vec<LetterView>, StoreError> {
    let params: crate::store::Params<'_> = &[
        &patient.as_uuid(),
        &before,
        &limit,
        &search.pattern(),
        &search.from,
        &search.to,
    ];
    read_all(tx, tx.query(OF_PATIENT, params).await?).await
}

/// The other letters of this one's thread, newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn thread(tx: &Tx, letter: &LetterView) -> Result<Vec<LetterView>, StoreError> {
    let about = letter.appointment.map(|id| id.as_uuid());
    let replaces = letter.replaces.map(|id| id.as_uuid());
    let params: crate::store::Params<'_> = &[
        &letter.patient.as_uuid(),
        &letter.id.as_uuid(),
        &about,
        &replaces,
    ];
    read_all(tx, tx.query(THREAD, params).await?).await
}

async fn read_all(tx: &Tx, rows: Vec<Row>) -> Result<Vec<LetterView>, StoreError> {
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
    let sql =
        "SELECT full_text FROM letters WHERE id = $1 AND state = 'opened' AND not_mine_at IS NULL";
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
    let accepted: Option<DateTime<Utc>> = row.get("accepted_at");
    let asked = row
        .get::<_, Option<&str>>("asked_state")
        .map(|state| {
            DispatchState::from_name(state)
                .ok_or_else(|| StoreError::corrupt("dispatches", "state", "no such state"))
        })
        .transpose()?;
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
        appointment: row
            .get::<_, Option<Uuid>>("appointment_id")
            .map(AppointmentId::from),
        replaces: row
            .get::<_, Option<Uuid>>("replaces_id")
            .map(LetterId::from),
        withdrawn_reason: row.get("withdrawn_reason"),
        thread: row.get("thread"),
        dispute: facts
            .not_mine_at
            .map(|said| Dispute::stored(said, accepted)),
        asked: asked.zip(row.get("asked_due_at")),
        policy: policies::get(tx, trust, version).await?,
        now: row.get("now"),
        facts,
    })
}
