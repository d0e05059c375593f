//! What publishing must know before it decides: patients (locked), letters and appointments already here,
//! documents, and the trust's roll-out; and how what it decided is written and committed. Everything in sets, in
//! two flights: one of questions, one of answers.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::{join4, join5};
use letterbox_domain::event::Event;
use letterbox_domain::id::{AppointmentId, CaseId, DocumentId, PatientId, Seq, TrustId};
use letterbox_domain::ladder::Contacts;
use letterbox_domain::letter::LetterKind;
use letterbox_domain::person::PostalAddress;
use letterbox_domain::route::Route;
use tokio_postgres::Row;
use uuid::Uuid;

use super::events::{self, Locked};
use super::history::{self, Entry};
use super::letters::{self, KnownLetter, NewLetterRow};
use super::quarantine::{self, NewQuarantine};
use super::{Principal, StoreError, Tx};

/// Columns of [`PatientFacts`] for a relation `p`.
macro_rules! patient_facts {
    () => {
        "p.id, p.nhs_number, p.head_seq, p.birth_date, p.format_need IS NOT NULL AS has_format_need, \
         p.deceased_at IS NOT NULL AS deceased, app_now() AS now, \
         CASE WHEN p.post_unsafe_since IS NULL THEN p.address_lines ELSE '{}' END AS address_lines, \
         m.account_id IS NOT NULL AS is_member, m.paper_since IS NOT NULL AS wants_paper, \
         a.email_verified_at IS NOT NULL AND m.email_choice = 'on' AND NOT EXISTS (SELECT FROM bad_contacts b \
             WHERE (b.patient_id, b.channel, b.contact) = (p.id, 'email', a.email)) AS has_email, \
         a.mobile_verified_at IS NOT NULL AND m.text_choice = 'on' AND NOT EXISTS (SELECT FROM bad_contacts b \
             WHERE (b.patient_id, b.channel, b.contact) = (p.id, 'text', a.mobile)) AS has_mobile"
    };
}

/// Joins for [`patient_facts!`].
macro_rules! patient_joins {
    () => {
        " LEFT JOIN memberships m ON m.patient_id = p.id AND m.left_at IS NULL AND m.joined_at <= app_now() \
          LEFT JOIN accounts a ON a.id = m.account_id AND a.closed_at IS NULL "
    };
}

/// Locks in the order of ids, like everybody. The trust's own ids lead to the patients, one by one: a plan made while
/// there were few must not walk through all of them when there are many.
const PATIENTS: &str = concat!(
    "SELECT s.source_id, ",
    patient_facts!(),
    " FROM unnest($2::text[]) AS asked (source_id)
      CROSS JOIN LATERAL (SELECT source_id, patient_id FROM patient_sources
                          WHERE trust_id = $1 AND source_id = asked.source_id OFFSET 0) AS s
      JOIN patients p ON p.id = s.patient_id ",
    patient_joins!(),
    " ORDER BY p.id FOR NO KEY UPDATE OF p"
);

/// The same for patients whose ids are known.
const PATIENTS_BY_ID: &str = concat!(
    "SELECT ",
    patient_facts!(),
    " FROM patients p ",
    patient_joins!(),
    " WHERE p.id = ANY($1) ORDER BY p.id FOR NO KEY UPDATE OF p"
);

const TRUST: &str = "
    SELECT t.policy_version, app_now() AS now,
           ARRAY(SELECT specialty FROM sensitive_specialties s WHERE s.trust_id = t.id AND s.specialty = ANY($2))
               AS sensitive,
           r.specialty, r.letter_kind, r.live_from <= app_now() AS is_live, r.non_member_route
    FROM trusts t
    LEFT JOIN rollout r ON r.trust_id = t.id AND (r.specialty = '*' OR r.specialty = ANY($2))
    WHERE t.id = $1";

const DOCUMENTS: &str = "
    SELECT d.sha256, d.id FROM unnest($2::bytea[]) AS asked (sha256)
    CROSS JOIN LATERAL (SELECT id, sha256 FROM documents WHERE trust_id = $1 AND sha256 = asked.sha256 OFFSET 0) AS d";

const APPOINTMENTS: &str = "
    SELECT a.source_id, a.id, a.patient_id, a.starts_at, a.restricted,
           (SELECT c.id FROM cases c WHERE c.appointment_id = a.id AND c.ended_at IS NULL AND NOT c.urgent
            ORDER BY c.appointment_change DESC LIMIT 1) AS case_id
    FROM unnest($2::text[]) AS asked (source_id)
    CROSS JOIN LATERAL (SELECT * FROM appointments WHERE trust_id = $1 AND source_id = asked.source_id OFFSET 0) AS a";

/// What a batch of letters refers to.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// The trust's ids of the patients.
    pub patients: Vec<&'a str>,
    /// The trust's ids of the letters, and of letters they replace.
    pub letters: Vec<&'a str>,
    /// Hashes of the files.
    pub documents: Vec<&'a [u8]>,
    /// The trust's ids of appointments.
    pub appointments: Vec<&'a str>,
    /// Specialties, for the roll-out.
    pub specialties: Vec<&'a str>,
}

/// What there is of it.
#[derive(Debug)]
pub struct Found {
    /// The patients, locked.
    pub patients: Patients,
    /// Their mailboxes; `None` when no patient was found.
    pub mailboxes: Option<Locked>,
    /// Letters here already.
    pub letters: BTreeMap<String, KnownLetter>,
    /// Files.
    pub documents: BTreeMap<Vec<u8>, DocumentId>,
    /// Appointments.
    pub appointments: BTreeMap<String, AppointmentFacts>,
    /// The trust.
    pub trust: TrustFacts,
}

/// Locks the patients, then looks for everything else, in one flight.
///
/// Letters are looked for after the lock is held, so that two publications of the same letter see each other.
///
/// # Errors
/// Any [`StoreError`].
pub async fn gather(tx: &Tx, trust: TrustId, asked: &Asked<'_>) -> Result<Found, StoreError> {
    // Once prepared, each question below leaves at its first poll, in this order, without waiting for answers.
    for sql in [PATIENTS, DOCUMENTS, APPOINTMENTS, TRUST] {
        tx.prepared(sql).await?;
    }
    letters::prepare(tx).await?;
    let (patients, letters, documents, appointments, trust) = join5(
        lock_patients(tx, trust, &asked.patients),
        letters::known(tx, trust, &asked.letters),
        self::documents(tx, trust, &asked.documents),
        self::appointments(tx, trust, &asked.appointments),
        self::trust(tx, trust, &asked.specialties),
    )
    .await;
    let (patients, mailboxes) = patients?;
    Ok(Found {
        patients,
        mailboxes,
        letters: letters?
            .into_iter()
            .map(|letter| (letter.source_id.clone(), letter))
            .collect(),
        documents: documents?,
        appointments: appointments?,
        trust: trust?,
    })
}

/// What was decided.
#[derive(Debug, Default)]
pub struct Outcome<'a> {
    /// Letters, unless they have been written already.
    pub letters: &'a [NewLetterRow<'a>],
    /// Numbered events.
    pub events: &'a [Event],
    /// What happened, for the record.
    pub history: &'a [Entry],
    /// Refused input, and when somebody must have looked at it.
    pub quarantine: Option<(DateTime<Utc>, &'a [NewQuarantine<'a>])>,
}

/// Writes and commits in one flight.
///
/// # Errors
/// [`StoreError::CommitUnknown`] when the connection was lost under way; else the first that went wrong, and
/// nothing was written.
pub async fn write_and_commit(
    tx: Tx,
    principal: &Principal,
    trust: TrustId,
    now: DateTime<Utc>,
    outcome: &Outcome<'_>,
) -> Result<(), StoreError> {
    if let Some((due_at, refused)) = outcome.quarantine {
        quarantine::insert(&tx, trust, due_at, refused).await?;
    }
    letters::prepare(&tx).await?;
    events::prepare(&tx).await?;
    history::prepare(&tx).await?;
    let (letters, events, history, committed) = join4(
        letters::insert(&tx, trust, now, outcome.letters),
        events::write(&tx, outcome.events),
        history::append(&tx, principal, outcome.history),
        tx.clone().commit(),
    )
    .await;
    // A lost connection fails the statements too, but only COMMIT's own error says that it may have happened.
    if matches!(committed, Err(StoreError::CommitUnknown)) {
        return committed;
    }
    letters.and(events).and(history).and(committed)
}

/// A patient whose row this transaction holds.
#[derive(Clone, Debug)]
pub struct PatientFacts {
    /// Which.
    pub id: PatientId,
    /// Ten digits, to be compared with what the trust repeats.
    pub nhs_number: String,
    /// For the age.
    pub birth_date: NaiveDate,
    /// Needs a format that the portal does not give.
    pub has_format_need: bool,
    /// Has joined, and not left.
    pub is_member: bool,
    /// "Always post my letters".
    pub wants_paper: bool,
    /// What works.
    pub contacts: Contacts,
}

/// The patients asked for, by the trust's own ids.
#[derive(Debug, Default)]
pub struct Patients {
    by_source: BTreeMap<String, PatientFacts>,
}

impl Patients {
    /// The patient whom the trust knows by this id.
    #[must_use]
    pub fn get(&self, source_id: &str) -> Option<&PatientFacts> {
        self.by_source.get(source_id)
    }
}

/// Locks and reads the patients whom the trust knows by these ids; `None` when there is none at all.
///
/// # Errors
/// Any [`StoreError`].
pub async fn lock_patients(
    tx: &Tx,
    trust: TrustId,
    sources: &[&str],
) -> Result<(Patients, Option<Locked>), StoreError> {
    let rows = tx.query(PATIENTS, &[&trust.as_uuid(), &sources]).await?;
    let mut patients = Patients::default();
    let mut heads = BTreeMap::new();
    for row in &rows {
        let facts = patient(row);
        heads.insert(facts.id, Seq(row.get("head_seq")));
        patients.by_source.insert(row.get("source_id"), facts);
    }
    Ok((
        patients,
        rows.first().map(|row| Locked::new(row.get("now"), heads)),
    ))
}

/// Locks and reads these patients; those who do not exist are absent.
///
/// # Errors
/// Any [`StoreError`].
pub async fn lock_by_id(
    tx: &Tx,
    ids: &[PatientId],
) -> Result<(BTreeMap<PatientId, PatientFacts>, Option<Locked>), StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(PatientId::as_uuid).collect();
    let rows = tx.query(PATIENTS_BY_ID, &[&ids]).await?;
    let heads = rows
        .iter()
        .map(|row| {
            (
                PatientId::from(row.get::<_, Uuid>("id")),
                Seq(row.get("head_seq")),
            )
        })
        .collect();
    let mailboxes = rows.first().map(|row| Locked::new(row.get("now"), heads));
    Ok((
        rows.iter()
            .map(patient)
            .map(|facts| (facts.id, facts))
            .collect(),
        mailboxes,
    ))
}

fn patient(row: &Row) -> PatientFacts {
    let alive = !row.get::<_, bool>("deceased");
    let lines: Vec<String> = row.get("address_lines");
    let has = |column| alive && row.get::<_, Option<bool>>(column).unwrap_or(false);
    PatientFacts {
        id: PatientId::from(row.get::<_, Uuid>("id")),
        nhs_number: row.get("nhs_number"),
        birth_date: row.get("birth_date"),
        has_format_need: row.get("has_format_need"),
        is_member: row.get("is_member"),
        wants_paper: row.get("wants_paper"),
        contacts: Contacts {
            email: has("has_email"),
            text: has("has_mobile"),
            address: alive && PostalAddress::parse(&lines).is_ok(),
        },
    }
}

/// What a trust has decided about its letters.
#[derive(Debug)]
pub struct TrustFacts {
    /// The transaction's time.
    pub now: DateTime<Utc>,
    /// The policy of new letters.
    pub policy_version: i32,
    sensitive: Vec<String>,
    rollout: BTreeMap<(String, &'static str), Rollout>,
}

/// Whether a specialty's letters of one kind come to the portal, and whose the paper is where they do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Live now.
    pub is_live: bool,
    /// Whose the paper of a non-member is.
    pub paper: Route,
}

impl TrustFacts {
    /// Whether the trust has marked the specialty as sensitive.
    #[must_use]
    pub fn is_sensitive(&self, specialty: &str) -> bool {
        self.sensitive.iter().any(|marked| marked == specialty)
    }

    /// The specialty's own row, or the one for all others; what has neither stays with the trust.
    #[must_use]
    pub fn rollout(&self, specialty: &str, kind: LetterKind) -> Rollout {
        let of = |name: &str| self.rollout.get(&(name.to_owned(), kind.name())).copied();
        of(specialty).or_else(|| of("*")).unwrap_or(Rollout {
            is_live: false,
            paper: Route::YouPost,
        })
    }
}

/// Reads the trust's policy version, its sensitive specialties and its roll-out, for the specialties named.
///
/// # Errors
/// [`StoreError::Corrupt`] when there is no such trust.
pub async fn trust(
    tx: &Tx,
    trust: TrustId,
    specialties: &[&str],
) -> Result<TrustFacts, StoreError> {
    let rows = tx.query(TRUST, &[&trust.as_uuid(), &specialties]).await?;
    let first = rows
        .first()
        .ok_or_else(|| StoreError::corrupt("trusts", "id", "there is no such trust"))?;
    Ok(TrustFacts {
        now: first.get("now"),
        policy_version: first.get("policy_version"),
        sensitive: first.get("sensitive"),
        rollout: rows
            .iter()
            .filter_map(|row| rollout(row).transpose())
            .collect::<Result<_, _>>()?,
    })
}

/// What a row says: for which specialty and letter kind, and what holds there.
type RolloutRow = ((String, &'static str), Rollout);

fn rollout(row: &Row) -> Result<Option<RolloutRow>, StoreError> {
    let Some(specialty) = row.get::<_, Option<String>>("specialty") else {
        return Ok(None);
    };
    let kind = LetterKind::from_name(row.get("letter_kind"))
        .ok_or_else(|| StoreError::corrupt("rollout", "letter_kind", "no such kind"))?;
    let paper = Route::from_name(row.get("non_member_route"))
        .ok_or_else(|| StoreError::corrupt("rollout", "non_member_route", "no such route"))?;
    Ok(Some((
        (specialty, kind.name()),
        Rollout {
            is_live: row.get("is_live"),
            paper,
        },
    )))
}

/// Documents of the trust by the hash of their bytes.
///
/// # Errors
/// Any [`StoreError`].
pub async fn documents(
    tx: &Tx,
    trust: TrustId,
    hashes: &[&[u8]],
) -> Result<BTreeMap<Vec<u8>, DocumentId>, StoreError> {
    let rows = tx.query(DOCUMENTS, &[&trust.as_uuid(), &hashes]).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), DocumentId::from(row.get::<_, Uuid>(1))))
        .collect())
}

/// An appointment that a letter may be about.
#[derive(Clone, Debug)]
pub struct AppointmentFacts {
    /// Which.
    pub id: AppointmentId,
    /// Whose.
    pub patient: PatientId,
    /// When.
    pub starts_at: DateTime<Utc>,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// The open case of its latest change, unless that is time-critical: a letter may carry it instead.
    pub case: Option<CaseId>,
}

/// Appointments of the trust by its own ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn appointments(
    tx: &Tx,
    trust: TrustId,
    sources: &[&str],
) -> Result<BTreeMap<String, AppointmentFacts>, StoreError> {
    if sources.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = tx
        .query(APPOINTMENTS, &[&trust.as_uuid(), &sources])
        .await?;
    let facts = |row: &Row| AppointmentFacts {
        id: AppointmentId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        starts_at: row.get("starts_at"),
        restricted: row.get("restricted"),
        case: row.get::<_, Option<Uuid>>("case_id").map(CaseId::from),
    };
    Ok(rows
        .iter()
        .map(|row| (row.get("source_id"), facts(row)))
        .collect())
}
