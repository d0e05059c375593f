//! Sweeps at cron-named minutes, in UTC.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use letterbox_actors::{
    clock::Clock,
    ports::{Chore, PortError, PortResult},
    testing::{World, eventually},
};

struct Sweep {
    schedule: &'static str,
    runs: AtomicUsize,
    failures_left: AtomicUsize,
    panics_left: AtomicUsize,
}

impl Sweep {
    fn every(schedule: &'static str) -> Arc<Self> {
        Self::with(schedule, 0, 0)
    }
    fn with(schedule: &'static str, failures: usize, panics: usize) -> Arc<Self> {
        let (failures_left, panics_left) = (AtomicUsize::new(failures), AtomicUsize::new(panics));
        Arc::new(Self {
            schedule,
            runs: AtomicUsize::new(0),
            failures_left,
            panics_left,
        })
    }
    fn runs(&self) -> usize {
        self.runs.load(Ordering::Acquire)
    }
}

fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
        left.checked_sub(1)
    })
    .is_ok()
}

#[async_trait]
impl Chore for Sweep {
    fn name(&self) -> &'static str {
        "test.sweep"
    }
    fn schedule(&self) -> &str {
        self.schedule
    }
    async fn run(&self) -> PortResult<u64> {
        self.runs.fetch_add(1, Ordering::AcqRel);
        assert!(!take(&self.panics_left), "a test asked this chore to panic");
        if take(&self.failures_left) {
            return Err(PortError::unavailable("a test asked this chore to fail"));
        }
        Ok(1)
    }
}

const NIGHT: &str = "2026-03-29T00:30:00Z"; // the night in which British clocks go forward at 01:00

#[actix::test]
async fn a_chore_runs_at_its_minute_in_utc_once_even_where_british_clocks_jump() {
    let sweep = Sweep::every("0 30 1 * * *");
    let world = World::at(NIGHT).with_chore(sweep.clone()).start();
    world.clock.pass(Duration::from_secs(59 * 60));
    eventually("the caretaker looks", || looked(&world)).await;
    assert_eq!(sweep.runs(), 0, "01:29 UTC");
    world.clock.pass(Duration::from_secs(61));
    eventually("it runs", || sweep.runs() == 1).await;
    world.clock.pass(Duration::from_secs(6 * 3_600));
    eventually("the caretaker looks", || looked(&world)).await;
    assert_eq!(sweep.runs(), 1);
    world.clock.pass(Duration::from_secs(24 * 3_600));
    eventually("it runs the next day", || sweep.runs() == 2).await;
    world.end().await;
}

#[actix::test]
async fn a_failed_or_panicking_chore_is_tried_again_within_minutes() {
    let (failing, panicking) = (
        Sweep::with("0 0 1 * * *", 1, 0),
        Sweep::with("0 0 1 * * *", 0, 1),
    );
    let world = World::at(NIGHT)
        .with_chore(failing.clone())
        .with_chore(panicking.clone())
        .start();
    world.clock.pass(Duration::from_secs(31 * 60));
    eventually("both run", || failing.runs() == 1 && panicking.runs() == 1).await;
    eventually("both are tried again", || {
        world.clock.pass(Duration::from_secs(1));
        failing.runs() == 2 && panicking.runs() == 2
    })
    .await;
    world.end().await;
}

#[actix::test]
async fn a_schedule_that_cannot_be_read_stops_the_start_with_its_name() {
    use letterbox_actors::{settings::Settings, system::System};
    let world = World::at(NIGHT).start();
    let started = System::start(
        world.ports_with(vec![Sweep::every("half past one")]),
        Settings::default(),
        world.clock.clone(),
    );
    let error = started.err().expect("it must not start").to_string();
    assert!(
        error.contains("test.sweep") && error.contains("half past one"),
        "{error}"
    );
    assert!(
        world.clock.now()
            >= NIGHT
                .parse::<chrono::DateTime<chrono::Utc>>()
                .expect("an instant")
    );
    world.end().await;
}

/// Whether the caretaker has completed a look since the clock last moved by a minute or more.
fn looked(world: &World) -> bool {
    let loops = world.system.health().loops();
    let caretaker = loops.iter().find(|each| each.name == "caretaker");
    caretaker
        .and_then(|each| each.completed_ago)
        .is_some_and(|ago| ago < Duration::from_secs(50))
}
