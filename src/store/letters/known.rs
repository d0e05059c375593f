//! Letters that are here already, and taking them back.

use chrono::{DateTime, Utc};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{AppointmentId, CaseId, LetterId, PatientId, TrustId};
use letterbox_domain::letter::{LetterKind, LetterState};
use letterbox_domain::route::RouteReason;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::store::events::NewEvent;
use crate::store::history::Entry;
use crate::store::standing::{Facts, letter_facts, letter_joins};
use crate::store::{StoreError, Tx};

/// Letter by letter: a plan made while the trust had few letters must not walk through all of them when it has many.
const KNOWN: &str = concat!(
    "SELECT l.id, l.source_id, l.form_sha256, l.patient_id, l.kind, l.route_reason, l.restricted, l.published_at, ",
    "l.withdrawn_reason, l.hidden_at IS NOT NULL AS hidden, replaced.source_id AS replaces, ",
    letter_facts!(),
    " FROM unnest($2::text[]) AS asked (source_id)",
    " CROSS JOIN LATERAL (SELECT * FROM letters WHERE trust_id = $1 AND source_id = asked.source_id OFFSET 0) AS l",
    letter_joins!(),
    " LEFT JOIN letters replaced ON replaced.id = l.replaces_id"
);

/// Unopened letters about an appointment: what they say is wrong once it has changed.
const ABOUT: &str = "
    SELECT l.id, l.kind, l.restricted, l.patient_id, l.appointment_id, l.state = 'held' AS held, c.id AS case_id
    FROM letters l LEFT JOIN cases c ON c.letter_id = l.id AND c.ended_at IS NULL
    WHERE l.appointment_id = ANY($1) AND l.kind = 'appointment' AND l.state IN ('held', 'published')
    ORDER BY l.id";

const GO: &str = "
    UPDATE letters SET state = $2, withdrawn_at = app_now(), withdrawn_reason = $3, version = version + 1
    WHERE id = ANY($1) AND state IN ('held', 'published', 'opened')";

/// Paper or a reader has taken along what is now withdrawn: a person must put it right. Once per case.
const CORRECT: &str = "
    INSERT INTO tasks (id, trust_id, case_id, kind, due_at) VALUES (gen_random_uuid(), $1, $2, 'correction', $3)
    ON CONFLICT (case_id, kind) WHERE closed_at IS NULL AND case_id IS NOT NULL DO NOTHING";

/// Prepares [`known`].
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(KNOWN).await.map(drop)
}

/// A letter of the trust that is here already.
#[derive(Clone, Debug)]
pub struct KnownLetter {
    /// Which.
    pub id: LetterId,
    /// The trust's id of it.
    pub source_id: String,
    /// Hash of the form it was published with.
    pub form_sha256: Vec<u8>,
    /// Whose.
    pub patient: PatientId,
    /// Its kind.
    pub kind: LetterKind,
    /// Why it takes its route.
    pub reason: RouteReason,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// When it was committed, or released.
    pub published_at: DateTime<Utc>,
    /// The trust's id of the letter it replaces.
    pub replaces: Option<String>,
    /// Why it was withdrawn.
    pub withdrawn_reason: Option<String>,
    /// Its case, if it has one.
    pub case: Option<CaseId>,
    /// How it stands.
    pub facts: Facts,
    /// The transaction's time.
    pub now: DateTime<Utc>,
}

impl KnownLetter {
    /// The tick box that covers it.
    #[must_use]
    pub fn share(&self) -> ShareKind {
        self.kind.share()
    }

    /// What browsers hear when it goes; nothing of a letter that they never heard of.
    #[must_use]
    pub fn gone(&self, kind: EventKind) -> Option<NewEvent> {
        (self.facts.state != LetterState::Held).then(|| NewEvent {
            patient: self.patient,
            kind,
            item: ItemRef::Letter(self.id),
            share: self.share(),
            restricted: self.restricted,
            due: None,
        })
    }

    /// What is recorded when it goes: also that it had been read or posted before, so that somebody may correct it.
    #[must_use]
    pub fn gone_entry(&self, trust: Uuid, kind: &'static str) -> Entry {
        Entry {
            trust,
            patient: Some(self.patient.as_uuid()),
            subject_kind: "letter",
            subject: self.id.as_uuid(),
            kind,
            policy_version: None,
            facts: json!({
                "was": self.facts.state.name(), "posted_at": self.facts.posted_at, "opened_at": self.facts.opened_at,
            }),
        }
    }
}

/// The trust's letters with these ids of its own.
///
/// # Errors
/// [`StoreError::Corrupt`] when a row cannot be understood.
pub async fn known(
    tx: &Tx,
    trust: TrustId,
    sources: &[&str],
) -> Result<Vec<KnownLetter>, StoreError> {
    let rows = tx.query(KNOWN, &[&trust.as_uuid(), &sources]).await?;
    rows.iter().map(read_known).collect()
}

fn read_known(row: &Row) -> Result<KnownLetter, StoreError> {
    Ok(KnownLetter {
        id: LetterId::from(row.get::<_, Uuid>("id")),
        source_id: row.get("source_id"),
        form_sha256: row.get("form_sha256"),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        kind: kind(row)?,
        reason: RouteReason::from_name(row.get("route_reason"))
            .ok_or_else(|| StoreError::corrupt("letters", "route_reason", "no such reason"))?,
        restricted: row.get("restricted"),
        published_at: row.get("published_at"),
        replaces: row.get("replaces"),
        withdrawn_reason: row.get("withdrawn_reason"),
        case: row.get::<_, Option<Uuid>>("case_id").map(CaseId::from),
        facts: Facts::read(row)?,
        now: row.get("now"),
    })
}

pub(super) fn kind(row: &Row) -> Result<LetterKind, StoreError> {
    LetterKind::from_name(row.get("kind"))
        .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))
}

/// An unopened letter about an appointment that has changed.
#[derive(Clone, Copy, Debug)]
pub struct Outdated {
    /// Which.
    pub id: LetterId,
    /// Whose.
    pub patient: PatientId,
    /// About which appointment.
    pub appointment: AppointmentId,
    /// The tick box that covers it.
    pub share: ShareKind,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// Held back, so that nobody has heard of it.
    pub held: bool,
    /// Its open case.
    pub case: Option<CaseId>,
}

/// Unopened appointment letters about these appointments. Their patients must be locked.
///
/// # Errors
/// [`StoreError::Corrupt`] when a row cannot be understood.
pub async fn about(tx: &Tx, appointments: &[AppointmentId]) -> Result<Vec<Outdated>, StoreError> {
    let ids: Vec<Uuid> = appointments.iter().map(AppointmentId::as_uuid).collect();
    let rows = tx.query(ABOUT, &[&ids]).await?;
    let read = |row: &Row| {
        Ok(Outdated {
            id: LetterId::from(row.get::<_, Uuid>("id")),
            patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
            appointment: AppointmentId::from(row.get::<_, Uuid>("appointment_id")),
            share: kind(row)?.share(),
            restricted: row.get("restricted"),
            held: row.get("held"),
            case: row.get::<_, Option<Uuid>>("case_id").map(CaseId::from),
        })
    };
    rows.iter().map(read).collect()
}

/// Withdraws or supersedes letters. Their patients must be locked.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take_back(
    tx: &Tx,
    letters: &[LetterId],
    state: LetterState,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    if letters.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = letters.iter().map(LetterId::as_uuid).collect();
    tx.execute(GO, &[&ids, &state.name(), &reason])
        .await
        .map(drop)
}

/// Asks a person to put right what a withdrawn letter has already told, by `due_at`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn owe_correction(
    tx: &Tx,
    trust: TrustId,
    case: CaseId,
    due_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.execute(CORRECT, &[&trust.as_uuid(), &case.as_uuid(), &due_at])
        .await
        .map(drop)
}
