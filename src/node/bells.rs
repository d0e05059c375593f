//! What is rung after a commit on this node: sockets, supervisors, dispatchers, boards. Never blocks; a bell that
//! nobody hears costs a second, because everybody also looks for themselves.

use std::sync::OnceLock;

use letterbox_actors::system::System;

use crate::commands::{Bells, Wake};
use crate::relay::Relay;

/// Bells that are hung before the living system exists, because parts of it ring them.
pub(super) struct NodeBells {
    relay: Relay,
    system: OnceLock<System>,
}

impl NodeBells {
    pub(super) fn new(relay: Relay) -> Self {
        Self {
            relay,
            system: OnceLock::new(),
        }
    }

    /// Connects the living system. Until then supervisors and dispatchers find by themselves what is due.
    pub(super) fn connect(&self, system: System) {
        if self.system.set(system).is_err() {
            tracing::error!("the bells were connected twice");
        }
    }
}

impl Bells for NodeBells {
    fn ring(&self, wake: Wake) {
        self.relay.poke(&wake.events);
        let Some(system) = self.system.get() else {
            return;
        };
        for trust in wake.cases {
            system.poke_cases(trust);
            system.poke_board(trust);
        }
        for channel in wake.channels {
            system.poke_dispatch(channel);
        }
    }
}
