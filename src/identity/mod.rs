//! Who is asking, and what they may see. Every door asks here: pages, API, sockets, downloads.
//!
//! Nothing here shows a page, sends a frame or writes SQL. A check answers "nothing" rather than "no": from outside,
//! what one may not see and what is not there look alike.
//!
//! In reading order: [`session`] (the cookie and its extractor), [`csrf`] and [`origin`] (is it one of our pages),
//! [`access`] (the one policy function), [`ticket`] (what opens a socket), [`nhs_login`] (who has proved it elsewhere),
//! [`peer`] (from where).

pub mod access;
mod browser_name;
pub mod csrf;
pub mod nhs_login;
pub mod origin;
pub mod peer;
pub mod session;
pub mod ticket;

use std::sync::Arc;
use std::time::Duration;

use crate::config::SessionSettings;
use crate::store::{Idle, Store};
use origin::Origins;

/// What the handlers need to know who is asking; shared as `web::Data<Identity>`.
#[derive(Clone)]
pub struct Identity {
    parts: Arc<Parts>,
}

struct Parts {
    store: Store,
    idle: Idle,
    warning: Duration,
    origins: Origins,
}

impl Identity {
    /// For one node.
    #[must_use]
    pub fn new(store: Store, sessions: &SessionSettings, origins: Origins) -> Self {
        let idle = Idle::from(sessions);
        let parts = Arc::new(Parts {
            store,
            idle,
            warning: sessions.warning,
            origins,
        });
        Self { parts }
    }

    /// How long sessions last without a request.
    #[must_use]
    pub fn idle(&self) -> &Idle {
        &self.parts.idle
    }

    /// How long before its end an open page warns.
    #[must_use]
    pub fn warning(&self) -> Duration {
        self.parts.warning
    }

    /// Which pages may act for a signed-in browser.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.parts.origins
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }
}
