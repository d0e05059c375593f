//! What the hospital in memory holds, and how it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use letterbox_domain::{
    case::CaseEnd,
    circle::Grant,
    dispatch::{Channel, DispatchState},
    event::{Event, EventKind, ItemRef},
    id::{BatchId, CaseId, DispatchId, EventId, GrantsVersion, LetterId, PatientId, Seq, TrustId},
    ladder::{Plan, Subject},
    letter::LetterKind,
};

use crate::ports::Verdict;

#[derive(Default)]
pub(super) struct State {
    pub(super) trusts: BTreeSet<TrustId>,
    pub(super) boxes: HashMap<PatientId, Mailbox>,
    pub(super) cases: BTreeMap<CaseId, Case>,
    pub(super) dispatches: BTreeMap<DispatchId, Dispatch>,
    pub(super) batches: BTreeMap<BatchId, PrintBatch>,
    pub(super) marks: BTreeMap<TrustId, i64>,
    pub(super) polled_from: Option<DateTime<Utc>>,
    pub(super) cut_off: Option<DateTime<Utc>>,
    pub(super) tasks: usize,
}

pub(super) struct Mailbox {
    pub(super) log: Vec<Event>,
    pub(super) grants_version: GrantsVersion,
    pub(super) grants: Vec<Grant>,
}

pub(super) struct Case {
    pub(super) trust: TrustId,
    pub(super) patient: PatientId,
    pub(super) letter: LetterId,
    pub(super) subject: Subject,
    pub(super) plan: Plan,
    pub(super) climbed: usize,
    pub(super) due_at: DateTime<Utc>,
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) fence: i64,
    pub(super) end: Option<CaseEnd>,
    pub(super) poisoned: bool,
}

pub(super) struct Dispatch {
    pub(super) case: CaseId,
    pub(super) patient: PatientId,
    pub(super) channel: Channel,
    pub(super) state: DispatchState,
    pub(super) due_at: DateTime<Utc>,
    pub(super) attempt: i32,
    pub(super) sent: bool,
    pub(super) lease_until: Option<DateTime<Utc>>,
}

pub(super) struct PrintBatch {
    pub(super) name: String,
    pub(super) items: Vec<DispatchId>,
    pub(super) written: bool,
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) verdicts: BTreeMap<DispatchId, Verdict>,
}

impl State {
    /// Appends the next event of a mailbox.
    pub(super) fn happened(
        &mut self,
        at: DateTime<Utc>,
        patient: PatientId,
        letter: LetterId,
        kind: EventKind,
    ) -> Event {
        let mailbox = self
            .boxes
            .get_mut(&patient)
            .expect("a patient of this hospital");
        let event = Event {
            id: EventId::random(),
            patient,
            seq: mailbox.head().next(),
            kind,
            item: ItemRef::Letter(letter),
            share: LetterKind::Clinic.share(),
            restricted: false,
            at,
            due: None,
        };
        mailbox.log.push(event.clone());
        event
    }

    /// Ends a case once; what has not left is called off.
    pub(super) fn end(&mut self, id: CaseId, end: CaseEnd) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        case.end.get_or_insert(end);
        case.lease_until = None;
        for dispatch in self
            .dispatches
            .values_mut()
            .filter(|dispatch| dispatch.case == id)
        {
            if dispatch.state == DispatchState::Queued {
                dispatch.state = DispatchState::Cancelled;
            }
        }
    }

    pub(super) fn touch(&mut self, trust: TrustId) {
        *self.marks.entry(trust).or_default() += 1;
    }
}

impl Mailbox {
    pub(super) fn head(&self) -> Seq {
        self.log.last().map_or(Seq::START, |event| event.seq)
    }
}

impl Case {
    pub(super) fn open(trust: TrustId, patient: PatientId, letter: LetterId, plan: Plan) -> Self {
        Self {
            trust,
            patient,
            letter,
            subject: Subject::Unread,
            due_at: plan.first_due(),
            plan,
            climbed: 0,
            lease_until: None,
            fence: 0,
            end: None,
            poisoned: false,
        }
    }
}
