//! What outlives a patient's actor: who is attached, and what the store is known to hold.
//!
//! An actor may panic; its sessions must still hear of it, and a withdrawn grant must take effect even while
//! the actor is busy. So the seats lie here, under a lock that is held for a few pushes and never across a wait.
//! Nothing here reads the store.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use letterbox_domain::{
    circle::Viewer,
    id::{GrantId, GrantsVersion, PatientId, Seq},
};

use crate::{
    measures,
    ports::{Push, Pushed, ResetReason, SessionHandle},
};

/// One mailbox's shared part. About 200 bytes with one seat.
pub(crate) struct Shelf {
    pub(crate) patient: PatientId,
    /// The actor's position; -1 until it has loaded the mailbox.
    head: AtomicI64,
    /// The version of the circle that the actor has; -1 until it has loaded.
    grants: AtomicI64,
    /// A position the store is known to have reached.
    wanted_head: AtomicI64,
    /// A grants version the store is known to have reached; carers hear nothing while the actor's is older.
    wanted_grants: AtomicI64,
    /// Attachments on their way to a seat.
    expected: AtomicU32,
    /// Milliseconds of uptime at which the directory first saw it empty; 0 = not empty.
    empty_since: AtomicU64,
    seats: Mutex<Vec<Seated>>,
}

/// One attached session. Once dropped, its attachment is over.
pub(crate) struct Seated {
    pub(crate) viewer: Viewer,
    pub(crate) session: Arc<dyn SessionHandle>,
    mark: Arc<Mark>,
}

/// How a session follows the events. Shared with its attachment, which reads it without any lock.
#[derive(Debug)]
struct Mark(AtomicU8);

/// Whether a session follows the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    Live,
    /// Its queue was full: it hears no events until it resumes.
    Dirty,
    /// An event was kept from it while its grant was in doubt.
    Withheld,
    Over,
}

impl Seated {
    pub(crate) fn mood(&self) -> Mood {
        self.mark.mood()
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.mark.0.store(mood as u8, Ordering::Release);
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.set_mood(Mood::Over);
    }
}

impl Mark {
    fn mood(&self) -> Mood {
        match self.0.load(Ordering::Acquire) {
            0 => Mood::Live,
            1 => Mood::Dirty,
            2 => Mood::Withheld,
            _ => Mood::Over,
        }
    }
}

impl Shelf {
    pub(crate) fn new(patient: PatientId) -> Arc<Self> {
        Arc::new(Self {
            patient,
            head: AtomicI64::new(-1),
            grants: AtomicI64::new(-1),
            wanted_head: AtomicI64::new(0),
            wanted_grants: AtomicI64::new(0),
            expected: AtomicU32::new(0),
            empty_since: AtomicU64::new(0),
            seats: Mutex::default(),
        })
    }

    pub(crate) fn head(&self) -> Option<Seq> {
        let head = self.head.load(Ordering::Acquire);
        (head >= 0).then_some(Seq(head))
    }

    pub(crate) fn set_head(&self, head: Seq) {
        self.head.store(head.get(), Ordering::Release);
    }

    pub(crate) fn want_head(&self, head: Seq) {
        self.wanted_head.fetch_max(head.get(), Ordering::AcqRel);
    }

    /// The grants version by which the actor's carers are judged.
    pub(crate) fn set_grants(&self, version: GrantsVersion) {
        self.grants.store(version.get(), Ordering::Release);
    }

    /// Whether the store is known to be ahead of the actor.
    pub(crate) fn is_behind(&self) -> bool {
        self.wanted_head.load(Ordering::Acquire) > self.head.load(Ordering::Acquire)
            || self.wanted_grants.load(Ordering::Acquire) > self.grants.load(Ordering::Acquire)
    }

    pub(crate) fn want_grants(&self, version: GrantsVersion) {
        self.wanted_grants
            .fetch_max(version.get(), Ordering::AcqRel);
    }

    pub(crate) fn wanted_grants(&self) -> GrantsVersion {
        GrantsVersion(self.wanted_grants.load(Ordering::Acquire))
    }

    pub(crate) fn seats(&self) -> MutexGuard<'_, Vec<Seated>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces an attachment, which keeps the actor in memory until it is seated or refused.
    pub(crate) fn expect(self: &Arc<Self>) -> Expected {
        self.expected.fetch_add(1, Ordering::AcqRel);
        Expected {
            shelf: Arc::clone(self),
        }
    }

    /// Seats a session; room for exactly one more, because most patients have one tab.
    ///
    /// `None` for a carer when the circle has changed since `judged_by`. Looked at under the lock under which
    /// [`Shelf::withdraw`] takes views away, so that nobody slips in between.
    pub(crate) fn sit(
        self: &Arc<Self>,
        viewer: Viewer,
        session: Arc<dyn SessionHandle>,
        judged_by: GrantsVersion,
    ) -> Option<Attachment> {
        let mut seats = self.seats();
        if !viewer.is_patient() && self.wanted_grants() > judged_by {
            return None;
        }
        let mark = Arc::new(Mark(AtomicU8::new(Mood::Live as u8)));
        seats.reserve_exact(1);
        seats.push(Seated {
            viewer,
            session,
            mark: Arc::clone(&mark),
        });
        Some(Attachment {
            shelf: Arc::clone(self),
            mark,
            version: version_of(&viewer),
        })
    }

    /// Makes a dirty seat live again; `None` where it is over, its rights are in doubt, or it never was dirty (then
    /// pushes and replay would overlap).
    pub(crate) fn resume(
        &self,
        attachment: &Attachment,
        judged_by: GrantsVersion,
    ) -> Option<Viewer> {
        let seats = self.seats();
        let seat = seats
            .iter()
            .find(|seat| Arc::ptr_eq(&seat.mark, &attachment.mark))?;
        let doubtful = !seat.viewer.is_patient() && self.wanted_grants() > judged_by;
        if doubtful || seat.mood() != Mood::Dirty {
            return None;
        }
        seat.set_mood(Mood::Live);
        Some(seat.viewer)
    }

    /// Ends every attachment: nobody's view may be taken for live any more.
    pub(crate) fn reset_all(&self, why: ResetReason) -> usize {
        let seats = std::mem::take(&mut *self.seats());
        tell(
            &seats,
            &Arc::new(Push::Reset {
                patient: self.patient,
                why,
            }),
        );
        seats.len()
    }

    /// Ends the carers' attachments only.
    pub(crate) fn reset_carers(&self, why: ResetReason) -> usize {
        self.end_where(
            |seat| !seat.viewer.is_patient(),
            || Push::Reset {
                patient: self.patient,
                why,
            },
        )
    }

    /// Takes one grant's views away, now.
    pub(crate) fn withdraw(&self, grant: GrantId) -> usize {
        self.end_where(
            |seat| holds(&seat.viewer, grant),
            || Push::Gone {
                patient: self.patient,
            },
        )
    }

    /// Tells every session of a node that goes.
    pub(crate) fn announce(&self, push: &Arc<Push>) {
        tell(&self.seats(), push);
    }

    /// Whether nobody has been here, or on the way, for `bound`. Called about once a second.
    pub(crate) fn is_idle(&self, uptime: Duration, bound: Duration) -> bool {
        let busy = self.expected.load(Ordering::Acquire) > 0 || !self.seats().is_empty();
        let now = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX).max(1);
        match (busy, self.empty_since.load(Ordering::Relaxed)) {
            (true, _) => self.empty_since.store(0, Ordering::Relaxed),
            (false, 0) => self.empty_since.store(now, Ordering::Relaxed),
            (false, since) => return Duration::from_millis(now.saturating_sub(since)) >= bound,
        }
        !busy && bound.is_zero()
    }

    fn end_where(&self, leaves: impl Fn(&Seated) -> bool, push: impl FnOnce() -> Push) -> usize {
        let mut seats = self.seats();
        let (gone, kept) = std::mem::take(&mut *seats)
            .into_iter()
            .partition::<Vec<_>, _>(leaves);
        *seats = kept;
        if !gone.is_empty() {
            tell(&gone, &Arc::new(push()));
        }
        drop(seats); // before the sessions in `gone`: their clean-up must not run under our lock
        gone.len()
    }

    fn leave(&self, mark: &Arc<Mark>) {
        let mut seats = self.seats();
        if let Some(index) = seats.iter().position(|seat| Arc::ptr_eq(&seat.mark, mark)) {
            let left = seats.swap_remove(index);
            seats.shrink_to_fit();
            drop(seats);
            drop(left); // the session's own clean-up must not run under our lock
        }
    }
}

/// Marks cannot be refused, and a session that has ended needs none.
fn tell(seats: &[Seated], push: &Arc<Push>) {
    for seat in seats {
        if seat.session.try_push(push) == Pushed::Full {
            metrics::counter!(measures::PUSHES, "result" => "mark_refused").increment(1);
        }
    }
}

/// The version that a viewer's cursors carry. A patient's own never go stale by what they share.
pub(crate) fn version_of(viewer: &Viewer) -> GrantsVersion {
    match viewer {
        Viewer::Patient { .. } => GrantsVersion::default(),
        Viewer::Carer(grant) => grant.version,
    }
}

fn holds(viewer: &Viewer, grant: GrantId) -> bool {
    matches!(viewer, Viewer::Carer(held) if held.id == grant)
}

/// An attachment on its way.
pub(crate) struct Expected {
    shelf: Arc<Shelf>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.shelf.expected.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A seat at a mailbox. Dropping it detaches; nothing else has to be done, on any path.
pub struct Attachment {
    pub(crate) shelf: Arc<Shelf>,
    mark: Arc<Mark>,
    version: GrantsVersion,
}

impl Attachment {
    /// Whose mailbox.
    #[must_use]
    pub fn patient(&self) -> PatientId {
        self.shelf.patient
    }

    /// How far this view has come: every event up to it that the viewer may see has been pushed.
    ///
    /// `None` while it is dirty or over. Read it *before* looking whether your own queue is empty, and use it
    /// only if it is: then everything up to it has been written. Takes no lock.
    #[must_use]
    pub fn position(&self) -> Option<(Seq, GrantsVersion)> {
        // The head is stored after the pushes and after the marks of those who could not take them.
        let head = self.shelf.head()?;
        (self.mark.mood() == Mood::Live).then_some((head, self.version))
    }

    /// Whether nothing more will be pushed: attach again, unless the last push was [`Push::Gone`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.mark.mood() == Mood::Over
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("patient", &self.shelf.patient)
            .finish_non_exhaustive()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.shelf.leave(&self.mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_shelf_becomes_idle_after_its_bound() {
        let shelf = Shelf::new(PatientId::random());
        let bound = Duration::from_secs(60);
        assert!(
            !shelf.is_idle(Duration::from_secs(10), bound),
            "first seen empty"
        );
        assert!(!shelf.is_idle(Duration::from_secs(69), bound));
        assert!(shelf.is_idle(Duration::from_secs(70), bound));
    }

    #[test]
    fn an_expected_attachment_keeps_the_shelf() {
        let shelf = Shelf::new(PatientId::random());
        let on_the_way = shelf.expect();
        assert!(!shelf.is_idle(Duration::from_secs(10), Duration::ZERO));
        drop(on_the_way);
        assert!(shelf.is_idle(Duration::from_secs(10), Duration::ZERO));
    }
}
