//! Every message between actors, with its reply. All own their data and print only ids.

use std::sync::Arc;

use actix::Message;
use letterbox_domain::{
    circle::Viewer,
    event::Event,
    id::{GrantsVersion, Seq},
};
use tokio::sync::oneshot;

use crate::{
    ports::{ResetReason, SessionHandle},
    shelf::{Attachment, Expected},
};

/// Adds one open browser tab to a mailbox.
pub struct Attach {
    /// The patient, or a carer with the grant that lets them in.
    pub viewer: Viewer,
    /// The last event this tab has shown; `None` = it shows nothing yet.
    pub since: Option<Seq>,
    pub session: Arc<dyn SessionHandle>,
}

/// The reply to [`Attach`]: from which event the pushes continue.
///
/// Pushes may arrive before the reply does: they come after what it says, so hold them back until it is there. If the attachment is already over by then (a grant withdrawn in
/// between, say), the reply is void: what was pushed last stands.
#[derive(Debug)]
pub struct Attached {
    /// Where the mailbox stands; live events follow from `head + 1`.
    pub head: Seq,
    /// The circle's version under which the viewer was let in.
    pub grants_version: GrantsVersion,
    pub from: Continuity,
    /// Rows of the mailbox that this viewer may see.
    pub items: usize,
    /// Dropping it detaches.
    pub attachment: Attachment,
}

/// How the tab's view relates to `head`.
#[derive(Debug)]
pub enum Continuity {
    /// It is up to date.
    Live,
    /// Show these first: all that this viewer may see after `since`, in order. May be empty.
    CatchUp(Vec<Event>),
    /// Read the page again; live events follow all the same.
    Reset(ResetReason),
}

/// Why a tab was not attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// The store did not answer in time, or carers are silenced: come back later.
    #[error("the mailbox cannot be read now, come back later")]
    Unavailable,
    /// Too many at once: come back later.
    #[error("this node has no room now, come back later")]
    Busy,
    /// No grant, or none any more.
    #[error("the viewer may not look into this mailbox")]
    NotAllowed,
    /// No such patient.
    #[error("there is no such mailbox")]
    NoSuchMailbox,
    /// It crashed repeatedly: use the pages, which do not need it.
    #[error("this mailbox is set aside after repeated crashes, use the pages")]
    SetAside,
    /// The node is going away: come back to another.
    #[error("this node is stopping, come back to another")]
    Draining,
}

/// A tab that waits in a patient's actor; answered exactly once.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Seat {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Attached, AttachError>>,
    /// Keeps the actor from being retired until the answer is given.
    pub(crate) expected: Expected,
}

/// New tab, or one whose queue was full and has room again.
pub(crate) enum Request {
    New(Attach),
    Resume { attachment: Attachment, since: Seq },
}

/// New events of one patient, in order.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver(pub(crate) Vec<Event>);

/// The store is known to be ahead of the actor (the marks are on its shelf): read again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Refresh;

/// There may be work: look now instead of at the next poll.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Poke;

/// Finish what is begun, begin nothing more, then stop; the sender is dropped when that is done.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finish(pub(crate) oneshot::Sender<()>);

/// Panics whoever receives it.
#[cfg(feature = "testing")]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Explode;
