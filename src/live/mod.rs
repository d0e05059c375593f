//! Browsers' sockets: the front door, the sessions behind it, and what they share.
//!
//! A session shows a page that something has happened; what it is, the page fetches by HTTPS under a fresh check.
//! Nothing here decides who may see what (identity), keeps a mailbox (actors) or writes SQL (store).
//!
//! In reading order: [`door`] and `handshake` let a socket in; `hello` learns who it is; `session` serves it through
//! `framing` (with `bounds`) and `frame`; `gate`, `wheel` and `registry` are what the rest of the node sees of it; [`close`] says
//! how it ends. The protocol is specified in `docs/protocol.md`.

mod admission;
mod attach;
mod bounds;
pub mod boxes;
pub mod close;
mod commits;
pub mod cursor;
pub mod door;
mod drain;
mod frame;
mod framing;
mod gate;
mod handshake;
mod hello;
pub mod limits;
pub mod measures;
mod rate;
mod receipts;
mod registry;
mod session;
mod sweep;
pub mod ticket;
mod wheel;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use letterbox_actors::system::System;
use letterbox_domain::id::{AccountId, EventId, SessionId};

use crate::identity::origin::Origins;
use crate::store::{Idle, Store};
use admission::Admission;
use close::Ending;
use cursor::Cursors;
use limits::Limits;
use registry::Registry;
use wheel::Wheel;

pub use commits::Commits;
pub use drain::Drained;

/// The live side of one node, shared by its workers.
pub struct Live {
    limits: Limits,
    origins: Origins,
    idle: Idle,
    store: Store,
    system: System,
    cursors: Cursors,
    admission: Arc<Admission>,
    registry: Arc<Registry>,
    wheel: Wheel,
    receipts: receipts::Desk,
    valve: ticket::Valve,
    commits: Commits,
    message_rate: rate::RateLimit,
    last_sid: AtomicU64,
    commit_to_socket: metrics::Histogram,
    refusals: rate::OncePerSecond,
}

/// What the live side is made of.
pub struct Parts {
    /// Bounds.
    pub limits: Limits,
    /// Which pages may connect.
    pub origins: Origins,
    /// How long sessions may idle.
    pub idle: Idle,
    /// Tickets, sessions, receipts.
    pub store: Store,
    /// The patients' actors.
    pub system: System,
    /// The key that seals positions.
    pub cursors: Cursors,
}

impl Live {
    /// Starts the live side: the wheel, the sweep of ended sessions and the receipt desk run until it is dropped.
    ///
    /// Must be called inside an actix runtime that outlives the node's workers.
    #[must_use]
    pub fn start(parts: Parts) -> Arc<Self> {
        let limits = parts.limits;
        let live = Arc::new(Self {
            admission: Admission::new(limits.max_sockets, limits.spare_descriptors),
            registry: Arc::default(),
            wheel: Wheel::new(&limits),
            receipts: receipts::Desk::open(parts.store.clone()),
            valve: ticket::Valve::new(&limits),
            commits: Commits::default(),
            message_rate: rate::RateLimit::new(limits.messages_per_second, limits.message_burst),
            last_sid: AtomicU64::new(0),
            commit_to_socket: metrics::histogram!(measures::COMMIT_TO_SOCKET),
            refusals: rate::OncePerSecond::new(),
            limits,
            origins: parts.origins,
            idle: parts.idle,
            store: parts.store,
            system: parts.system,
            cursors: parts.cursors,
        });
        sweep::start(&live);
        live
    }

    fn next_sid(&self) -> u64 {
        self.last_sid.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// These events' COMMIT has just returned on this node: starts the clock of commit to socket.
    pub fn committed(&self, events: impl Iterator<Item = EventId>) {
        self.commits.note(events);
    }

    /// Ends the sockets of a session that has just been signed out or replaced. Other nodes follow within a second.
    pub fn end_session(&self, account: AccountId, session: SessionId) -> usize {
        self.registry.end_session(account, session, Ending::SignIn)
    }

    /// Seals positions for pages, so that the socket continues where the page was read.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Identified sessions on this node.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.registry.len()
    }

    /// Sockets on this node, identified or not.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.admission.open()
    }
}
