//! How background actors reach each other: pokes only, never a wait.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use letterbox_domain::{dispatch::Channel, event::Event, id::TrustId};

use crate::{
    board::Boards, clock::Clock, dispatcher::Dispatcher, ports::Doorbell, rounds::Post,
    settings::Settings,
};

/// Shared by all background actors of a node.
pub(crate) struct Wires {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    doorbell: Arc<dyn Doorbell>,
    stopping: AtomicBool,
    connected: OnceLock<Connected>,
}

struct Connected {
    boards: Arc<Post<Boards>>,
    dispatchers: BTreeMap<Channel, Arc<Post<Dispatcher>>>,
}

impl Wires {
    pub(crate) fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        doorbell: Arc<dyn Doorbell>,
    ) -> Self {
        Self {
            settings,
            clock,
            doorbell,
            stopping: AtomicBool::new(false),
            connected: OnceLock::new(),
        }
    }

    /// Once everybody who can be poked exists. Pokes before that are lost, and the first look makes up for them.
    pub(crate) fn connect(
        &self,
        boards: Arc<Post<Boards>>,
        dispatchers: BTreeMap<Channel, Arc<Post<Dispatcher>>>,
    ) {
        self.connected.get_or_init(|| Connected {
            boards,
            dispatchers,
        });
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn ring(&self, events: &[Event]) {
        if !events.is_empty() {
            self.doorbell.ring(events);
        }
    }

    pub(crate) fn poke_dispatch(&self, channel: Channel) {
        if let Some(post) = self
            .connected
            .get()
            .and_then(|all| all.dispatchers.get(&channel))
        {
            post.poke();
        }
    }

    pub(crate) fn poke_board(&self, trust: TrustId) {
        if let Some(all) = self.connected.get()
            && all.boards.job().changed(trust)
        {
            all.boards.poke();
        }
    }
}
