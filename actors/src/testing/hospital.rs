//! Everything the stores hold, behind one lock: each port call is one transaction.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    case::CaseEnd,
    circle::{Grant, Ticks, Viewer},
    dispatch::{Channel, DispatchState},
    event::{Event, EventKind},
    id::{AccountId, CaseId, GrantId, GrantsVersion, LetterId, PatientId, Seq, TrustId},
    ladder::{Subject, plan_letter},
    letter::LetterKind,
    policy::Policy,
    time::Calendars,
};

use super::state::{Case, Dispatch, Mailbox, State};
use super::time::MovableClock;
use crate::{
    clock::Clock,
    ports::{PortError, PortResult},
};

/// The hospital. Share it in an `Arc`; it implements every store port.
pub struct Hospital {
    clock: Arc<MovableClock>,
    policy: Policy,
    pub(super) state: Mutex<State>,
    down: AtomicBool,
    hanging: AtomicBool,
    late_millis: AtomicU64,
    pub(super) questions: AtomicUsize,
    pub(super) largest_question: AtomicUsize,
}

/// What publishing a letter made.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    pub letter: LetterId,
    pub case: CaseId,
    pub seq: Seq,
}

impl Hospital {
    #[must_use]
    pub fn new(clock: Arc<MovableClock>, policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            clock,
            policy,
            state: Mutex::default(),
            down: AtomicBool::new(false),
            hanging: AtomicBool::new(false),
            late_millis: AtomicU64::new(0),
            questions: AtomicUsize::new(0),
            largest_question: AtomicUsize::new(0),
        })
    }

    /// Takes a trust on.
    pub fn trust(&self) -> TrustId {
        let trust = TrustId::random();
        self.lock().trusts.insert(trust);
        trust
    }

    /// A member with every contact.
    pub fn patient(&self) -> PatientId {
        let patient = PatientId::random();
        let mailbox = Mailbox {
            log: Vec::new(),
            grants_version: GrantsVersion::default(),
            grants: Vec::new(),
        };
        self.lock().boxes.insert(patient, mailbox);
        patient
    }

    /// Publishes a clinic letter: letter, case and event in one transaction.
    pub fn publish(&self, trust: TrustId, patient: PatientId) -> Published {
        let now = self.now();
        let letter = LetterId::random();
        let plan = plan_letter(
            &self.policy,
            &Calendars::built_in(),
            LetterKind::Clinic,
            now,
            None,
        );
        let mut state = self.lock();
        let event = state.happened(now, patient, letter, EventKind::LetterPublished);
        let case = CaseId::random();
        state
            .cases
            .insert(case, Case::open(trust, patient, letter, plan));
        state.touch(trust);
        Published {
            letter,
            case,
            seq: event.seq,
        }
    }

    /// The patient opens the letter: its case ends, and what has not left is called off.
    pub fn open(&self, letter: LetterId) -> Event {
        let now = self.now();
        let mut state = self.lock();
        let found = state
            .cases
            .iter()
            .find(|(_, case)| case.letter == letter)
            .map(|(id, _)| *id);
        let id = found.expect("the letter was published here");
        let case = state.cases.get_mut(&id).expect("just found");
        case.subject = Subject::Opened;
        let (patient, trust) = (case.patient, case.trust);
        state.end(id, CaseEnd::Opened);
        state.touch(trust);
        state.happened(now, patient, letter, EventKind::LetterOpened)
    }

    /// The patient lets a carer see these kinds of thing.
    pub fn share(&self, patient: PatientId, ticks: Ticks) -> Viewer {
        let mut state = self.lock();
        let mailbox = state
            .boxes
            .get_mut(&patient)
            .expect("a patient of this hospital");
        mailbox.grants_version = mailbox.grants_version.next();
        let version = mailbox.grants_version;
        let (id, carer) = (GrantId::random(), AccountId::random());
        let grant = Grant {
            id,
            patient,
            carer,
            ticks,
            may_read_for_me: false,
            version,
        };
        mailbox.grants.push(grant);
        Viewer::Carer(grant)
    }

    /// The patient withdraws a grant; answers the version that says so.
    pub fn withdraw(&self, patient: PatientId, grant: GrantId) -> GrantsVersion {
        let mut state = self.lock();
        let mailbox = state
            .boxes
            .get_mut(&patient)
            .expect("a patient of this hospital");
        mailbox.grants_version = mailbox.grants_version.next();
        mailbox.grants.retain(|each| each.id != grant);
        mailbox.grants_version
    }

    /// The patient changes a carer's boxes; answers the version that says so.
    pub fn retick(&self, patient: PatientId, grant: GrantId, ticks: Ticks) -> GrantsVersion {
        let mut state = self.lock();
        let mailbox = state
            .boxes
            .get_mut(&patient)
            .expect("a patient of this hospital");
        mailbox.grants_version = mailbox.grants_version.next();
        let version = mailbox.grants_version;
        for each in mailbox.grants.iter_mut().filter(|each| each.id == grant) {
            (each.ticks, each.version) = (ticks, version);
        }
        version
    }

    /// Events after `after`, for a test's own relay.
    pub fn events_after(&self, patient: PatientId, after: Seq) -> Vec<Event> {
        let state = self.lock();
        let log = state
            .boxes
            .get(&patient)
            .map(|mailbox| mailbox.log.as_slice())
            .unwrap_or_default();
        log.iter()
            .filter(|event| event.seq > after)
            .cloned()
            .collect()
    }

    /// Forgets the events after `head`, as a restored backup does.
    pub fn restore_to(&self, patient: PatientId, head: Seq) {
        let mut state = self.lock();
        let mailbox = state
            .boxes
            .get_mut(&patient)
            .expect("a patient of this hospital");
        mailbox.log.retain(|event| event.seq <= head);
    }

    /// Every question is refused until it is up again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Release);
    }

    /// Every question stays unanswered until it answers again.
    pub fn set_hanging(&self, hanging: bool) {
        self.hanging.store(hanging, Ordering::Release);
    }

    /// What a mailbox read found is so old when it is answered.
    pub fn set_late(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.late_millis.store(millis, Ordering::Release);
    }

    pub(super) async fn be_late(&self) {
        let late = Duration::from_millis(self.late_millis.load(Ordering::Acquire));
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
    }

    /// Mailbox reads and comparisons asked for so far, and the most boxes asked for in one.
    #[must_use]
    pub fn questions(&self) -> (usize, usize) {
        (
            self.questions.load(Ordering::Relaxed),
            self.largest_question.load(Ordering::Relaxed),
        )
    }

    #[must_use]
    pub fn polled_from(&self) -> Option<DateTime<Utc>> {
        self.lock().polled_from
    }

    #[must_use]
    pub fn end_of(&self, case: CaseId) -> Option<CaseEnd> {
        self.lock().cases.get(&case).and_then(|case| case.end)
    }

    /// Tasks made for people so far.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.lock().tasks
    }

    /// Every dispatch of a patient, with its state.
    #[must_use]
    pub fn dispatches_to(&self, patient: PatientId) -> Vec<(Channel, DispatchState)> {
        let state = self.lock();
        let theirs = state
            .dispatches
            .values()
            .filter(|dispatch| dispatch.patient == patient);
        let mut all: Vec<_> = theirs
            .map(|dispatch| (dispatch.due_at, dispatch.channel, dispatch.state))
            .collect();
        all.sort();
        all.into_iter()
            .map(|(_, channel, state)| (channel, state))
            .collect()
    }

    /// Whether nothing is due or in anybody's hands now.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let now = self.now();
        let state = self.lock();
        let open = |case: &&Case| case.end.is_none();
        let cases = state
            .cases
            .values()
            .filter(open)
            .all(|case| case.due_at > now && case.lease_until.is_none());
        let waits = |each: &Dispatch| match each.state {
            DispatchState::Queued | DispatchState::Unknown => {
                each.channel == Channel::Post || each.due_at > now
            }
            state => state != DispatchState::Claimed,
        };
        let printed = state.batches.values().all(|batch| batch.written);
        cases
            && state.dispatches.values().all(waits)
            && printed
            && state.cut_off.is_none_or(|at| at > now)
    }

    /// The next instant after now at which something falls due.
    #[must_use]
    pub fn next_instant(&self) -> Option<DateTime<Utc>> {
        let now = self.now();
        let state = self.lock();
        let cases = state
            .cases
            .values()
            .filter(|case| case.end.is_none())
            .map(|case| case.due_at);
        let waiting =
            |each: &&Dispatch| matches!(each.state, DispatchState::Queued | DispatchState::Unknown);
        let dispatches = state
            .dispatches
            .values()
            .filter(waiting)
            .map(|each| each.due_at);
        cases
            .chain(dispatches)
            .chain(state.cut_off)
            .filter(|at| *at > now)
            .min()
    }

    /// Makes a case whose next decision overflows its arithmetic.
    pub fn poison(&self, case: CaseId) {
        let mut state = self.lock();
        let case = state.cases.get_mut(&case).expect("a case of this hospital");
        case.climbed = case.plan.steps.len();
        case.poisoned = true;
    }

    /// From now on the print house takes batches, first at `cut_off`, then every day.
    pub fn print_from(&self, cut_off: DateTime<Utc>) {
        self.lock().cut_off = Some(cut_off);
    }

    /// Every open case and every unfinished dispatch has a next step; nothing was posted twice.
    pub fn assert_ledger(&self) {
        let state = self.lock();
        for (id, dispatch) in &state.dispatches {
            let batches = state
                .batches
                .values()
                .filter(|batch| batch.items.contains(id))
                .count();
            assert!(batches <= 1, "dispatch {id} is in {batches} batches");
            let case = state
                .cases
                .get(&dispatch.case)
                .expect("a dispatch has a case");
            assert_eq!(case.patient, dispatch.patient);
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a driver does before every question.
    pub(super) async fn reach(&self) -> PortResult<()> {
        while self.hanging.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if self.down.load(Ordering::Acquire) {
            return Err(PortError::unavailable("the hospital's store is down"));
        }
        Ok(())
    }

    pub(super) fn recheck(&self) -> TimeDelta {
        self.policy.recheck.nominal()
    }

    pub(super) fn nudge_hours(&self) -> Option<letterbox_domain::time::QuietHours> {
        self.policy.nudge_hours
    }
}
