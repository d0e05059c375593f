//! Judges one upgrade request by itself: whatever arrives at the front door has passed no route and no middleware.
//! Pure: it reads the head and answers; it never touches the socket and never looks into a ticket.

use actix_http::RequestHead;
use actix_http::header::{self, HeaderMap, HeaderName};
use actix_http::{Method, Version};

use crate::identity::origin::{ForeignOrigin, Origins};

/// The one sub-protocol spoken here.
pub(crate) const PROTOCOL: &str = "letterbox.v1";
/// The one path on which it is spoken.
pub(crate) const PATH: &str = "/live";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What to answer instead of 101. The connection is closed afterwards, so that nothing can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `CONNECT`, or another method than GET.
    Method,
    /// Another path.
    Path,
    /// HTTP/1.0.
    OldHttp,
    /// A body, a missing or broken key, several keys, no `Connection: upgrade`.
    Malformed,
    /// Another version than 13 of the WebSocket protocol.
    Version,
    /// No `letterbox.v1` among the sub-protocols.
    Protocol,
    /// Not one of our pages.
    Origin(ForeignOrigin),
    /// This node is stopping or has no descriptor left to spare.
    Full {
        /// When to come back, in seconds.
        retry_after: u32,
    },
}

impl Refusal {
    /// Status line without the version.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Method => "405 Method Not Allowed",
            Self::Path => "404 Not Found",
            Self::OldHttp | Self::Version => "426 Upgrade Required",
            Self::Malformed | Self::Protocol => "400 Bad Request",
            Self::Origin(_) => "403 Forbidden",
            Self::Full { .. } => "503 Service Unavailable",
        }
    }

    /// The label of metrics and logs.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Path => "path",
            Self::OldHttp => "http_version",
            Self::Malformed => "malformed",
            Self::Version => "websocket_version",
            Self::Protocol => "sub_protocol",
            Self::Origin(why) => why.label(),
            Self::Full { .. } => "full",
        }
    }

    /// Whether somebody may be trying something: worth a line in the log.
    pub(crate) const fn is_suspicious(self) -> bool {
        matches!(self, Self::Origin(_) | Self::Method)
    }

    /// The whole answer.
    pub(crate) fn answer(self) -> String {
        let extra = match self {
            Self::Method => "Allow: GET\r\n".to_owned(),
            Self::OldHttp | Self::Version => {
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n".to_owned()
            }
            Self::Full { retry_after } => format!("Retry-After: {retry_after}\r\n"),
            _ => String::new(),
        };
        format!(
            "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\n{extra}\r\n",
            self.status()
        )
    }
}

/// The 101 for a request that [`judge`] let through; `accept` is what the framer derived from the key.
pub(crate) fn welcome(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
    )
}

/// Lets exactly `GET /live` of our own pages through and hands out the client's key.
///
/// # Errors
/// A [`Refusal`] saying what to answer.
pub(crate) fn judge<'a>(head: &'a RequestHead, ours: &Origins) -> Result<&'a [u8], Refusal> {
    if head.method != Method::GET {
        return Err(Refusal::Method);
    }
    if head.uri.path() != PATH || head.uri.query().is_some() {
        return Err(Refusal::Path);
    }
    if head.version != Version::HTTP_11 {
        return Err(Refusal::OldHttp);
    }
    let headers = head.headers();
    if has_body(headers) || !head.upgrade() || only(headers, &header::UPGRADE).is_none() {
        return Err(Refusal::Malformed);
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(Refusal::Version);
    }
    let key = only(headers, &header::SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key))
        .ok_or(Refusal::Malformed)?;
    if !offers_protocol(headers) {
        return Err(Refusal::Protocol);
    }
    judge_origin(headers, ours)?;
    Ok(key)
}

fn judge_origin(headers: &HeaderMap, ours: &Origins) -> Result<(), Refusal> {
    // Two Origin headers are one too many to believe either.
    let origin = only(headers, &header::ORIGIN);
    let several = headers.get_all(header::ORIGIN).count() > 1;
    if several {
        return Err(Refusal::Origin(ForeignOrigin::Other));
    }
    ours.judge(origin, only(headers, &FETCH_SITE))
        .map_err(Refusal::Origin)
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|value| value.as_bytes() != b"0")
}

/// The value of a header that must be there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name);
    let first = values.next()?;
    values
        .next()
        .is_none()
        .then(|| first.as_bytes().trim_ascii())
}

/// Sixteen bytes in base64: twenty-two digits and two signs of equality.
fn is_key(key: &[u8]) -> bool {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(key);
    decoded.is_ok_and(|bytes| bytes.len() == 16)
}

fn offers_protocol(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| offer.trim() == PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_http::header::HeaderValue;

    fn good() -> RequestHead {
        let mut head = RequestHead::default();
        head.uri = "/live".parse().expect("a path");
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "other, letterbox.v1"),
            ("origin", "https://portal.example"),
        ] {
            head.headers_mut().insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        head
    }

    fn verdict(change: impl FnOnce(&mut RequestHead)) -> Result<(), Refusal> {
        let ours = Origins::of("https://portal.example").expect("a plain address");
        let mut head = good();
        change(&mut head);
        judge(&head, &ours).map(|_| ())
    }

    fn with(name: &'static str, value: &'static str) -> Result<(), Refusal> {
        verdict(|head| {
            let (name, value) = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            head.headers_mut().insert(name, value);
        })
    }

    #[test]
    fn our_own_page_is_let_in() {
        assert_eq!(verdict(|_| ()), Ok(()));
        assert_eq!(with("sec-fetch-site", "same-origin"), Ok(()));
        assert_eq!(with("content-length", "0"), Ok(()));
    }

    #[test]
    fn everything_else_is_turned_away_with_its_own_answer() {
        assert_eq!(verdict(|h| h.method = Method::POST), Err(Refusal::Method));
        assert_eq!(
            verdict(|h| h.method = Method::CONNECT),
            Err(Refusal::Method)
        );
        for path in ["/", "/live/", "/live/ticket", "/live?ticket=1", "//live"] {
            let uri = path.parse().expect("a path");
            assert_eq!(verdict(|h| h.uri = uri), Err(Refusal::Path), "{path}");
        }
        let old = verdict(|h| h.version = Version::HTTP_10);
        assert_eq!(old, Err(Refusal::OldHttp));
        assert_eq!(with("content-length", "5"), Err(Refusal::Malformed));
        assert_eq!(with("sec-websocket-version", "8"), Err(Refusal::Version));
        assert_eq!(
            with("sec-websocket-protocol", "letterbox.v2"),
            Err(Refusal::Protocol)
        );
        for key in [
            "",
            "short",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw==",
        ] {
            assert_eq!(
                with("sec-websocket-key", key),
                Err(Refusal::Malformed),
                "{key}"
            );
        }
        for connection in ["close", "keep-alive", "upgrade, close"] {
            assert_eq!(with("connection", connection), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn two_of_a_header_that_must_be_one_are_refused() {
        let twice = |name: &'static str, value: &'static str| {
            verdict(|head| {
                let (name, value) = (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
                head.headers_mut().append(name, value);
            })
        };
        let key = twice("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(key, Err(Refusal::Malformed));
        let origin = twice("origin", "https://portal.example");
        assert_eq!(origin, Err(Refusal::Origin(ForeignOrigin::Other)));
    }

    #[test]
    fn a_foreign_page_gets_403() {
        let foreign = with("origin", "https://portal.example.evil.test");
        assert_eq!(foreign, Err(Refusal::Origin(ForeignOrigin::Other)));
        assert!(
            Refusal::Origin(ForeignOrigin::Null)
                .answer()
                .starts_with("HTTP/1.1 403 ")
        );
    }

    #[test]
    fn an_answer_closes_the_connection_and_says_when_to_come_back() {
        let full = Refusal::Full { retry_after: 7 }.answer();
        assert!(full.contains("Connection: close\r\n") && full.contains("Retry-After: 7\r\n"));
        assert!(full.ends_with("\r\n\r\n"));
    }
}
