//! One clock for all sessions: hellos that must come, pings, sessions that run out, writes that take too long.
//!
//! A timer in each session would cost 160 bytes and, worse, would stand still with a stalled write. This turns
//! once a second beside the sessions, touches only those whose time has come, and holds them weakly.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::close::Ending;
use super::gate::Gate;
use super::limits::Limits;

/// Seconds that an entry can lie ahead; the longest wait is one ping, 30 s.
const SPOKES: usize = 64;
/// The wheel. Its ticks are seconds since the node began, starting at 1.
pub(super) struct Wheel {
    began: Instant,
    turned_to: AtomicU32,
    spokes: Vec<Mutex<Vec<Weak<Gate>>>>,
    /// Sessions with bytes waiting to leave.
    blocked: Mutex<Vec<Weak<Gate>>>,
    ping_every: u32,
    /// A peer that left a ping unanswered is asked again after this, and is gone when it stays silent as long.
    ask_again: u32,
    write_within: u32,
}

impl Wheel {
    pub(super) fn new(limits: &Limits) -> Self {
        let ping_every = seconds(limits.ping_every).clamp(1, 40);
        let latest_ping = ping_every + ping_every / 5;
        let patience = seconds(limits.silence).saturating_sub(latest_ping);
        Self {
            began: Instant::now(),
            turned_to: AtomicU32::new(1),
            spokes: (0..SPOKES).map(|_| Mutex::default()).collect(),
            blocked: Mutex::default(),
            ping_every,
            ask_again: (patience / 2).clamp(1, 3_600),
            write_within: seconds(limits.write_within).max(1),
        }
    }

    /// The present tick.
    pub(super) fn now(&self) -> u32 {
        seconds(self.began.elapsed()).saturating_add(1)
    }

    /// The tick that many seconds ahead.
    pub(super) fn after(&self, wait: Duration) -> u32 {
        self.now().saturating_add(seconds(wait))
    }

    /// The tick of a next ping: a fifth earlier or later than the average, drawn anew each time.
    pub(super) fn next_ping(&self) -> u32 {
        let spread = self.ping_every / 5;
        let wait = rand::random_range(self.ping_every - spread..=self.ping_every + spread);
        self.now().saturating_add(wait.max(1))
    }

    /// Looks at this session again at its next time.
    pub(super) fn watch(&self, gate: &Arc<Gate>) {
        let times = gate.times();
        let next = [times.hello_by, times.ping_at, times.expires_at];
        let next = next.into_iter().filter(|at| *at > 0).min();
        let earliest = self.turned_to.load(Ordering::Relaxed) + 1;
        // What lies further ahead than the wheel is looked at on the way.
        let latest = earliest + SPOKES as u32 - 2;
        let at = next.unwrap_or(latest).clamp(earliest, latest);
        let spoke = &self.spokes[at as usize % SPOKES];
        lock(spoke).push(Arc::downgrade(gate));
    }

    /// Notes that a session cannot get rid of its bytes; its deadline runs here, outside the write.
    pub(super) fn watch_write(&self, gate: &Arc<Gate>) {
        if gate.blocked(self.now()) {
            lock(&self.blocked).push(Arc::downgrade(gate));
        }
    }

    /// Turns to the present; answers the sessions whose sign-in has run out as far as is known here.
    pub(super) fn turn(&self) -> Vec<Arc<Gate>> {
        let now = self.now();
        let mut run_out = Vec::new();
        loop {
            let last = self.turned_to.load(Ordering::Relaxed);
            if last >= now {
                break;
            }
            self.turned_to.store(last + 1, Ordering::Relaxed);
            let due = std::mem::take(&mut *lock(&self.spokes[(last + 1) as usize % SPOKES]));
            for gate in due.iter().filter_map(Weak::upgrade) {
                self.look_at(&gate, now, &mut run_out);
            }
        }
        self.look_at_blocked(now);
        run_out
    }

    fn look_at(&self, gate: &Arc<Gate>, now: u32, run_out: &mut Vec<Arc<Gate>>) {
        if gate.has_ended() {
            return;
        }
        let times = gate.times();
        if times.hello_by > 0 && times.hello_by <= now {
            gate.close(Ending::BadHello);
            return;
        }
        if times.ping_at > 0 && times.ping_at <= now && !self.ping(gate, times.unanswered) {
            return;
        }
        if times.expires_at > 0 && times.expires_at <= now {
            // Looked at again in a moment, should the store not answer.
            gate.with_times(|times| times.expires_at = now + 2);
            run_out.push(Arc::clone(gate));
        }
        self.watch(gate);
    }

    /// Pings, or gives the peer up; false when it was given up.
    fn ping(&self, gate: &Gate, unanswered: u8) -> bool {
        if unanswered >= 2 {
            gate.close(Ending::NoPong);
            return false;
        }
        // An answer puts the ordinary time back.
        let next = self.now().saturating_add(self.ask_again);
        gate.with_times(|times| {
            times.unanswered += 1;
            times.ping_at = next;
        });
        gate.ping();
        true
    }

    fn look_at_blocked(&self, now: u32) {
        lock(&self.blocked).retain(|gate| {
            let Some(gate) = gate.upgrade() else {
                return false;
            };
            let since = gate.blocked_since.load(Ordering::Relaxed);
            if since == 0 || gate.has_ended() {
                return false;
            }
            let too_long = now.saturating_sub(since) >= self.write_within;
            if too_long {
                gate.close(Ending::TooSlow);
            }
            !too_long
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
