//! The shape of every background actor: look, do what is due, rest until the next due or a poke.
//!
//! A failed look rests longer each time, with jitter, and shows in [`crate::health`]. A panic ends the actor;
//! its [`Post`] puts another in its place with the same job, which must therefore bear being begun anew.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle,
    WrapFuture, prelude::SendError,
};
use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use crate::{
    clock::Clock,
    health::{Health, Pulse},
    measures,
    messages::{Finish, Poke},
    ports::{PortError, PortResult},
    settings::Settings,
};

/// Messages waiting for a background actor. Pokes say the same, so four are plenty.
const MAILBOX: usize = 4;

/// What an actor does in each round.
pub(crate) trait Job: Send + Sync + Sized + 'static {
    /// For health, logs and metrics.
    fn name(&self) -> String;

    /// One round; never holds a claim when it returns.
    fn pass(self: Arc<Self>) -> impl Future<Output = PortResult<Rest>> + 'static;

    /// Waits for what rounds have begun and left running.
    fn settled(self: Arc<Self>) -> impl Future<Output = ()> + 'static {
        std::future::ready(())
    }
}

/// How long until the next round, unless poked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest(pub(crate) Duration);

/// The actor.
pub(crate) struct Round<J: Job> {
    job: Arc<J>,
    pulse: Arc<Pulse>,
    clock: Arc<dyn Clock>,
    back_off: (Duration, Duration),
    state: State,
    poked: bool,
    finishing: Option<oneshot::Sender<()>>,
    crashed: Arc<tokio::sync::Notify>,
}

enum State {
    Working,
    Resting(SpawnHandle),
    Failing(SpawnHandle),
    Stopping,
}

impl<J: Job> Round<J> {
    fn begin(&mut self, ctx: &mut Context<Self>) {
        self.poked = false;
        self.state = State::Working;
        let job = Arc::clone(&self.job);
        ctx.spawn(
            job.pass()
                .into_actor(self)
                .map(|result, act, ctx| act.end(result, ctx)),
        );
    }

    fn end(&mut self, result: PortResult<Rest>, ctx: &mut Context<Self>) {
        let failed = result.is_err();
        let rest = match result {
            Ok(Rest(rest)) => {
                self.pulse.completed(self.clock.uptime());
                if self.poked { Duration::ZERO } else { rest }
            }
            Err(error) => {
                let in_a_row = self.pulse.failed(self.clock.uptime(), &error);
                back_off(self.back_off, in_a_row)
            }
        };
        if self.finishing.is_some() {
            return self.settle(ctx);
        }
        let timer = ctx.run_later(rest, Self::begin);
        self.state = if failed {
            State::Failing(timer)
        } else {
            State::Resting(timer)
        };
    }

    /// Nothing more is begun; stops once everything begun has ended.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Stopping;
        let job = Arc::clone(&self.job);
        ctx.spawn(job.settled().into_actor(self).map(|(), act, ctx| {
            drop(act.finishing.take());
            ctx.stop();
        }));
    }
}

impl<J: Job> Actor for Round<J> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.begin(ctx);
    }

    /// Must not panic: it also runs while a panic of a handler is being cleaned up.
    fn stopped(&mut self, _: &mut Context<Self>) {
        if std::thread::panicking() {
            self.crashed.notify_one();
        }
    }
}

impl<J: Job> Handler<Poke> for Round<J> {
    type Result = ();

    /// A poke shortens rest, never the wait after a failure.
    fn handle(&mut self, _: Poke, ctx: &mut Context<Self>) {
        match self.state {
            State::Resting(timer) => {
                ctx.cancel_future(timer);
                self.begin(ctx);
            }
            State::Working => self.poked = true,
            State::Failing(_) | State::Stopping => {}
        }
    }
}

impl<J: Job> Handler<Finish> for Round<J> {
    type Result = ();

    fn handle(&mut self, Finish(done): Finish, ctx: &mut Context<Self>) {
        self.finishing = Some(done);
        if let State::Resting(timer) | State::Failing(timer) = self.state {
            ctx.cancel_future(timer);
            self.settle(ctx);
        }
    }
}

#[cfg(feature = "testing")]
impl<J: Job> Handler<crate::messages::Explode> for Round<J> {
    type Result = ();

    fn handle(&mut self, _: crate::messages::Explode, _: &mut Context<Self>) {
        panic!("a test asked {} to panic", self.job.name());
    }
}

/// One background actor's place: whoever holds it finds the actor that is alive now.
pub(crate) struct Post<J: Job> {
    job: Arc<J>,
    name: String,
    tools: Tools,
    holder: Mutex<Holder<J>>,
}

struct Holder<J: Job> {
    addr: Addr<Round<J>>,
    since: Duration,
    crashes: u32,
}

/// What every post needs.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) thread: ArbiterHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) health: Health,
    pub(crate) settings: Settings,
    pub(crate) crashed: Arc<tokio::sync::Notify>,
}

impl<J: Job> Post<J> {
    pub(crate) fn open(job: Arc<J>, tools: &Tools) -> Arc<Self> {
        let name = job.name();
        let holder = Holder {
            addr: start(&job, tools),
            since: tools.clock.uptime(),
            crashes: 0,
        };
        Arc::new(Self {
            job,
            name,
            tools: tools.clone(),
            holder: Mutex::new(holder),
        })
    }

    pub(crate) fn job(&self) -> &Arc<J> {
        &self.job
    }

    /// Wakes the actor. A full mailbox holds a poke already; a dead actor's successor looks at once.
    pub(crate) fn poke(&self) {
        match self.holder().addr.try_send(Poke) {
            Ok(()) | Err(SendError::Full(_)) => {}
            Err(SendError::Closed(_)) => self.tools.crashed.notify_one(),
        }
    }

    fn holder(&self) -> MutexGuard<'_, Holder<J>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start<J: Job>(job: &Arc<J>, tools: &Tools) -> Addr<Round<J>> {
    let round = Round {
        job: Arc::clone(job),
        pulse: tools.health.pulse(&job.name()),
        clock: Arc::clone(&tools.clock),
        back_off: (tools.settings.back_off, tools.settings.back_off_max),
        state: State::Working,
        poked: false,
        finishing: None,
        crashed: Arc::clone(&tools.crashed),
    };
    Round::start_in_arbiter(&tools.thread, move |ctx| {
        ctx.set_mailbox_capacity(MAILBOX);
        round
    })
}

/// A post whatever its job, for the warden and for draining.
pub(crate) trait AnyPost: Send + Sync {
    fn name(&self) -> &str;

    /// Puts a successor in the place of a dead actor; waits between successors that keep dying.
    fn replace_if_dead(&self);

    /// Resolves when the actor has finished all it had begun.
    fn finish(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    #[cfg(feature = "testing")]
    fn explode(&self) -> bool;
}

impl<J: Job> AnyPost for Post<J> {
    fn name(&self) -> &str {
        &self.name
    }

    fn replace_if_dead(&self) {
        let now = self.tools.clock.uptime();
        let mut holder = self.holder();
        if holder.addr.connected() {
            return;
        }
        let settings = &self.tools.settings;
        let lived = now.saturating_sub(holder.since);
        let crashes = if lived > Duration::from_secs(60) {
            0
        } else {
            holder.crashes
        };
        if crashes > 0
            && lived < doubled(settings.back_off, settings.back_off_max, u64::from(crashes))
        {
            return;
        }
        metrics::counter!(measures::PANICS, "actor" => self.name.clone()).increment(1);
        tracing::error!(actor = %self.name, "actor.replaced_after_panic");
        *holder = Holder {
            addr: start(&self.job, &self.tools),
            since: now,
            crashes: crashes + 1,
        };
    }

    fn finish(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (done, finished) = oneshot::channel();
        let request = self.holder().addr.send(Finish(done));
        Box::pin(async move {
            // A closed mailbox, or a sender dropped without a word, both mean that nothing runs any more.
            if request.await.is_ok() {
                drop(finished.await);
            }
        })
    }

    #[cfg(feature = "testing")]
    fn explode(&self) -> bool {
        self.holder()
            .addr
            .try_send(crate::messages::Explode)
            .is_ok()
    }
}

/// A port call with an end: silence is a failed attempt.
pub(crate) async fn patiently<T>(
    patience: Duration,
    call: impl Future<Output = PortResult<T>>,
) -> PortResult<T> {
    tokio::time::timeout(patience, call)
        .await
        .map_err(PortError::unavailable)?
}

/// Doubling from `first` to `most`, then anything between half of that and all of it.
pub(crate) fn back_off((first, most): (Duration, Duration), in_a_row: u64) -> Duration {
    let full = doubled(first, most, in_a_row.saturating_sub(1));
    full.mul_f64(0.5 + chance() / 2.0)
}

fn doubled(first: Duration, most: Duration, times: u64) -> Duration {
    let factor = 1u32 << u32::try_from(times.min(20)).unwrap_or(20);
    first.saturating_mul(factor).min(most)
}

/// Between 0 and 1; spreads nodes that failed together. Not for secrets.
fn chance() -> f64 {
    let (_, low) = uuid::Uuid::new_v4().as_u64_pair();
    (low & 0xFFFF_FFFF) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_to_its_bound_and_never_below_half() {
        let bounds = (Duration::from_millis(200), Duration::from_secs(10));
        for (in_a_row, full) in [
            (1, 200),
            (2, 400),
            (3, 800),
            (6, 6_400),
            (7, 10_000),
            (1_000, 10_000),
        ] {
            let wait = back_off(bounds, in_a_row);
            assert!(
                wait <= Duration::from_millis(full) && wait >= Duration::from_millis(full / 2),
                "{in_a_row}: {wait:?}"
            );
        }
    }
}
