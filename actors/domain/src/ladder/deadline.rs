//! The read deadline: until when an item may lie unopened before paper, or a person, takes over.

use chrono::{DateTime, Utc};

use crate::letter::LetterKind;
use crate::policy::Policy;
use crate::time::Calendars;

/// When paper takes over, and whether paper is any use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The deadline; never before publication.
    pub at: DateTime<Utc>,
    /// It was already past at publication, so it falls into the publishing transaction.
    pub is_past: bool,
    /// The print cut-off that takes the item if it is not opened: the day named in the promise.
    pub post_at: DateTime<Utc>,
    /// Paper leaving at `post_at` cannot be relied on to arrive before the appointment: somebody must phone.
    pub paper_too_late: bool,
}

/// The earlier of the policy's wait and its distance before the appointment, but not before publication.
///
/// An appointment that has already begun asks for nothing. (A later version computes the deadline back from
/// postage classes; it keeps this signature.)
#[must_use]
pub fn deadline(
    policy: &Policy,
    calendars: &Calendars,
    kind: LetterKind,
    published_at: DateTime<Utc>,
    appointment_at: Option<DateTime<Utc>>,
) -> Deadline {
    let ahead = appointment_at.filter(|start| *start > published_at);
    let waited = policy.deadline_wait(kind).after(published_at, calendars);
    let in_time = ahead.map(|start| policy.before_appointment.before(start, calendars));
    let wanted = in_time.map_or(waited, |latest| latest.min(waited));
    let at = wanted.max(published_at);
    let post_at = policy.cut_offs.next_after(at, calendars);
    let reached = policy.phone_within.reach(post_at, calendars);
    Deadline {
        at,
        is_past: wanted <= published_at,
        post_at,
        paper_too_late: ahead.is_some_and(|start| start < reached),
    }
}
