//! Every identified session of this node, found by account. An entry lives exactly as long as its guard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use letterbox_domain::id::{AccountId, SessionId};

use super::close::Ending;
use super::gate::{Gate, Holder};

/// The sessions by account and number.
#[derive(Default)]
pub(crate) struct Registry {
    sessions: Mutex<BTreeMap<(AccountId, u64), Arc<Gate>>>,
}

/// Takes its session out of the registry when dropped, on whatever path the session ended.
pub(super) struct Entry {
    registry: Arc<Registry>,
    key: (AccountId, u64),
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(AccountId, u64), Arc<Gate>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an identified session. Of an account that has too many, the one idle for longest is asked to leave.
    pub(super) fn enter(
        self: &Arc<Self>,
        account: AccountId,
        gate: &Arc<Gate>,
        limit: usize,
    ) -> Entry {
        let key = (account, gate.sid);
        let mut sessions = self.lock();
        let others: Vec<&Arc<Gate>> = of(&sessions, account).collect();
        if others.len() >= limit
            && let Some(idle) = others.iter().min_by_key(|gate| idleness(gate))
        {
            idle.close(Ending::TooManySessions);
        }
        sessions.insert(key, Arc::clone(gate));
        Entry {
            registry: Arc::clone(self),
            key,
        }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Ends the sockets of one signed-in session. Answers how many there were.
    pub(crate) fn end_session(&self, account: AccountId, session: SessionId, why: Ending) -> usize {
        let sessions = self.lock();
        let holder = Holder { account, session };
        of(&sessions, account)
            .filter(|gate| gate.holder() == Some(holder))
            .map(|gate| gate.close(why))
            .count()
    }

    /// All of them, for draining.
    pub(super) fn all(&self) -> Vec<Arc<Gate>> {
        self.lock().values().map(Arc::clone).collect()
    }
}

fn of(
    sessions: &BTreeMap<(AccountId, u64), Arc<Gate>>,
    account: AccountId,
) -> impl Iterator<Item = &Arc<Gate>> {
    sessions
        .range((account, 0)..=(account, u64::MAX))
        .map(|(_, gate)| gate)
        .filter(|gate| !gate.has_ended())
}

/// Sorts the least missed first: hidden pages, then those that did nothing for longest.
fn idleness(gate: &Gate) -> (bool, u32, u64) {
    let times = gate.times();
    (!times.background, times.active_at, gate.sid)
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.key);
    }
}
