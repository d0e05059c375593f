//! What becomes of each letter, in their order. Pure: looks only at what was found, writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{CaseId, DocumentId};
use letterbox_domain::ladder::{Plan, plan_letter, plan_post};
use letterbox_domain::letter::LetterState;
use letterbox_domain::policy::Policy;
use letterbox_domain::route::{Route, RouteReason};

use super::{Item, PublishResult};
use crate::commands::addressees::{addressee, route};
use crate::commands::births::Birth;
use crate::commands::forms::NewLetter;
use crate::commands::letter_answer::{Told, answer};
use crate::commands::{Code, Refusal, TrustSystem, calendars};
use crate::store::events::NewEvent;
use crate::store::intake::{AppointmentFacts, Found, PatientFacts};
use crate::store::letters::KnownLetter;
use crate::store::standing::Facts;

/// How long after its release a held letter goes its way even if nobody has released it.
const GRACE: TimeDelta = TimeDelta::minutes(5);

/// One transaction's decisions, gathered item by item and then written at once.
pub(super) struct Decisions<'a> {
    pub(super) sender: &'a TrustSystem,
    pub(super) found: &'a Found,
    pub(super) policy: &'a Policy,
    pub(super) results: Vec<PublishResult>,
    pub(super) accepted: Vec<Accepted<'a>>,
    pub(super) news: Vec<NewEvent>,
    pub(super) refused: Vec<(&'a NewLetter, Refusal)>,
    pub(super) superseded: Vec<&'a KnownLetter>,
    /// Cases of appointments whose letter comes now and carries the matter on.
    pub(super) carried: BTreeSet<CaseId>,
    /// Source ids accepted in this very call: the form's hash, and which result it was.
    taken: BTreeMap<&'a str, ([u8; 32], usize)>,
}

/// A letter that is taken in.
pub(super) struct Accepted<'a> {
    pub(super) item: &'a Item<'a>,
    pub(super) resolved: Resolved<'a>,
    pub(super) state: LetterState,
    pub(super) route: Route,
    pub(super) reason: RouteReason,
    pub(super) restricted: bool,
    /// `None` where the hospital posts it itself.
    pub(super) birth: Option<Birth>,
}

/// What a letter refers to.
#[derive(Clone, Copy)]
pub(super) struct Resolved<'a> {
    pub(super) patient: &'a PatientFacts,
    pub(super) document: DocumentId,
    pub(super) appointment: Option<&'a AppointmentFacts>,
    pub(super) replaced: Option<&'a KnownLetter>,
}

impl Resolved<'_> {
    /// Start of the appointment that the letter is about.
    pub(super) fn known_by(&self) -> Option<DateTime<Utc>> {
        self.appointment.map(|appointment| appointment.starts_at)
    }
}

impl<'a> Decisions<'a> {
    pub(super) fn new(sender: &'a TrustSystem, found: &'a Found, policy: &'a Policy) -> Self {
        Self {
            sender,
            found,
            policy,
            results: Vec::new(),
            accepted: Vec::new(),
            news: Vec::new(),
            refused: Vec::new(),
            superseded: Vec::new(),
            carried: BTreeSet::new(),
            taken: BTreeMap::new(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.found.trust.now
    }

    /// Decides one letter; its result stands at its place.
    pub(super) fn take(&mut self, item: &'a Item<'a>) {
        let decided = match self.known(item) {
            Some(known) => known,
            None => self
                .resolve(item)
                .map(|resolved| self.accept(item, resolved)),
        };
        let result = decided.unwrap_or_else(|refusal| {
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
        let answer = answer(letter, self.policy);
        // Our own id: a commit that we were cut off from did happen.
        let ours = letter.id == item.id;
        Some(Ok(if ours {
            PublishResult::Published(answer)
        } else {
            PublishResult::Repeated(answer)
        }))
    }

    /// Everything that the letter refers to, or why it cannot be taken in.
    fn resolve(&self, item: &Item<'a>) -> Result<Resolved<'a>, Refusal> {
        let form = item.form;
        form.check(self.now())?;
        if !form.signed {
            let detail = "Only signed letters are published. Sign it and send it again; it is on your list until then.";
            return Err(Refusal::new(Code::NotSigned, detail).at("/signed"));
        }
        let patient = addressee(&self.found.patients, &form.patient, &form.nhs_number)?;
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

    fn appointment(
        &self,
        source: &str,
        patient: &PatientFacts,
    ) -> Result<&'a AppointmentFacts, Refusal> {
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
        let unknown = || Refusal::new(Code::UnknownLetter, "No letter of your trust has this id.");
        let letter = self.found.letters.get(source).ok_or_else(unknown)?;
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

    fn accept(&mut self, item: &'a Item<'a>, resolved: Resolved<'a>) -> PublishResult {
        let (form, now) = (item.form, self.now());
        let rollout = self.found.trust.rollout(&form.specialty, form.kind);
        let (route, reason) = route(resolved.patient, form.kind, rollout, now);
        let held_until = form.release_at.filter(|at| *at > now);
        let plan = plan(
            route,
            self.policy,
            form,
            held_until.unwrap_or(now),
            resolved.known_by(),
        );
        let has_address = resolved.patient.contacts.address;
        let plan = plan.map(|plan| plan.promising_paper_to(has_address));
        let birth = plan.map(|plan| match held_until {
            // Releasing plans afresh; if nobody releases it, the case still goes its way a little later.
            Some(release_at) => Birth::later(item.case, plan, self.policy, release_at + GRACE),
            None => Birth::now(item.case, plan, self.policy, resolved.patient.contacts, now),
        });
        let accepted = Accepted {
            item,
            resolved,
            state: if held_until.is_some() {
                LetterState::Held
            } else {
                LetterState::Published
            },
            route,
            reason,
            restricted: self.found.trust.is_sensitive(&form.specialty),
            birth,
        };
        let answer = accepted.answer(self.policy, now);
        self.tell(&accepted);
        self.taken
            .insert(&form.source_id, (item.form_sha256, self.results.len()));
        self.accepted.push(accepted);
        PublishResult::Published(answer)
    }

    /// What browsers hear: what goes first, then what comes.
    fn tell(&mut self, accepted: &Accepted<'a>) {
        let resolved = accepted.resolved;
        if let Some(letter) = resolved.replaced {
            self.superseded.push(letter);
            self.news.extend(letter.gone(EventKind::LetterSuperseded));
        }
        if let Some(appointment) = resolved.appointment
            && let Some(case) = appointment.case
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
        if accepted.state == LetterState::Published {
            self.news.push(NewEvent {
                patient: resolved.patient.id,
                kind: EventKind::LetterPublished,
                item: ItemRef::Letter(accepted.item.id),
                share: accepted.item.form.kind.share(),
                restricted: accepted.restricted,
                due: accepted
                    .birth
                    .as_ref()
                    .and_then(|birth| birth.case.plan.post_at),
            });
        }
    }
}

impl Accepted<'_> {
    fn answer(&self, policy: &Policy, now: DateTime<Utc>) -> super::LetterAnswer {
        let facts = Facts {
            state: self.state,
            route: self.route,
            opened_at: None,
            opened_by_carer: None,
            opened_by: None,
            posted_at: None,
            gone_at: None,
            not_mine_at: None,
            case: self.birth.as_ref().map(|birth| birth.facts(now)),
            known_by: self.resolved.known_by(),
        };
        let source_id = &self.item.form.source_id;
        Told {
            id: self.item.id,
            source_id,
            reason: self.reason,
            published_at: now,
        }
        .answer(&facts, policy, now)
    }
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

fn reused() -> Refusal {
    let detail = "A letter with this source id and other content is here. To correct it, replace it under a new id.";
    Refusal::new(Code::SourceIdReused, detail).at("/source_id")
}
