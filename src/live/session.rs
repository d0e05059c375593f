//! One browser's session, from its first frame to its last. A small task: it sleeps in one place, holds no timer,
//! no queue of its own and no database connection, and everything rare is boxed while it lasts.
//!
//! Two types for two stages: a [`Newcomer`] may only say `hi`; only a [`Session`] knows boxes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use letterbox_actors::ports::{EventPush, Push, ResetReason};
use letterbox_domain::event::Event;
use letterbox_domain::id::{AccountId, EventId, Seq, SessionId};

use super::Live;
use super::admission::Seat;
use super::boxes::{LiveBox, Standing, Tie};
use super::close::Ending;
use super::cursor::Position;
use super::frame::{self, FromBrowser};
use super::framing::{Received, Socket};
use super::gate::{Gate, Next};
use super::hello::Newcomer;
use super::measures;
use super::rate::Rate;
use super::registry::Entry;

/// An identified session.
pub(super) struct Session {
    pub(super) live: Arc<Live>,
    pub(super) gate: Arc<Gate>,
    pub(super) socket: Socket,
    pub(super) account: AccountId,
    pub(super) session: SessionId,
    pub(super) boxes: Box<[LiveBox]>,
    /// Read from the store, to be sent before anything that comes live.
    pub(super) backlog: VecDeque<(u8, Late)>,
    pub(super) rate: Rate,
    pub(super) began: Instant,
    pub(super) sent: u64,
    pub(super) acked: u64,
    pub(super) receipts: u32,
    pub(super) read_again: u32,
    pub(super) resumed: &'static str,
    pub(super) _entry: Entry,
}

/// Something read from the store for one box.
pub(super) enum Late {
    Event(Event),
    /// All that this viewer may see has been sent; what was hidden is behind them now.
    Stands(Seq),
}

enum Step {
    Heard(Received),
    Backlog,
    Do(Next),
}

/// Serves one socket until it ends, then closes it and writes its one line.
///
/// The future is what a session weighs while it idles, so every stage lives in a box of its own and only as long
/// as it lasts.
pub(super) fn serve(live: Arc<Live>, socket: Socket, seat: Seat) -> impl Future<Output = ()> {
    let welcome = Box::pin(Newcomer::new(live, socket).welcome());
    async move {
        let why = match welcome.await {
            Ok(mut session) => {
                let why = session.run().await;
                session.end(why);
                // Boxes are detached and the registry is left before the farewell, which may take two seconds.
                let farewell = Box::pin(session.into_socket().close(why));
                farewell.await;
                why
            }
            Err(refused) => {
                let why = refused.why;
                let farewell = Box::pin(refused.close());
                farewell.await;
                why
            }
        };
        metrics::counter!(measures::ENDED, "code" => why.label()).increment(1);
        drop(seat);
    }
}

impl Session {
    async fn run(&mut self) -> Ending {
        loop {
            let step = poll_fn(|cx| self.poll_step(cx)).await;
            let done = match step {
                Ok(Step::Heard(received)) => self.hear(received),
                Ok(Step::Backlog) => self.send_backlog(),
                Ok(Step::Do(Next::ReadAgain(slot))) => Box::pin(self.read_again(slot)).await,
                Ok(Step::Do(Next::Reset(slot, why))) => Box::pin(self.reset(slot, why)).await,
                Ok(Step::Do(Next::Ping)) if self.has_silent() => Box::pin(self.revive()).await,
                Ok(Step::Do(next)) => self.act(next),
                Err(why) => Err(why),
            };
            if let Err(why) = done {
                return why;
            }
        }
    }

    /// The one place where a session waits. Ending comes first; then bytes that wait to leave, and while they do
    /// nothing else is taken on; then marks and pushes; then what the browser says.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, Ending>> {
        if let Some(why) = self.gate.ending(cx) {
            return Poll::Ready(Err(why));
        }
        if self.socket.has_unsent() {
            match self.socket.poll_unsent(cx) {
                Poll::Ready(Ok(())) => self.gate.unblocked(),
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                Poll::Pending => {
                    self.live.wheel.watch_write(&self.gate);
                    return Poll::Pending;
                }
            }
        }
        let open = self.sent - self.acked < u64::from(self.live.limits.window);
        // What was read from the store goes before what came live, but after marks.
        if let Some(next) = self.gate.next(cx, open && self.backlog.is_empty()) {
            return Poll::Ready(Ok(Step::Do(next)));
        }
        if open && !self.backlog.is_empty() {
            return Poll::Ready(Ok(Step::Backlog));
        }
        self.socket
            .poll_receive(cx)
            .map(|received| received.map(Step::Heard))
    }

    fn hear(&mut self, received: Received) -> Result<(), Ending> {
        if !self
            .rate
            .takes(self.live.message_rate, self.began.elapsed())
        {
            return Err(Ending::TooMany);
        }
        let tick = self.live.wheel.now();
        let next_ping = self.live.wheel.next_ping();
        self.gate.with_times(|times| {
            if std::mem::take(&mut times.unanswered) > 0 {
                times.ping_at = next_ping;
            }
        });
        let Received::Text(text) = received else {
            return Ok(());
        };
        let message = frame::read(&text).ok_or(Ending::BadHello)?;
        if !matches!(message, FromBrowser::Pong) {
            self.gate.with_times(|times| times.active_at = tick);
        }
        match message {
            FromBrowser::Ack { n } => self.acked = self.acked.max(n.min(self.sent)),
            FromBrowser::Receipt { id, ev, k } if k == "shown" || k == "opened" => {
                // What is not taken comes again: the browser keeps it until it is told `rxok`.
                let taken =
                    self.live
                        .receipts
                        .hand_in(&self.gate, self.account, id, EventId::from(ev));
                self.receipts += u32::from(taken);
            }
            FromBrowser::Background => self.gate.with_times(|times| times.background = true),
            FromBrowser::Hi { .. } => return Err(Ending::BadHello),
            FromBrowser::Receipt { .. } | FromBrowser::Pong | FromBrowser::Unknown => {}
        }
        Ok(())
    }

    fn act(&mut self, next: Next) -> Result<(), Ending> {
        match next {
            Next::Push(slot, push) => self.push(slot, &push),
            Next::Gone(slot) => self.gone(slot),
            Next::ReceiptDone(id) => self.socket.send(frame::receipt_done(id)),
            Next::BoardChanged(slot) => {
                let text = frame::dirty(&self.boxes[usize::from(slot)].name);
                self.socket.send(text)
            }
            Next::Drain(after) => self.socket.send(frame::drain(after)),
            Next::Ping => self.ping(),
            // These two wait for the store; `run` boxes them.
            Next::ReadAgain(_) | Next::Reset(..) => Ok(()),
        }
    }

    fn push(&mut self, slot: u8, push: &Push) -> Result<(), Ending> {
        match push {
            Push::Event(push) => self.send_event(slot, &push.event, Some(push)),
            // Marks never queue.
            _ => Ok(()),
        }
    }

    fn send_backlog(&mut self) -> Result<(), Ending> {
        let Some((slot, late)) = self.backlog.pop_front() else {
            return Ok(());
        };
        if self.backlog.is_empty() {
            self.backlog = VecDeque::new();
        }
        let this = &mut self.boxes[usize::from(slot)];
        match late {
            Late::Stands(head) => {
                this.position = this.position.max(head);
                Ok(())
            }
            Late::Event(event) => {
                // Numbers missing from what the store gave are hidden from this viewer, not lost.
                this.position = this.position.max(Seq(event.seq.get() - 1));
                self.send_event(slot, &event, None)
            }
        }
    }

    /// Sends one event if it is the next one of its box. Older ones have been seen. A patient sees every number,
    /// so a gap in their own mailbox is read from the store; in somebody else's it is what is hidden.
    fn send_event(
        &mut self,
        slot: u8,
        event: &Event,
        shared: Option<&EventPush>,
    ) -> Result<(), Ending> {
        let this = &mut self.boxes[usize::from(slot)];
        if this.standing != Standing::Live || event.seq <= this.position {
            return Ok(());
        }
        if event.seq > this.position.next() && this.is_own() {
            self.gate.read_again(slot);
            return Ok(());
        }
        this.position = event.seq;
        self.sent += 1;
        let cursor = self.cursor(slot);
        let body = match shared {
            Some(push) => push.wire(frame::event_body).clone(),
            None => frame::event_body(event),
        };
        let name = &self.boxes[usize::from(slot)].name;
        self.socket
            .send(frame::event(self.sent, name, &cursor, &body))?;
        metrics::counter!(measures::EVENTS).increment(1);
        if shared.is_some()
            && let Some(age) = self.live.commits.age(event.id)
        {
            self.live.commit_to_socket.record(age);
        }
        Ok(())
    }

    pub(super) fn gone(&mut self, slot: u8) -> Result<(), Ending> {
        let this = &mut self.boxes[usize::from(slot)];
        if this.standing == Standing::Gone {
            return Ok(());
        }
        this.standing = Standing::Gone;
        this.tie = Tie::Loose;
        let text = frame::gone(&this.name);
        self.backlog.retain(|(queued, _)| *queued != slot);
        self.socket.send(text)
    }

    /// Asks for a sign of life and says where each box stands: hidden events are passed at this pace only, so that
    /// their timing tells nothing.
    fn ping(&mut self) -> Result<(), Ending> {
        if self.backlog.is_empty() {
            for (slot, this) in (0..).zip(&mut self.boxes) {
                this.move_on(|| self.gate.is_clear(slot));
            }
        }
        let live = (0..)
            .zip(&*self.boxes)
            .filter(|(_, this)| this.is_mailbox() && this.standing == Standing::Live);
        let positions = live.map(|(slot, this)| (&this.name, self.cursor(slot)));
        let text = frame::ping(positions);
        self.socket.send(text)
    }

    /// The cursor of a box as it stands.
    pub(super) fn cursor(&self, slot: u8) -> String {
        let this = &self.boxes[usize::from(slot)];
        let position = Position {
            seq: this.position,
            version: this.version,
        };
        self.live.cursors.seal(self.account, &this.name, position)
    }

    fn has_silent(&self) -> bool {
        self.boxes
            .iter()
            .any(|this| this.standing == Standing::Silent)
    }

    /// Reads a box again from where this session stands: its queue had overflowed, or a number was missing.
    async fn read_again(&mut self, slot: u8) -> Result<(), Ending> {
        self.read_again += 1;
        metrics::counter!(measures::READ_AGAIN).increment(1);
        self.gate.caught_up(slot);
        self.resume_box(slot).await
    }

    /// The mailbox in memory was replaced, or rights changed: attach again and tell the page to read again.
    async fn reset(&mut self, slot: u8, why: ResetReason) -> Result<(), Ending> {
        self.backlog.retain(|(queued, _)| *queued != slot);
        self.attach_again(slot).await?;
        self.tell_reset(slot, reason(why))
    }

    pub(super) fn tell_reset(&mut self, slot: u8, why: &str) -> Result<(), Ending> {
        let standing = self.boxes[usize::from(slot)].standing;
        if standing == Standing::Gone {
            return Ok(());
        }
        let cursor = (standing == Standing::Live).then(|| self.cursor(slot));
        let name = &self.boxes[usize::from(slot)].name;
        let text = frame::reset(name, why, cursor.as_deref());
        self.socket.send(text)
    }

    /// Tries the silenced boxes once more, then pings.
    async fn revive(&mut self) -> Result<(), Ending> {
        let silent: Vec<u8> = (0..)
            .zip(&*self.boxes)
            .filter(|(_, this)| this.standing == Standing::Silent)
            .map(|(slot, _)| slot)
            .collect();
        for slot in silent {
            self.attach_again(slot).await?;
            if self.boxes[usize::from(slot)].standing == Standing::Live {
                self.tell_reset(slot, reason(ResetReason::LeaseLapsed))?;
            }
        }
        self.ping()
    }

    fn end(&self, why: Ending) {
        self.gate.end();
        tracing::info!(
            sid = self.gate.sid,
            session = %self.session,
            boxes = self.boxes.len(),
            resumed = self.resumed,
            sent = self.sent,
            acked = self.acked,
            receipts = self.receipts,
            read_again = self.read_again,
            seconds = self.began.elapsed().as_secs(),
            code = %why.label(),
            "live.session_ended"
        );
    }

    pub(super) fn into_socket(self: Box<Self>) -> Socket {
        self.socket
    }
}

/// A reason as the page reads it.
pub(super) const fn reason(why: ResetReason) -> &'static str {
    match why {
        ResetReason::NoPosition => "no_position",
        ResetReason::TooFarBehind => "too_far_behind",
        ResetReason::AheadOfHead => "ahead_of_head",
        ResetReason::Restarted => "restarted",
        ResetReason::LeaseLapsed => "lease_lapsed",
        ResetReason::RightsChanged => "rights_changed",
    }
}

/// How long an actor or the store may take to answer a session before it is sent away to come back.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_output<F: Future>(_: impl Fn(Arc<Live>, Socket, Seat) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    #[test]
    fn a_session_is_small_by_construction() {
        let (task, session) = (size_of_output(serve), std::mem::size_of::<Session>());
        let gate = std::mem::size_of::<Gate>();
        assert!(task <= 384, "the task has grown to {task} bytes");
        assert!(session <= 512, "the session has grown to {session} bytes");
        assert!(gate <= 256, "the gate has grown to {gate} bytes");
    }
}
