//! Letters and the cases born with them. Writes in sets; decides nothing.

mod held;
mod known;

use chrono::{DateTime, Utc};
use letterbox_domain::id::{AppointmentId, CaseId, DocumentId, LetterId, PatientId, TrustId};
use letterbox_domain::ladder::Plan;
use letterbox_domain::letter::{LetterKind, LetterState};
use letterbox_domain::route::{Route, RouteReason};
use uuid::Uuid;

use super::{StoreError, Tx};

pub use held::{HeldLetter, due_for_release, patients_with_releases, release, replan};
pub use known::{KnownLetter, Outdated, about, known, owe_correction, take_back};

/// Letters and their cases in one statement: neither can exist without the other.
const INSERT: &str = "
    WITH cases_born AS (
        INSERT INTO cases (id, trust_id, patient_id, letter_id, policy_version, urgent, step_rungs, step_ats, climbed,
                           deadline_at, promised_at, due_at, created_at)
        SELECT c.id, $1, c.patient, c.letter, c.policy, c.urgent, ($8::smallint[])[c.first:c.last], ($9::timestamptz[])[c.first:c.last],
               c.climbed,
               c.deadline, c.promised, c.due, $2
        FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::integer[], $7::boolean[], $34::integer[], $35::integer[],
                    $10::smallint[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
             AS c (id, patient, letter, policy, urgent, first, last, climbed, deadline, promised, due)
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
    pub case: Option<&'a NewCase>,
}

/// Prepares [`insert`] and [`known`], so that each leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    known::prepare(tx).await?;
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
            .filter_map(|letter| Some((letter.patient, letter.id, letter.case?))),
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
                &cases.first,
                &cases.last,
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
    /// Steps of all cases, one after the other: an array of arrays cannot travel as one parameter.
    pub(super) rungs: Vec<i16>,
    pub(super) ats: Vec<DateTime<Utc>>,
    /// Where each case's steps begin and end among them, counted from 1 as SQL does.
    pub(super) first: Vec<i32>,
    pub(super) last: Vec<i32>,
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
            columns.ids.push(case.id.as_uuid());
            columns.patients.push(patient.as_uuid());
            columns.subjects.push(subject.into());
            columns.policies.push(case.policy_version);
            columns.urgent.push(case.plan.urgent);
            columns.first.push(position(columns.rungs.len()) + 1);
            columns
                .rungs
                .extend(case.plan.steps.iter().map(|step| step.rung.number()));
            columns
                .ats
                .extend(case.plan.steps.iter().map(|step| step.at));
            columns.last.push(position(columns.rungs.len()));
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

/// A position in an array of SQL; transactions have at most a few thousand steps.
fn position(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
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
