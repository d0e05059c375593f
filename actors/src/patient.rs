//! One patient's mailbox in memory: fans events out to the tabs that are open on it.
//!
//! It never writes to the store, never waits for a session, and holds no content. Everything it knows is
//! rebuilt from one snapshot and the events after it, so it may die at any moment.

mod desk;

use std::{cmp::Ordering, sync::Arc};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use letterbox_domain::{
    circle::{Grant, Viewer},
    event::Event,
    id::{GrantsVersion, Seq},
    mailbox::Mailbox,
};

use desk::{Desk, Fetched};

use crate::{
    clock::Clock,
    health::{Seldom, chain},
    lease::Lease,
    measures,
    messages::{AttachError, Deliver, Refresh, Seat},
    ports::{EventPush, MailboxReader, MailboxSnapshot, PortError, Push, Pushed, ResetReason},
    settings::Settings,
    shelf::{Mood, Seated, Shelf},
};

/// What all patient actors of a node share.
pub(crate) struct Surroundings {
    pub(crate) reader: Arc<dyn MailboxReader>,
    pub(crate) settings: Settings,
    pub(crate) lease: Lease,
    /// Bounds the node's mailbox reads; a storm of reconnects queues here, not in the pool.
    pub(crate) reads: tokio::sync::Semaphore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) read_failures: Seldom,
    /// Rung when an actor dies by a panic, so that its sessions hear of it at once.
    pub(crate) crashed: Arc<tokio::sync::Notify>,
}

/// The actor. About 1 KB with its context, plus 48 bytes an item.
pub(crate) struct PatientActor {
    shelf: Arc<Shelf>,
    around: Arc<Surroundings>,
    loaded: Option<Loaded>,
    /// Present only while somebody waits or a read is in flight.
    desk: Option<Box<Desk>>,
}

/// What the store has told us.
pub(crate) struct Loaded {
    pub(crate) mailbox: Mailbox,
    pub(crate) grants_version: GrantsVersion,
    pub(crate) grants: Box<[Grant]>,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Done,
    Gap,
}

impl PatientActor {
    pub(crate) fn new(shelf: Arc<Shelf>, around: Arc<Surroundings>) -> Self {
        Self {
            shelf,
            around,
            loaded: None,
            desk: None,
        }
    }

    /// Takes in one event and pushes it to everyone who may see it.
    fn take(&mut self, event: Event) -> Taken {
        self.shelf.want_head(event.seq);
        let Some(loaded) = &mut self.loaded else {
            return Taken::Gap;
        };
        match event.seq.cmp(&loaded.mailbox.head().next()) {
            Ordering::Less => return Taken::Done,
            Ordering::Greater => return Taken::Gap,
            Ordering::Equal => {}
        }
        loaded.mailbox.apply(&event);
        if let Some(desk) = &mut self.desk {
            desk.passed(&event);
        }
        self.fan_out(event);
        Taken::Done
    }

    /// One allocation for all sessions; whoever has ended is forgotten, whoever is full is marked.
    fn fan_out(&self, event: Event) {
        let Some(loaded) = &self.loaded else { return };
        let mut seats = self.shelf.seats();
        let head = event.seq;
        if !seats.is_empty() {
            let push = Arc::new(Push::Event(EventPush::new(event)));
            let doubt = self.doubt(loaded);
            let before = seats.len();
            seats.retain(|seat| offer(seat, loaded, &push, doubt));
            if seats.len() < before {
                seats.shrink_to_fit();
            }
        }
        // Under the lock and after the pushes: see `Attachment::position`.
        self.shelf.set_head(head);
    }

    /// Whether carers may be trusted with an event now.
    fn doubt(&self, loaded: &Loaded) -> Doubt {
        if !self.around.lease.holds() {
            Doubt::LeaseLapsed
        } else if self.shelf.wanted_grants() > loaded.grants_version {
            Doubt::GrantsOutdated
        } else {
            Doubt::None
        }
    }

    /// Replaces the circle: who is out hears it, who stays follows with the rights of today.
    fn regrant(&mut self, version: GrantsVersion, grants: Vec<Grant>) {
        let Some(loaded) = &mut self.loaded else {
            return;
        };
        self.shelf.set_grants(version);
        // Read for a carer who sits down, the circle is often as it was: nothing to tell then.
        let changed = version > loaded.grants_version;
        loaded.grants_version = version;
        loaded.grants = grants.into_boxed_slice();
        let grants = &loaded.grants;
        let mut ended = Vec::new(); // dropped after the lock on the seats
        let mut seats = self.shelf.seats();
        for seat in std::mem::take(&mut *seats) {
            let push = match renew(&seat, grants) {
                Renewed::Stays => {
                    if changed && seat.viewer.is_patient() {
                        let patient = self.shelf.patient;
                        mark(&seat, Push::CircleChanged { patient });
                    }
                    seats.push(seat);
                    continue;
                }
                Renewed::Out => Push::Gone {
                    patient: self.shelf.patient,
                },
                Renewed::Changed => Push::Reset {
                    patient: self.shelf.patient,
                    why: ResetReason::RightsChanged,
                },
            };
            metrics::counter!(measures::REVOCATIONS, "why" => "grants").increment(1);
            mark(&seat, push);
            ended.push(seat);
        }
        drop(seats);
    }

    /// Whether memory is known to be behind the store.
    fn is_behind(&self) -> bool {
        self.shelf.is_behind()
    }

    /// Starts the one read in flight, if it is needed and none is running.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let head = self.loaded.as_ref().map(|loaded| loaded.mailbox.head());
        let whole = self
            .loaded
            .as_ref()
            .is_none_or(|loaded| self.shelf.wanted_grants() > loaded.grants_version);
        let desk = self.desk.get_or_insert_default();
        let Some(plan) = desk.begin(self.shelf.patient, head, whole) else {
            return;
        };
        let around = Arc::clone(&self.around);
        ctx.spawn(
            async move { plan.fetch(&around).await }
                .into_actor(self)
                .map(Self::read_ended),
        );
    }

    fn read_ended(fetched: Result<Fetched, PortError>, act: &mut Self, ctx: &mut Context<Self>) {
        let before = act.position();
        let failed = fetched.is_err();
        if let Some(desk) = &mut act.desk {
            desk.end_read();
        }
        match fetched {
            Ok(fetched) => act.digest(fetched),
            Err(error) => act.read_failed(&error),
        }
        let waiting = act.desk.as_ref().is_some_and(|desk| desk.has_waiting());
        // Without progress the directory's next comparison tries again: never a tight loop on a bad store.
        if waiting || (!failed && act.is_behind() && act.position() > before) {
            act.read(ctx);
        } else {
            act.desk = None;
        }
    }

    fn position(&self) -> Option<(Seq, GrantsVersion)> {
        self.loaded
            .as_ref()
            .map(|loaded| (loaded.mailbox.head(), loaded.grants_version))
    }

    fn read_failed(&mut self, error: &PortError) {
        metrics::counter!(measures::READ_FAILURES).increment(1);
        if self.around.read_failures.now(self.around.clock.uptime()) {
            tracing::warn!(patient = %self.shelf.patient, error = %chain(error), "mailbox.read_failed");
        }
        if let Some(desk) = &mut self.desk {
            desk.refuse_read(AttachError::Unavailable);
        }
    }

    /// Takes in what was read, then seats those who waited for it.
    fn digest(&mut self, fetched: Fetched) {
        let Fetched { snapshot, events } = fetched;
        match (snapshot, self.loaded.is_some()) {
            (Some(None), _) => {
                if let Some(desk) = &mut self.desk {
                    desk.refuse_read(AttachError::NoSuchMailbox);
                }
                return;
            }
            (Some(Some(snapshot)), true) => self.regrant(snapshot.grants_version, snapshot.grants),
            (Some(Some(snapshot)), false) => self.load(snapshot),
            (None, _) => {}
        }
        if self.loaded.is_some() {
            self.take_missed(&events);
            self.seat_all(&events);
        }
    }

    fn load(&mut self, snapshot: MailboxSnapshot) {
        self.shelf.set_head(snapshot.head);
        self.shelf.set_grants(snapshot.grants_version);
        self.loaded = Some(Loaded {
            mailbox: Mailbox::load(snapshot.head, snapshot.items),
            grants_version: snapshot.grants_version,
            grants: snapshot.grants.into_boxed_slice(),
        });
    }

    fn take_missed(&mut self, events: &[Event]) {
        let head = self
            .loaded
            .as_ref()
            .map_or(Seq::START, |loaded| loaded.mailbox.head());
        let missed = events.iter().filter(|event| event.seq > head);
        for event in missed {
            metrics::counter!(measures::GAPS).increment(1);
            if self.take(event.clone()) == Taken::Gap {
                tracing::error!(patient = %self.shelf.patient, seq = %event.seq, "mailbox.events_not_dense");
                return;
            }
        }
    }

    fn seat_all(&mut self, events: &[Event]) {
        let (Some(loaded), Some(desk)) = (&self.loaded, &mut self.desk) else {
            return;
        };
        desk.seat_all(&self.shelf, &self.around, loaded, events);
    }
}

/// Why carers may hear nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    GrantsOutdated,
    LeaseLapsed,
}

/// Offers an event to one seat; `false` = the seat is given up.
fn offer(seat: &Seated, loaded: &Loaded, push: &Arc<Push>, doubt: Doubt) -> bool {
    let Push::Event(body) = &**push else {
        return true;
    };
    if seat.mood() != Mood::Live {
        return true;
    }
    if !loaded.mailbox.tells(&body.event, &seat.viewer) {
        metrics::counter!(measures::PUSHES, "result" => "hidden").increment(1);
        return true;
    }
    match doubt {
        Doubt::None => {}
        _ if seat.viewer.is_patient() => {}
        Doubt::GrantsOutdated => {
            seat.set_mood(Mood::Withheld);
            metrics::counter!(measures::PUSHES, "result" => "withheld").increment(1);
            return true;
        }
        Doubt::LeaseLapsed => {
            mark(
                seat,
                Push::Reset {
                    patient: body.event.patient,
                    why: ResetReason::LeaseLapsed,
                },
            );
            return false;
        }
    }
    push_to(seat, push)
}

fn push_to(seat: &Seated, push: &Arc<Push>) -> bool {
    let (result, stays) = match seat.session.try_push(push) {
        Pushed::Taken => ("taken", true),
        Pushed::Full => {
            seat.set_mood(Mood::Dirty);
            ("full", true)
        }
        Pushed::Gone => ("gone", false),
    };
    metrics::counter!(measures::PUSHES, "result" => result).increment(1);
    stays
}

/// Marks cannot be refused; one that is all the same shows in the figures.
fn mark(seat: &Seated, push: Push) {
    if seat.session.try_push(&Arc::new(push)) == Pushed::Full {
        metrics::counter!(measures::PUSHES, "result" => "mark_refused").increment(1);
    }
}

/// What a new circle means for one seat.
enum Renewed {
    Stays,
    Changed,
    Out,
}

fn renew(seat: &Seated, grants: &[Grant]) -> Renewed {
    let Viewer::Carer(held) = &seat.viewer else {
        return Renewed::Stays;
    };
    match grants
        .iter()
        .find(|grant| grant.id == held.id && grant.carer == held.carer)
    {
        None => Renewed::Out,
        Some(grant) if grant == held && seat.mood() != Mood::Withheld => Renewed::Stays,
        Some(_) => Renewed::Changed,
    }
}

impl Actor for PatientActor {
    type Context = Context<Self>;

    /// Must not panic: it also runs while a panic of a handler is being cleaned up.
    fn stopped(&mut self, _: &mut Context<Self>) {
        if std::thread::panicking() {
            self.around.crashed.notify_one();
        }
    }
}

impl Handler<Deliver> for PatientActor {
    type Result = ();

    fn handle(&mut self, Deliver(events): Deliver, ctx: &mut Context<Self>) {
        for event in events {
            if self.take(event) == Taken::Gap {
                break;
            }
        }
        if self.is_behind() {
            self.read(ctx);
        }
    }
}

impl Handler<Refresh> for PatientActor {
    type Result = ();

    fn handle(&mut self, _: Refresh, ctx: &mut Context<Self>) {
        if self.is_behind() {
            self.read(ctx);
        }
    }
}

impl Handler<Seat> for PatientActor {
    type Result = ();

    fn handle(&mut self, seat: Seat, ctx: &mut Context<Self>) {
        let desk = self.desk.get_or_insert_default();
        if let Some(seat) = desk.queue(seat, self.around.settings.waiting_max) {
            desk::answer(seat, Err(AttachError::Busy));
        }
        let behind = self.is_behind();
        if let (Some(loaded), Some(desk), false) = (&self.loaded, &mut self.desk, behind) {
            desk.seat_those_up_to_date(&self.shelf, &self.around, loaded);
        }
        let waiting = self.desk.as_ref().is_some_and(|desk| desk.has_waiting());
        if waiting {
            self.read(ctx);
        } else if self.desk.as_ref().is_some_and(|desk| !desk.is_reading()) {
            self.desk = None;
        }
    }
}

#[cfg(feature = "testing")]
impl Handler<crate::messages::Explode> for PatientActor {
    type Result = ();

    fn handle(&mut self, _: crate::messages::Explode, _: &mut Context<Self>) {
        panic!("a test asked this patient's actor to panic");
    }
}
