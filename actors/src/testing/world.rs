//! A hospital with its living system, ready for a story.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    circle::Viewer,
    dispatch::Channel,
    event::Event,
    id::{AccountId, PatientId, Seq, TrustId},
    policy::Policy,
};

use super::{Hospital, MemoryPress, MovableClock, Published, RecordingSession, ScriptedOutlet};
use crate::{
    clock::Clock,
    messages::{Attach, AttachError, Attached},
    ports::{Chore, Doorbell, SessionHandle},
    settings::Settings,
    system::{Ports, System},
};

/// How long a test waits for a fact before it says that it never came.
const PATIENCE: Duration = Duration::from_secs(10);

/// A world to be.
pub struct WorldBuilder {
    start: DateTime<Utc>,
    settings: Settings,
    policy: Policy,
    chores: Vec<Arc<dyn Chore>>,
}

/// One node over a hospital in memory.
pub struct World {
    pub hospital: Arc<Hospital>,
    pub clock: Arc<MovableClock>,
    pub system: System,
    pub trust: TrustId,
    pub email: Arc<ScriptedOutlet>,
    pub text: Arc<ScriptedOutlet>,
    pub press: Arc<MemoryPress>,
    bell: Arc<Bell>,
}

/// The relay of one node: rings back into the same system, unless a test cuts the wire.
#[derive(Default)]
struct Bell {
    system: OnceLock<System>,
    cut: AtomicBool,
}

impl Doorbell for Bell {
    fn ring(&self, events: &[Event]) {
        if let Some(system) = self.system.get()
            && !self.cut.load(Ordering::Acquire)
        {
            system.deliver(events.to_vec());
        }
    }
}

impl WorldBuilder {
    /// Changes bounds.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    #[must_use]
    pub fn with_chore(mut self, chore: Arc<dyn Chore>) -> Self {
        self.chores.push(chore);
        self
    }

    /// Starts it; must run inside an actix system.
    #[must_use]
    pub fn start(self) -> World {
        let clock = Arc::new(MovableClock::at(self.start));
        let hospital = Hospital::new(Arc::clone(&clock), self.policy);
        let trust = hospital.trust();
        World::join(hospital, clock, trust, self.settings, self.chores)
    }
}

impl World {
    /// A world at an instant such as `2026-03-02T09:00:00Z`, with the standard policy and quick polls.
    #[must_use]
    pub fn at(instant: &str) -> WorldBuilder {
        let start = instant
            .parse()
            .expect("an instant such as 2026-03-02T09:00:00Z");
        WorldBuilder {
            start,
            settings: quick(),
            policy: Policy::standard(),
            chores: Vec::new(),
        }
    }

    /// One more node over the same hospital, with outlets of its own.
    #[must_use]
    pub fn second_node(&self) -> Self {
        Self::join(
            Arc::clone(&self.hospital),
            Arc::clone(&self.clock),
            self.trust,
            quick(),
            Vec::new(),
        )
    }

    fn join(
        hospital: Arc<Hospital>,
        clock: Arc<MovableClock>,
        trust: TrustId,
        settings: Settings,
        chores: Vec<Arc<dyn Chore>>,
    ) -> Self {
        let email = Arc::new(ScriptedOutlet::new(Channel::Email));
        let text = Arc::new(ScriptedOutlet::new(Channel::Text));
        let press = Arc::new(MemoryPress::default());
        let bell = Arc::new(Bell::default());
        let ports = ports(&hospital, &[&email, &text], &press, chores, &bell);
        let system = System::start(ports, settings, Arc::clone(&clock) as Arc<dyn Clock>)
            .expect("the system starts");
        bell.system.get_or_init(|| system.clone());
        Self {
            hospital,
            clock,
            system,
            trust,
            email,
            text,
            press,
            bell,
        }
    }

    /// The ports of this world, for a system of one's own with these chores.
    #[must_use]
    pub fn ports_with<C: Chore>(&self, chores: Vec<Arc<C>>) -> Ports {
        let chores = chores
            .into_iter()
            .map(|chore| chore as Arc<dyn Chore>)
            .collect();
        ports(
            &self.hospital,
            &[&self.email, &self.text],
            &self.press,
            chores,
            &self.bell,
        )
    }

    /// Publishes a clinic letter and rings, as a command does after its commit.
    pub fn publish(&self, patient: PatientId) -> Published {
        let published = self.hospital.publish(self.trust, patient);
        self.bell.ring(
            &self
                .hospital
                .events_after(patient, Seq(published.seq.get() - 1)),
        );
        published
    }

    /// The patient opens the letter, and the wake-up rings.
    pub fn open(&self, letter: Published) {
        let event = self.hospital.open(letter.letter);
        self.bell.ring(&[event]);
    }

    /// From now on every wake-up is lost.
    pub fn cut_the_bell(&self) {
        self.bell.cut.store(true, Ordering::Release);
    }

    /// Opens a tab as the patient.
    ///
    /// # Errors
    /// As [`System::attach`].
    pub async fn tab(
        &self,
        patient: PatientId,
        since: Option<Seq>,
        session: &Arc<RecordingSession>,
    ) -> Result<Attached, AttachError> {
        let viewer = Viewer::Patient {
            account: AccountId::random(),
        };
        self.tab_as(viewer, patient, since, session).await
    }

    /// Opens a tab as whoever looks.
    ///
    /// # Errors
    /// As [`System::attach`].
    pub async fn tab_as(
        &self,
        viewer: Viewer,
        patient: PatientId,
        since: Option<Seq>,
        session: &Arc<RecordingSession>,
    ) -> Result<Attached, AttachError> {
        let session = Arc::clone(session) as Arc<dyn SessionHandle>;
        self.system
            .attach(
                patient,
                Attach {
                    viewer,
                    since,
                    session,
                },
            )
            .await
    }

    /// Lets time pass, stopping at every instant at which something falls due until it has been done.
    pub async fn pass(&self, by: TimeDelta) {
        let until = self.clock.now() + by;
        self.settle().await;
        while let Some(next) = self.hospital.next_instant().filter(|at| *at <= until) {
            self.advance_to(next);
            self.settle().await;
        }
        self.advance_to(until);
        self.settle().await;
    }

    /// Wakes everybody and waits until nothing is due or in anybody's hands.
    pub async fn settle(&self) {
        self.wake();
        eventually("the hospital is quiet", || self.hospital.is_quiet()).await;
    }

    fn wake(&self) {
        self.system.poke_cases(self.trust);
        self.system.poke_dispatch(Channel::Email);
        self.system.poke_dispatch(Channel::Text);
        self.system.poke_press();
    }

    fn advance_to(&self, at: DateTime<Utc>) {
        if let Ok(by) = (at - self.clock.now()).to_std() {
            // Whole milliseconds, and never short of the instant.
            self.clock.pass(by + Duration::from_millis(1));
        }
    }

    /// Ends the story: everything stops in time, and the hospital's ledger holds.
    pub async fn end(self) {
        let report = self.system.drain(Duration::from_secs(5)).await;
        assert_eq!(
            report.unfinished,
            Vec::<String>::new(),
            "a loop did not finish"
        );
        self.hospital.assert_ledger();
    }
}

fn ports(
    hospital: &Arc<Hospital>,
    outlets: &[&Arc<ScriptedOutlet>],
    press: &Arc<MemoryPress>,
    chores: Vec<Arc<dyn Chore>>,
    bell: &Arc<Bell>,
) -> Ports {
    Ports {
        mailboxes: Arc::clone(hospital) as _,
        cases: Arc::clone(hospital) as _,
        dispatches: Arc::clone(hospital) as _,
        account_mails: Vec::new(),
        outlets: outlets
            .iter()
            .map(|outlet| Arc::clone(outlet) as _)
            .collect(),
        print: Some((Arc::clone(hospital) as _, Arc::clone(press) as _)),
        boards: Arc::clone(hospital) as _,
        chores,
        doorbell: Arc::clone(bell) as _,
    }
}

fn quick() -> Settings {
    Settings {
        patient_threads: 1,
        heads_every: Duration::from_millis(20),
        poll: Duration::from_millis(20),
        trusts_every: Duration::from_millis(20),
        back_off: Duration::from_millis(5),
        back_off_max: Duration::from_millis(40),
        read_patience: Duration::from_millis(500),
        ..Settings::default()
    }
}

/// Waits for a fact; says which one never came.
///
/// # Panics
/// When it has not become true within ten seconds.
pub async fn eventually(fact: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_true() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "this never came true: {fact}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
