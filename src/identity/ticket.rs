//! Bearer secrets of 256 random bits, of which the server keeps only the hash: session cookies and socket tickets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

const BYTES: usize = 32;
/// Characters on the wire.
const LENGTH: usize = 43;

/// What is stored: the SHA-256 of the secret's text, as the browser sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TicketHash(pub [u8; 32]);

impl TicketHash {
    /// The hash of a secret as a browser sends it; `None` for what was never one of ours.
    #[must_use]
    pub fn of(secret: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        let whole =
            secret.len() == LENGTH && URL_SAFE_NO_PAD.decode_slice(secret, &mut bytes) == Ok(BYTES);
        whole.then(|| Self(Sha256::digest(secret).into()))
    }
}

impl std::fmt::Debug for TicketHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketHash")
    }
}

/// A fresh secret. It is shown once, to its holder.
pub struct Ticket([u8; BYTES]);

impl Ticket {
    /// From the operating system's generator.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing safe can be done then.
    #[must_use]
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// What is stored.
    #[must_use]
    pub fn hash(&self) -> TicketHash {
        TicketHash(Sha256::digest(self.reveal()).into())
    }

    /// What the browser gets.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket")
    }
}

/// 256 bits nobody can guess.
pub(super) fn random_bytes() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    assert!(filled.is_ok(), "the operating system has no randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_hash_and_by_nothing_else() {
        let ticket = Ticket::random();
        assert_eq!(TicketHash::of(&ticket.reveal()), Some(ticket.hash()));
        assert_eq!(ticket.reveal().len(), LENGTH);
        assert_ne!(
            TicketHash::of(&Ticket::random().reveal()),
            Some(ticket.hash())
        );
        for made_up in ["", "x", &"A".repeat(42), &"A".repeat(44), &"*".repeat(43)] {
            assert_eq!(TicketHash::of(made_up), None, "{made_up}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let ticket = Ticket::random();
        assert_eq!(
            format!("{ticket:?} {:?}", ticket.hash()),
            "Ticket TicketHash"
        );
    }
}
