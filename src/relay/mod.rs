//! The doorbell: what has been committed is made known to every node. It carries wake-ups, never truth.
//!
//! Whoever commits rings at once, in memory ([`Relay::poke`]). A sweep takes what is left in the outbox each second,
//! from whatever node it came, and rings again; whoever hears an event twice knows its number already. Neither ever
//! waits for the other, for a browser or for another node, and with both gone a mailbox is still at most a second
//! late: every node compares the heads of its attached boxes with the store.

mod bus;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use letterbox_actors::ports::Doorbell;
use letterbox_actors::system::System;
use letterbox_domain::event::Event;

use crate::live::Live;
use crate::store::{Principal, Store, StoreError, outbox};

pub use bus::{Bus, LocalBus};

/// Between two sweeps of the outbox, when the last one left nothing.
const EVERY: Duration = Duration::from_secs(1);
/// Wake-ups taken at once: a few milliseconds of work, so that the outbox's rows are not held for long.
const AT_ONCE: i64 = 500;

/// One node's doorbell. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    parts: Arc<Parts>,
}

struct Parts {
    bus: Arc<dyn Bus>,
    listeners: OnceLock<Listeners>,
    began: Instant,
    /// Milliseconds after `began` at which a sweep last ended, well or not.
    swept_at: AtomicU64,
}

struct Listeners {
    system: System,
    live: Arc<Live>,
}

impl Relay {
    /// A doorbell that rings other nodes through `bus`; this node's actors hear it after [`Relay::connect`].
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        let parts = Parts {
            bus,
            listeners: OnceLock::new(),
            began: Instant::now(),
            swept_at: AtomicU64::new(0),
        };
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Lets this node's actors and sockets hear, and starts the sweep. A second call changes nothing.
    pub fn connect(&self, system: System, live: Arc<Live>, store: Store) {
        let first = self.parts.listeners.set(Listeners { system, live }).is_ok();
        if first {
            actix_rt::spawn(sweep(Arc::downgrade(&self.parts), store.scheduler()));
        }
    }

    /// These events have just been committed on this node. Never waits.
    pub fn poke(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        if let Some(listeners) = self.parts.listeners.get() {
            listeners
                .live
                .committed(events.iter().map(|event| event.id));
        }
        self.parts.ring(events);
    }

    /// Events that another node rang through the bus. Never waits.
    pub fn heard(&self, events: Vec<Event>) {
        if let Some(listeners) = self.parts.listeners.get() {
            listeners.system.deliver(events);
        }
    }

    /// How long ago a sweep last ended, well or not: the sweep's sign of life.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        let swept = Duration::from_millis(self.parts.swept_at.load(Ordering::Relaxed));
        self.parts.began.elapsed().saturating_sub(swept)
    }
}

impl Doorbell for Relay {
    fn ring(&self, events: &[Event]) {
        self.poke(events);
    }
}

impl Parts {
    fn ring(&self, events: &[Event]) {
        if let Some(listeners) = self.listeners.get() {
            listeners.system.deliver(events.to_vec());
        }
        self.bus.ring(events);
    }

    /// Takes one handful out of the outbox and rings; answers whether there may be more.
    ///
    /// Rung before the commit: a node that dies in between rings twice rather than never.
    async fn sweep_once(&self, store: &Store) -> Result<bool, StoreError> {
        let tx = store.begin(&Principal::SERVER).await?;
        let taken = outbox::claim_and_take(&tx, AT_ONCE).await?;
        if !taken.is_empty() {
            self.ring(&taken);
        }
        tx.commit().await?;
        metrics::counter!("letterbox_outbox_taken_total").increment(taken.len() as u64);
        Ok(i64::try_from(taken.len()).is_ok_and(|count| count >= AT_ONCE))
    }
}

async fn sweep(parts: Weak<Parts>, store: Store) {
    let mut failing = false;
    loop {
        let Some(parts) = parts.upgrade() else { return };
        let more = match parts.sweep_once(&store).await {
            Ok(more) => {
                failing = false;
                more
            }
            Err(error) => {
                // One line when it begins to fail; the database's own loops say the rest.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "outbox.sweep_failed");
                }
                false
            }
        };
        let ended = u64::try_from(parts.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        parts.swept_at.store(ended, Ordering::Relaxed);
        drop(parts);
        if !more {
            tokio::time::sleep(EVERY).await;
        }
    }
}
