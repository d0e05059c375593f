//! Positions in a mailbox as browsers hold them: sealed, so that nobody can read, forge or borrow one.
//!
//! A carer learns neither how many events were hidden nor their numbers. A cursor opens only for the account and
//! the box it was made for; one from an older version of the circle, or from before the key was changed, is
//! refused, and the answer to a refused cursor is always `reset`, never somebody's mailbox.
//! After a restore of the database, change the key: every browser then reads its page again.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use letterbox_domain::id::{AccountId, GrantsVersion, Seq};
use sha2::Sha256;

use super::boxes::BoxName;

const TAG_LEN: usize = 16;
const PLAIN_LEN: usize = 16;
const SEALED_LEN: usize = NONCE_LEN + PLAIN_LEN + TAG_LEN;
/// Length of a cursor on the wire; always the same.
pub const CURSOR_LEN: usize = (SEALED_LEN * 4).div_ceil(3);

/// Seals and opens cursors. One per node, the same key on every node.
pub struct Cursors {
    key: LessSafeKey,
}

/// Where a browser stands in a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last event it has seen, or has been moved past.
    pub seq: Seq,
    /// The version of the circle under which it may see it; 0 for a patient's own mailbox.
    pub version: GrantsVersion,
}

/// No key can be made of the configured secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret for cursors must have at least 32 bytes: make one with `openssl rand -hex 32`")]
pub struct WeakSecret;

impl Cursors {
    /// Derives the key for cursors from the node's secret.
    ///
    /// # Errors
    /// [`WeakSecret`] below 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, WeakSecret> {
        if secret.len() < 32 {
            return Err(WeakSecret);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| WeakSecret)?;
        mac.update(b"letterbox live cursor v1");
        let key = mac.finalize().into_bytes();
        let key = UnboundKey::new(&AES_256_GCM_SIV, &key).map_err(|_| WeakSecret)?;
        Ok(Self {
            key: LessSafeKey::new(key),
        })
    }

    /// A cursor for this position, fit for the wire and for a page.
    ///
    /// Nonces are random; the SIV mode keeps cursors sealed even if one ever repeated.
    #[must_use]
    pub fn seal(&self, account: AccountId, name: &BoxName, position: Position) -> String {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut plain = [0; PLAIN_LEN];
        plain[..8].copy_from_slice(&position.seq.get().to_be_bytes());
        plain[8..].copy_from_slice(&position.version.get().to_be_bytes());
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        let bound = Aad::from(bound_to(account, name));
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce_of, bound, &mut plain);
        let Ok(tag) = sealed else {
            // Only impossible sizes fail. An empty cursor is refused later, which costs a reset.
            return String::new();
        };
        let mut whole = [0; SEALED_LEN];
        whole[..NONCE_LEN].copy_from_slice(&nonce);
        whole[NONCE_LEN..NONCE_LEN + PLAIN_LEN].copy_from_slice(&plain);
        whole[NONCE_LEN + PLAIN_LEN..].copy_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(whole)
    }

    /// The position in a cursor that was made here, for this account and this box; `None` for any other text.
    #[must_use]
    pub fn open(&self, account: AccountId, name: &BoxName, cursor: &str) -> Option<Position> {
        let mut whole = [0; SEALED_LEN];
        if cursor.len() != CURSOR_LEN
            || URL_SAFE_NO_PAD.decode_slice(cursor, &mut whole) != Ok(SEALED_LEN)
        {
            return None;
        }
        let (nonce, sealed) = whole.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let bound = Aad::from(bound_to(account, name));
        let plain = self.key.open_in_place(nonce, bound, sealed).ok()?;
        let (seq, version) = plain.split_at_checked(8)?;
        Some(Position {
            seq: Seq(i64::from_be_bytes(seq.try_into().ok()?)),
            version: GrantsVersion(i64::from_be_bytes(version.try_into().ok()?)),
        })
    }
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursors")
    }
}

/// What a cursor is valid for, besides the key.
fn bound_to(account: AccountId, name: &BoxName) -> [u8; 33] {
    let mut bound = [0; 33];
    let (kind, id) = name.parts();
    bound[0] = kind;
    bound[1..17].copy_from_slice(id.as_bytes());
    bound[17..].copy_from_slice(account.as_uuid().as_bytes());
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use letterbox_domain::id::{GrantId, PatientId};

    fn cursors() -> Cursors {
        Cursors::new(&[7; 32]).expect("32 bytes suffice")
    }

    fn at(seq: i64) -> Position {
        Position {
            seq: Seq(seq),
            version: GrantsVersion(3),
        }
    }

    #[test]
    fn a_cursor_opens_to_what_was_sealed() {
        let (account, name) = (AccountId::random(), BoxName::Mailbox(PatientId::random()));
        for seq in [0, 1, i64::MAX] {
            let cursor = cursors().seal(account, &name, at(seq));
            assert_eq!(cursor.len(), CURSOR_LEN);
            assert_eq!(cursors().open(account, &name, &cursor), Some(at(seq)));
        }
    }

    #[test]
    fn it_opens_for_nobody_else_and_for_no_other_box() {
        let (account, patient) = (AccountId::random(), PatientId::random());
        let name = BoxName::Mailbox(patient);
        let cursor = cursors().seal(account, &name, at(5));
        assert_eq!(cursors().open(AccountId::random(), &name, &cursor), None);
        let other = BoxName::Mailbox(PatientId::random());
        assert_eq!(cursors().open(account, &other, &cursor), None);
        let same_id = BoxName::Shared(GrantId::from(patient.as_uuid()));
        assert_eq!(cursors().open(account, &same_id, &cursor), None);
        let other_key = Cursors::new(&[8; 32]).expect("32 bytes suffice");
        assert_eq!(other_key.open(account, &name, &cursor), None);
    }

    #[test]
    fn whatever_is_made_up_is_refused() {
        let (account, name) = (AccountId::random(), BoxName::Mailbox(PatientId::random()));
        let good = cursors().seal(account, &name, at(5));
        let mut made_up: Vec<String> = ["", "0", "-1", "9223372036854775808", "null", "\u{1f4ee}"]
            .map(String::from)
            .to_vec();
        made_up.push("A".repeat(CURSOR_LEN));
        made_up.push(good[1..].to_owned());
        made_up.push(format!("{good}A"));
        for at in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            made_up.push(String::from_utf8(changed).expect("still ASCII"));
        }
        for cursor in made_up {
            assert_eq!(cursors().open(account, &name, &cursor), None, "{cursor}");
        }
    }

    #[test]
    fn two_cursors_of_one_position_do_not_look_alike() {
        let (account, name) = (AccountId::random(), BoxName::Mailbox(PatientId::random()));
        assert_ne!(
            cursors().seal(account, &name, at(5)),
            cursors().seal(account, &name, at(5))
        );
    }
}
