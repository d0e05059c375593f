//! One per channel, and one more for what goes to accounts that way: claims queued messages, hands them to the provider outside any transaction, records.
//!
//! A message is claimed before it is sent and fenced by its attempt. After an attempt without an answer the
//! provider is asked first. Nothing is sent when the lease could end before the call does.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::FutureExt;
use letterbox_domain::dispatch::{Channel, Outcome};
use tokio::{sync::Notify, time::timeout};

use crate::{
    measures,
    ports::{ClaimedDispatch, DispatchStore, LookUp, Outlet, PortError, PortResult},
    rounds::{Job, Rest, back_off, patiently},
    supervisor::until,
    system::Wires,
};

/// The job of one channel's dispatcher.
pub(crate) struct Dispatcher {
    /// For logs and figures.
    name: &'static str,
    pub(crate) channel: Channel,
    pub(crate) store: Arc<dyn DispatchStore>,
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) wires: Arc<Wires>,
    in_flight: AtomicUsize,
    freed: Notify,
}

/// What one claimed message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Recorded(&'static str),
    Fenced,
    Unwanted,
    /// Not sent: the lease was too short for it. It comes back, and is looked up first.
    Abandoned,
    /// Sent or not, the store did not hear of it within the lease. It comes back, and is looked up first.
    Unrecorded,
}

impl Job for Dispatcher {
    fn name(&self) -> String {
        format!("dispatcher:{}", self.name)
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        while !self.wires.is_stopping() {
            let free = self.free();
            if free == 0 {
                self.wait_for_room().await;
                return Ok(Rest(Duration::ZERO));
            }
            if self.claim(free).await? < free {
                break;
            }
        }
        let settings = &self.wires.settings;
        let due = patiently(settings.port_patience, self.store.next_due(self.channel)).await?;
        Ok(Rest(until(due, settings.dispatch_poll)))
    }

    async fn settled(self: Arc<Self>) {
        while self.in_flight.load(Ordering::Acquire) > 0 {
            self.wait_for_room().await;
        }
    }
}

impl Dispatcher {
    pub(crate) fn new(
        store: Arc<dyn DispatchStore>,
        outlet: Arc<dyn Outlet>,
        wires: Arc<Wires>,
    ) -> Self {
        let channel = outlet.channel();
        Self {
            name: channel.name(),
            channel,
            store,
            outlet,
            wires,
            in_flight: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// For what goes to accounts rather than about cases: the same rules under a name of its own.
    pub(crate) fn of_accounts(
        store: Arc<dyn DispatchStore>,
        outlet: Arc<dyn Outlet>,
        wires: Arc<Wires>,
    ) -> Self {
        let name = match outlet.channel() {
            Channel::Email => "account_email",
            Channel::Text => "account_text",
            Channel::Post => "account_post",
        };
        Self {
            name,
            ..Self::new(store, outlet, wires)
        }
    }

    fn free(&self) -> usize {
        self.wires
            .settings
            .dispatch_parallel
            .saturating_sub(self.in_flight.load(Ordering::Acquire))
    }

    /// Until a call ends, or for one poll: so that health sees a loop that turns while a provider is slow.
    async fn wait_for_room(&self) {
        drop(timeout(self.wires.settings.dispatch_poll, self.freed.notified()).await);
    }

    /// Claims and starts up to `free` messages; answers how many.
    async fn claim(self: &Arc<Self>, free: usize) -> PortResult<usize> {
        let settings = &self.wires.settings;
        let limit = u16::try_from(free).unwrap_or(u16::MAX);
        let lease = TimeDelta::from_std(settings.dispatch_lease).unwrap_or(TimeDelta::MAX);
        // Counted from before the question: the lease in the store cannot have begun earlier.
        let lease_ends = self.wires.clock.uptime() + settings.dispatch_lease;
        let claim = self.store.claim(settings.node, self.channel, limit, lease);
        let claimed = patiently(settings.port_patience, claim).await?;
        let count = claimed.len();
        for each in claimed {
            let place = Place::take(self);
            // A task of its own: neither its panic nor the actor's ends the other.
            drop(actix_rt::spawn(async move {
                place.0.carry(&each, lease_ends).await
            }));
        }
        Ok(count)
    }

    /// From claim to record.
    async fn carry(&self, claimed: &ClaimedDispatch, lease_ends: Duration) {
        let end = match self.attempt(claimed, lease_ends).await {
            Ok(outcome) => self.record(claimed, outcome, lease_ends).await,
            Err(end) => end,
        };
        let label = match end {
            End::Recorded(outcome) => outcome,
            End::Fenced => "fenced",
            End::Unwanted => "unwanted",
            End::Abandoned => "abandoned",
            End::Unrecorded => "unrecorded",
        };
        metrics::counter!(measures::DISPATCHES, "channel" => self.name, "outcome" => label)
            .increment(1);
        tracing::info!(dispatch = %claimed.id, attempt = claimed.attempt, end = label, "dispatch.ended");
    }

    async fn attempt(
        &self,
        claimed: &ClaimedDispatch,
        lease_ends: Duration,
    ) -> Result<Outcome, End> {
        if claimed.unknown_before {
            match self.look_up(claimed).await {
                LookUp::Found(outcome) => return Ok(outcome),
                LookUp::CannotTell => return Ok(Outcome::Unknown),
                LookUp::NotFound => {}
            }
        }
        let settings = &self.wires.settings;
        match patiently(settings.port_patience, self.store.still_wanted(claimed)).await {
            Ok(true) => {}
            Ok(false) => return Err(End::Unwanted),
            // Surely not sent, so it may simply be tried again.
            Err(error) => return Ok(self.not_now(claimed, &error)),
        }
        if self.wires.clock.uptime() + settings.send_patience > lease_ends {
            return Err(End::Abandoned);
        }
        Ok(self.send(claimed).await)
    }

    fn not_now(&self, claimed: &ClaimedDispatch, error: &PortError) -> Outcome {
        tracing::warn!(dispatch = %claimed.id, error = %crate::health::chain(error), "dispatch.not_confirmed");
        Outcome::Later {
            after: self.wires.settings.back_off_max,
        }
    }

    /// A driver that panics or stays silent has perhaps sent: unknown.
    async fn send(&self, claimed: &ClaimedDispatch) -> Outcome {
        let call = AssertUnwindSafe(self.outlet.send(&claimed.outgoing)).catch_unwind();
        match timeout(self.wires.settings.send_patience, call).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Outcome::Unknown,
            Err(_elapsed) => Outcome::Unknown,
        }
    }

    async fn look_up(&self, claimed: &ClaimedDispatch) -> LookUp {
        let call = AssertUnwindSafe(self.outlet.look_up(&claimed.outgoing)).catch_unwind();
        match timeout(self.wires.settings.send_patience, call).await {
            Ok(Ok(found)) => found,
            Ok(Err(_panic)) => LookUp::CannotTell,
            Err(_elapsed) => LookUp::CannotTell,
        }
    }

    /// Tries until the lease ends; after that the row says so itself.
    async fn record(
        &self,
        claimed: &ClaimedDispatch,
        outcome: Outcome,
        lease_ends: Duration,
    ) -> End {
        let settings = &self.wires.settings;
        let name = outcome.name();
        for tries in 1.. {
            match patiently(
                settings.port_patience,
                self.store.record(claimed, outcome.clone()),
            )
            .await
            {
                Ok(true) => return End::Recorded(name),
                Ok(false) => return End::Fenced,
                Err(error) => {
                    tracing::warn!(dispatch = %claimed.id, error = %crate::health::chain(&error), "dispatch.not_recorded");
                }
            }
            let wait = back_off((settings.back_off, settings.back_off_max), tries);
            if self.wires.clock.uptime() + wait > lease_ends {
                break;
            }
            tokio::time::sleep(wait).await;
        }
        End::Unrecorded
    }
}

/// One of the places at the provider's counter; given back on every path.
struct Place(Arc<Dispatcher>);

impl Place {
    fn take(dispatcher: &Arc<Dispatcher>) -> Self {
        dispatcher.in_flight.fetch_add(1, Ordering::AcqRel);
        let place = Self(Arc::clone(dispatcher));
        place.show();
        place
    }

    fn show(&self) {
        let now = self.0.in_flight.load(Ordering::Acquire) as f64;
        metrics::gauge!(measures::IN_FLIGHT, "channel" => self.0.name).set(now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.show();
        self.0.freed.notify_one();
    }
}
