//! Every page from sample data, written to `build/samples` for the eye and checked for what it must and must not say.

mod account;
mod appointments;
mod circle;
mod demo;
mod documents;
mod entrance;
mod help;
mod sessions;

use serde::Serialize;

use super::model::*;
use super::page::{Chrome, LiveSource, patient_nav};
use super::templates::{Site, Templates};

fn templates() -> Templates {
    Templates::new(Site {
        portal_name: "My Health and Wellbeing".to_owned(),
        banner: Some("Demonstration, not an NHS service".to_owned()),
        help_email: "help@example.test".to_owned(),
        area: "Herefordshire and Worcestershire".to_owned(),
        quick_exit_url: "https://www.bbc.co.uk/weather".to_owned(),
    })
}

fn chrome(title: &str, area: &'static str, here: &str) -> Chrome {
    Chrome {
        title: title.to_owned(),
        area,
        home: "/",
        who: Some("Margaret Jones".to_owned()),
        csrf: "token".to_owned(),
        nav: patient_nav(here, false),
        live: Some(LiveSource {
            how: "socket",
            source: format!("{here}/rows.json"),
            reload: here.to_owned(),
            check: "Check for new letters",
        }),
        ..Chrome::default()
    }
}

fn written<B: Serialize>(name: &str, template: &str, chrome: &Chrome, body: &B) -> String {
    #[derive(Serialize)]
    struct Page<'a, B> {
        chrome: &'a Chrome,
        body: &'a B,
    }
    let html = templates()
        .render(template, &Page { chrome, body }, "nonce")
        .expect("the template renders");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("build/samples");
    std::fs::create_dir_all(&folder).expect("a folder for the samples");
    std::fs::write(folder.join(format!("{name}.html")), &html).expect("the sample is written");
    html
}

fn unread() -> LetterRow {
    LetterRow {
        id: "a".to_owned(),
        title: "Your eye clinic appointment".to_owned(),
        url: "/my-health/documents/a".to_owned(),
        trust: "Wye Valley NHS Trust".to_owned(),
        clinic: "Eye clinic".to_owned(),
        sent: "sent 22 November 2026, 10:06am".to_owned(),
        tag: "New",
        tone: "blue",
        promise: "New. We will post this on Tue 25 Nov unless you open it".to_owned(),
        view_url: Some("/my-health/documents/a/view".to_owned()),
        nonce: Some("n".to_owned()),
        ..LetterRow::default()
    }
}

fn opened() -> LetterRow {
    LetterRow {
        id: "b".to_owned(),
        title: "<script>alert(1)</script> & Gwyn’s follow-up after your cardiology clinic"
            .to_owned(),
        tag: "Opened",
        tone: "grey",
        promise: "Opened by you 22 Nov".to_owned(),
        caution: Some(
            "May contain results. If worried: 01432 000000, Monday to Friday, 9am to 5pm."
                .to_owned(),
        ),
        view_url: None,
        file_url: Some("/my-health/documents/b/file".to_owned()),
        ..unread()
    }
}

#[test]
fn the_list_of_letters_escapes_titles_and_offers_view_only_for_what_may_be_opened() {
    let body = DocumentsBody {
        search_url: "/my-health/documents".to_owned(),
        heading: "Documents".to_owned(),
        letters: vec![unread(), opened()],
        ..DocumentsBody::default()
    };
    let html = written(
        "documents",
        "documents.jinja",
        &chrome("Documents", "patient", "/my-health/documents"),
        &body,
    );
    assert!(!html.contains("<script>alert"));
    assert_eq!(
        html.matches(r#"action="/my-health/documents/a/view""#)
            .count(),
        1
    );
    assert!(html.contains("Demonstration, not an NHS service"));
    assert!(html.contains("Appointment correspondence"));
}

#[test]
fn a_carer_is_told_at_whose_letters_they_look() {
    let carer = Chrome {
        who: Some("Susan Jones".to_owned()),
        viewing: Some("Margaret".to_owned()),
        ..chrome("Letters", "carer", "/people/g/documents")
    };
    let row = LetterRow {
        view_url: None,
        hint: Some("Only Margaret can open this.".to_owned()),
        ..unread()
    };
    let body = DocumentsBody {
        search_url: "/my-health/documents".to_owned(),
        heading: "Margaret’s documents".to_owned(),
        letters: vec![row],
        ..DocumentsBody::default()
    };
    let html = written("carer", "documents.jinja", &carer, &body);
    assert!(html.contains("You are viewing <strong>Margaret</strong>"));
}

#[test]
fn every_other_page_renders() {
    letter();
    appointments();
    people();
    board();
    demo::all();
}

fn letter() {
    let body = LetterBody {
        title: "Your eye clinic appointment".to_owned(),
        back_url: "/my-health/documents".to_owned(),
        tag: "New",
        tone: "blue",
        promise: "New. We will post this on Tue 25 Nov unless you open it".to_owned(),
        caution: Some(
            "May contain results. If worried: 01432 000000, Monday to Friday, 9am to 5pm."
                .to_owned(),
        ),
        facts: vec![
            Fact::new("From", "Wye Valley NHS Trust"),
            Fact::new("Clinic", "Eye clinic"),
            Fact::new("Sent", "22 November 2026, 10:06am"),
        ],
        view_url: Some("/my-health/documents/a/view".to_owned()),
        text_url: Some("/my-health/documents/a/read".to_owned()),
        pages: 2,
        size: "35 KB".to_owned(),
        clinic: "the eye clinic".to_owned(),
        contact: "01432 000000, Monday to Friday, 9am to 5pm".to_owned(),
        ..LetterBody::default()
    };
    written(
        "letter",
        "letter.jinja",
        &chrome("Letter", "patient", "/my-health/documents"),
        &body,
    );
    let read = LetterBody {
        full_text: vec![
            "Dear Margaret".to_owned(),
            "We would like to see you.".to_owned(),
        ],
        view_url: None,
        text_url: None,
        file_url: Some("/f".to_owned()),
        ..body
    };
    written(
        "letter-read",
        "letter.jinja",
        &chrome("Letter", "patient", "/my-health/documents"),
        &read,
    );
}

fn appointments() {
    let row = AppointmentRow {
        id: "x".to_owned(),
        when: "Tuesday 24 November 2026, 9am".to_owned(),
        clinic: "Eye clinic".to_owned(),
        trust: "Wye Valley NHS Trust".to_owned(),
        tag: "Cancelled",
        tone: "red",
        promise: "New. We will phone you by 16:00 today unless you open it".to_owned(),
        open_url: Some("/my-health/appointments/x/open".to_owned()),
        details_url: None,
    };
    let choice = |text: &str, current| Choice {
        id: String::new(),
        text: text.to_owned(),
        value: String::new(),
        href: "/my-health/appointments".to_owned(),
        current,
    };
    let body = AppointmentsBody {
        heading: "Appointments".to_owned(),
        list_heading: "Upcoming",
        choices: vec![
            choice("Upcoming", true),
            choice("Past", false),
            choice("Cancelled", false),
        ],
        appointments: vec![
            row.clone(),
            AppointmentRow {
                tag: "Booked",
                tone: "green",
                open_url: None,
                details_url: Some("/d".to_owned()),
                promise: "Opened by you 22 Nov".to_owned(),
                ..row
            },
        ],
        ..AppointmentsBody::default()
    };
    written(
        "appointments",
        "appointments.jinja",
        &chrome("Appointments", "patient", "/my-health/appointments"),
        &body,
    );
    let body = AppointmentBody {
        title: "Eye clinic, Tuesday 24 November 2026".to_owned(),
        back_url: "/my-health/appointments".to_owned(),
        tag: "Cancelled",
        tone: "red",
        promise: "Opened by you 22 Nov".to_owned(),
        cancelled: Some("You do not need to come. The clinic will send you a new date.".to_owned()),
        facts: vec![
            Fact::new("Date", "Tuesday 24 November 2026"),
            Fact::new("Time", "9am"),
            Fact::new("Place", "The County Hospital"),
        ],
        instructions: vec!["Please bring your glasses.".to_owned()],
        clinic: "the eye clinic".to_owned(),
        contact: "01432 000000".to_owned(),
        ..AppointmentBody::default()
    };
    written(
        "appointment",
        "appointment.jinja",
        &chrome("Appointment", "patient", "/my-health/appointments"),
        &body,
    );
}

fn people() {
    let card = |id, title: &str, text: &str| Card {
        id,
        title: title.to_owned(),
        text: text.to_owned(),
        href: "/",
    };
    let body = DashboardBody {
        greeting: "Hello Margaret".to_owned(),
        cards: vec![card("letters", "Letters", "1 new letter"), card("appointments", "Appointments", "Next: Tuesday 8 December 2026, 10:20am"), card("circle", "Circle of care", "You share with Susan")],
        note: Some("Your letters come here first. We post any letter that you do not open in time, so you never miss one.".to_owned()),
    };
    written(
        "dashboard",
        "dashboard.jinja",
        &chrome("Dashboard", "patient", "/"),
        &body,
    );
    let error = ErrorBody {
        heading: "We cannot find that page",
        lines: vec!["If you typed the address, check it.".to_owned()],
        reference: "0193-ab".to_owned(),
        sign_in: false,
    };
    written(
        "error",
        "error.jinja",
        &Chrome {
            live: None,
            ..chrome("Not found", "plain", "")
        },
        &error,
    );
}

fn board() {
    let task = TaskRow {
        id: "t".to_owned(),
        title: "Phone Gwyn by 16:00".to_owned(),
        name: "Gwyn Pritchard".to_owned(),
        phone: Some("07700 900456".to_owned()),
        due: "Due 16:00 today".to_owned(),
        tone: "orange",
        why: "Eye clinic, Tue 24 Nov 9am, is cancelled; paper would come too late.".to_owned(),
        script: Some(
            "“Your eye clinic appointment tomorrow at 9am is cancelled. You do not need to come.”"
                .to_owned(),
        ),
        tries: Some("1 try, no answer".to_owned()),
        url: "/board/tasks/t".to_owned(),
        calls: true,
        resolves: false,
        accepts: false,
    };
    let item = ItemRow {
        id: "i".to_owned(),
        name: "Margaret Jones".to_owned(),
        what: "Your eye clinic appointment, Eye clinic".to_owned(),
        tag: "Waiting",
        tone: "blue",
        promise: "New. We will post this on Tue 25 Nov unless the patient opens it".to_owned(),
    };
    let choice = |text: &str| Choice {
        id: String::new(),
        text: text.to_owned(),
        value: text.to_owned(),
        href: String::new(),
        current: false,
    };
    let body = BoardBody {
        trust: "Wye Valley NHS Trust".to_owned(),
        waiting: 2,
        opened: 12,
        posted: 1,
        told: 1,
        tasks: vec![task],
        clinics: vec![ClinicRow {
            id: "c".to_owned(),
            title: "Eye clinic, Tue 24 Nov 9am".to_owned(),
            facts: "Cancelled today at 10:07, 12 patients".to_owned(),
            told: "11 of 12 told".to_owned(),
            tone: "yellow",
        }],
        sessions: vec![choice("Eye clinic, Tue 24 Nov 9am, 12 patients")],
        reasons: vec![choice("The clinician is not available")],
        unread: vec![item.clone()],
        no_notices: true,
        settled: vec![ItemRow {
            id: "j".to_owned(),
            tag: "Posted",
            tone: "green",
            promise: "Posted 25 Nov. Nothing for you to do".to_owned(),
            ..item
        }],
        quarantine: vec![QuarantineRow {
            id: "q".to_owned(),
            title: "Letter L-77".to_owned(),
            detail: "The same source id came with another body. Publish it as a replacement."
                .to_owned(),
            since: "since 10:02".to_owned(),
        }],
        ..BoardBody::default()
    };
    let chrome = Chrome {
        who: Some("Booking office".to_owned()),
        nav: Vec::new(),
        ..chrome("Booking office", "board", "/board")
    };
    written("board", "board.jinja", &chrome, &body);
}
