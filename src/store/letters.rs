//! Letters and the cases born with them. Writes in sets; decides nothing.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::id::{AppointmentId, CaseId, DocumentId, LetterId, PatientId, TrustId};
use letterbox_domain::ladder::Plan;
use letterbox_domain::letter::{LetterKind, LetterState};
use letterbox_domain::route::{Route, RouteReason};
use tokio_postgres::Row;
use uuid::Uuid;

use super::standing::{Facts, letter_facts, letter_joins};
use super::{StoreError, Tx};

/// Letters and their cases in one statement: neither can exist without the other.
const INSERT: &str = "
    WITH cases_born AS (
        INSERT INTO cases (id, trust_id, patient_id, letter_id, policy_version, urgent, step_rungs, step_ats, climbed,
                           deadline_at, promised_at, due_at, created_at)
        SELECT c.id, $1, c.patient, c.letter, c.policy, c.urgent, c.rungs::smallint[], c.ats::timestamptz[], c.climbed,
               c.deadline, c.promised, c.due, $2
        FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::integer[], $7::boolean[], $8::text[], $9::text[],
                    $10::smallint[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
             AS c (id, patient, letter, policy, urgent, rungs, ats, climbed, deadline, promised, due)
    )
    INSERT INTO letters (id, trust_id, source_id, form_sha256, patient_id, document_id, kind, title, specialty, clinic,
                         contact_phone, contact_hours, appointment_id, full_text, authored_at, release_at, published_at,
                         state, route, route_reason, restricted, replaces_id)
    SELECT l.id, $1, l.source, l.form, l.patient, l.document, l.kind, l.title, l.specialty, l.clinic,
           l.phone, l.hours, l.appointment, l.body, l.authored, l.release, $2,
           l.state, l.route, l.reason, l.restricted, l.replaces
    FROM unnest($14::uuid[], $15::text[], $16::bytea[], $17::uuid[], $18::uuid[], $19::text[], $20::text[],
                $21::text[], $22::text[], $23::text[], $24::text[], $25::uuid[], $26::text[], $27::timestamptz[],
                $28::timestamptz[], $29::text[], $30::text[], $31::text[], $32::boolean[], $33::uuid[])
         AS l (id, source, form, patient, document, kind, title, specialty, clinic, phone, hours, appointment, body,
               authored, release, state, route, reason, restricted, replaces)";

const KNOWN: &str = concat!(
    "SELECT l.id, l.source_id, l.form_sha256, l.patient_id, l.kind, l.route_reason, l.restricted, l.published_at, ",
    "l.withdrawn_reason, l.hidden_at IS NOT NULL AS hidden, replaced.source_id AS replaces, ",
    letter_facts!(),
    " FROM letters l ",
    letter_joins!(),
    " LEFT JOIN letters replaced ON replaced.id = l.replaces_id",
    " WHERE l.trust_id = $1 AND l.source_id = ANY($2)"
);

/// Unopened letters about an appointment: what they say is wrong once it has changed.
const ABOUT: &str = "
    SELECT l.id, l.kind, l.restricted, l.patient_id, l.appointment_id, c.id AS case_id
    FROM letters l LEFT JOIN cases c ON c.letter_id = l.id AND c.ended_at IS NULL
    WHERE l.appointment_id = ANY($1) AND l.kind = 'appointment' AND l.state IN ('held', 'published')
    ORDER BY l.id";

const GO: &str = "
    UPDATE letters SET state = $2, withdrawn_at = app_now(), withdrawn_reason = $3, version = version + 1
    WHERE id = ANY($1) AND state IN ('held', 'published', 'opened')";

const HELD: &str = "
    SELECT l.patient_id FROM letters l WHERE l.state = 'held' AND l.release_at <= app_now()
    ORDER BY l.release_at LIMIT $1";

const HELD_OF: &str = "
    SELECT l.id, l.trust_id, l.patient_id, l.kind, l.route, l.restricted, l.release_at,
           c.id AS case_id, c.policy_version, c.climbed, c.promised_at, about.starts_at
    FROM letters l
    LEFT JOIN cases c ON c.letter_id = l.id AND c.ended_at IS NULL
    LEFT JOIN appointments about ON about.id = l.appointment_id
    WHERE l.patient_id = ANY($1) AND l.state = 'held' AND l.release_at <= app_now()
    ORDER BY l.release_at, l.id
    FOR NO KEY UPDATE OF l";

const RELEASE: &str = "
    UPDATE letters SET state = 'published', published_at = app_now(), version = version + 1 WHERE id = ANY($1)";

const REPLAN: &str = "
    UPDATE cases SET step_rungs = n.rungs::smallint[], step_ats = n.ats::timestamptz[], climbed = n.climbed,
                     deadline_at = n.deadline, promised_at = n.promised, due_at = n.due, urgent = n.urgent
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::timestamptz[],
                $7::timestamptz[], $8::boolean[]) AS n (id, rungs, ats, climbed, deadline, promised, due, urgent)
    WHERE cases.id = n.id AND cases.ended_at IS NULL";

/// A case about to be born.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// Its id.
    pub id: CaseId,
    /// The policy it runs under.
    pub policy_version: i32,
    /// Its steps.
    pub plan: Plan,
    /// Steps done by the transaction that writes it.
    pub climbed: usize,
    /// When it is due next.
    pub due_at: DateTime<Utc>,
}

/// A letter about to be written.
#[derive(Clone, Debug)]
pub struct NewLetterRow<'a> {
    /// Its id.
    pub id: LetterId,
    /// The trust's id of it.
    pub source_id: &'a str,
    /// Hash of the form and of the document's hash.
    pub form_sha256: &'a [u8],
    /// Whose.
    pub patient: PatientId,
    /// The file.
    pub document: DocumentId,
    /// Appointment or clinic.
    pub kind: LetterKind,
    /// Its title.
    pub title: &'a str,
    /// The specialty that wrote it.
    pub specialty: &'a str,
    /// The clinic that wrote it.
    pub clinic: &'a str,
    /// Whom to phone about it.
    pub contact_phone: &'a str,
    /// When.
    pub contact_hours: Option<&'a str>,
    /// The appointment it is about.
    pub appointment: Option<AppointmentId>,
    /// The whole text, as an alternative to the file.
    pub full_text: Option<&'a str>,
    /// When the trust's author finished it.
    pub authored_at: DateTime<Utc>,
    /// Hidden until then.
    pub release_at: Option<DateTime<Utc>>,
    /// `Held` or `Published`.
    pub state: LetterState,
    /// Who delivers.
    pub route: Route,
    /// Why.
    pub reason: RouteReason,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// The letter it replaces.
    pub replaces: Option<LetterId>,
    /// Its case; `None` where the hospital posts it itself.
    pub case: Option<NewCase>,
}

/// Prepares [`insert`] and [`known`], so that each leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(KNOWN).await?;
    tx.prepared(INSERT).await.map(drop)
}

/// Writes letters with their cases, published at `now`.
///
/// # Errors
/// [`StoreError::Contention`] when another transaction has just taken one of the source ids: try again and find it.
pub async fn insert(
    tx: &Tx,
    trust: TrustId,
    now: DateTime<Utc>,
    new: &[NewLetterRow<'_>],
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let cases = CaseColumns::of(
        new.iter()
            .filter_map(|letter| Some((letter.patient, letter.id, letter.case.as_ref()?))),
    );
    let letters = LetterColumns::of(new);
    let done = tx
        .execute(
            INSERT,
            &[
                &trust.as_uuid(),
                &now,
                &cases.ids,
                &cases.patients,
                &cases.subjects,
                &cases.policies,
                &cases.urgent,
                &cases.rungs,
                &cases.ats,
                &cases.climbed,
                &cases.deadlines,
                &cases.promised,
                &cases.dues,
                &letters.ids,
                &letters.sources,
                &letters.forms,
                &letters.patients,
                &letters.documents,
                &letters.kinds,
                &letters.titles,
                &letters.specialties,
                &letters.clinics,
                &letters.phones,
                &letters.hours,
                &letters.appointments,
                &letters.bodies,
                &letters.authored,
                &letters.releases,
                &letters.states,
                &letters.routes,
                &letters.reasons,
                &letters.restricted,
                &letters.replaces,
            ],
        )
        .await;
    match done {
        Err(error) if error.violates("letters_trust_id_source_id_key") => Err(
            StoreError::Contention("a letter with this source id has just been written".to_owned()),
        ),
        other => other.map(drop),
    }
}

/// Cases as columns; also for cases of appointments.
#[derive(Default)]
pub(super) struct CaseColumns {
    pub(super) ids: Vec<Uuid>,
    pub(super) patients: Vec<Uuid>,
    pub(super) subjects: Vec<Uuid>,
    pub(super) policies: Vec<i32>,
    pub(super) urgent: Vec<bool>,
    pub(super) rungs: Vec<String>,
    pub(super) ats: Vec<String>,
    pub(super) climbed: Vec<i16>,
    pub(super) deadlines: Vec<DateTime<Utc>>,
    pub(super) promised: Vec<Option<DateTime<Utc>>>,
    pub(super) dues: Vec<DateTime<Utc>>,
}

impl CaseColumns {
    pub(super) fn of<'a, S: Into<Uuid>>(
        new: impl Iterator<Item = (PatientId, S, &'a NewCase)>,
    ) -> Self {
        let mut columns = Self::default();
        for (patient, subject, case) in new {
            let (rungs, ats) = steps(&case.plan);
            columns.ids.push(case.id.as_uuid());
            columns.patients.push(patient.as_uuid());
            columns.subjects.push(subject.into());
            columns.policies.push(case.policy_version);
            columns.urgent.push(case.plan.urgent);
            columns.rungs.push(rungs);
            columns.ats.push(ats);
            columns
                .climbed
                .push(i16::try_from(case.climbed).unwrap_or(i16::MAX));
            columns.deadlines.push(case.plan.deadline);
            columns.promised.push(case.plan.post_at);
            columns.dues.push(case.due_at);
        }
        columns
    }
}

/// A plan's steps as two array literals: an array of arrays cannot travel as one parameter.
fn steps(plan: &Plan) -> (String, String) {
    let (mut rungs, mut ats) = (String::with_capacity(16), String::with_capacity(160));
    for (n, step) in plan.steps.iter().enumerate() {
        let before = if n == 0 { '{' } else { ',' };
        let written = write!(rungs, "{before}{}", step.rung.number())
            .and_then(|()| write!(ats, "{before}{}", step.at.format("%Y-%m-%dT%H:%M:%S%.6fZ")));
        debug_assert!(written.is_ok(), "a String takes everything");
    }
    if plan.steps.is_empty() {
        rungs.push('{');
        ats.push('{');
    }
    rungs.push('}');
    ats.push('}');
    (rungs, ats)
}

#[derive(Default)]
struct LetterColumns<'a> {
    ids: Vec<Uuid>,
    sources: Vec<&'a str>,
    forms: Vec<&'a [u8]>,
    patients: Vec<Uuid>,
    documents: Vec<Uuid>,
    kinds: Vec<&'static str>,
    titles: Vec<&'a str>,
    specialties: Vec<&'a str>,
    clinics: Vec<&'a str>,
    phones: Vec<&'a str>,
    hours: Vec<Option<&'a str>>,
    appointments: Vec<Option<Uuid>>,
    bodies: Vec<Option<&'a str>>,
    authored: Vec<DateTime<Utc>>,
    releases: Vec<Option<DateTime<Utc>>>,
    states: Vec<&'static str>,
    routes: Vec<&'static str>,
    reasons: Vec<&'static str>,
    restricted: Vec<bool>,
    replaces: Vec<Option<Uuid>>,
}

impl<'a> LetterColumns<'a> {
    fn of(new: &[NewLetterRow<'a>]) -> Self {
        let mut columns = Self::default();
        for letter in new {
            columns.ids.push(letter.id.as_uuid());
            columns.sources.push(letter.source_id);
            columns.forms.push(letter.form_sha256);
            columns.patients.push(letter.patient.as_uuid());
            columns.documents.push(letter.document.as_uuid());
            columns.kinds.push(letter.kind.name());
            columns.titles.push(letter.title);
            columns.specialties.push(letter.specialty);
            columns.clinics.push(letter.clinic);
            columns.phones.push(letter.contact_phone);
            columns.hours.push(letter.contact_hours);
            columns
                .appointments
                .push(letter.appointment.map(Uuid::from));
            columns.bodies.push(letter.full_text);
            columns.authored.push(letter.authored_at);
            columns.releases.push(letter.release_at);
            columns.states.push(letter.state.name());
            columns.routes.push(letter.route.name());
            columns.reasons.push(letter.reason.name());
            columns.restricted.push(letter.restricted);
            columns.replaces.push(letter.replaces.map(Uuid::from));
        }
        columns
    }
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

fn kind(row: &Row) -> Result<LetterKind, StoreError> {
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

/// A held letter whose time has come.
#[derive(Clone, Debug)]
pub struct HeldLetter {
    /// Which.
    pub id: LetterId,
    /// From whom.
    pub trust: TrustId,
    /// To whom.
    pub patient: PatientId,
    /// Its kind.
    pub kind: LetterKind,
    /// Who delivers.
    pub route: Route,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// Start of the appointment it is about.
    pub known_by: Option<DateTime<Utc>>,
    /// Its open case, the policy it runs under, and whether it has climbed already.
    pub case: Option<(CaseId, i32, bool)>,
    /// The cut-off promised when it was planned.
    pub promised_at: Option<DateTime<Utc>>,
}

/// Patients with held letters that are due for release, at most `limit` letters.
///
/// # Errors
/// Any [`StoreError`].
pub async fn patients_with_releases(tx: &Tx, limit: i64) -> Result<Vec<PatientId>, StoreError> {
    let rows = tx.query(HELD, &[&limit]).await?;
    Ok(rows
        .iter()
        .map(|row| PatientId::from(row.get::<_, Uuid>(0)))
        .collect())
}

/// These patients' held letters that are due, locked. The patients must be locked.
///
/// # Errors
/// [`StoreError::Corrupt`] when a row cannot be understood.
pub async fn due_for_release(
    tx: &Tx,
    patients: &[PatientId],
) -> Result<Vec<HeldLetter>, StoreError> {
    let ids: Vec<Uuid> = patients.iter().map(PatientId::as_uuid).collect();
    let rows = tx.query(HELD_OF, &[&ids]).await?;
    let read = |row: &Row| {
        let case = row.get::<_, Option<Uuid>>("case_id").map(CaseId::from);
        let climbed = row.get::<_, Option<i16>>("climbed").unwrap_or(0) > 0;
        Ok(HeldLetter {
            id: LetterId::from(row.get::<_, Uuid>("id")),
            trust: TrustId::from(row.get::<_, Uuid>("trust_id")),
            patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
            kind: kind(row)?,
            route: Route::from_name(row.get("route"))
                .ok_or_else(|| StoreError::corrupt("letters", "route", "no such route"))?,
            restricted: row.get("restricted"),
            known_by: row.get("starts_at"),
            case: case
                .zip(row.get("policy_version"))
                .map(|(case, version)| (case, version, climbed)),
            promised_at: row.get("promised_at"),
        })
    };
    rows.iter().map(read).collect()
}

/// Lets held letters into their mailboxes, published now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn release(tx: &Tx, letters: &[LetterId]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = letters.iter().map(LetterId::as_uuid).collect();
    tx.execute(RELEASE, &[&ids]).await.map(drop)
}

/// Gives open cases a new plan.
///
/// # Errors
/// Any [`StoreError`].
pub async fn replan(tx: &Tx, cases: &[NewCase]) -> Result<(), StoreError> {
    if cases.is_empty() {
        return Ok(());
    }
    let nobody = PatientId::from(Uuid::nil());
    let columns = CaseColumns::of(cases.iter().map(|case| (nobody, Uuid::nil(), case)));
    tx.execute(
        REPLAN,
        &[
            &columns.ids,
            &columns.rungs,
            &columns.ats,
            &columns.climbed,
            &columns.deadlines,
            &columns.promised,
            &columns.dues,
            &columns.urgent,
        ],
    )
    .await
    .map(drop)
}
