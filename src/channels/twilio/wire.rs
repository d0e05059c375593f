//! The provider's JSON as we read it, and its statuses.

use chrono::{DateTime, Utc};
use letterbox_domain::dispatch::DispatchState;
use serde::Deserialize;

/// Where a text stands at the provider. A word we do not know is kept: it must never make an accepted text
/// look like a failed one, because the failure would send it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Accepted,
    Scheduled,
    Queued,
    Sending,
    Sent,
    Delivered,
    Read,
    Undelivered,
    Failed,
    Canceled,
    Unknown(String),
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "accepted" => Self::Accepted,
            "scheduled" => Self::Scheduled,
            "queued" => Self::Queued,
            "sending" => Self::Sending,
            "sent" => Self::Sent,
            "delivered" => Self::Delivered,
            "read" => Self::Read,
            "undelivered" => Self::Undelivered,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

impl Status {
    /// What it says about our dispatch; `None` for a word we do not know.
    pub fn state(&self) -> Option<DispatchState> {
        match self {
            Self::Accepted | Self::Scheduled | Self::Queued | Self::Sending | Self::Sent => {
                Some(DispatchState::Accepted)
            }
            Self::Delivered | Self::Read => Some(DispatchState::Delivered),
            Self::Undelivered | Self::Failed | Self::Canceled => Some(DispatchState::Failed),
            Self::Unknown(_) => None,
        }
    }
}

/// A message of the provider's, as far as we read it.
#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) sid: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) body: String,
    #[serde(default)]
    pub(super) direction: String,
    pub(super) error_code: Option<u32>,
    pub(super) date_created: Option<String>,
}

impl Message {
    pub(super) fn status(&self) -> Status {
        Status::from(self.status.as_str())
    }

    pub(super) fn created_at(&self) -> Option<DateTime<Utc>> {
        instant(self.date_created.as_deref()?)
    }
}

/// One page of a listing.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) messages: Vec<Message>,
    pub(super) next_page_uri: Option<String>,
}

/// A refusal.
#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) code: u32,
}

/// RFC 2822, as the provider and every `Date` header write it.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_a_messaging_service_and_unheard_of_ones_are_read() {
        assert_eq!(
            Status::from("accepted").state(),
            Some(DispatchState::Accepted)
        );
        assert_eq!(Status::from("read").state(), Some(DispatchState::Delivered));
        assert_eq!(
            Status::from("canceled").state(),
            Some(DispatchState::Failed)
        );
        let odd = Status::from("partially_delivered");
        assert_eq!(odd, Status::Unknown("partially_delivered".into()));
        assert_eq!(odd.state(), None);
    }

    #[test]
    fn dates_are_rfc_2822() {
        let at = instant("Tue, 24 Nov 2026 10:06:11 +0000").expect("a date");
        assert_eq!(at.to_rfc3339(), "2026-11-24T10:06:11+00:00");
        assert_eq!(instant("Tue, 24 Nov 2026 10:06:11 GMT"), Some(at));
    }
}
