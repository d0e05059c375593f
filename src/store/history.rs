//! Every change of state, written in the commit that makes it, with the hash of its own content.
//! Added to, never changed; never shown to browsers.

use chrono::{DateTime, Utc};
use letterbox_domain::id::LetterId;
use serde_json::Value;
use uuid::Uuid;

use super::{Principal, StoreError, Tx};

const APPEND: &str = "
    INSERT INTO history (trust_id, patient_id, subject_kind, subject_id, kind, at, actor, policy_version, facts, sha256)
    SELECT n.trust, n.patient, n.subject_kind, n.subject, n.kind, app_now(), $8, n.policy_version, n.facts,
           history_sha256(n.trust, n.patient, n.subject_kind, n.subject, n.kind, app_now(), $8, n.policy_version, n.facts)
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::integer[], $7::jsonb[])
         AS n (trust, patient, subject_kind, subject, kind, policy_version, facts)";

const UNSOUND: &str = "
    SELECT count(*) FROM history
    WHERE sha256 <> history_sha256(trust_id, patient_id, subject_kind, subject_id, kind, at, actor, policy_version, facts)";

/// One change of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The trust concerned.
    pub trust: Uuid,
    /// The patient concerned, if one is.
    pub patient: Option<Uuid>,
    /// `letter`, `appointment`, `case`, `dispatch`, `batch`, `task`, `grant`, `patient` …
    pub subject_kind: &'static str,
    /// Which.
    pub subject: Uuid,
    /// Past tense, dotted: `letter.published`, `rung.climbed`.
    pub kind: &'static str,
    /// The policy that decided, where one did.
    pub policy_version: Option<i32>,
    /// Ids, codes and instants; never a name, number or word of a letter.
    pub facts: Value,
}

/// One line of history, read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// Past tense, dotted.
    pub kind: String,
    /// Ids, codes and instants.
    pub facts: Value,
}

/// Bounded: a letter has a dozen lines; hundreds only where a provider was asked again and again.
const OF_LETTER: &str = "
    SELECT at, kind, facts FROM history
    WHERE subject_id = ANY (ARRAY (
        SELECT $1::uuid UNION ALL SELECT id FROM cases WHERE letter_id = $1
        UNION ALL SELECT d.id FROM cases c JOIN dispatches d ON d.case_id = c.id WHERE c.letter_id = $1))
    ORDER BY at, subject_kind <> 'letter', id LIMIT 500";

/// Everything that happened to a letter, its case and its messages, oldest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_letter(tx: &Tx, letter: LetterId) -> Result<Vec<Happened>, StoreError> {
    let rows = tx.query(OF_LETTER, &[&letter.as_uuid()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Happened {
                at: row.try_get("at")?,
                kind: row.try_get("kind")?,
                facts: row.try_get("facts")?,
            })
        })
        .collect()
}

/// Prepares [`append`], so that it leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(APPEND).await.map(drop)
}

/// Adds entries on behalf of `principal`, at the transaction's time.
///
/// # Errors
/// Any [`StoreError`].
pub async fn append(tx: &Tx, principal: &Principal, entries: &[Entry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let trusts: Vec<Uuid> = entries.iter().map(|entry| entry.trust).collect();
    let patients: Vec<Option<Uuid>> = entries.iter().map(|entry| entry.patient).collect();
    let subject_kinds: Vec<&str> = entries.iter().map(|entry| entry.subject_kind).collect();
    let subjects: Vec<Uuid> = entries.iter().map(|entry| entry.subject).collect();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind).collect();
    let versions: Vec<Option<i32>> = entries.iter().map(|entry| entry.policy_version).collect();
    let facts: Vec<&Value> = entries.iter().map(|entry| &entry.facts).collect();
    let actor = principal.to_string();
    tx.execute(
        APPEND,
        &[
            &trusts,
            &patients,
            &subject_kinds,
            &subjects,
            &kinds,
            &versions,
            &facts,
            &actor,
        ],
    )
    .await?;
    Ok(())
}

/// How many rows no longer match their own hash; anything but 0 means that somebody changed what happened.
///
/// # Errors
/// Any [`StoreError`].
pub async fn unsound(tx: &Tx) -> Result<i64, StoreError> {
    Ok(tx.query_one(UNSOUND, &[]).await?.get(0))
}
