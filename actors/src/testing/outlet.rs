//! A channel that answers as it is told and remembers what it was given.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use letterbox_domain::{
    dispatch::{Channel, Outcome},
    id::DispatchId,
};

use crate::ports::{LookUp, Outgoing, Outlet};

/// What the provider does with the next message.
#[derive(Debug, Clone)]
pub enum Script {
    Answer(Outcome),
    /// Takes the message, and the answer is lost.
    TakeSilently,
    /// Loses the message and the answer.
    LoseSilently,
    Panic,
}

/// A provider. Accepts everything once its script has run out.
pub struct ScriptedOutlet {
    channel: Channel,
    state: Mutex<State>,
    slow: Mutex<Duration>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[derive(Default)]
struct State {
    script: VecDeque<Script>,
    has: BTreeMap<DispatchId, usize>,
    asked: usize,
    forgetful: bool,
}

impl ScriptedOutlet {
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self {
            channel,
            state: Mutex::default(),
            slow: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }

    pub fn next(&self, script: Script) {
        self.state().script.push_back(script);
    }

    /// Each call takes so long.
    pub fn set_slow(&self, by: Duration) {
        *self.slow.lock().unwrap_or_else(PoisonError::into_inner) = by;
    }

    /// It can no longer be asked about earlier messages.
    pub fn set_forgetful(&self) {
        self.state().forgetful = true;
    }

    /// How often each message reached the provider.
    #[must_use]
    pub fn received(&self) -> BTreeMap<DispatchId, usize> {
        self.state().has.clone()
    }

    /// Messages that reached the provider, repeats included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state().has.values().sum()
    }

    #[must_use]
    pub fn look_ups(&self) -> usize {
        self.state().asked
    }

    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: DispatchId) -> Outcome {
        *self.state().has.entry(key).or_default() += 1;
        Outcome::Accepted {
            reference: key.to_string(),
        }
    }

    fn play(&self, key: DispatchId) -> Outcome {
        let next = self.state().script.pop_front();
        match next {
            None => self.take(key),
            Some(Script::Answer(outcome @ Outcome::Accepted { .. })) => {
                self.take(key);
                outcome
            }
            Some(Script::Answer(outcome)) => outcome,
            Some(Script::TakeSilently) => {
                self.take(key);
                Outcome::Unknown
            }
            Some(Script::LoseSilently) => Outcome::Unknown,
            Some(Script::Panic) => panic!("a test asked this provider's driver to panic"),
        }
    }
}

#[async_trait]
impl Outlet for ScriptedOutlet {
    fn channel(&self) -> Channel {
        self.channel
    }

    async fn send(&self, outgoing: &Outgoing) -> Outcome {
        let now = self.at_once.fetch_add(1, Ordering::AcqRel) + 1;
        self.most_at_once.fetch_max(now, Ordering::AcqRel);
        let slow = *self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::time::sleep(slow).await;
        self.at_once.fetch_sub(1, Ordering::AcqRel);
        self.play(outgoing.key)
    }

    async fn look_up(&self, outgoing: &Outgoing) -> LookUp {
        let mut state = self.state();
        state.asked += 1;
        if state.forgetful {
            return LookUp::CannotTell;
        }
        match state.has.get(&outgoing.key) {
            Some(_) => LookUp::Found(Outcome::Accepted {
                reference: outgoing.key.to_string(),
            }),
            None => LookUp::NotFound,
        }
    }
}
