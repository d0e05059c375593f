//! What the mail server's words mean for the dispatch.

use std::error::Error as _;
use std::time::Duration;

use letterbox_domain::dispatch::Outcome;
use lettre::transport::smtp::Error;

/// The enhanced code of an address that cannot be written in a mail at all.
pub(super) const BAD_ADDRESS: &str = "5.1.3";
/// RFC 5321 asks for at least 30 minutes between tries in general, but the next rung waits for nobody.
const LATER: Duration = Duration::from_secs(60);
/// When our own account or the connection is at fault.
const OURS: Duration = Duration::from_secs(300);
/// Replies that blame our login or our use of the protocol, never the recipient.
const OURS_CODES: [u16; 9] = [500, 501, 502, 503, 504, 530, 534, 535, 538];
/// No such mailbox or domain, mailbox disabled or moved, delivery refused by the recipient's side (RFC 3463).
const SPOILED: [&str; 9] = [
    "5.1.1",
    "5.1.2",
    BAD_ADDRESS,
    "5.1.6",
    "5.1.10",
    "5.2.1",
    "5.7.1",
    "550",
    "551",
];

/// Before the mail itself was sent: without a reply, surely nothing has been handed over.
pub(super) fn before_the_mail(error: Option<&Error>) -> Outcome {
    error.and_then(replied).unwrap_or_else(|| {
        tracing::warn!("the mail server cannot be reached or breaks off");
        Outcome::Later { after: LATER }
    })
}

/// After the final dot: without a reply, the mail may or may not be on its way.
pub(super) fn after_the_mail(error: Option<&Error>) -> Outcome {
    error.and_then(replied).unwrap_or(Outcome::Unknown)
}

/// Whether this code says that the address itself is bad.
pub(in crate::channels) fn spoils_contact(code: &str) -> bool {
    SPOILED.contains(&code)
}

fn replied(error: &Error) -> Option<Outcome> {
    let code = u16::from(error.status()?);
    if error.is_transient() {
        return Some(Outcome::Later { after: LATER });
    }
    let enhanced = error.source().and_then(|text| enhanced(&text.to_string()));
    let ours = OURS_CODES.contains(&code) && enhanced.as_deref() != Some(BAD_ADDRESS);
    if ours {
        tracing::error!(code, "the mail server refuses us: check channels.email");
        return Some(Outcome::Later { after: OURS });
    }
    let code = enhanced.unwrap_or_else(|| code.to_string());
    Some(Outcome::Rejected { code })
}

/// The code `5.x.y` at the beginning of a reply's text (RFC 2034).
fn enhanced(text: &str) -> Option<String> {
    let word = text.split_ascii_whitespace().next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let fits = parts.len() == 3 && parts[0] == "5" && parts.iter().all(number);
    fits.then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_is_recognised_only_in_its_place() {
        assert_eq!(enhanced("5.1.1 no such mailbox").as_deref(), Some("5.1.1"));
        assert_eq!(enhanced("5.1.10"), Some("5.1.10".into()));
        for text in ["", "no 5.1.1", "5.1", "4.2.2 full", "5.1.1.1", "5.a.1"] {
            assert_eq!(enhanced(text), None, "{text}");
        }
    }

    #[test]
    fn a_full_mailbox_or_a_filter_does_not_spoil_the_address() {
        assert!(spoils_contact("5.1.1"));
        assert!(!spoils_contact("5.2.2"));
        assert!(!spoils_contact("554"));
    }
}
