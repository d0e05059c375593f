//! Status callbacks: who really sent them, and what they say.
//!
//! The signature covers the address that the provider called, which behind a proxy is not what we see. So the
//! address comes from the settings, never from a request's Host header.

use std::str::FromStr;

use actix_web::web::Query;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use letterbox_domain::id::DispatchId;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

use super::wire::Status;
use crate::config::TextSettings;

/// The query parameter by which a callback names its dispatch, even when the answer to our own call was lost.
pub(super) const DISPATCH: &str = "dispatch";
/// Parameters of one callback; the provider sends about fifteen.
const PARAMETERS_MAX: usize = 100;

/// Checks and reads status callbacks.
pub struct Webhook {
    url: Url,
    tokens: Vec<SecretString>,
}

/// What a callback says. It may come twice, late, and in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's name for the text.
    pub reference: String,
    /// Our own, from the address that was called.
    pub dispatch: Option<DispatchId>,
    pub status: Status,
    /// The provider's error code, if the text failed.
    pub code: Option<String>,
}

/// Why a callback is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature is missing or made with another key: answer 403 and note a security event.
    #[error("the signature does not match")]
    Forged,
    /// Signed, but not a status callback: answer 400.
    #[error("the callback cannot be read")]
    Unreadable,
}

impl Webhook {
    /// `None` without a token: no callback is believed then, and statuses are asked for instead.
    pub(in crate::channels) fn new(settings: &TextSettings, callback: &str) -> Option<Self> {
        let tokens: Vec<_> = [&settings.auth_token, &settings.auth_token_previous]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let url = Url::parse(callback).ok()?;
        (!tokens.is_empty()).then_some(Self { url, tokens })
    }

    /// Checks the signature over our public address with this request's query, then reads the form.
    ///
    /// # Errors
    /// [`WebhookError`]; nothing may be changed then.
    pub fn read(
        &self,
        query: &str,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Receipt, WebhookError> {
        let signature = signature.and_then(|text| STANDARD.decode(text).ok());
        let signature = signature.ok_or(WebhookError::Forged)?;
        let text = std::str::from_utf8(body).map_err(|_| WebhookError::Unreadable)?;
        let form = pairs(text).ok_or(WebhookError::Unreadable)?;
        if !self.is_signed(query, &signature, &form) {
            return Err(WebhookError::Forged);
        }
        receipt(query, &form).ok_or(WebhookError::Unreadable)
    }

    /// Tries the address as it is, with its default port written out, and without any port: providers and
    /// proxies differ in this. Two tokens, so that one can be replaced without losing callbacks.
    fn is_signed(&self, query: &str, signature: &[u8], form: &[(String, String)]) -> bool {
        let addresses = self.addresses(query);
        let mut signed = false;
        for token in &self.tokens {
            for address in &addresses {
                // No early return: how long this takes says nothing about how near a guess was.
                signed |=
                    mac(token, address, form).is_some_and(|m| m.verify_slice(signature).is_ok());
            }
        }
        signed
    }

    fn addresses(&self, query: &str) -> Vec<String> {
        let mut url = self.url.clone();
        url.set_query((!query.is_empty()).then_some(query));
        let Some(host) = url.host_str() else {
            return vec![url.to_string()];
        };
        let query = url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let rest = format!("{}{query}", url.path());
        let scheme = url.scheme();
        let mut addresses = vec![format!("{scheme}://{host}{rest}")];
        if let Some(port) = url.port_or_known_default() {
            addresses.push(format!("{scheme}://{host}:{port}{rest}"));
        }
        addresses
    }
}

fn mac(token: &SecretString, address: &str, form: &[(String, String)]) -> Option<Hmac<Sha1>> {
    let mut sorted: Vec<_> = form.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.expose_secret().as_bytes()).ok()?;
    mac.update(address.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    Some(mac)
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = Query::<Vec<(String, String)>>::from_query(text)
        .ok()?
        .into_inner();
    (pairs.len() <= PARAMETERS_MAX).then_some(pairs)
}

fn receipt(query: &str, form: &[(String, String)]) -> Option<Receipt> {
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.as_str())
    };
    let reference = field("MessageSid").or_else(|| field("SmsSid"))?;
    let status = field("MessageStatus").or_else(|| field("SmsStatus"))?;
    let short = |text: &&str| !text.is_empty() && text.len() <= 64 && text.is_ascii();
    let dispatch = pairs(query)?.into_iter().find(|(key, _)| key == DISPATCH);
    Some(Receipt {
        reference: Some(reference).filter(short)?.to_owned(),
        dispatch: dispatch.and_then(|(_, id)| DispatchId::from_str(&id).ok()),
        status: Status::from(Some(status).filter(short)?),
        code: field("ErrorCode").filter(short).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://letters.example.test/channels/twilio/status";
    const ID: &str = "88dbb8d8-a16d-5e9c-bd5d-402b74a04824";
    const BODY: &[u8] =
        b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005&To=%2B447700900123";

    fn webhook(url: &str, tokens: &[&str]) -> Webhook {
        Webhook {
            url: Url::parse(url).expect("a URL"),
            tokens: tokens
                .iter()
                .map(|token| SecretString::from(*token))
                .collect(),
        }
    }

    fn sign(token: &str, address: &str, body: &[u8]) -> String {
        let form = pairs(std::str::from_utf8(body).expect("text")).expect("a form");
        let mac = mac(&SecretString::from(token), address, &form).expect("any key will do");
        STANDARD.encode(mac.finalize().into_bytes())
    }

    #[test]
    fn the_providers_published_example_is_believed() {
        let body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
        let webhook = webhook("https://mycompany.com/myapp.php", &["12345"]);
        let read = webhook.read("foo=1&bar=2", Some("RSOYDt4T1cUTdK1PDd93/VVr8B8="), body);
        assert_eq!(
            read,
            Err(WebhookError::Unreadable),
            "signed, though not about a text"
        );
    }

    #[test]
    fn a_signed_callback_names_its_dispatch_and_says_what_happened() {
        let query = format!("dispatch={ID}");
        let signature = sign("now", &format!("{URL}?{query}"), BODY);
        let receipt = webhook(URL, &["now"]).read(&query, Some(&signature), BODY);
        let expected = Receipt {
            reference: "SM1".into(),
            dispatch: ID.parse().ok(),
            status: Status::Undelivered,
            code: Some("30005".into()),
        };
        assert_eq!(receipt, Ok(expected));
    }

    #[test]
    fn the_old_token_still_counts_and_so_does_a_written_port() {
        for address in [URL.to_owned(), URL.replace(".test/", ".test:443/")] {
            let signature = sign("old", &address, BODY);
            let read = webhook(URL, &["now", "old"]).read("", Some(&signature), BODY);
            assert!(read.is_ok(), "{address}");
        }
        let with_port = "http://letters.example.test:8080/status";
        for address in [with_port.to_owned(), with_port.replace(":8080", "")] {
            let signature = sign("now", &address, BODY);
            assert!(
                webhook(with_port, &["now"])
                    .read("", Some(&signature), BODY)
                    .is_ok(),
                "{address}"
            );
        }
    }

    #[test]
    fn anything_else_is_a_forgery() {
        let good = sign("now", URL, BODY);
        let webhook = webhook(URL, &["now"]);
        assert!(webhook.read("", Some(&good), BODY).is_ok());
        let other_body = BODY.to_ascii_uppercase();
        let cases: [(&str, Option<&str>, &[u8]); 6] = [
            ("", None, BODY),
            ("", Some(""), BODY),
            ("", Some("not base64!"), BODY),
            ("", Some(&sign("other", URL, BODY)), BODY),
            ("dispatch=1", Some(&good), BODY),
            ("", Some(&good), &other_body),
        ];
        for (query, signature, body) in cases {
            assert_eq!(
                webhook.read(query, signature, body),
                Err(WebhookError::Forged)
            );
        }
    }
}
