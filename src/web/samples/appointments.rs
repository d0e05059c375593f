//! The month, one appointment, and asking for a change.

use super::{chrome, written};
use crate::web::model::*;

fn day(number: u32, words: Option<&str>) -> CalendarDay {
    CalendarDay {
        number,
        name: format!("Tuesday {number} November"),
        url: Some(format!(
            "/my-health/appointments?month=2026-11&day=2026-11-{number:02}#which"
        )),
        today: number == 22,
        past: number < 22,
        chosen: number == 24,
        words: words.map(str::to_owned),
        words_key: format!("words_202611{number:02}"),
        has_key: format!("has_202611{number:02}"),
    }
}

fn month() -> CalendarBody {
    CalendarBody {
        heading: "Appointments".to_owned(),
        news: Some("1 change to read".to_owned()),
        news_url: Some("/my-health/appointments/cancelled".to_owned()),
        month: "November 2026".to_owned(),
        previous: "October 2026".to_owned(),
        previous_url: "/my-health/appointments?month=2026-10".to_owned(),
        next: "December 2026".to_owned(),
        next_url: "/my-health/appointments?month=2026-12".to_owned(),
        weekdays: vec![
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
        ],
        weeks: vec![CalendarWeek {
            days: vec![
                CalendarDay::default(),
                day(20, None),
                day(21, None),
                day(22, None),
                day(23, None),
                day(24, Some("2 appointments")),
                day(25, Some("1 appointment, 1 cancelled")),
            ],
        }],
        list_heading: "Tuesday 24 November 2026".to_owned(),
        empty: true,
        empty_words: "Nothing on this day.",
        ..CalendarBody::default()
    }
}

#[test]
fn r29_1_the_month_is_a_table_with_today_in_a_circle_dots_words_and_arrows() {
    let page = chrome("Appointments", "patient", "/my-health/appointments");
    let html = written("calendar", "calendar.jinja", &page, &month());
    assert_eq!(
        html.matches("aria-current=\"date\"").count(),
        1,
        "today, once"
    );
    assert_eq!(
        html.matches("class=\"lb-cal__number lb-cal__number--today\"")
            .count(),
        1
    );
    assert_eq!(html.matches("<th scope=\"col\">").count(), 7);
    assert!(html.contains("<caption") && html.contains("2 appointments"));
    assert!(html.contains("rel=\"prev\"") && html.contains("rel=\"next\""));
    assert_eq!(
        html.matches("class=\"lb-cal__day\"").count(),
        6,
        "every day of the month is pressed"
    );
    assert!(html.contains("data-text=\"words_20261124\""));
}

#[test]
fn r21_1_r22_1_details_name_the_contact_and_what_asking_means() {
    let page = chrome("Appointment", "patient", "/my-health/appointments");
    let mut body = AppointmentBody {
        title: "Eye clinic, Tuesday 1 December 2026".to_owned(),
        back_url: "/my-health/appointments/upcoming".to_owned(),
        list_url: "/my-health/appointments/upcoming".to_owned(),
        tag: "Pending cancellation",
        tone: "yellow",
        promise: "Opened by you 22 Nov".to_owned(),
        facts: vec![Fact::new("Place", "Eye clinic, County Hospital")],
        bring: vec!["Your glasses".to_owned()],
        instructions: vec!["Arrive ten minutes early.".to_owned()],
        clinic: "Eye clinic".to_owned(),
        contact: "01432 000000, Monday to Friday, 9am to 5pm".to_owned(),
        email: Some("eye.bookings@example.test".to_owned()),
        ics_url: Some("/my-health/appointments/a/calendar.ics".to_owned()),
        coming_url: Some("/my-health/appointments/a/coming".to_owned()),
        ask_url: Some("/my-health/appointments/a/request".to_owned()),
        request: Some(RequestBody {
            words: "You asked the hospital to cancel this appointment on Sun 22 Nov. Your appointment still stands until the hospital confirms.".to_owned(),
            message: None,
            take_back_url: Some("/my-health/appointments/a/request/take-back".to_owned()),
        }),
        ..AppointmentBody::default()
    };
    let html = written("appointment-pending", "appointment.jinja", &page, &body);
    for words in [
        "What to bring",
        "01432 000000, Monday to Friday, 9am to 5pm",
        "mailto:eye.bookings@example.test",
        "still stands until the hospital confirms",
        "Take this back",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let form = written("request", "request.jinja", &page, &body);
    assert!(
        form.contains("still stands until the hospital confirms")
            && form.contains("value=\"rebook\"")
    );
    (body.ask_url, body.request, body.soon) = (None, None, true);
    let html = written("appointment-soon", "appointment.jinja", &page, &body);
    assert!(html.contains("less than 2 working days away") && !html.contains("/request"));
}
