//! Everything at once, from a seed: lost, doubled and reordered wake-ups, full and vanishing sessions, crashes,
//! a store that fails. Whatever happens, each view is exactly its events, in order, once.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use letterbox_actors::{
    Attachment,
    messages::{AttachError, Attached, Continuity},
    testing::{Heard, RecordingSession, World},
};
use letterbox_domain::id::{PatientId, Seq};

const MORNING: &str = "2026-03-02T09:00:00Z";
const PATIENTS: usize = 4;
const TABS: usize = 10;
const STEPS: usize = 2_000;

/// xorshift: the same story for the same seed.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, sides: usize) -> usize {
        let mut state = self.0.load(Ordering::Relaxed);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.store(state, Ordering::Relaxed);
        usize::try_from(state % sides as u64).expect("less than the number of sides")
    }
}

/// One browser tab: what it has shown, and its connection, if any.
struct Tab {
    patient: PatientId,
    shown: Vec<Seq>,
    line: Option<(Arc<RecordingSession>, Attachment)>,
    taken: usize,
}

impl Tab {
    fn last(&self) -> Seq {
        self.shown.last().copied().unwrap_or(Seq::START)
    }

    /// Shows what the connection has brought since, as a session's task writes its queue.
    fn show(&mut self) {
        let Some((session, attachment)) = &self.line else {
            return;
        };
        let heard = session.heard();
        for push in &heard[self.taken..] {
            if let Heard::Event(event) = push {
                self.shown.push(event.seq);
            }
        }
        self.taken = heard.len();
        if attachment.is_over() {
            self.line = None;
        }
    }

    fn catch_up(&mut self, attached: &Attached) {
        match &attached.from {
            Continuity::Live => {}
            Continuity::CatchUp(missed) => self.shown.extend(missed.iter().map(|event| event.seq)),
            // The page is read anew: it shows everything up to the head.
            Continuity::Reset(_) => self.shown = (1..=attached.head.get()).map(Seq).collect(),
        }
    }

    async fn connect(&mut self, world: &World, room: usize) {
        self.show();
        let session = RecordingSession::with_room(room);
        match world.tab(self.patient, Some(self.last()), &session).await {
            Ok(attached) => {
                self.catch_up(&attached);
                (self.line, self.taken) = (Some((session, attached.attachment)), 0);
            }
            Err(AttachError::Unavailable | AttachError::Busy) => self.line = None,
            Err(other) => panic!("{other}"),
        }
    }

    async fn resume(&mut self, world: &World, room: usize) {
        self.show();
        let dirty = |line: &mut (_, Attachment)| line.1.position().is_none();
        let Some((session, attachment)) = self.line.take_if(dirty) else {
            return;
        };
        session.make_room(room);
        if let Ok(attached) = world.system.resume(attachment, self.last()).await {
            self.catch_up(&attached);
            self.line = Some((session, attached.attachment));
        }
    }
}

async fn storm(seed: u64) {
    let dice = Dice(AtomicU64::new(seed));
    let world = World::at(MORNING)
        .with(|settings| {
            settings.patient_threads = 2;
            settings.poison_panics = usize::MAX;
            settings.read_patience = Duration::from_millis(30);
            settings.catch_up_max = 20;
            settings.patient_mailbox = 2;
        })
        .start();
    world.cut_the_bell();
    let patients: Vec<_> = (0..PATIENTS).map(|_| world.hospital.patient()).collect();
    let new_tab = |index: usize| Tab {
        patient: patients[index % PATIENTS],
        shown: Vec::new(),
        line: None,
        taken: 0,
    };
    let mut tabs: Vec<_> = (0..TABS).map(new_tab).collect();
    let mut wires: HashMap<PatientId, Seq> = HashMap::new();
    for _ in 0..STEPS {
        let patient = patients[dice.roll(PATIENTS)];
        let tab = dice.roll(TABS);
        match dice.roll(20) {
            0..=6 => {
                world.publish(patient);
            }
            7..=10 => {
                let behind = wires.entry(patient).or_insert(Seq::START);
                let mut events = world
                    .hospital
                    .events_after(patient, Seq(behind.get() - dice.roll(3) as i64));
                if dice.roll(2) == 0 && !events.is_empty() {
                    let lost = dice.roll(events.len());
                    events.remove(lost);
                }
                *behind = events.last().map_or(*behind, |event| event.seq);
                world.system.deliver(events);
            }
            11..=13 => tabs[tab].connect(&world, dice.roll(8)).await,
            14..=15 => tabs[tab].resume(&world, dice.roll(8)).await,
            16 => {
                if let Some((session, _)) = &tabs[tab].line {
                    session.vanish();
                }
            }
            17 => {
                tabs[tab].show();
                tabs[tab].line = None;
            }
            18 => drop(world.system.explode_patient(patient)),
            _ => {
                world.hospital.set_down(true);
                tokio::task::yield_now().await;
                world.hospital.set_down(false);
            }
        }
    }
    // The weather clears: whoever is not connected connects, and everybody comes to have all.
    for (index, tab) in tabs.iter_mut().enumerate() {
        let head = world.hospital.events_after(tab.patient, Seq::START).len();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while tab.shown.len() < head {
            assert!(
                tokio::time::Instant::now() < deadline,
                "seed {seed}, tab {index} is stuck"
            );
            if tab.is_cut_off() {
                tab.connect(&world, usize::MAX).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            tab.show();
        }
        let all: Vec<_> = (1..=head as i64).map(Seq).collect();
        assert_eq!(tab.shown, all, "seed {seed}, tab {index}");
    }
    drop(tabs);
    world.end().await;
}

impl Tab {
    fn is_cut_off(&mut self) -> bool {
        self.show();
        self.line
            .as_ref()
            .is_none_or(|(_, attachment)| attachment.position().is_none())
    }
}

#[actix::test]
async fn every_view_is_its_events_in_order_and_once_whatever_happens() {
    for seed in 1..=40 {
        storm(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed)).await;
    }
}
