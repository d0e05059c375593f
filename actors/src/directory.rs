//! Patient → live actor on a fixed thread. Starts actors, retires idle ones, replaces the dead.
//!
//! The map itself is not inside an actor, so a panic of the directory loses nobody. Once a second the
//! directory's round compares what is attached with the store: a lost wake-up costs a second, never a letter.

mod heads;
mod poison;

use std::{
    collections::{HashMap, hash_map::Entry as MapEntry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Handler, dev::ToEnvelope, prelude::SendError};
use actix_rt::ArbiterHandle;
use letterbox_domain::{
    event::Event,
    id::{GrantId, GrantsVersion, PatientId, Seq},
};
use tokio::sync::oneshot;

pub(crate) use heads::Heads;
use poison::Poison;

use crate::{
    measures,
    messages::{Attach, AttachError, Attached, Deliver, Refresh, Request, Seat},
    patient::{PatientActor, Surroundings},
    ports::{Push, ResetReason},
    shelf::{Attachment, Shelf},
};

/// Shards of the map, so that threads rarely wait for each other: a lock is held for a look-up.
const SHARDS: usize = 32;

/// Tries to reach an actor that is just being retired or replaced.
const TRIES: usize = 3;

/// All patient actors of this node.
pub(crate) struct Directory {
    shards: Box<[Mutex<HashMap<PatientId, Entry>>]>,
    threads: Vec<ArbiterHandle>,
    around: Arc<Surroundings>,
    poison: Poison,
    count: AtomicUsize,
    closed: AtomicBool,
}

struct Entry {
    addr: Addr<PatientActor>,
    shelf: Arc<Shelf>,
}

impl Directory {
    pub(crate) fn new(threads: Vec<ArbiterHandle>, around: Arc<Surroundings>) -> Self {
        let settings = &around.settings;
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            poison: Poison::new(settings.poison_panics, settings.poison_window),
            threads,
            around,
            count: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Seats one tab at a mailbox, starting its actor if need be.
    pub(crate) async fn attach(
        &self,
        patient: PatientId,
        attach: Attach,
    ) -> Result<Attached, AttachError> {
        let mut request = Request::New(attach);
        for _ in 0..TRIES {
            match self.ask(patient, request)? {
                Asked::Waiting(reply) => return self.answer(reply).await,
                Asked::Closed(back) => request = back,
            }
            self.bury(patient);
        }
        Err(AttachError::Unavailable)
    }

    /// Makes a dirty attachment live again. On error it is over: attach anew.
    pub(crate) async fn resume(
        &self,
        attachment: Attachment,
        since: Seq,
    ) -> Result<Attached, AttachError> {
        let patient = attachment.patient();
        if !self.is_current(&attachment) {
            return Err(AttachError::Unavailable);
        }
        match self.ask(patient, Request::Resume { attachment, since })? {
            Asked::Waiting(reply) => self.answer(reply).await,
            Asked::Closed(_) => Err(AttachError::Unavailable),
        }
    }

    async fn answer(&self, reply: oneshot::Receiver<Answer>) -> Answer {
        match tokio::time::timeout(self.around.settings.attach_patience, reply).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_died)) => Err(AttachError::Unavailable),
            Err(_elapsed) => Err(AttachError::Unavailable),
        }
    }

    /// Passes events to the actors in memory, in `seq` order per patient. Nobody there: nothing to do.
    ///
    /// What a full mailbox refuses is noted on the shelf and read from the store as soon as the actor has room.
    pub(crate) fn deliver(&self, events: Vec<Event>) {
        for (patient, events) in by_patient(events) {
            let shard = self.shard(patient);
            let Some(entry) = shard.get(&patient) else {
                continue;
            };
            if let Err(SendError::Full(Deliver(refused))) = self.tell(entry, Deliver(events)) {
                let last = refused.last().map_or(Seq::START, |event| event.seq);
                entry.shelf.want_head(last);
            }
        }
    }

    /// Takes a withdrawn grant's views away on this node, now, and has the circle read again.
    ///
    /// Call after the commit of `version`. Needs neither the store nor a free place in a mailbox.
    pub(crate) fn revoke(
        &self,
        patient: PatientId,
        grant: GrantId,
        version: GrantsVersion,
    ) -> usize {
        let Some(shelf) = self.mark_grants(patient, version) else {
            return 0;
        };
        // Not under the lock of the map: sessions are told in passing.
        let ended = shelf.withdraw(grant);
        self.refresh_now(patient);
        metrics::counter!(measures::REVOCATIONS, "why" => "revoked").increment(ended as u64);
        ended
    }

    /// The circle has changed: carers hear nothing until it has been read again.
    pub(crate) fn grants_changed(&self, patient: PatientId, version: GrantsVersion) {
        if self.mark_grants(patient, version).is_some() {
            self.refresh_now(patient);
        }
    }

    fn mark_grants(&self, patient: PatientId, version: GrantsVersion) -> Option<Arc<Shelf>> {
        let shard = self.shard(patient);
        let shelf = Arc::clone(&shard.get(&patient)?.shelf);
        shelf.want_grants(version);
        Some(shelf)
    }

    fn refresh_now(&self, patient: PatientId) {
        if let Some(entry) = self.shard(patient).get(&patient) {
            self.refresh(entry);
        }
    }

    /// Has the actor look at its shelf. One that is too busy to be told will see the mark there anyway.
    fn refresh(&self, entry: &Entry) {
        drop(self.tell(entry, Refresh));
    }

    /// Sends without waiting. A dead actor's sessions are seen to at once.
    fn tell<M>(&self, entry: &Entry, message: M) -> Result<(), SendError<M>>
    where
        M: actix::Message<Result = ()> + Send + 'static,
        PatientActor: Handler<M>,
        <PatientActor as Actor>::Context: ToEnvelope<PatientActor, M>,
    {
        let sent = entry.addr.try_send(message);
        match &sent {
            Ok(()) => {}
            Err(SendError::Full(_)) => {
                metrics::counter!(measures::REFUSED, "actor" => "patient").increment(1)
            }
            Err(SendError::Closed(_)) => self.around.crashed.notify_one(),
        }
        sent
    }

    fn ask(&self, patient: PatientId, request: Request) -> Result<Asked, AttachError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(AttachError::Draining);
        }
        if self
            .poison
            .is_set_aside(patient, self.around.clock.uptime())
        {
            return Err(AttachError::SetAside);
        }
        let mut shard = self.shard(patient);
        let entry = match shard.entry(patient) {
            MapEntry::Occupied(there) => there.into_mut(),
            MapEntry::Vacant(place) => place.insert(self.start_within_bounds(patient)?),
        };
        let (reply, answer) = oneshot::channel();
        let seat = Seat {
            request,
            reply,
            expected: entry.shelf.expect(),
        };
        match entry.addr.try_send(seat) {
            Ok(()) => Ok(Asked::Waiting(answer)),
            Err(SendError::Full(_)) => Err(AttachError::Busy),
            Err(SendError::Closed(seat)) => Ok(Asked::Closed(seat.request)),
        }
    }

    fn start_within_bounds(&self, patient: PatientId) -> Result<Entry, AttachError> {
        if self.count.load(Ordering::Relaxed) >= self.around.settings.patients_max {
            return Err(AttachError::Busy);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(self.start(patient))
    }

    fn start(&self, patient: PatientId) -> Entry {
        let shelf = Shelf::new(patient);
        let (around, on_shelf) = (Arc::clone(&self.around), Arc::clone(&shelf));
        let capacity = around.settings.patient_mailbox;
        let addr = PatientActor::start_in_arbiter(self.thread_of(patient), move |ctx| {
            ctx.set_mailbox_capacity(capacity);
            PatientActor::new(on_shelf, around)
        });
        Entry { addr, shelf }
    }

    /// The random low half of the id spreads patients evenly; the same patient always lands on the same thread.
    fn thread_of(&self, patient: PatientId) -> &ArbiterHandle {
        &self.threads[(low_bits(patient) as usize) % self.threads.len()]
    }

    fn shard(&self, patient: PatientId) -> MutexGuard<'_, HashMap<PatientId, Entry>> {
        let index = (low_bits(patient) >> 32) as usize % SHARDS;
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_current(&self, attachment: &Attachment) -> bool {
        let shard = self.shard(attachment.patient());
        shard
            .get(&attachment.patient())
            .is_some_and(|entry| Arc::ptr_eq(&entry.shelf, &attachment.shelf))
    }

    /// Removes one actor if it is dead, and tells its sessions to come again.
    fn bury(&self, patient: PatientId) {
        let mut shard = self.shard(patient);
        if shard
            .get(&patient)
            .is_none_or(|entry| entry.addr.connected())
        {
            return;
        }
        let dead = shard.remove(&patient);
        drop(shard);
        if let Some(dead) = dead {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.mourn(&dead.shelf);
        }
    }

    fn mourn(&self, shelf: &Shelf) {
        let patient = shelf.patient;
        let set_aside = self.poison.panicked(patient, self.around.clock.uptime());
        metrics::counter!(measures::PANICS, "actor" => "patient").increment(1);
        tracing::error!(%patient, set_aside, "patient.panicked");
        shelf.reset_all(ResetReason::Restarted);
    }

    /// Finds every dead actor. Called when one has died, and once a second.
    pub(crate) fn bury_the_dead(&self) {
        for patient in self.ids_where(|entry| !entry.addr.connected()) {
            self.bury(patient);
        }
        metrics::gauge!(measures::QUARANTINED)
            .set(self.poison.count(self.around.clock.uptime()) as f64);
    }

    /// Lets go of actors without sessions; the last address dropped ends the actor.
    pub(crate) fn retire_the_idle(&self) {
        let (now, bound) = (
            self.around.clock.uptime(),
            self.around.settings.patient_idle,
        );
        for patient in self.ids_where(|entry| entry.shelf.is_idle(now, bound)) {
            let mut shard = self.shard(patient);
            // Looked at again under the lock under which attachments are announced.
            if shard
                .get(&patient)
                .is_some_and(|entry| entry.shelf.is_idle(now, bound))
            {
                shard.remove(&patient);
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let attached: usize = self.shelves().iter().map(|shelf| shelf.seats().len()).sum();
        metrics::gauge!(measures::ATTACHED).set(attached as f64);
        metrics::gauge!(measures::PATIENTS).set(self.count.load(Ordering::Relaxed) as f64);
    }

    /// Ends every carer's view: this node no longer knows who may still look.
    pub(crate) fn silence_carers(&self) {
        let silenced: usize = self
            .shelves()
            .iter()
            .map(|shelf| shelf.reset_carers(ResetReason::LeaseLapsed))
            .sum();
        metrics::counter!(measures::REVOCATIONS, "why" => "lease_lapsed")
            .increment(silenced as u64);
        tracing::error!(silenced, "grants.lease_lapsed");
    }

    /// The store is behind memory (it was restored): nobody's view can be trusted.
    fn start_over(&self, patient: PatientId) {
        let removed = self.shard(patient).remove(&patient);
        if let Some(entry) = removed {
            self.count.fetch_sub(1, Ordering::Relaxed);
            tracing::error!(%patient, "mailbox.ahead_of_store");
            entry.shelf.reset_all(ResetReason::AheadOfHead);
        }
    }

    /// Refuses new attachments and tells the attached to come back elsewhere.
    pub(crate) fn close(&self, after: Duration) {
        self.closed.store(true, Ordering::Release);
        let push = Arc::new(Push::Drain { after });
        for shelf in self.shelves() {
            shelf.announce(&push);
        }
    }

    /// Lets go of every actor.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.count.store(0, Ordering::Relaxed);
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shelves(&self) -> Vec<Arc<Shelf>> {
        self.collect(|_, entry| Some(Arc::clone(&entry.shelf)))
    }

    fn ids_where(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<PatientId> {
        self.collect(|patient, entry| wanted(entry).then_some(*patient))
    }

    fn collect<T>(&self, pick: impl Fn(&PatientId, &Entry) -> Option<T>) -> Vec<T> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(
                shard
                    .iter()
                    .filter_map(|(patient, entry)| pick(patient, entry)),
            );
        }
        all
    }

    #[cfg(feature = "testing")]
    pub(crate) fn explode(&self, patient: PatientId) -> bool {
        let shard = self.shard(patient);
        shard
            .get(&patient)
            .is_some_and(|entry| entry.addr.try_send(crate::messages::Explode).is_ok())
    }
}

type Answer = Result<Attached, AttachError>;

enum Asked {
    Waiting(oneshot::Receiver<Answer>),
    Closed(Request),
}

fn low_bits(patient: PatientId) -> u64 {
    patient.as_uuid().as_u64_pair().1
}

/// Splits into one run per patient, each in `seq` order.
fn by_patient(mut events: Vec<Event>) -> Vec<(PatientId, Vec<Event>)> {
    events.sort_by_key(|event| (event.patient, event.seq));
    let mut runs: Vec<(PatientId, Vec<Event>)> = Vec::new();
    for event in events {
        match runs.last_mut() {
            Some((patient, run)) if *patient == event.patient => run.push(event),
            _ => runs.push((event.patient, vec![event])),
        }
    }
    runs
}
