//! How a session's boxes are tied to the patients' actors, and tied again when something breaks.

use letterbox_actors::messages::{Attach, AttachError, Attached, Continuity};
use letterbox_domain::circle::Viewer;
use letterbox_domain::id::{PatientId, Seq};

use super::boxes::{Standing, Tie};
use super::close::Ending;
use super::gate::Handle;
use super::session::{ANSWER_WITHIN, Late, Session, reason};
use crate::identity::access;

/// How a box came to its position, as the answer to `hi` says it.
pub(super) const LIVE: &str = "live";
const CATCH_UP: &str = "catchup";
const RESET: &str = "reset";

impl Session {
    /// Attaches a mailbox; answers `live`, `catchup` or `reset`.
    ///
    /// # Errors
    /// An [`Ending`] when the patient's own mailbox cannot be read: the page comes back later.
    pub(super) async fn attach(
        &mut self,
        slot: u8,
        patient: PatientId,
        viewer: Viewer,
        since: Option<Seq>,
    ) -> Result<&'static str, Ending> {
        // The old seat is given up first: a mailbox counts its seats.
        self.boxes[usize::from(slot)].tie = Tie::Loose;
        self.gate.caught_up(slot);
        let session = Handle::new(&self.gate, slot);
        let asked = self.live.system.attach(
            patient,
            Attach {
                viewer,
                since,
                session,
            },
        );
        let answer = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        self.settle(slot, since, answer.unwrap_or(Err(AttachError::Unavailable)))
    }

    /// Attaches a box afresh after its attachment was ended, under whatever rights hold now.
    pub(super) async fn attach_again(&mut self, slot: u8) -> Result<(), Ending> {
        let this = &self.boxes[usize::from(slot)];
        if this.standing == Standing::Gone || !this.is_mailbox() {
            return Ok(());
        }
        let (patient, own) = (this.patient, this.is_own());
        let asked = access::may_view_mailbox(&self.live.store, self.account, patient);
        let viewer = match tokio::time::timeout(ANSWER_WITHIN, asked).await {
            Ok(Ok(Some(viewer))) => viewer,
            Ok(Ok(None)) => return self.gone(slot),
            Ok(Err(_)) | Err(_) if own => return Err(Ending::Full),
            Ok(Err(_)) | Err(_) => {
                self.boxes[usize::from(slot)].standing = Standing::Silent;
                return Ok(());
            }
        };
        if let Viewer::Carer(grant) = viewer {
            self.boxes[usize::from(slot)].version = grant.version;
        }
        self.attach(slot, patient, viewer, None).await.map(|_| ())
    }

    /// Reads what a box missed since its position; its attachment stands.
    pub(super) async fn resume_box(&mut self, slot: u8) -> Result<(), Ending> {
        let this = &mut self.boxes[usize::from(slot)];
        let since = this.position;
        let Tie::Mailbox(attachment) = std::mem::replace(&mut this.tie, Tie::Loose) else {
            return Ok(());
        };
        let asked = self.live.system.resume(attachment, since);
        let answer = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        let answer = answer.unwrap_or(Err(AttachError::Unavailable));
        match self.settle(slot, Some(since), answer)? {
            RESET => self.tell_reset(slot, "too_far_behind"),
            _ => Ok(()),
        }
    }

    fn settle(
        &mut self,
        slot: u8,
        since: Option<Seq>,
        answer: Result<Attached, AttachError>,
    ) -> Result<&'static str, Ending> {
        let this = &mut self.boxes[usize::from(slot)];
        let own = this.is_own();
        let attached = match answer {
            Ok(attached) => attached,
            Err(AttachError::NotAllowed | AttachError::NoSuchMailbox) => {
                this.standing = Standing::Gone;
                return Ok(RESET);
            }
            Err(AttachError::Draining) => return Err(Ending::Drained),
            Err(AttachError::Busy) => return Err(Ending::Full),
            Err(AttachError::Unavailable) if own => return Err(Ending::Full),
            Err(AttachError::Unavailable | AttachError::SetAside) => {
                this.standing = Standing::Silent;
                return Ok(RESET);
            }
        };
        this.tie = Tie::Mailbox(attached.attachment);
        this.standing = Standing::Live;
        match attached.from {
            Continuity::Live => {
                this.position = attached.head;
                Ok(LIVE)
            }
            Continuity::Reset(why) => {
                this.position = attached.head;
                tracing::debug!(sid = self.gate.sid, why = reason(why), "live.box_reset");
                Ok(RESET)
            }
            Continuity::CatchUp(events) => {
                this.position = since.unwrap_or(attached.head);
                let events = events.into_iter().map(|event| (slot, Late::Event(event)));
                self.backlog.extend(events);
                self.backlog.push_back((slot, Late::Stands(attached.head)));
                Ok(CATCH_UP)
            }
        }
    }
}
