//! The JSON of `letterbox.v1`: what browsers send, what they are sent. Ids, kinds and dates; never a word of a letter.
//!
//! Unknown `t` and unknown fields are ignored, so that either side may be newer. Wrong types are not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use letterbox_domain::event::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::boxes::BoxName;

/// From the browser.
#[derive(Debug, Deserialize)]
#[serde(tag = "t")]
pub(super) enum FromBrowser<'a> {
    /// First of all, once: who is there, and where each box stands.
    #[serde(rename = "hi")]
    Hi {
        #[serde(borrow)]
        ticket: Cow<'a, str>,
        #[serde(borrow, default)]
        pos: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    },
    /// All events up to the session's n-th have arrived.
    #[serde(rename = "ack")]
    Ack { n: u64 },
    /// A receipt. `k` is `shown` or `opened`; a socket can only ever mean `shown`.
    #[serde(rename = "rx")]
    Receipt {
        id: Uuid,
        ev: Uuid,
        #[serde(borrow)]
        k: Cow<'a, str>,
    },
    /// Still here.
    #[serde(rename = "p")]
    Pong,
    /// The page is hidden: first to go when the account has too many.
    #[serde(rename = "bg")]
    Background,
    /// Newer than we are.
    #[serde(other)]
    Unknown,
}

/// Reads one message. Errors carry nothing of what was sent.
pub(super) fn read(text: &str) -> Option<FromBrowser<'_>> {
    serde_json::from_str(text).ok()
}

/// One box in the answer to `hi`.
#[derive(Serialize)]
pub(super) struct OpenedBox {
    pub(super) b: String,
    pub(super) role: &'static str,
    /// From here on; absent while the box is silent, and for boards, which have no positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pos: Option<String>,
    pub(super) res: &'static str,
}

#[derive(Serialize)]
struct Ok<'a> {
    t: &'static str,
    sid: String,
    ping: u64,
    now: String,
    ttl: u64,
    boxes: &'a [OpenedBox],
}

/// The answer to `hi`.
pub(super) fn ok(
    sid: u64,
    ping: Duration,
    now: DateTime<Utc>,
    ttl: Duration,
    boxes: &[OpenedBox],
) -> String {
    json(&Ok {
        t: "ok",
        sid: format!("{sid:x}"),
        ping: ping.as_secs(),
        now: instant(now),
        ttl: ttl.as_secs(),
        boxes,
    })
}

#[derive(Serialize)]
struct EventBody<'a> {
    id: Uuid,
    k: &'a str,
    item: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
}

/// The part of an event's frame that all sessions share.
pub(super) fn event_body(event: &Event) -> Bytes {
    let body = EventBody {
        id: event.id.as_uuid(),
        k: event.kind.name(),
        item: event.item.as_uuid(),
        due: event.due.map(instant),
    };
    Bytes::from(json(&body))
}

/// An event: the session's n-th, in box `b`, after which the box stands at `cursor`.
pub(super) fn event(n: u64, b: &BoxName, cursor: &str, body: &[u8]) -> String {
    let mut text = String::with_capacity(96 + cursor.len() + body.len());
    // Names and cursors hold no character that JSON would escape.
    let written = write!(text, r#"{{"t":"ev","n":{n},"b":"{b}","c":"{cursor}","e":"#);
    debug_assert!(written.is_ok(), "a String takes everything");
    text.push_str(&String::from_utf8_lossy(body));
    text.push('}');
    text
}

/// The page must be read again; events follow from `cursor`. Without one the box is silent for now.
pub(super) fn reset(b: &BoxName, why: &str, cursor: Option<&str>) -> String {
    match cursor {
        Some(cursor) => format!(r#"{{"t":"reset","b":"{b}","why":"{why}","c":"{cursor}"}}"#),
        None => format!(r#"{{"t":"reset","b":"{b}","why":"{why}"}}"#),
    }
}

/// The view has been withdrawn: purge it.
pub(super) fn gone(b: &BoxName) -> String {
    format!(r#"{{"t":"gone","b":"{b}"}}"#)
}

/// A board has changed: read it again.
pub(super) fn dirty(b: &BoxName) -> String {
    format!(r#"{{"t":"dirty","b":"{b}"}}"#)
}

/// The receipt has been dealt with: forget it.
pub(super) fn receipt_done(id: Uuid) -> String {
    format!(r#"{{"t":"rxok","id":"{id}"}}"#)
}

/// Are you there? And by the way, where each box stands.
pub(super) fn ping<'a>(positions: impl Iterator<Item = (&'a BoxName, String)>) -> String {
    let mut text = String::from(r#"{"t":"p","c":{"#);
    for (index, (b, cursor)) in positions.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let written = write!(text, r#"{comma}"{b}":"{cursor}""#);
        debug_assert!(written.is_ok(), "a String takes everything");
    }
    text.push_str("}}");
    text
}

/// This node stops; the line is cut in `after`.
pub(super) fn drain(after: Duration) -> String {
    format!(r#"{{"t":"drain","after":{}}}"#, after.as_millis())
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn json(value: &impl Serialize) -> String {
    // Plain structs of strings and numbers always serialize; an empty frame would be ignored by the page.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;
    use letterbox_domain::circle::ShareKind;
    use letterbox_domain::event::{EventKind, ItemRef};
    use letterbox_domain::id::{GrantId, PatientId, Seq};

    fn uuid(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn an_event() -> Event {
        let at = Utc.with_ymd_and_hms(2026, 11, 22, 9, 0, 0).single();
        let at = at.expect("an instant");
        Event {
            id: uuid(1).into(),
            patient: uuid(2).into(),
            seq: Seq(9),
            kind: EventKind::LetterPublished,
            item: ItemRef::Letter(uuid(3).into()),
            share: ShareKind::ClinicLetters,
            restricted: true,
            at,
            due: Some(at),
        }
    }

    #[test]
    fn an_event_carries_ids_kind_and_date_and_nothing_else() {
        let name = BoxName::Mailbox(PatientId::from(uuid(2)));
        let text = event(12, &name, "CURSOR", &event_body(&an_event()));
        assert_eq!(
            text,
            r#"{"t":"ev","n":12,"b":"00000000-0000-0000-0000-000000000002","c":"CURSOR","e":{"id":"00000000-0000-0000-0000-000000000001","k":"letter.published","item":"00000000-0000-0000-0000-000000000003","due":"2026-11-22T09:00:00.000Z"}}"#
        );
    }

    #[test]
    fn every_frame_is_json_with_its_type_first() {
        let name = BoxName::Shared(GrantId::from(uuid(4)));
        let frames = [
            ok(
                255,
                Duration::from_secs(25),
                an_event().at,
                Duration::from_secs(900),
                &[],
            ),
            event(1, &name, "C", &event_body(&an_event())),
            reset(&name, "rights_changed", Some("C")),
            reset(&name, "lease_lapsed", None),
            gone(&name),
            dirty(&name),
            receipt_done(uuid(5)),
            ping([(&name, "C".to_owned()), (&name, "D".to_owned())].into_iter()),
            drain(Duration::from_millis(1_500)),
        ];
        for frame in frames {
            assert!(frame.starts_with(r#"{"t":""#), "{frame}");
            serde_json::from_str::<serde_json::Value>(&frame).expect(&frame);
        }
    }

    #[test]
    fn a_newer_browser_is_understood_as_far_as_possible() {
        assert!(matches!(
            read(r#"{"t":"wave","x":1}"#),
            Some(FromBrowser::Unknown)
        ));
        assert!(matches!(
            read(r#"{"t":"p","mood":"fine"}"#),
            Some(FromBrowser::Pong)
        ));
    }

    #[test]
    fn confused_types_are_not_guessed_at() {
        for text in [
            "",
            "[]",
            "null",
            r#"{"t":5}"#,
            r#"{"t":"ack"}"#,
            r#"{"t":"ack","n":-1}"#,
            r#"{"t":"ack","n":"1"}"#,
            r#"{"t":"rx","id":"x","ev":"y","k":"shown"}"#,
            r#"{"t":"hi"}"#,
            r#"{"t":"hi","ticket":7}"#,
            r#"{"t":"hi","ticket":"a","pos":{"b":5}}"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
