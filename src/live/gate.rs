//! What the rest of the node leaves for one session, in bounded room: a short queue and a set of marks.
//!
//! Patient actors, the wheel, the registry and the receipt desk drop things here from their own threads and never
//! wait; the session's task picks them up. When the queue is full a box becomes dirty: nothing more of it is
//! kept, and the session reads it again from the store once it has caught up. Marks (gone, reset, close …) always
//! find room and overtake everything queued.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use letterbox_actors::ports::{Push, Pushed, ResetReason, SessionHandle};
use letterbox_domain::id::{AccountId, SessionId};
use uuid::Uuid;

use super::boxes::MAX_BOXES;
use super::close::Ending;

const _: () = assert!(MAX_BOXES == u32::BITS as usize, "one mark a box");

/// Answers to receipts waiting to leave. More are dropped: the browser asks again.
const MAX_RECEIPT_ANSWERS: usize = 64;
/// A queue of up to this many entries keeps its memory when it runs empty.
const KEPT_CAPACITY: usize = 4;

/// One session as the rest of the node sees it.
pub(crate) struct Gate {
    /// The session's number on this node.
    pub(crate) sid: u64,
    /// Events queued at most.
    window: usize,
    /// Since when bytes have been waiting to leave, in ticks of the wheel; 0 = none wait.
    pub(super) blocked_since: AtomicU32,
    inner: Mutex<Inner>,
}

/// Who sits behind a gate, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
}

#[derive(Default)]
struct Inner {
    waker: Option<Waker>,
    queue: VecDeque<(u8, Arc<Push>)>,
    /// Boxes to be read again from the store.
    stale: u32,
    gone: u32,
    board: u32,
    resets: Vec<(u8, ResetReason)>,
    receipts: Vec<Uuid>,
    drain: Option<Duration>,
    ping: bool,
    ending: Option<Ending>,
    ended: bool,
    holder: Option<Holder>,
    pub(super) times: Times,
}

/// When the wheel has something to do for this session, in its ticks.
#[derive(Clone, Copy, Default)]
pub(super) struct Times {
    /// `hi` must have come by then; 0 once it has.
    pub(super) hello_by: u32,
    /// The next ping.
    pub(super) ping_at: u32,
    /// The signed-in session runs out then, unless a page was used meanwhile.
    pub(super) expires_at: u32,
    /// Pings since the peer was last heard.
    pub(super) unanswered: u8,
    /// When the peer last did something on purpose.
    pub(super) active_at: u32,
    /// The page is hidden.
    pub(super) background: bool,
}

/// What a session should do next.
#[derive(Debug)]
pub(super) enum Next {
    Gone(u8),
    Reset(u8, ResetReason),
    ReceiptDone(Uuid),
    BoardChanged(u8),
    Drain(Duration),
    Ping,
    Push(u8, Arc<Push>),
    /// The queue has run empty and this box had more than fitted.
    ReadAgain(u8),
}

impl Gate {
    pub(super) fn new(sid: u64, window: u16, hello_by: u32) -> Arc<Self> {
        Arc::new(Self {
            sid,
            window: usize::from(window),
            blocked_since: AtomicU32::new(0),
            inner: Mutex::new(Inner {
                times: Times {
                    hello_by,
                    ..Times::default()
                },
                ..Inner::default()
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something and wakes the session's task.
    fn leave<T>(&self, what: impl FnOnce(&mut Inner) -> T) -> T {
        let (answer, waker) = {
            let mut inner = self.lock();
            (what(&mut inner), inner.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        answer
    }

    /// Asks the session to end; the first reason stands.
    pub(crate) fn close(&self, why: Ending) {
        self.leave(|inner| *inner.ending.get_or_insert(why));
    }

    pub(super) fn drain(&self, after: Duration) {
        self.leave(|inner| inner.drain = Some(after));
    }

    pub(super) fn ping(&self) {
        self.leave(|inner| inner.ping = true);
    }

    /// The answer to a receipt; dropped when the session has too many waiting.
    pub(super) fn receipt_done(&self, id: Uuid) {
        self.leave(|inner| {
            if inner.receipts.len() < MAX_RECEIPT_ANSWERS {
                inner.receipts.push(id);
            }
        });
    }

    fn push(&self, slot: u8, push: &Arc<Push>) -> Pushed {
        self.leave(|inner| inner.take(slot, push, self.window))
    }

    /// Who sits here; `None` before `hi`.
    pub(super) fn holder(&self) -> Option<Holder> {
        self.lock().holder
    }

    pub(super) fn identified(&self, holder: Holder, change: impl FnOnce(&mut Times)) {
        let mut inner = self.lock();
        inner.holder = Some(holder);
        change(&mut inner.times);
    }

    pub(super) fn times(&self) -> Times {
        self.lock().times
    }

    pub(super) fn with_times<T>(&self, change: impl FnOnce(&mut Times) -> T) -> T {
        change(&mut self.lock().times)
    }

    /// Marks the box to be read again once the queue is empty; what is queued of it is dropped.
    pub(super) fn read_again(&self, slot: u8) {
        self.lock().go_stale(slot);
    }

    /// Whether nothing of this box waits here: what its actor has pushed, the session has taken.
    pub(super) fn is_clear(&self, slot: u8) -> bool {
        let inner = self.lock();
        let marked = (inner.stale | inner.gone) & (1 << slot) != 0;
        let queued = inner.queue.iter().any(|(queued, _)| *queued == slot);
        let resetting = inner.resets.iter().any(|(queued, _)| *queued == slot);
        !(marked || queued || resetting)
    }

    /// The box stands at what was just read: pushes are taken again.
    pub(super) fn caught_up(&self, slot: u8) {
        self.lock().stale &= !(1 << slot);
    }

    /// Why the session should end, if it should. Registers the task for everything else.
    pub(super) fn ending(&self, cx: &Context<'_>) -> Option<Ending> {
        let mut inner = self.lock();
        inner.register(cx.waker());
        inner.ending
    }

    /// The next thing to do; `None` after the task has been registered to be woken.
    ///
    /// With a closed window (too many events unacknowledged) only marks are handed out.
    pub(super) fn next(&self, cx: &Context<'_>, window_open: bool) -> Option<Next> {
        let mut inner = self.lock();
        let next = inner.next(window_open);
        if next.is_none() {
            inner.register(cx.waker());
        }
        next
    }

    /// Nothing more is taken; actors that still hold a handle learn it at their next push.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        let times = inner.times;
        *inner = Inner {
            ended: true,
            times,
            holder: inner.holder,
            ..Inner::default()
        };
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }
}

impl Inner {
    fn register(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn take(&mut self, slot: u8, push: &Arc<Push>, window: usize) -> Pushed {
        let bit = 1_u32 << slot;
        if self.ended || self.gone & bit != 0 {
            return Pushed::Gone;
        }
        match &**push {
            Push::Gone { .. } => {
                self.forget(slot);
                self.gone |= bit;
            }
            Push::Reset { why, .. } => {
                self.forget(slot);
                self.resets.push((slot, *why));
            }
            Push::Dirty { .. } | Push::CircleChanged { .. } => self.board |= bit,
            Push::Drain { after } => self.drain = Some(*after),
            Push::Event(_) => return self.enqueue(slot, push, window),
        }
        Pushed::Taken
    }

    fn enqueue(&mut self, slot: u8, push: &Arc<Push>, window: usize) -> Pushed {
        if self.stale & (1 << slot) != 0 {
            return Pushed::Full;
        }
        if self.queue.len() >= window {
            self.go_stale(slot);
            return Pushed::Full;
        }
        self.queue.push_back((slot, Arc::clone(push)));
        Pushed::Taken
    }

    fn go_stale(&mut self, slot: u8) {
        self.queue.retain(|(queued, _)| *queued != slot);
        self.stale |= 1 << slot;
    }

    /// Drops whatever is known of a box: something stronger has come.
    fn forget(&mut self, slot: u8) {
        self.queue.retain(|(queued, _)| *queued != slot);
        self.resets.retain(|(queued, _)| *queued != slot);
        self.stale &= !(1 << slot);
    }

    fn next(&mut self, window_open: bool) -> Option<Next> {
        if let Some(slot) = take_lowest(&mut self.gone) {
            // The mark goes, the box stays gone: the session stops handing out its handle.
            return Some(Next::Gone(slot));
        }
        if let Some((slot, why)) = self.resets.pop() {
            return Some(Next::Reset(slot, why));
        }
        if let Some(id) = self.receipts.pop() {
            return Some(Next::ReceiptDone(id));
        }
        if let Some(slot) = take_lowest(&mut self.board) {
            return Some(Next::BoardChanged(slot));
        }
        if let Some(after) = self.drain.take() {
            return Some(Next::Drain(after));
        }
        if std::mem::take(&mut self.ping) {
            return Some(Next::Ping);
        }
        if window_open { self.next_push() } else { None }
    }

    fn next_push(&mut self) -> Option<Next> {
        if let Some((slot, push)) = self.queue.pop_front() {
            return Some(Next::Push(slot, push));
        }
        if self.queue.capacity() > KEPT_CAPACITY {
            self.queue = VecDeque::new();
        }
        if self.stale == 0 {
            return None;
        }
        let slot = u8::try_from(self.stale.trailing_zeros()).ok()?;
        Some(Next::ReadAgain(slot))
    }
}

/// Takes the lowest bit out of a set of marks.
fn take_lowest(marks: &mut u32) -> Option<u8> {
    if *marks == 0 {
        return None;
    }
    let slot = u8::try_from(marks.trailing_zeros()).ok()?;
    *marks &= *marks - 1;
    Some(slot)
}

/// The end of one attachment: what a patient's actor holds.
pub(super) struct Handle {
    gate: Arc<Gate>,
    slot: u8,
}

impl Handle {
    pub(super) fn new(gate: &Arc<Gate>, slot: u8) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::clone(gate),
            slot,
        })
    }
}

impl SessionHandle for Handle {
    fn try_push(&self, push: &Arc<Push>) -> Pushed {
        self.gate.push(self.slot, push)
    }
}

impl Gate {
    /// Notes that bytes wait to leave since `tick`; true when none waited before.
    pub(super) fn blocked(&self, tick: u32) -> bool {
        self.blocked_since
            .compare_exchange(0, tick.max(1), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(super) fn unblocked(&self) {
        self.blocked_since.store(0, Ordering::Relaxed);
    }
}
