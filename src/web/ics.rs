//! One appointment as a calendar file (RFC 5545). Times are UTC, which every calendar turns into the right local hour on
//! both sides of a clock change; the title is neutral, because a calendar is often shared.
//!
//! Never carries a clinic, a place, a name or a reason.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// What the file says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The same for every change of one appointment, so that a calendar replaces what it has.
    pub(crate) id: Uuid,
    /// Rises with every change.
    pub(crate) change: i32,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) minutes: Option<i32>,
    pub(crate) cancelled: bool,
    /// When the file is made.
    pub(crate) now: DateTime<Utc>,
}

/// Most octets of a line before it is folded.
const LINE: usize = 75;

/// The file's text.
pub(crate) fn file(entry: &Entry, portal: &str) -> String {
    let utc = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    let status = if entry.cancelled {
        "CANCELLED"
    } else {
        "CONFIRMED"
    };
    let details = format!("Sign in to {portal} the way you usually do to see the details.");
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Letterbox//Appointments//EN".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@letterbox", entry.id),
        format!("SEQUENCE:{}", entry.change.max(1) - 1),
        format!("DTSTAMP:{}", utc(entry.now)),
        format!("DTSTART:{}", utc(entry.starts_at)),
    ];
    if let Some(minutes) = entry.minutes {
        let ends_at = entry.starts_at + TimeDelta::minutes(minutes.into());
        lines.push(format!("DTEND:{}", utc(ends_at)));
    }
    lines.extend([
        "SUMMARY:Appointment".to_owned(),
        format!("DESCRIPTION:{}", escaped(&details)),
        format!("STATUS:{status}"),
        "CLASS:PRIVATE".to_owned(),
        "TRANSP:OPAQUE".to_owned(),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ]);
    lines.iter().map(|line| folded(line)).collect()
}

/// Commas, semicolons, backslashes and line breaks mean something in a text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\\' | ',' | ';' => {
                escaped.push('\\');
                escaped.push(sign);
            }
            '\n' => escaped.push_str("\\n"),
            sign if sign.is_control() => {}
            sign => escaped.push(sign),
        }
    }
    escaped
}

/// With its line end; longer lines go on after a line break and a space, never inside a character.
fn folded(line: &str) -> String {
    let (mut text, mut octets) = (String::with_capacity(line.len() + 2), 0);
    for sign in line.chars() {
        if octets + sign.len_utf8() > LINE {
            text.push_str("\r\n ");
            octets = 1;
        }
        octets += sign.len_utf8();
        text.push(sign);
    }
    let ended = write!(text, "\r\n");
    debug_assert!(ended.is_ok(), "a String takes everything");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(starts_at: &str) -> Entry {
        Entry {
            id: Uuid::nil(),
            change: 3,
            starts_at: starts_at.parse().expect("an instant"),
            minutes: Some(45),
            cancelled: false,
            now: "2026-03-01T12:00:00Z".parse().expect("an instant"),
        }
    }

    #[test]
    fn r29_3_times_are_right_on_both_sides_of_both_clock_changes() {
        // 9:00 in London on each of these days.
        for (starts_at, expected) in [
            (
                "2026-03-28T09:00:00Z",
                "DTSTART:20260328T090000Z\r\nDTEND:20260328T094500Z\r\n",
            ),
            (
                "2026-03-30T08:00:00Z",
                "DTSTART:20260330T080000Z\r\nDTEND:20260330T084500Z\r\n",
            ),
            (
                "2026-10-23T08:00:00Z",
                "DTSTART:20261023T080000Z\r\nDTEND:20261023T084500Z\r\n",
            ),
            (
                "2026-10-26T09:00:00Z",
                "DTSTART:20261026T090000Z\r\nDTEND:20261026T094500Z\r\n",
            ),
        ] {
            let text = file(&entry(starts_at), "My Health and Wellbeing");
            assert!(text.contains(expected), "{text}");
            let local = letterbox_domain::time::local(entry(starts_at).starts_at);
            assert_eq!(local.format("%H:%M").to_string(), "09:00");
        }
    }

    #[test]
    fn r29_2_the_file_names_no_clinic_and_replaces_its_earlier_self() {
        let text = file(
            &entry("2026-03-28T09:00:00Z"),
            "My Health, and; Wellbeing\\",
        );
        assert!(text.contains("SUMMARY:Appointment\r\n") && text.contains("SEQUENCE:2\r\n"));
        assert!(text.contains("UID:00000000-0000-0000-0000-000000000000@letterbox\r\n"));
        assert!(text.contains("My Health\\, and\\; Wellbeing\\\\"), "{text}");
        for word in ["LOCATION", "ATTENDEE", "ORGANIZER", "clinic"] {
            assert!(!text.contains(word), "{word}");
        }
        let mut cancelled = entry("2026-03-28T09:00:00Z");
        (cancelled.cancelled, cancelled.minutes) = (true, None);
        let text = file(&cancelled, "Portal");
        assert!(text.contains("STATUS:CANCELLED") && !text.contains("DTEND"));
    }

    #[test]
    fn lines_are_folded_at_seventy_five_octets_and_never_inside_a_character() {
        let text = file(&entry("2026-03-28T09:00:00Z"), &"é".repeat(120));
        assert!(text.ends_with("END:VCALENDAR\r\n"));
        for line in text.split("\r\n") {
            assert!(line.len() <= LINE, "{line}");
        }
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&"é".repeat(120)));
    }
}
