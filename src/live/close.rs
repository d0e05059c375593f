//! Why a socket ends: the close codes of `letterbox.v1` and what a browser should do about each.
//!
//! Two bands and no third: 4000–4099 "stay away until something changes", 4100–4199 "come back, after a while".
//! There is no "come back at once": that is how herds are made. Codes below 4000 are RFC 6455's own.

use std::borrow::Cow;

/// One way for a session to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The peer said goodbye, or its connection broke. Nothing is sent.
    PeerLeft,
    /// The framing rules of RFC 6455 were broken.
    BadFraming,
    /// A text frame was not UTF-8.
    NotUtf8,
    /// A binary message: this protocol has none.
    NotText,
    /// Too many messages, or a message cut into too many pieces.
    TooMany,
    /// A message larger than the limit.
    TooBig,
    /// Our own fault.
    Internal,
    /// Signed out, or the session ran out: sign in again.
    SignIn,
    /// Signed in, but there is nothing here for this account.
    Forbidden,
    /// The first frame was not a valid `hi`, came too late, or a later one was not JSON.
    BadHello,
    /// More sessions than one account may have; the one idle for longest goes.
    TooManySessions,
    /// This node is stopping and it is this session's turn.
    Drained,
    /// This node has no room.
    Full,
    /// Two pings in a row were not answered.
    NoPong,
    /// Bytes were waiting to leave and the peer took none.
    TooSlow,
    /// Start again with a new ticket: the old one was spent or too old, or the state here is of no use.
    Resync,
}

impl Ending {
    /// The number in the close frame; `None` when none is sent.
    #[must_use]
    pub const fn code(self) -> Option<u16> {
        Some(match self {
            Self::PeerLeft => return None,
            Self::BadFraming => 1002,
            Self::NotText => 1003,
            Self::NotUtf8 => 1007,
            Self::TooMany => 1008,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::SignIn => 4001,
            Self::Forbidden => 4003,
            Self::BadHello => 4005,
            Self::TooManySessions => 4029,
            Self::Drained => 4101,
            Self::Full => 4102,
            Self::NoPong => 4103,
            Self::TooSlow => 4104,
            Self::Resync => 4105,
        })
    }

    /// The reason beside the number: for whoever reads a trace, never for the page.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::PeerLeft => "peer left",
            Self::BadFraming => "framing broken",
            Self::NotUtf8 => "not UTF-8",
            Self::NotText => "text frames only",
            Self::TooMany => "too many messages",
            Self::TooBig => "message too big",
            Self::Internal => "our fault",
            Self::SignIn => "sign in",
            Self::Forbidden => "nothing here for you",
            Self::BadHello => "say hi first, in JSON",
            Self::TooManySessions => "too many pages open",
            Self::Drained => "come back in your slot",
            Self::Full => "no room, come back later",
            Self::NoPong => "no answer to pings",
            Self::TooSlow => "too slow, come back with your cursor",
            Self::Resync => "get a new ticket",
        }
    }

    /// The label of metrics and logs.
    #[must_use]
    pub fn label(self) -> Cow<'static, str> {
        self.code().map_or(Cow::Borrowed("peer_left"), |code| {
            Cow::Owned(code.to_string())
        })
    }

    /// Whether a browser should try again by itself.
    #[must_use]
    pub const fn comes_back(self) -> bool {
        match self.code() {
            Some(code) => code >= 4100,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Ending; 16] = [
        Ending::PeerLeft,
        Ending::BadFraming,
        Ending::NotUtf8,
        Ending::NotText,
        Ending::TooMany,
        Ending::TooBig,
        Ending::Internal,
        Ending::SignIn,
        Ending::Forbidden,
        Ending::BadHello,
        Ending::TooManySessions,
        Ending::Drained,
        Ending::Full,
        Ending::NoPong,
        Ending::TooSlow,
        Ending::Resync,
    ];

    #[test]
    fn every_code_is_its_own_and_lies_in_a_band() {
        let mut codes: Vec<u16> = ALL.iter().filter_map(|ending| ending.code()).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count, "two endings share a code");
        assert!(
            codes
                .iter()
                .all(|code| (1002..=1011).contains(code) || (4000..4200).contains(code))
        );
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        assert!(ALL.iter().all(|ending| ending.reason().len() <= 123));
    }

    #[test]
    fn only_the_second_band_and_a_broken_line_come_back() {
        assert!(Ending::Drained.comes_back() && Ending::PeerLeft.comes_back());
        assert!(!Ending::SignIn.comes_back() && !Ending::TooMany.comes_back());
    }
}
