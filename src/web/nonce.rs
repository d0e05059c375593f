//! Single-use numbers of View buttons: made for one session and one letter, checked without the database.
//!
//! That each is used once is the store's business; here it is only known whether we made it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use letterbox_domain::id::LetterId;
use sha2::Sha256;

use crate::identity::session::SignedIn;

/// Random part; two buttons never share one.
const RANDOM: usize = 16;

/// A new number for a button that opens `letter` in this session.
pub(crate) fn mint(session: &SignedIn, letter: LetterId) -> String {
    let random: [u8; RANDOM] = rand::random();
    let mut bytes = random.to_vec();
    bytes.extend(mac(session, letter, &random).finalize().into_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether this session was given that number for that letter.
pub(crate) fn verify(session: &SignedIn, letter: LetterId, nonce: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else {
        return false;
    };
    let Some((random, tag)) = bytes.split_first_chunk::<RANDOM>() else {
        return false;
    };
    mac(session, letter, random).verify_slice(tag).is_ok()
}

fn mac(session: &SignedIn, letter: LetterId, random: &[u8; RANDOM]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&session.secret_for("view"))
        .unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(letter.as_uuid().as_bytes());
    mac.update(random);
    mac
}
