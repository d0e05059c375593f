//! A session that writes down what it is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use letterbox_domain::{
    event::Event,
    id::{Seq, TrustId},
};

use crate::ports::{Push, Pushed, ResetReason, SessionHandle};

/// What a session heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Event(Event),
    Reset(ResetReason),
    Gone,
    Dirty(TrustId),
    CircleChanged,
    Drain,
}

/// Takes everything, or as many events as it is told to have room for.
#[derive(Debug, Default)]
pub struct RecordingSession {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    heard: Vec<Heard>,
    pushes: Vec<usize>, // addresses of the shared pushes: equal = not copied
    room: Option<usize>,
    over: bool,
}

impl RecordingSession {
    #[must_use]
    pub fn open() -> Arc<Self> {
        Arc::default()
    }

    /// A session whose queue holds so many events until [`RecordingSession::make_room`].
    #[must_use]
    pub fn with_room(events: usize) -> Arc<Self> {
        let session = Self::open();
        session.state().room = Some(events);
        session
    }

    pub fn make_room(&self, events: usize) {
        self.state().room = Some(events);
    }

    /// The browser has gone, and nobody has said so.
    pub fn vanish(&self) {
        self.state().over = true;
    }

    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.state().heard.clone()
    }

    /// Numbers of the events heard, in the order in which they came.
    #[must_use]
    pub fn seqs(&self) -> Vec<Seq> {
        let seq = |heard: &Heard| match heard {
            Heard::Event(event) => Some(event.seq),
            _ => None,
        };
        self.state().heard.iter().filter_map(seq).collect()
    }

    #[must_use]
    pub fn has_heard(&self, what: &Heard) -> bool {
        self.state().heard.contains(what)
    }

    /// Where the pushes lie in memory; two sessions that were given the same allocation agree.
    #[must_use]
    pub fn allocations(&self) -> Vec<usize> {
        self.state().pushes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionHandle for RecordingSession {
    fn try_push(&self, push: &Arc<Push>) -> Pushed {
        let mut state = self.state();
        if state.over {
            return Pushed::Gone;
        }
        let heard = match &**push {
            Push::Event(body) => {
                if state.room == Some(0) {
                    return Pushed::Full;
                }
                state.room = state.room.map(|room| room - 1);
                Heard::Event(body.event.clone())
            }
            Push::Reset { why, .. } => Heard::Reset(*why),
            Push::Gone { .. } => Heard::Gone,
            Push::Dirty { trust } => Heard::Dirty(*trust),
            Push::CircleChanged { .. } => Heard::CircleChanged,
            Push::Drain { .. } => Heard::Drain,
        };
        state.heard.push(heard);
        state.pushes.push(Arc::as_ptr(push).addr());
        Pushed::Taken
    }
}
