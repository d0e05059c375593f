//! What follows from changes of appointments: earlier cases and outdated letters end, each change gets a case of its
//! own unless a letter carries it, and browsers hear of it. The same for one appointment and for a whole session.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use letterbox_domain::appointment::AppointmentChange;
use letterbox_domain::case::CaseEnd;
use letterbox_domain::circle::ShareKind;
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{AppointmentId, CaseId, LetterId, TrustId};
use letterbox_domain::ladder::{Plan, plan_appointment, plan_post};
use letterbox_domain::letter::LetterState;
use letterbox_domain::policy::Policy;
use letterbox_domain::route::Route;
use serde_json::json;

use super::births::{Birth, Of};
use super::{Wake, calendars};
use crate::store::appointments::{self, ChangeCase};
use crate::store::climbs::{self, Climb};
use crate::store::events::{self, Locked, NewEvent};
use crate::store::history::{self, Entry};
use crate::store::intake::PatientFacts;
use crate::store::letters::{self, Outdated};
use crate::store::{Principal, StoreError, Tx, change_requests, endings};

/// One change that the patient must hear of. Its row is written, its patient locked.
pub(super) struct Change<'a> {
    pub(super) appointment: AppointmentId,
    pub(super) patient: &'a PatientFacts,
    pub(super) kind: AppointmentChange,
    /// Its number among the appointment's changes.
    pub(super) number: i32,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) restricted: bool,
    pub(super) route: Route,
}

/// On whose behalf, for which trust, under which policy.
pub(super) struct Circumstances<'a> {
    pub(super) principal: &'a Principal,
    pub(super) trust: TrustId,
    pub(super) policy: &'a Policy,
}

/// A change with the case that it gets.
struct Announced<'a> {
    change: &'a Change<'a>,
    birth: Option<Birth>,
}

/// Writes everything that follows from these changes.
pub(super) async fn announce(
    tx: &Tx,
    of: &Circumstances<'_>,
    mailboxes: &mut Locked,
    changes: &[Change<'_>],
) -> Result<Wake, StoreError> {
    let ids: Vec<AppointmentId> = changes.iter().map(|change| change.appointment).collect();
    let earlier = appointments::open_cases(tx, &ids).await?;
    endings::end(tx, &earlier, CaseEnd::Withdrawn, Some("overtaken")).await?;
    change_requests::overtake(tx, of.principal, &ids).await?;
    let about = letters::about(tx, &ids).await?;
    let outdated = supersede(tx, changes, &about).await?;
    let announced: Vec<Announced<'_>> = changes
        .iter()
        .map(|change| of.announced(change, &about, mailboxes.now))
        .collect();
    let cases: Vec<ChangeCase<'_>> = announced.iter().filter_map(Announced::case).collect();
    appointments::insert_cases(tx, of.trust, &cases).await?;
    let climbs: Vec<Climb<'_>> = announced.iter().filter_map(|one| one.climb(of)).collect();
    let channels = climbs::apply(tx, of.principal, calendars(), mailboxes.now, &climbs).await?;
    let mut news: Vec<NewEvent> = outdated
        .iter()
        .filter(|letter| !letter.held)
        .map(gone)
        .collect();
    news.extend(announced.iter().map(Announced::event));
    let events = mailboxes.number(&news)?;
    events::write(tx, &events).await?;
    let mut history: Vec<Entry> = outdated
        .iter()
        .map(|letter| gone_entry(of.trust, letter))
        .collect();
    history.extend(announced.iter().map(|one| one.entry(of)));
    history::append(tx, of.principal, &history).await?;
    Ok(Wake {
        events,
        cases: BTreeSet::from([of.trust]),
        channels,
    })
}

/// An unopened letter about an appointment that has moved or is cancelled says what is wrong: it must not be posted.
async fn supersede(
    tx: &Tx,
    changes: &[Change<'_>],
    about: &[Outdated],
) -> Result<Vec<Outdated>, StoreError> {
    let changed: BTreeSet<AppointmentId> = changes
        .iter()
        .filter(|change| change.kind != AppointmentChange::Published)
        .map(|change| change.appointment)
        .collect();
    let outdated: Vec<Outdated> = about
        .iter()
        .filter(|letter| changed.contains(&letter.appointment))
        .copied()
        .collect();
    let cases: Vec<CaseId> = outdated.iter().filter_map(|letter| letter.case).collect();
    endings::end(tx, &cases, CaseEnd::Withdrawn, Some("appointment_changed")).await?;
    let letters: Vec<LetterId> = outdated.iter().map(|letter| letter.id).collect();
    letters::take_back(tx, &letters, LetterState::Superseded, None).await?;
    Ok(outdated)
}

fn gone(letter: &Outdated) -> NewEvent {
    NewEvent {
        patient: letter.patient,
        kind: EventKind::LetterSuperseded,
        item: ItemRef::Letter(letter.id),
        share: letter.share,
        restricted: letter.restricted,
        due: None,
    }
}

fn gone_entry(trust: TrustId, letter: &Outdated) -> Entry {
    Entry {
        trust: trust.as_uuid(),
        patient: Some(letter.patient.as_uuid()),
        subject_kind: "letter",
        subject: letter.id.as_uuid(),
        kind: "letter.superseded",
        policy_version: None,
        facts: json!({ "appointment": letter.appointment.as_uuid() }),
    }
}

impl Circumstances<'_> {
    fn announced<'a>(
        &self,
        change: &'a Change<'a>,
        about: &[Outdated],
        now: DateTime<Utc>,
    ) -> Announced<'a> {
        let carried = change.kind == AppointmentChange::Published
            && about
                .iter()
                .any(|letter| letter.appointment == change.appointment && letter.case.is_some());
        let plan = if carried {
            None
        } else {
            let has_address = change.patient.contacts.address;
            change
                .plan(self.policy, now)
                .map(|plan| plan.promising_paper_to(has_address))
        };
        let born = |plan| {
            Birth::now(
                CaseId::random(),
                plan,
                self.policy,
                change.patient.contacts,
                now,
            )
        };
        Announced {
            change,
            birth: plan.map(born),
        }
    }
}

impl Change<'_> {
    /// `None` where there is nothing left to come to, or the hospital tells the patient itself.
    fn plan(&self, policy: &Policy, now: DateTime<Utc>) -> Option<Plan> {
        let known_by = self.kind.must_be_known_by(self.starts_at, now)?;
        match self.route {
            Route::Portal => Some(plan_appointment(
                policy,
                calendars(),
                self.kind,
                now,
                self.starts_at,
            )),
            Route::WePost => Some(plan_post(policy, calendars(), now, Some(known_by))),
            Route::YouPost => None,
        }
    }
}

impl Announced<'_> {
    fn case(&self) -> Option<ChangeCase<'_>> {
        Some(ChangeCase {
            patient: self.change.patient.id,
            appointment: self.change.appointment,
            change: self.change.number,
            case: &self.birth.as_ref()?.case,
        })
    }

    fn climb<'a>(&'a self, of: &Circumstances<'a>) -> Option<Climb<'a>> {
        self.birth.as_ref()?.climb(&Of {
            trust: of.trust,
            patient: self.change.patient.id,
            subject: None,
            policy: of.policy,
            known_by: Some(self.change.starts_at),
        })
    }

    fn event(&self) -> NewEvent {
        NewEvent {
            patient: self.change.patient.id,
            kind: match self.change.kind {
                AppointmentChange::Published => EventKind::AppointmentPublished,
                AppointmentChange::Moved { .. } => EventKind::AppointmentMoved,
                AppointmentChange::Cancelled => EventKind::AppointmentCancelled,
            },
            item: ItemRef::Appointment(self.change.appointment),
            share: ShareKind::Appointments,
            restricted: self.change.restricted,
            due: self
                .birth
                .as_ref()
                .and_then(|birth| birth.case.plan.post_at),
        }
    }

    fn entry(&self, of: &Circumstances<'_>) -> Entry {
        let case = self.birth.as_ref().map(|birth| &birth.case);
        Entry {
            trust: of.trust.as_uuid(),
            patient: Some(self.change.patient.id.as_uuid()),
            subject_kind: "appointment",
            subject: self.change.appointment.as_uuid(),
            kind: match self.change.kind {
                AppointmentChange::Published => "appointment.published",
                AppointmentChange::Moved { .. } => "appointment.moved",
                AppointmentChange::Cancelled => "appointment.cancelled",
            },
            policy_version: Some(of.policy.version),
            facts: json!({
                "change": self.change.number,
                "starts_at": self.change.starts_at,
                "route": self.change.route.name(),
                "restricted": self.change.restricted,
                "case": case.map(|case| case.id.as_uuid()),
                "deadline_at": case.map(|case| case.plan.deadline),
                "promised_at": case.and_then(|case| case.plan.post_at),
            }),
        }
    }
}
