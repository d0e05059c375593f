//! Where tabs wait for their seat: one read of the store at a time, each answered wholly or not at all.

use std::{collections::VecDeque, sync::Arc};

use letterbox_domain::{
    circle::Viewer,
    event::Event,
    id::{PatientId, Seq},
};
use tokio::time::timeout;

use super::{Loaded, Surroundings};
use crate::{
    measures,
    messages::{Attach, AttachError, Attached, Continuity, Request, Seat},
    ports::{MailboxSnapshot, PortError, ResetReason},
    shelf::{Attachment, Shelf, version_of},
};

/// Events that pass by during one read, kept to close the gap behind it. More than this: those tabs read their page anew.
const PASSED_MAX: usize = 256;

/// Tabs in the order in which they came.
#[derive(Default)]
pub(crate) struct Desk {
    waiting: VecDeque<Seat>,
    /// Those whom the read in flight serves.
    served: Vec<Seat>,
    reading: bool,
    passed: Vec<Event>,
}

/// One read to be done.
pub(crate) struct Plan {
    patient: PatientId,
    whole: bool,
    head: Option<Seq>,
    positions: Vec<Seq>,
}

/// What one read brought.
pub(crate) struct Fetched {
    pub(crate) snapshot: Option<Option<MailboxSnapshot>>,
    pub(crate) events: Vec<Event>,
}

impl Desk {
    /// Takes a tab in; gives it back where too many wait.
    pub(crate) fn queue(&mut self, seat: Seat, most: usize) -> Option<Seat> {
        if self.waiting.len() + self.served.len() >= most {
            return Some(seat);
        }
        self.waiting.push_back(seat);
        None
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.reading
    }

    /// Notes an event applied while a read is in flight.
    pub(crate) fn passed(&mut self, event: &Event) {
        if self.reading && self.passed.len() < PASSED_MAX {
            self.passed.push(event.clone());
        }
    }

    /// The next read, unless one is in flight.
    pub(crate) fn begin(
        &mut self,
        patient: PatientId,
        head: Option<Seq>,
        whole: bool,
    ) -> Option<Plan> {
        if self.reading {
            return None;
        }
        self.reading = true;
        self.passed.clear();
        self.served = self.waiting.drain(..).collect();
        let positions = self
            .served
            .iter()
            .filter_map(|seat| since(&seat.request))
            .collect();
        Some(Plan {
            patient,
            whole: whole || self.serves_newer_grant(),
            head,
            positions,
        })
    }

    /// A carer's grant may be younger than what we last heard: then the circle is read too.
    fn serves_newer_grant(&self) -> bool {
        self.served
            .iter()
            .any(|seat| matches!(&seat.request, Request::New(new) if !new.viewer.is_patient()))
    }

    /// Answers everyone of this read alike.
    pub(crate) fn refuse_read(&mut self, why: AttachError) {
        for seat in self.served.drain(..) {
            answer(seat, Err(why));
        }
    }

    pub(crate) fn end_read(&mut self) {
        self.reading = false;
    }

    /// Those for whom memory suffices need no read.
    pub(crate) fn seat_those_up_to_date(
        &mut self,
        shelf: &Arc<Shelf>,
        around: &Surroundings,
        loaded: &Loaded,
    ) {
        let head = loaded.mailbox.head();
        for seat in std::mem::take(&mut self.waiting) {
            if needs_read(&seat.request, head, around.settings.catch_up_max) {
                self.waiting.push_back(seat);
            } else {
                seat_one(seat, shelf, around, loaded, &[]);
            }
        }
    }

    /// Everyone whom this read served gets a seat and all events up to the head, or a reset.
    pub(crate) fn seat_all(
        &mut self,
        shelf: &Arc<Shelf>,
        around: &Surroundings,
        loaded: &Loaded,
        read: &[Event],
    ) {
        let mut log = read.to_vec();
        let last = log.last().map(|event| event.seq);
        log.extend(
            self.passed
                .drain(..)
                .filter(|event| last.is_none_or(|last| event.seq > last)),
        );
        for seat in self.served.drain(..) {
            seat_one(seat, shelf, around, loaded, &log);
        }
    }
}

impl Plan {
    /// Reads; bounded in time and, over the whole node, in number.
    pub(crate) async fn fetch(self, around: &Surroundings) -> Result<Fetched, PortError> {
        let permit = around
            .reads
            .acquire()
            .await
            .map_err(PortError::unavailable)?;
        let read = timeout(around.settings.read_patience, self.fetch_now(around)).await;
        drop(permit);
        read.map_err(PortError::unavailable)?
    }

    async fn fetch_now(self, around: &Surroundings) -> Result<Fetched, PortError> {
        let mut snapshot = None;
        if self.whole {
            snapshot = Some(around.reader.snapshot(self.patient).await?);
        }
        let loaded_at = snapshot
            .as_ref()
            .and_then(|found| found.as_ref().map(|found| found.head));
        let Some(after) = self.floor(loaded_at, around.settings.catch_up_max) else {
            return Ok(Fetched {
                snapshot,
                events: Vec::new(),
            });
        };
        // A little beyond the longest catch-up, so that what is committed meanwhile rarely cuts it off.
        let limit = around.settings.catch_up_max.saturating_add(56);
        let events = around.reader.since(self.patient, after, limit).await?;
        Ok(Fetched { snapshot, events })
    }

    /// From where to read: the actor's own head, and every waiting position that is near enough to be replayed.
    fn floor(&self, snapshot_head: Option<Seq>, most: u16) -> Option<Seq> {
        let head = self.head.or(snapshot_head)?;
        let near = self
            .positions
            .iter()
            .copied()
            .filter(|at| *at < head && is_near(*at, head, most));
        near.chain(self.head).min()
    }
}

fn since(request: &Request) -> Option<Seq> {
    match request {
        Request::New(new) => new.since,
        Request::Resume { since, .. } => Some(*since),
    }
}

/// Whether the answer depends on what only the store knows.
fn needs_read(request: &Request, head: Seq, most: u16) -> bool {
    let carer = matches!(request, Request::New(new) if !new.viewer.is_patient());
    let position = match since(request) {
        None => false,
        Some(at) if at == head => false,
        Some(at) => at > head || is_near(at, head, most),
    };
    carer || position
}

/// Near enough behind to be replayed. A cursor can claim anything, so nothing here may overflow.
fn is_near(at: Seq, head: Seq, most: u16) -> bool {
    at >= Seq::START && head.get().saturating_sub(at.get()) <= i64::from(most)
}

fn seat_one(seat: Seat, shelf: &Arc<Shelf>, around: &Surroundings, loaded: &Loaded, log: &[Event]) {
    let Seat {
        request,
        reply,
        expected,
    } = seat;
    if reply.is_closed() {
        return;
    }
    let answer = match request {
        Request::New(new) => admit(&new, shelf, around, loaded).map(|(attachment, viewer)| {
            let from = position(new.since, &viewer, around, loaded, log);
            (attachment, viewer, from)
        }),
        Request::Resume { attachment, since } => {
            resume(&attachment, around, loaded).map(|viewer| {
                let from = position(Some(since), &viewer, around, loaded, log);
                (attachment, viewer, from)
            })
        }
    };
    let answer =
        answer.map(|(attachment, viewer, from)| attached(attachment, viewer, from, loaded));
    count(&answer);
    drop(expected);
    // A tab that went away while it waited is unseated by the attachment that comes back here.
    drop(reply.send(answer));
}

/// A seat with today's rights, if there are any.
fn admit(
    new: &Attach,
    shelf: &Arc<Shelf>,
    around: &Surroundings,
    loaded: &Loaded,
) -> Result<(Attachment, Viewer), AttachError> {
    let viewer = match &new.viewer {
        Viewer::Patient { .. } => new.viewer,
        Viewer::Carer(_) if !around.lease.holds() => return Err(AttachError::Unavailable),
        Viewer::Carer(shown) => {
            let held = loaded
                .grants
                .iter()
                .find(|grant| grant.id == shown.id && grant.carer == shown.carer);
            held.map(|grant| Viewer::Carer(*grant))
                .ok_or(AttachError::NotAllowed)?
        }
    };
    let seated = shelf.sit(viewer, Arc::clone(&new.session), loaded.grants_version);
    seated
        .map(|attachment| (attachment, viewer))
        .ok_or(AttachError::Unavailable)
}

/// A dirty seat made live again.
fn resume(
    attachment: &Attachment,
    around: &Surroundings,
    loaded: &Loaded,
) -> Result<Viewer, AttachError> {
    let viewer = attachment
        .shelf
        .resume(attachment, loaded.grants_version)
        .ok_or(AttachError::Unavailable)?;
    if !viewer.is_patient() && !around.lease.holds() {
        return Err(AttachError::Unavailable);
    }
    Ok(viewer)
}

/// All or nothing: every event after `since`, or a reset.
fn position(
    since: Option<Seq>,
    viewer: &Viewer,
    around: &Surroundings,
    loaded: &Loaded,
    log: &[Event],
) -> Continuity {
    let head = loaded.mailbox.head();
    let Some(since) = since else {
        return Continuity::Reset(ResetReason::NoPosition);
    };
    if since == head {
        return Continuity::Live;
    }
    if since > head || since < Seq::START {
        return Continuity::Reset(ResetReason::AheadOfHead);
    }
    let missed: Vec<&Event> = log
        .iter()
        .filter(|event| event.seq > since && event.seq <= head)
        .collect();
    let wanted = usize::try_from(head.get() - since.get()).unwrap_or(usize::MAX);
    let dense = missed.len() == wanted
        && missed
            .windows(2)
            .all(|pair| pair[1].seq == pair[0].seq.next());
    if !dense || wanted > usize::from(around.settings.catch_up_max) {
        return Continuity::Reset(ResetReason::TooFarBehind);
    }
    Continuity::CatchUp(
        missed
            .into_iter()
            .filter(|event| loaded.mailbox.tells(event, viewer))
            .cloned()
            .collect(),
    )
}

fn attached(attachment: Attachment, viewer: Viewer, from: Continuity, loaded: &Loaded) -> Attached {
    Attached {
        head: loaded.mailbox.head(),
        grants_version: version_of(&viewer),
        from,
        items: loaded.mailbox.visible_to(&viewer).count(),
        attachment,
    }
}

fn count(answer: &Result<Attached, AttachError>) {
    let label = match answer {
        Ok(Attached {
            from: Continuity::Live,
            ..
        }) => "live",
        Ok(Attached {
            from: Continuity::CatchUp(_),
            ..
        }) => "catch_up",
        Ok(Attached {
            from: Continuity::Reset(_),
            ..
        }) => "reset",
        Err(_) => "refused",
    };
    metrics::counter!(measures::ATTACHES, "from" => label).increment(1);
}

/// Answers one tab without seating it.
pub(crate) fn answer(seat: Seat, with: Result<Attached, AttachError>) {
    count(&with);
    drop(seat.expected);
    drop(seat.reply.send(with));
}
