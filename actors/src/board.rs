//! Staff boards: tells the staff who look at a trust's board that it has changed, at most once a second.
//!
//! Boards have no events and no cursors: whoever is told reads the board again. A poke makes it quick, the
//! comparison of marks makes it certain, on every node.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use letterbox_domain::id::TrustId;

use crate::{
    messages::AttachError,
    ports::{BoardReader, PortResult, Push, Pushed, SessionHandle},
    rounds::{Job, Rest, patiently},
    system::Wires,
};

/// Everybody who looks at a board of this node.
pub(crate) struct Boards {
    reader: Arc<dyn BoardReader>,
    wires: Arc<Wires>,
    keys: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    boards: HashMap<TrustId, Board>,
    asked: Option<Duration>,
}

#[derive(Default)]
struct Board {
    staff: Vec<(u64, Arc<dyn SessionHandle>)>,
    mark: Option<i64>,
    changed: bool,
    told: Option<Duration>,
}

/// A place before a trust's board; dropping it leaves.
pub struct BoardSeat {
    boards: Arc<Boards>,
    trust: TrustId,
    key: u64,
}

impl std::fmt::Debug for BoardSeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoardSeat")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

impl Drop for BoardSeat {
    fn drop(&mut self) {
        let left = self.boards.leave(self.trust, self.key);
        drop(left); // outside the lock
    }
}

impl Job for Boards {
    fn name(&self) -> String {
        "board".to_owned()
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        let now = self.wires.clock.uptime();
        let compared = self.compare(now).await;
        let rest = self.tell(now);
        compared.map(|()| rest)
    }
}

impl Boards {
    pub(crate) fn new(reader: Arc<dyn BoardReader>, wires: Arc<Wires>) -> Self {
        Self {
            reader,
            wires,
            keys: AtomicU64::new(1),
            state: Mutex::default(),
        }
    }

    /// The newcomer is told to read at once: what changed since their page was made is not lost.
    pub(crate) fn attach(
        self: &Arc<Self>,
        trust: TrustId,
        session: Arc<dyn SessionHandle>,
    ) -> Result<BoardSeat, AttachError> {
        let mut state = self.state();
        let staff: usize = state.boards.values().map(|board| board.staff.len()).sum();
        if staff >= self.wires.settings.boards_max {
            return Err(AttachError::Busy);
        }
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        let board = state.boards.entry(trust).or_default();
        board.staff.push((key, session));
        board.changed = true;
        Ok(BoardSeat {
            boards: Arc::clone(self),
            trust,
            key,
        })
    }

    /// Notes that the board may have changed; answers whether anybody looks at it.
    pub(crate) fn changed(&self, trust: TrustId) -> bool {
        self.state().boards.get_mut(&trust).is_some_and(|board| {
            board.changed = true;
            true
        })
    }

    /// Tells everybody that the node goes.
    pub(crate) fn announce(&self, push: &Arc<Push>) {
        for (_, session) in self.state().boards.values().flat_map(|board| &board.staff) {
            session.try_push(push);
        }
    }

    /// Asks the store once a second, and not more often however often somebody pokes.
    async fn compare(&self, now: Duration) -> PortResult<()> {
        let settings = &self.wires.settings;
        let Some(trusts) = self.to_compare(now) else {
            return Ok(());
        };
        let marks = patiently(settings.port_patience, self.reader.marks(&trusts)).await?;
        let mut state = self.state();
        for (trust, mark) in marks {
            if let Some(board) = state.boards.get_mut(&trust) {
                board.changed |= board.mark.is_some_and(|before| before != mark);
                board.mark = Some(mark);
            }
        }
        Ok(())
    }

    fn to_compare(&self, now: Duration) -> Option<Vec<TrustId>> {
        let mut state = self.state();
        let soon = state
            .asked
            .is_some_and(|asked| now.saturating_sub(asked) < self.wires.settings.board_every);
        if soon || state.boards.is_empty() {
            return None;
        }
        state.asked = Some(now);
        Some(state.boards.keys().copied().collect())
    }

    /// Tells those whose board has changed and who have not been told within the second.
    fn tell(&self, now: Duration) -> Rest {
        let every = self.wires.settings.board_every;
        let mut rest = every;
        let mut state = self.state();
        for (trust, board) in state.boards.iter_mut().filter(|(_, board)| board.changed) {
            let since = board.told.map_or(every, |told| now.saturating_sub(told));
            if since < every {
                rest = rest.min(every - since);
                continue;
            }
            let push = Arc::new(Push::Dirty { trust: *trust });
            for (_, session) in &board.staff {
                if session.try_push(&push) == Pushed::Full {
                    metrics::counter!(crate::measures::PUSHES, "result" => "mark_refused")
                        .increment(1);
                }
            }
            (board.changed, board.told) = (false, Some(now));
        }
        Rest(rest)
    }

    fn leave(&self, trust: TrustId, key: u64) -> Option<Arc<dyn SessionHandle>> {
        let mut state = self.state();
        let board = state.boards.get_mut(&trust)?;
        let index = board.staff.iter().position(|(seat, _)| *seat == key)?;
        let (_, session) = board.staff.swap_remove(index);
        if board.staff.is_empty() {
            state.boards.remove(&trust);
        }
        Some(session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
