//! Dates, times and sizes as patients read them. Europe/London throughout; never decides anything.

use chrono::{DateTime, Utc};
use letterbox_domain::time::{local, local_date};

/// `Tuesday 24 November 2026`.
pub(crate) fn day(at: DateTime<Utc>) -> String {
    local(at).format("%A %-d %B %Y").to_string()
}

/// `Tue 24 Nov`.
pub(crate) fn short_day(at: DateTime<Utc>) -> String {
    local(at).format("%a %-d %b").to_string()
}

/// `9am`, `9:30am`, `midday`.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    let at = local(at);
    match at.format("%H:%M").to_string().as_str() {
        "12:00" => "midday".to_owned(),
        time if time.ends_with(":00") => at.format("%-I%P").to_string(),
        _ => at.format("%-I:%M%P").to_string(),
    }
}

/// `Tuesday 24 November 2026, 9am`.
pub(crate) fn day_and_time(at: DateTime<Utc>) -> String {
    format!("{}, {}", day(at), time(at))
}

/// `22 November 2026, 10:06am`.
pub(crate) fn date_and_time(at: DateTime<Utc>) -> String {
    format!("{}, {}", local(at).format("%-d %B %Y"), time(at))
}

/// `10:06:45`, for the demonstration, where seconds matter.
pub(crate) fn clock(at: DateTime<Utc>) -> String {
    local(at).format("%H:%M:%S").to_string()
}

/// `16:00` today, `16:00 on Tue 24 Nov` otherwise.
pub(crate) fn by(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let hour = local(at).format("%H:%M");
    if local_date(at) == local_date(now) {
        hour.to_string()
    } else {
        format!("{hour} on {}", short_day(at))
    }
}

/// `35 KB`, `1.2 MB`.
pub(crate) fn size(bytes: i32) -> String {
    let kilobytes = (f64::from(bytes) / 1_000.0).max(1.0);
    if kilobytes < 1_000.0 {
        format!("{kilobytes:.0} KB")
    } else {
        format!("{:.1} MB", kilobytes / 1_000.0)
    }
}

/// `1 letter`, `2 letters`.
pub(crate) fn count(number: i64, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

/// `nobody`, `1 person`, `2 people`.
pub(crate) fn people(number: i64) -> String {
    match number {
        0 => "nobody".to_owned(),
        1 => "1 person".to_owned(),
        some => format!("{some} people"),
    }
}

/// The phone number with the hours at which somebody answers.
pub(crate) fn contact(phone: &str, hours: Option<&str>) -> String {
    hours.map_or_else(|| phone.to_owned(), |hours| format!("{phone}, {hours}"))
}

/// `07700 900123`, as people read it out; numbers of other countries stay as they are.
pub(crate) fn phone(number: &str) -> String {
    match number.strip_prefix("+44") {
        Some(rest) if rest.len() == 10 && rest.is_ascii() => {
            format!("0{} {}", &rest[..4], &rest[4..])
        }
        _ => number.to_owned(),
    }
}

/// A value inside an address.
pub(crate) fn in_query(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

/// Text as the hospital sent it: one paragraph per blank line, lines kept.
pub(crate) fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(lines) if !line.is_empty() => lines.push(line),
            _ => paragraphs.push(Vec::new()),
        }
    }
    let written = paragraphs.iter().filter(|lines| !lines.is_empty());
    written.map(|lines| lines.join("\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn r29_3_dates_are_londons_on_both_sides_of_the_clock_change() {
        assert_eq!(
            day_and_time(at("2026-11-24T09:00:00Z")),
            "Tuesday 24 November 2026, 9am"
        );
        assert_eq!(
            day_and_time(at("2026-07-24T09:30:00Z")),
            "Friday 24 July 2026, 10:30am"
        );
        assert_eq!(time(at("2026-11-24T12:00:00Z")), "midday");
    }

    #[test]
    fn a_time_today_needs_no_day() {
        let now = at("2026-11-24T09:00:00Z");
        assert_eq!(by(at("2026-11-24T16:00:00Z"), now), "16:00");
        assert_eq!(by(at("2026-11-25T08:30:00Z"), now), "08:30 on Wed 25 Nov");
    }

    #[test]
    fn numbers_of_this_country_are_shown_as_they_are_dialled() {
        assert_eq!(phone("+447700900123"), "07700 900123");
        assert_eq!(in_query("eye clinic & é"), "eye%20clinic%20%26%20%C3%A9");
        assert_eq!(phone("+33123456789"), "+33123456789");
        assert_eq!(phone("01432 000000"), "01432 000000");
    }

    #[test]
    fn sizes_and_numbers_read_naturally() {
        assert_eq!(
            [size(500), size(35_200), size(1_240_000)],
            ["1 KB", "35 KB", "1.2 MB"]
        );
        assert_eq!(
            [count(1, "letter"), count(0, "letter")],
            ["1 letter", "0 letters"]
        );
        assert_eq!(
            paragraphs("Dear Margaret\r\n\r\n \nWhen: Monday\nWhere: here\n"),
            ["Dear Margaret", "When: Monday\nWhere: here"]
        );
    }
}
