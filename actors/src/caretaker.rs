//! Wakes idempotent sweeps at cron-named minutes, in UTC. Never decides anything about a letter: deadlines
//! are rows with an instant, and a sweep that is missed or run twice does no harm.

use std::{
    panic::AssertUnwindSafe,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use cron::Schedule;
use futures_util::FutureExt;
use tokio::sync::Notify;

use crate::{
    health::chain,
    measures,
    ports::{Chore, PortResult},
    rounds::{Job, Rest},
    system::Wires,
};

/// A chore that failed is tried again after this, whatever its schedule says.
const AGAIN: TimeDelta = TimeDelta::seconds(60);

/// A chore running longer than this is given up; the next run goes on where it stopped.
const CHORE_PATIENCE: Duration = Duration::from_secs(600);

/// A schedule that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "chore {chore} has the schedule {schedule:?}, which is not `sec min hour day month weekday`"
)]
pub struct BadSchedule {
    pub chore: &'static str,
    pub schedule: String,
    #[source]
    source: cron::error::Error,
}

/// The job of the caretaker's actor.
pub(crate) struct Caretaker {
    rota: Vec<Arc<Planned>>,
    running: Arc<Running>,
    wires: Arc<Wires>,
}

struct Planned {
    chore: Arc<dyn Chore>,
    schedule: Schedule,
    next: Mutex<Option<DateTime<Utc>>>,
    busy: AtomicBool,
}

#[derive(Default)]
struct Running {
    count: AtomicUsize,
    ended: Notify,
}

impl Job for Caretaker {
    fn name(&self) -> String {
        "caretaker".to_owned()
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        let now = self.wires.clock.now();
        if !self.wires.is_stopping() {
            for planned in self.rota.iter().filter(|planned| planned.is_due(now)) {
                self.start(planned, now);
            }
        }
        Ok(Rest(self.wires.settings.poll))
    }

    async fn settled(self: Arc<Self>) {
        while self.running.count.load(Ordering::Acquire) > 0 {
            drop(
                tokio::time::timeout(self.wires.settings.poll, self.running.ended.notified()).await,
            );
        }
    }
}

impl Caretaker {
    pub(crate) fn new(chores: Vec<Arc<dyn Chore>>, wires: Arc<Wires>) -> Result<Self, BadSchedule> {
        let now = wires.clock.now();
        let rota = chores
            .into_iter()
            .map(|chore| Planned::new(chore, now))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            rota,
            running: Arc::default(),
            wires,
        })
    }

    /// In a task of its own: neither its length nor its panic holds up the other chores.
    fn start(&self, planned: &Arc<Planned>, now: DateTime<Utc>) {
        if planned.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        planned.plan_after(now);
        self.running.count.fetch_add(1, Ordering::AcqRel);
        let (planned, running, clock) = (
            Arc::clone(planned),
            Arc::clone(&self.running),
            Arc::clone(&self.wires.clock),
        );
        drop(actix_rt::spawn(async move {
            if !planned.run().await {
                planned.plan_again_by(clock.now() + AGAIN);
            }
            planned.busy.store(false, Ordering::Release);
            running.count.fetch_sub(1, Ordering::AcqRel);
            running.ended.notify_one();
        }));
    }
}

impl Planned {
    fn new(chore: Arc<dyn Chore>, now: DateTime<Utc>) -> Result<Arc<Self>, BadSchedule> {
        let bad = |source| BadSchedule {
            chore: chore.name(),
            schedule: chore.schedule().to_owned(),
            source,
        };
        let schedule = Schedule::from_str(chore.schedule()).map_err(bad)?;
        let next = Mutex::new(schedule.after(&now).next());
        Ok(Arc::new(Self {
            schedule,
            next,
            busy: AtomicBool::new(false),
            chore,
        }))
    }

    /// A clock set back must not put a chore off for as long: its next run is never later than the schedule's.
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let scheduled = self.schedule.after(&now).next();
        *next = match (*next, scheduled) {
            (Some(planned), Some(scheduled)) => Some(planned.min(scheduled)),
            (planned, scheduled) => planned.or(scheduled),
        };
        next.is_some_and(|at| at <= now)
    }

    fn plan_after(&self, now: DateTime<Utc>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) =
            self.schedule.after(&now).next();
    }

    fn plan_again_by(&self, at: DateTime<Utc>) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(next.map_or(at, |planned| planned.min(at)));
    }

    /// Whether it went well.
    async fn run(&self) -> bool {
        let name = self.chore.name();
        let call = AssertUnwindSafe(self.chore.run()).catch_unwind();
        let done = match tokio::time::timeout(CHORE_PATIENCE, call).await {
            Ok(Ok(Ok(rows))) => {
                tracing::info!(chore = name, rows, "chore.done");
                true
            }
            Ok(Ok(Err(error))) => {
                tracing::warn!(chore = name, error = %chain(&error), "chore.failed");
                false
            }
            Ok(Err(_panic)) => {
                tracing::error!(chore = name, "chore.panicked");
                false
            }
            Err(_elapsed) => {
                tracing::warn!(chore = name, "chore.too_long");
                false
            }
        };
        let result = if done { "done" } else { "failed" };
        metrics::counter!(measures::CHORES, "chore" => name, "result" => result).increment(1);
        done
    }
}
