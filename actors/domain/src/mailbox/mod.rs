//! One patient's mailbox in memory: a fold of its events, small enough to be kept for everybody who is looking.
//!
//! It holds no content, only what decides who may be told of what. The events' numbers are dense, so a missed
//! one is noticed at once and answered by reading again; the store stays the only truth.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::circle::{ShareKind, Viewer};
use crate::event::{Event, EventKind, ItemRef};
use crate::id::Seq;

/// What the patient's list shows of one item. 48 bytes, because everyone who looks has a mailbox in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MailboxItem {
    /// Number of the last event that changed the item.
    seq: Seq,
    /// Microseconds since the epoch.
    at: i64,
    /// Microseconds since the epoch; [`NO_DUE`] for none.
    due: i64,
    item: Uuid,
    tag: Tag,
    latest: EventKind,
    share: ShareKind,
    flags: u8,
}

const _: () = assert!(
    size_of::<MailboxItem>() <= 48,
    "an item has outgrown its bound"
);

const NO_DUE: i64 = i64::MIN;
const RESTRICTED: u8 = 1;
const HIDDEN: u8 = 2;
const OPENED: u8 = 4;
const GONE: u8 = 8;
const POSTED: u8 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
enum Tag {
    Letter,
    Appointment,
}

/// An item as the store knows it, from which a [`MailboxItem`] is made when a mailbox is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemFacts {
    /// Which item.
    pub item: ItemRef,
    /// The last event that changed it, and its number and time.
    pub latest: EventKind,
    /// See `latest`.
    pub seq: Seq,
    /// See `latest`.
    pub at: DateTime<Utc>,
    /// When we will post it unless it is opened.
    pub due: Option<DateTime<Utc>>,
    /// Its tick box.
    pub share: ShareKind,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// Hidden from the circle of care.
    pub hidden: bool,
    /// Opened in its present form.
    pub opened: bool,
    /// Withdrawn, superseded or cancelled.
    pub gone: bool,
    /// Posted.
    pub posted: bool,
}

impl From<ItemFacts> for MailboxItem {
    fn from(facts: ItemFacts) -> Self {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        Self {
            seq: facts.seq,
            at: facts.at.timestamp_micros(),
            due: facts.due.map_or(NO_DUE, |due| due.timestamp_micros()),
            item: facts.item.as_uuid(),
            tag: tag(facts.item),
            latest: facts.latest,
            share: facts.share,
            flags: flag(facts.restricted, RESTRICTED)
                | flag(facts.hidden, HIDDEN)
                | flag(facts.opened, OPENED)
                | flag(facts.gone, GONE)
                | flag(facts.posted, POSTED),
        }
    }
}

impl MailboxItem {
    /// Which item.
    #[must_use]
    pub fn item(&self) -> ItemRef {
        match self.tag {
            Tag::Letter => ItemRef::Letter(self.item.into()),
            Tag::Appointment => ItemRef::Appointment(self.item.into()),
        }
    }

    /// Number of the last event that changed it.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// What that event was.
    #[must_use]
    pub const fn latest(&self) -> EventKind {
        self.latest
    }

    /// When that event was.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        micros(self.at)
    }

    /// When we will post it unless it is opened.
    #[must_use]
    pub fn due(&self) -> Option<DateTime<Utc>> {
        (self.due != NO_DUE).then(|| micros(self.due))
    }

    /// Its tick box.
    #[must_use]
    pub const fn share(&self) -> ShareKind {
        self.share
    }

    /// Of a sensitive specialty.
    #[must_use]
    pub const fn is_restricted(&self) -> bool {
        self.flags & RESTRICTED != 0
    }

    /// Hidden from the circle of care.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        self.flags & HIDDEN != 0
    }

    /// Opened in its present form.
    #[must_use]
    pub const fn is_opened(&self) -> bool {
        self.flags & OPENED != 0
    }

    /// Withdrawn, superseded or cancelled.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.flags & GONE != 0
    }

    /// Posted.
    #[must_use]
    pub const fn is_posted(&self) -> bool {
        self.flags & POSTED != 0
    }

    /// Whether the patient has something to open: the number in the badge.
    #[must_use]
    pub const fn is_unread(&self) -> bool {
        match self.tag {
            Tag::Letter => self.flags & (OPENED | GONE) == 0,
            // A cancellation is news until it has been opened.
            Tag::Appointment => self.flags & OPENED == 0,
        }
    }

    /// Whether the viewer may know of it.
    #[must_use]
    pub const fn is_visible_to(&self, viewer: &Viewer) -> bool {
        viewer.sees(self.share, self.is_restricted(), self.is_hidden())
    }

    const fn key(&self) -> (Uuid, Tag) {
        (self.item, self.tag)
    }

    fn born(event: &Event) -> Self {
        Self {
            seq: event.seq,
            at: 0,
            due: NO_DUE,
            item: event.item.as_uuid(),
            tag: tag(event.item),
            latest: event.kind,
            share: event.share,
            flags: 0,
        }
    }

    /// What the event makes of the item.
    fn hear(&mut self, event: &Event) {
        self.seq = event.seq;
        self.at = event.at.timestamp_micros();
        self.due = event.due.map_or(NO_DUE, |due| due.timestamp_micros());
        self.latest = event.kind;
        self.share = event.share;
        self.set(RESTRICTED, event.restricted);
        match event.kind {
            EventKind::LetterPublished | EventKind::PromiseChanged => {}
            EventKind::LetterOpened | EventKind::AppointmentOpened => self.set(OPENED, true),
            EventKind::LetterWithdrawn | EventKind::LetterSuperseded => self.set(GONE, true),
            EventKind::LetterPosted => self.set(POSTED, true),
            EventKind::AppointmentPublished | EventKind::AppointmentMoved => {
                self.set(OPENED | GONE | POSTED, false)
            }
            EventKind::AppointmentCancelled => {
                self.set(OPENED | POSTED, false);
                self.set(GONE, true);
            }
            EventKind::ItemHidden => self.set(HIDDEN, true),
            EventKind::ItemShown => self.set(HIDDEN, false),
        }
    }

    const fn set(&mut self, bits: u8, on: bool) {
        if on {
            self.flags |= bits;
        } else {
            self.flags &= !bits;
        }
    }
}

const fn tag(item: ItemRef) -> Tag {
    match item {
        ItemRef::Letter(_) => Tag::Letter,
        ItemRef::Appointment(_) => Tag::Appointment,
    }
}

fn micros(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or(DateTime::UNIX_EPOCH)
}

/// What came of applying an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was the next one.
    New,
    /// It, or a later one, was already in.
    Seen,
    /// At least one before it is missing: read again from the store. Nothing has been changed.
    Gap,
}

/// A patient's mailbox up to and including event [`Mailbox::head`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    head: Seq,
    /// Sorted by id, so that an item is found without a scan however full the mailbox is.
    items: Vec<MailboxItem>,
}

impl Mailbox {
    /// A mailbox in which nothing has happened.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// As the store has it: the head and the items read in one snapshot. If an item comes twice, the one with
    /// the higher number stays.
    #[must_use]
    pub fn load(head: Seq, mut items: Vec<MailboxItem>) -> Self {
        items.sort_unstable_by_key(|item| (item.key(), std::cmp::Reverse(item.seq)));
        items.dedup_by_key(|item| item.key());
        items.shrink_to_fit();
        Self { head, items }
    }

    /// The fold of a whole log, oldest first. Stops before the first gap.
    #[must_use]
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut mailbox = Self::empty();
        for event in events {
            if mailbox.apply(event) == Applied::Gap {
                break;
            }
        }
        mailbox
    }

    /// The number of the last event that is in.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// All items, in the order of their ids.
    #[must_use]
    pub fn items(&self) -> &[MailboxItem] {
        &self.items
    }

    /// Takes in the next event; see [`Applied`].
    pub fn apply(&mut self, event: &Event) -> Applied {
        if event.seq <= self.head {
            return Applied::Seen;
        }
        if event.seq != self.head.next() {
            return Applied::Gap;
        }
        self.head = event.seq;
        self.item_of(event).hear(event);
        Applied::New
    }

    fn item_of(&mut self, event: &Event) -> &mut MailboxItem {
        let key = (event.item.as_uuid(), tag(event.item));
        let index = match self.items.binary_search_by_key(&key, MailboxItem::key) {
            Ok(index) => index,
            Err(index) => {
                self.items.insert(index, MailboxItem::born(event));
                index
            }
        };
        &mut self.items[index]
    }

    /// The item, if it is in the mailbox.
    #[must_use]
    pub fn get(&self, item: ItemRef) -> Option<&MailboxItem> {
        let key = (item.as_uuid(), tag(item));
        self.items
            .binary_search_by_key(&key, MailboxItem::key)
            .ok()
            .map(|index| &self.items[index])
    }

    /// What the viewer may know of, in the order of ids.
    pub fn visible_to<'a>(
        &'a self,
        viewer: &'a Viewer,
    ) -> impl Iterator<Item = &'a MailboxItem> + 'a {
        self.items.iter().filter(|item| item.is_visible_to(viewer))
    }

    /// How many items the viewer may know of that are still to be opened.
    #[must_use]
    pub fn unread_for(&self, viewer: &Viewer) -> usize {
        self.visible_to(viewer)
            .filter(|item| item.is_unread())
            .count()
    }

    /// Whether the viewer's open page must be told of an event that has just been applied.
    ///
    /// Exactly when the viewer may know of the item now, and once more when it is hidden from a carer who may
    /// have it on the page, so that the row leaves. A carer who could never have seen it is not told that there
    /// was anything. Later catch-ups judge by what is hidden *then* (see [`Event::reaches`]) and say nothing.
    #[must_use]
    pub fn tells(&self, event: &Event, viewer: &Viewer) -> bool {
        let hidden = self.get(event.item).is_some_and(MailboxItem::is_hidden);
        let leaves_the_page = event.kind == EventKind::ItemHidden && event.reaches(viewer, false);
        leaves_the_page || event.reaches(viewer, hidden)
    }
}

#[cfg(test)]
mod tests;
