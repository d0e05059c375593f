//! Our side of the token endpoint: a short-lived assertion signed with our own key, instead of a shared secret.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use uuid::Uuid;

use super::SetupError;

/// An assertion is used at once; a minute allows for a clock that is off.
const LIVES_SECONDS: i64 = 60;

/// The key that signs our assertions. Never shown.
pub(super) struct AssertionKey {
    key: EncodingKey,
    header: Header,
}

/// A fresh key of 3,072 bits as PKCS#8 PEM; `None` when the system gives no random numbers.
#[must_use]
pub fn new_key_pem() -> Option<String> {
    let pair = KeyPair::generate(KeySize::Rsa3072).ok()?;
    let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|from| &text[from..text.len().min(from + 64)])
        .collect();
    Some(format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    ))
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

impl AssertionKey {
    pub(super) fn read(path: &Path, key_id: Option<&str>) -> Result<Self, SetupError> {
        let pem = std::fs::read(path).map_err(|source| SetupError::KeyFile {
            path: path.to_owned(),
            source,
        })?;
        let key = EncodingKey::from_rsa_pem(&pem).map_err(|_| SetupError::NoRsaKey)?;
        let mut header = Header::new(Algorithm::RS512);
        header.kid = key_id.map(str::to_owned);
        let key = Self { key, header };
        // A key that cannot sign is found at start-up, not by the first patient.
        key.sign("start", "start", DateTime::UNIX_EPOCH)?;
        Ok(key)
    }

    /// An assertion for `audience`, the token endpoint; none is ever made twice.
    pub(super) fn sign(
        &self,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<String, SetupError> {
        let claims = Claims {
            iss: client_id,
            sub: client_id,
            aud: audience,
            jti: Uuid::new_v4().to_string(),
            iat: now.timestamp(),
            exp: now.timestamp() + LIVES_SECONDS,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).map_err(|_| SetupError::NoRsaKey)
    }
}
