//! A hospital's letters come in: one path for a single letter, a batch and a replacement.
//!
//! One transaction: letters, cases with their deadlines, events under the patients' locks, history and wake-ups;
//! and where the deadline is already past or the route is paper, the notice, the print item and the phone task
//! too. A bad item never fails its neighbours.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use letterbox_domain::case::{CaseEnd, CaseState};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{CaseId, LetterId};
use letterbox_domain::ladder::{
    CaseView, Contacts, Decision, Plan, Rung, Skip, SkipReason, Subject, decide, plan_letter,
    plan_post,
};
use letterbox_domain::letter::LetterState;
use letterbox_domain::person::BirthDate;
use letterbox_domain::policy::Policy;
use letterbox_domain::route::{Route, RouteFacts, RouteReason, decide_route};
use letterbox_domain::time::local_date;
use serde_json::json;

use super::forms::NewLetter;
use super::{Code, CommandError, Refusal, TrustSystem, Wake, calendars};
use crate::crash;
use crate::store::climbs::{self, Climb};
use crate::store::events::NewEvent;
use crate::store::history::Entry;
use crate::store::intake::{self, Asked, Found, Outcome, PatientFacts};
use crate::store::letters::{self, KnownLetter, NewCase, NewLetterRow};
use crate::store::quarantine::NewQuarantine;
use crate::store::standing::{CaseFacts, Facts};
use crate::store::{Store, StoreError, Tx, endings, policies};

/// Most letters of one transaction: enough that the commit's cost is spread thin, few enough that locks are short.
pub const MOST: usize = 100;

/// How often a publication whose commit was cut is looked up again before the caller must ask himself.
const LOOKS: u32 = 3;

/// How a letter stands, as the trust is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterAnswer {
    /// Our id of it.
    pub letter_id: LetterId,
    /// The trust's id of it.
    pub source_id: String,
    /// Held, published, opened, withdrawn or superseded.
    pub state: LetterState,
    /// Who delivers; binding.
    pub route: Route,
    /// Why.
    pub reason: RouteReason,
    /// The dated sentence that everybody reads.
    pub promise: String,
    /// When it was committed, or released.
    pub published_at: DateTime<Utc>,
    /// When paper or a person takes over.
    pub deadline_at: Option<DateTime<Utc>>,
    /// The cut-off at which it is posted unless it is opened before.
    pub post_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub opened_at: Option<DateTime<Utc>>,
    /// When the print house acknowledged it.
    pub posted_at: Option<DateTime<Utc>>,
}

/// What came of one letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishResult {
    /// It is new, and safe.
    Published(LetterAnswer),
    /// It was here already, with the same content: nothing was changed.
    Repeated(LetterAnswer),
    /// It was not taken in.
    Refused(Refusal),
}

/// What came of a call: one result a letter, in their order, and whom to wake.
#[derive(Debug)]
pub struct Publication {
    /// In the order of the letters.
    pub results: Vec<PublishResult>,
    /// What the commit brought about.
    pub wake: Wake,
}

/// Publishes letters of one trust.
///
/// # Errors
/// [`CommandError::Refused`] for more than [`MOST`] letters; [`CommandError::Store`] when nothing was done, or, as
/// [`StoreError::CommitUnknown`], when it cannot be told even after looking again: sending the same letters again
/// is safe in any case.
pub async fn publish_letters(
    store: &Store,
    sender: &TrustSystem,
    letters: &[NewLetter],
) -> Result<Publication, CommandError> {
    let items: Vec<Item<'_>> = letters
        .iter()
        .map(|letter| Item::new(letter, None))
        .collect();
    publish(store, sender, &items).await
}

/// Publishes a letter in the place of another, which disappears in the same instant.
///
/// # Errors
/// As [`publish_letters`].
pub async fn replace_letter(
    store: &Store,
    sender: &TrustSystem,
    replaced_source_id: &str,
    letter: &NewLetter,
) -> Result<Publication, CommandError> {
    publish(
        store,
        sender,
        &[Item::new(letter, Some(replaced_source_id))],
    )
    .await
}

async fn publish(
    store: &Store,
    sender: &TrustSystem,
    items: &[Item<'_>],
) -> Result<Publication, CommandError> {
    if items.len() > MOST {
        let detail = format!("Send at most {MOST} letters in one call.");
        return Err(Refusal::new(Code::TooManyItems, detail).into());
    }
    let principal = sender.principal();
    let mut looks = 0;
    loop {
        let done = store
            .run_to_commit("letters.publish", &principal, |tx| {
                attempt(tx, sender, items)
            })
            .await;
        match done {
            // The same ids are looked for again: what was committed answers as published, the rest is done now.
            Err(CommandError::Store(StoreError::CommitUnknown)) if looks < LOOKS => looks += 1,
            settled => return settled,
        }
    }
}

/// A letter with the ids that it keeps however often the transaction is tried.
struct Item<'a> {
    form: &'a NewLetter,
    form_sha256: [u8; 32],
    replaces: Option<&'a str>,
    id: LetterId,
    case: CaseId,
}

impl<'a> Item<'a> {
    fn new(form: &'a NewLetter, replaces: Option<&'a str>) -> Self {
        Self {
            form,
            form_sha256: form.form_sha256(),
            replaces,
            id: LetterId::random(),
            case: CaseId::random(),
        }
    }
}

async fn attempt(
    tx: Tx,
    sender: &TrustSystem,
    items: &[Item<'_>],
) -> Result<Publication, CommandError> {
    let found = intake::gather(&tx, sender.trust, &asked(items)).await?;
    let policy = policies::get(&tx, sender.trust, found.trust.policy_version).await?;
    let mut intake = Intake::new(sender, &found, &policy);
    for item in items {
        intake.take(item);
    }
    intake.commit(tx).await
}

fn asked<'a>(items: &'a [Item<'_>]) -> Asked<'a> {
    let mut asked = Asked::default();
    for item in items {
        asked.patients.push(&item.form.patient);
        asked.letters.push(&item.form.source_id);
        asked.letters.extend(item.replaces);
        asked.documents.push(&item.form.document);
        asked.appointments.extend(item.form.appointment.as_deref());
        asked.specialties.push(&item.form.specialty);
    }
    asked
}

/// One transaction's decisions, gathered item by item and then written at once.
struct Intake<'a> {
    sender: &'a TrustSystem,
    found: &'a Found,
    policy: &'a Policy,
    results: Vec<PublishResult>,
    rows: Vec<NewLetterRow<'a>>,
    climbed: Vec<Climbed>,
    news: Vec<NewEvent>,
    history: Vec<Entry>,
    refused: Vec<(&'a NewLetter, Refusal)>,
    superseded: Vec<&'a KnownLetter>,
    carried: BTreeSet<CaseId>,
    /// Source ids accepted in this very call.
    taken: BTreeMap<&'a str, ([u8; 32], usize)>,
}

/// A case whose first steps fall into the transaction that publishes it.
struct Climbed {
    row: usize,
    rungs: Vec<Rung>,
    skipped: Vec<Skip>,
    nudge_at: DateTime<Utc>,
    known_by: Option<DateTime<Utc>>,
}

impl<'a> Intake<'a> {
    fn new(sender: &'a TrustSystem, found: &'a Found, policy: &'a Policy) -> Self {
        Self {
            sender,
            found,
            policy,
            results: Vec::new(),
            rows: Vec::new(),
            climbed: Vec::new(),
            news: Vec::new(),
            history: Vec::new(),
            refused: Vec::new(),
            superseded: Vec::new(),
            carried: BTreeSet::new(),
            taken: BTreeMap::new(),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.found.trust.now
    }

    fn take(&mut self, item: &'a Item<'_>) {
        let result = match self.known(item) {
            Some(result) => result,
            None => self
                .resolve(item)
                .map(|resolved| self.accept(item, &resolved)),
        };
        let result = result.unwrap_or_else(|refusal| {
            if refusal.code.is_quarantined() {
                self.refused.push((item.form, refusal.clone()));
            }
            PublishResult::Refused(refusal)
        });
        self.results.push(result);
    }

    /// The answer for a source id that is here already, from earlier or from this very call.
    fn known(&self, item: &Item<'_>) -> Option<Result<PublishResult, Refusal>> {
        let source_id = item.form.source_id.as_str();
        if let Some((form_sha256, first)) = self.taken.get(source_id) {
            return Some(
                match (&self.results[*first], *form_sha256 == item.form_sha256) {
                    (PublishResult::Published(answer), true) => {
                        Ok(PublishResult::Repeated(answer.clone()))
                    }
                    _ => Err(reused()),
                },
            );
        }
        let letter = self.found.letters.get(source_id)?;
        if letter.form_sha256 != item.form_sha256 || letter.replaces.as_deref() != item.replaces {
            return Some(Err(reused()));
        }
        let answer = self.answer_known(letter);
        // Our own id: a commit that we were cut off from did happen.
        let ours = letter.id == item.id;
        Some(Ok(if ours {
            PublishResult::Published(answer)
        } else {
            PublishResult::Repeated(answer)
        }))
    }

    fn answer_known(&self, letter: &KnownLetter) -> LetterAnswer {
        answer(letter, self.policy)
    }

    /// Everything that the letter refers to, or why it cannot be taken in.
    fn resolve(&self, item: &Item<'a>) -> Result<Resolved<'a>, Refusal> {
        let form = item.form;
        form.check(self.now())?;
        if !form.signed {
            let detail = "Only signed letters are published. Sign it and send it again; it is on your list until then.";
            return Err(Refusal::new(Code::NotSigned, detail).at("/signed"));
        }
        let patient = self.patient(form)?;
        let document = self
            .found
            .documents
            .get(form.document.as_slice())
            .ok_or_else(|| {
                let detail =
                    "Upload the PDF with POST /documents first, then send the letter again.";
                Refusal::new(Code::UnknownDocument, detail).at("/document")
            })?;
        let appointment = form
            .appointment
            .as_deref()
            .map(|source| self.appointment(source, patient))
            .transpose()?;
        let replaced = item
            .replaces
            .map(|source| self.replaced(source, patient))
            .transpose()?;
        Ok(Resolved {
            patient,
            document: *document,
            appointment,
            replaced,
        })
    }

    fn patient(&self, form: &NewLetter) -> Result<&'a PatientFacts, Refusal> {
        let patient = self.found.patients.get(&form.patient).ok_or_else(|| {
            let detail = "Send the patient with PUT /patients first, then send the letter again.";
            Refusal::new(Code::UnknownPatient, detail).at("/patient")
        })?;
        if patient.nhs_number != form.nhs_number.expose() {
            let detail =
                "The patient with this id has another NHS number. Find out whose letter this is.";
            return Err(Refusal::new(Code::PatientMismatch, detail).at("/nhs_number"));
        }
        Ok(patient)
    }

    fn appointment(
        &self,
        source: &str,
        patient: &PatientFacts,
    ) -> Result<&'a intake::AppointmentFacts, Refusal> {
        let appointment = self.found.appointments.get(source).ok_or_else(|| {
            let detail =
                "Send the appointment with PUT /appointments first, then send the letter again.";
            Refusal::new(Code::UnknownAppointment, detail).at("/appointment")
        })?;
        if appointment.patient != patient.id {
            let detail = "This appointment is another patient's. Find out whose letter this is.";
            return Err(Refusal::new(Code::PatientMismatch, detail).at("/appointment"));
        }
        Ok(appointment)
    }

    fn replaced(&self, source: &str, patient: &PatientFacts) -> Result<&'a KnownLetter, Refusal> {
        let letter = self.found.letters.get(source).ok_or_else(|| {
            Refusal::new(Code::UnknownLetter, "No letter of your trust has this id.")
        })?;
        if letter.patient != patient.id {
            let detail =
                "The letter to be replaced is another patient's. Withdraw it and publish this one.";
            return Err(Refusal::new(Code::PatientMismatch, detail).at("/patient"));
        }
        if !letter.facts.state.may_become(LetterState::Superseded) {
            let detail = "The letter has been withdrawn or replaced already. Publish this one as a letter of its own.";
            return Err(Refusal::new(Code::LetterGone, detail));
        }
        Ok(letter)
    }

    fn accept(&mut self, item: &'a Item<'_>, resolved: &Resolved<'a>) -> PublishResult {
        let form = item.form;
        let now = self.now();
        let (route, reason) = self.route(form, resolved.patient);
        let held_until = form.release_at.filter(|at| *at > now);
        let known_by = resolved
            .appointment
            .map(|appointment| appointment.starts_at);
        let plan = plan(
            route,
            self.policy,
            form,
            held_until.unwrap_or(now),
            known_by,
        );
        let case = plan.map(|plan| {
            self.case(
                item.case,
                plan,
                held_until,
                resolved.patient.contacts,
                known_by,
            )
        });
        let restricted = self.found.trust.is_sensitive(&form.specialty);
        let state = if held_until.is_some() {
            LetterState::Held
        } else {
            LetterState::Published
        };
        self.make_way(resolved);
        if held_until.is_none() {
            self.news.push(NewEvent {
                patient: resolved.patient.id,
                kind: EventKind::LetterPublished,
                item: ItemRef::Letter(item.id),
                share: form.kind.share(),
                restricted,
                due: case.as_ref().and_then(|case| case.plan.post_at),
            });
        }
        let row = NewLetterRow {
            id: item.id,
            source_id: &form.source_id,
            form_sha256: &item.form_sha256,
            patient: resolved.patient.id,
            document: resolved.document,
            kind: form.kind,
            title: &form.title,
            specialty: &form.specialty,
            clinic: &form.clinic,
            contact_phone: &form.contact_phone,
            contact_hours: form.contact_hours.as_deref(),
            appointment: resolved.appointment.map(|appointment| appointment.id),
            full_text: form.full_text.as_deref(),
            authored_at: form.authored_at,
            release_at: form.release_at,
            state,
            route,
            reason,
            restricted,
            replaces: resolved.replaced.map(|letter| letter.id),
            case,
        };
        self.history.push(self.entry(&row));
        let answer = self.answer_new(&row, known_by);
        self.taken
            .insert(&form.source_id, (item.form_sha256, self.results.len()));
        self.rows.push(row);
        PublishResult::Published(answer)
    }

    fn route(&self, form: &NewLetter, patient: &PatientFacts) -> (Route, RouteReason) {
        let rollout = self.found.trust.rollout(&form.specialty, form.kind);
        let today = local_date(self.now());
        decide_route(&RouteFacts {
            kind: form.kind,
            is_live: rollout.is_live,
            paper: rollout.paper,
            is_member: patient.is_member,
            is_sixteen: BirthDate::new(patient.birth_date)
                .is_ok_and(|born| born.is_sixteen_on(today)),
            has_format_need: patient.has_format_need,
            wants_paper: patient.wants_paper,
        })
    }

    /// The case as it is written: with the steps that are due now already taken.
    fn case(
        &mut self,
        id: CaseId,
        plan: Plan,
        held_until: Option<DateTime<Utc>>,
        contacts: Contacts,
        known_by: Option<DateTime<Utc>>,
    ) -> NewCase {
        let due_at = plan.first_due();
        let mut case = NewCase {
            id,
            policy_version: self.policy.version,
            climbed: 0,
            due_at,
            plan,
        };
        if let Some(release_at) = held_until {
            // Releasing plans afresh; if nobody releases it, the case still goes its way a little later.
            case.due_at = due_at.max(release_at + chrono::TimeDelta::minutes(5));
            return case;
        }
        if let Some(climb) = climb_now(&mut case, contacts, self.policy, self.now()) {
            self.climbed.push(Climbed {
                row: self.rows.len(),
                known_by,
                ..climb
            });
        }
        case
    }

    /// What the new letter takes the place of: the letter it replaces, and its appointment's own case.
    fn make_way(&mut self, resolved: &Resolved<'a>) {
        if let Some(letter) = resolved.replaced {
            self.superseded.push(letter);
            if letter.facts.state != LetterState::Held {
                self.news.push(NewEvent {
                    patient: letter.patient,
                    kind: EventKind::LetterSuperseded,
                    item: ItemRef::Letter(letter.id),
                    share: letter.share(),
                    restricted: letter.restricted,
                    due: None,
                });
            }
        }
        let Some(appointment) = resolved.appointment else {
            return;
        };
        if let Some(case) = appointment.case
            && self.carried.insert(case)
        {
            self.news.push(NewEvent {
                patient: appointment.patient,
                kind: EventKind::PromiseChanged,
                item: ItemRef::Appointment(appointment.id),
                share: ShareKind::Appointments,
                restricted: appointment.restricted,
                due: None,
            });
        }
    }

    fn entry(&self, row: &NewLetterRow<'_>) -> Entry {
        let case = row.case.as_ref();
        Entry {
            trust: self.sender.trust.as_uuid(),
            patient: Some(row.patient.as_uuid()),
            subject_kind: "letter",
            subject: row.id.as_uuid(),
            kind: if row.state == LetterState::Held {
                "letter.held"
            } else {
                "letter.published"
            },
            policy_version: Some(self.policy.version),
            facts: json!({
                "case": case.map(|case| case.id.as_uuid()),
                "route": row.route.name(),
                "reason": row.reason.name(),
                "kind": row.kind.name(),
                "form": hex::encode(row.form_sha256),
                "document": row.document.as_uuid(),
                "deadline_at": case.map(|case| case.plan.deadline),
                "promised_at": case.and_then(|case| case.plan.post_at),
                "release_at": row.release_at,
                "replaces": row.replaces.map(|id| id.as_uuid()),
                "restricted": row.restricted,
            }),
        }
    }

    fn answer_new(&self, row: &NewLetterRow<'_>, known_by: Option<DateTime<Utc>>) -> LetterAnswer {
        let nowhere = self.climbed.last().is_some_and(|climb| {
            climb.row == self.rows.len()
                && climb
                    .skipped
                    .iter()
                    .any(|skip| skip.why == SkipReason::NoAddress)
        });
        let case = row.case.as_ref().map(|case| CaseFacts {
            policy_version: self.policy.version,
            phones: case.plan.at(Rung::PhoneTask).is_some(),
            created_at: self.now(),
            deadline_at: case.plan.deadline,
            promised_at: case.plan.post_at,
            end: None,
            end_detail: None,
            batch_closed_at: None,
            in_hand: nowhere,
        });
        let facts = Facts {
            state: row.state,
            route: row.route,
            opened_at: None,
            opened_by_carer: None,
            posted_at: None,
            gone_at: None,
            case,
            known_by,
        };
        answer_of(
            row.id,
            row.source_id,
            row.reason,
            self.now(),
            &facts,
            self.policy,
            self.now(),
        )
    }

    async fn commit(mut self, tx: Tx) -> Result<Publication, CommandError> {
        let principal = self.sender.principal();
        let (trust, now) = (self.sender.trust, self.now());
        self.end_what_made_way(&tx).await?;
        let channels = self.climb(&tx).await?;
        let events = self.number()?;
        let refused: Vec<NewQuarantine<'_>> = self
            .refused
            .iter()
            .map(|(form, refusal)| quarantined(form, refusal))
            .collect();
        let look_by = self.policy.escalate_after.after(now, calendars());
        let outcome = Outcome {
            letters: if self.climbed.is_empty() {
                &self.rows
            } else {
                &[]
            },
            events: &events,
            history: &self.history,
            quarantine: Some((look_by, &refused)),
        };
        crash::point("publish.before_commit");
        intake::write_and_commit(tx, &principal, trust, now, &outcome).await?;
        crash::point("publish.after_commit");
        let cases = self
            .rows
            .iter()
            .any(|row| row.case.is_some())
            .then_some(trust);
        Ok(Publication {
            results: self.results,
            wake: Wake {
                events,
                cases,
                channels,
            },
        })
    }

    /// Cases before letters: the order in which everybody locks.
    async fn end_what_made_way(&mut self, tx: &Tx) -> Result<(), StoreError> {
        let carried: Vec<CaseId> = self.carried.iter().copied().collect();
        if !carried.is_empty() {
            endings::end(tx, &carried, CaseEnd::Withdrawn, Some("carried_by_letter")).await?;
        }
        if self.superseded.is_empty() {
            return Ok(());
        }
        let cases: Vec<CaseId> = self
            .superseded
            .iter()
            .filter_map(|letter| letter.case)
            .collect();
        endings::end(tx, &cases, CaseEnd::Withdrawn, Some("superseded")).await?;
        let letters: Vec<LetterId> = self.superseded.iter().map(|letter| letter.id).collect();
        letters::take_back(tx, &letters, LetterState::Superseded, None).await?;
        for letter in &self.superseded {
            self.history.push(Entry {
                trust: self.sender.trust.as_uuid(),
                patient: Some(letter.patient.as_uuid()),
                subject_kind: "letter",
                subject: letter.id.as_uuid(),
                kind: "letter.superseded",
                policy_version: None,
                facts: json!({ "was": letter.facts.state.name(), "posted": letter.facts.posted_at.is_some() }),
            });
        }
        Ok(())
    }

    /// Writes letters whose cases climb at once, then what climbing means.
    async fn climb(&self, tx: &Tx) -> Result<BTreeSet<Channel>, StoreError> {
        if self.climbed.is_empty() {
            return Ok(BTreeSet::new());
        }
        letters::insert(tx, self.sender.trust, self.now(), &self.rows).await?;
        let climbs: Vec<Climb<'_>> = self
            .climbed
            .iter()
            .filter_map(|climbed| self.written(climbed))
            .collect();
        climbs::apply(
            tx,
            &self.sender.principal(),
            calendars(),
            self.now(),
            &climbs,
        )
        .await
    }

    fn written<'b>(&'b self, climbed: &'b Climbed) -> Option<Climb<'b>> {
        let row = self.rows.get(climbed.row)?;
        let case = row.case.as_ref()?;
        Some(Climb {
            case: case.id.as_uuid(),
            trust: self.sender.trust.as_uuid(),
            patient: row.patient.as_uuid(),
            subject: row.id.as_uuid(),
            policy: self.policy,
            rungs: &climbed.rungs,
            skipped: &climbed.skipped,
            nudge_at: climbed.nudge_at,
            post_at: case.plan.post_at,
            known_by: climbed.known_by,
            climbed: case.climbed,
            next_due: case.due_at,
        })
    }

    fn number(&self) -> Result<Vec<letterbox_domain::event::Event>, StoreError> {
        match &self.found.mailboxes {
            Some(mailboxes) => mailboxes.clone().number(&self.news),
            None => Ok(Vec::new()),
        }
    }
}

/// What a letter refers to.
struct Resolved<'a> {
    patient: &'a PatientFacts,
    document: letterbox_domain::id::DocumentId,
    appointment: Option<&'a intake::AppointmentFacts>,
    replaced: Option<&'a KnownLetter>,
}

fn plan(
    route: Route,
    policy: &Policy,
    form: &NewLetter,
    from: DateTime<Utc>,
    known_by: Option<DateTime<Utc>>,
) -> Option<Plan> {
    match route {
        Route::Portal => Some(plan_letter(policy, calendars(), form.kind, from, known_by)),
        Route::WePost => Some(plan_post(policy, calendars(), from, known_by)),
        Route::YouPost => None,
    }
}

/// Takes the steps of a fresh case that are due at `now`; `None` when none is. The row and the appointment are
/// the caller's to fill in.
fn climb_now(
    case: &mut NewCase,
    contacts: Contacts,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<Climbed> {
    let view = CaseView {
        state: CaseState::Open,
        subject: Subject::Unread,
        plan: case.plan.clone(),
        climbed: 0,
        due_at: case.due_at,
        contacts,
        nudge_hours: policy.nudge_hours,
        recheck_every: policy.recheck_every(),
    };
    let Decision::Climb {
        rungs,
        skipped,
        climbed,
        next_due,
        nudge_at,
    } = decide(&view, now)
    else {
        return None;
    };
    case.climbed = climbed;
    case.due_at = next_due;
    Some(Climbed {
        row: 0,
        rungs,
        skipped,
        nudge_at,
        known_by: None,
    })
}

fn reused() -> Refusal {
    let detail = "A letter with this source id and other content is here. To correct it, replace it under a new id.";
    Refusal::new(Code::SourceIdReused, detail).at("/source_id")
}

fn quarantined<'a>(form: &'a NewLetter, refusal: &'a Refusal) -> NewQuarantine<'a> {
    NewQuarantine {
        kind: "letter",
        source_id: Some(&form.source_id),
        code: refusal.code.name(),
        detail: &refusal.detail,
        body: form.to_json(),
    }
}

/// How a letter that is here stands. `policy` is its case's, or the trust's present one where it has none.
#[must_use]
pub fn answer(letter: &KnownLetter, policy: &Policy) -> LetterAnswer {
    let (reason, at) = (letter.reason, letter.published_at);
    answer_of(
        letter.id,
        &letter.source_id,
        reason,
        at,
        &letter.facts,
        policy,
        letter.now,
    )
}

fn answer_of(
    id: LetterId,
    source_id: &str,
    reason: RouteReason,
    published_at: DateTime<Utc>,
    facts: &Facts,
    policy: &Policy,
    now: DateTime<Utc>,
) -> LetterAnswer {
    LetterAnswer {
        letter_id: id,
        source_id: source_id.to_owned(),
        state: facts.state,
        route: facts.route,
        reason,
        promise: facts.promise(policy, calendars(), now),
        published_at,
        deadline_at: facts.case.as_ref().map(|case| case.deadline_at),
        post_at: facts.case.as_ref().and_then(|case| case.promised_at),
        opened_at: facts.opened_at,
        posted_at: facts.posted_at,
    }
}
