//! The circle of care from both sides.

use letterbox_domain::circle::{ShareKind, Ticks};

use super::super::model::*;
use super::super::page::Chrome;
use super::super::ticking::{boxes, reading};
use super::{chrome, written};

fn sharing() -> CarerRow {
    CarerRow {
        id: "s".to_owned(),
        name: "Susan".to_owned(),
        relationship: "Your daughter".to_owned(),
        tag: "Sharing",
        tone: "green",
        sees: "Can see: appointments and appointment letters".to_owned(),
        reads: "Cannot open letters for you".to_owned(),
        change_url: Some("/c".to_owned()),
        withdraw_url: Some("/w".to_owned()),
        ..CarerRow::default()
    }
}

#[test]
fn r26_3_the_patient_sees_how_every_carer_and_every_invitation_stands() {
    let withdrawing = CarerRow {
        id: "t".to_owned(),
        tag: "Withdrawing…",
        tone: "yellow",
        change_url: None,
        withdraw_url: None,
        share_url: Some("/s".to_owned()),
        ..sharing()
    };
    let pending = CarerRow {
        id: "u".to_owned(),
        name: "<b>Tom</b>".to_owned(),
        tag: "Waiting for an answer",
        tone: "blue",
        note: Some("Email sent. They can answer until Sunday 29 November 2026.".to_owned()),
        again_url: Some("/a".to_owned()),
        cancel_url: Some("/x".to_owned()),
        change_url: None,
        withdraw_url: None,
        ..sharing()
    };
    let body = CircleBody {
        carers: vec![sharing(), withdrawing, pending],
        ..CircleBody::default()
    };
    let chrome = chrome("Circle of care", "patient", "/connect/circle-of-care");
    let html = written("circle", "circle.jinja", &chrome, &body);
    for words in [
        "Sharing",
        "Withdrawing…",
        "Waiting for an answer",
        "They may notice straight away",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("<b>Tom"));
    assert!(html.contains(r#"href="/connect/circle-of-care/add""#));
}

#[test]
fn r26_1_r27_1_the_form_asks_for_everything_and_ticks_nothing() {
    let body = InviteBody {
        kinds: boxes(Ticks::NONE),
        reading: reading(false),
        ..InviteBody::default()
    };
    let chrome = Chrome {
        live: None,
        ..chrome("Add someone", "patient", "/connect/circle-of-care")
    };
    let html = written("circle-add", "circle_add.jinja", &chrome, &body);
    for field in [
        "name",
        "relationship",
        "email",
        "nhs_number",
        "may_read_for_me",
    ] {
        assert!(html.contains(&format!(r#"name="{field}""#)), "{field}");
    }
    for kind in ShareKind::ALL {
        assert!(
            html.contains(&format!(r#"name="{}""#, kind.name())),
            "{}",
            kind.name()
        );
    }
    assert!(html.contains("Please choose their permissions") && html.contains(">Invite<"));
    assert!(!html.contains(" checked"), "none is pre-ticked");

    let mut problems = Problems::default();
    problems.add("email", "Enter their email address");
    problems.add("ticks", "Select what you want to share with them");
    let body = InviteBody {
        name: r#"Susan "Sue" Hughes"#.to_owned(),
        kinds: boxes(Ticks::of(&[ShareKind::Trackers])),
        reading: reading(true),
        problems,
        ..body
    };
    let html = written("circle-add-errors", "circle_add.jinja", &chrome, &body);
    assert!(html.contains("There is a problem") && html.contains(r##"href="#email""##));
    assert_eq!(
        html.matches(" checked").count(),
        2,
        "what was filled in is kept"
    );
    assert!(html.contains("Susan &quot;Sue&quot; Hughes"));
}

#[test]
fn the_forms_of_both_sides_render() {
    let plain = |title, area| Chrome {
        live: None,
        ..chrome(title, area, "/connect/circle-of-care")
    };
    let body = ChangeBody {
        name: "Susan".to_owned(),
        action: "/connect/circle-of-care/s".to_owned(),
        kinds: boxes(Ticks::of(&[ShareKind::ClinicLetters])),
        reading: reading(true),
        question: Some("A year ago you said that Susan may read for you.".to_owned()),
        problems: Problems::default(),
    };
    let html = written(
        "circle-change",
        "circle_change.jinja",
        &plain("Change", "patient"),
        &body,
    );
    assert!(html.contains("A year ago") && html.contains(">Save<"));

    let body = InvitationBody {
        heading: "Margaret invites you to their circle of care".to_owned(),
        lines: vec![
            "Margaret wants to share with you:".to_owned(),
            "You can leave.".to_owned(),
        ],
        shares: vec!["Clinic letters".to_owned()],
        accept_url: Some("/invitations/T/accept".to_owned()),
        decline_url: Some("/invitations/T/decline".to_owned()),
        ..InvitationBody::default()
    };
    let html = written(
        "invitation",
        "invitation.jinja",
        &plain("Invitation", "carer"),
        &body,
    );
    assert_eq!(
        html.matches(r#"method="post" action="/invitations/T/"#)
            .count(),
        2
    );
    assert!(!html.contains(" checked"));

    let person = PersonRow {
        id: "g".to_owned(),
        name: "Margaret Jones".to_owned(),
        url: "/people/g/documents".to_owned(),
        news: "1 new letter".to_owned(),
        shares: "Shares with you: clinic letters".to_owned(),
        latest: Some("Latest: Your eye clinic appointment, Sun 22 Nov".to_owned()),
        leave_url: "/people/g/leave".to_owned(),
    };
    let body = PeopleBody {
        may_join: true,
        people: vec![person],
        empty: false,
    };
    written(
        "people",
        "people.jinja",
        &chrome("People you help", "carer", "/people"),
        &body,
    );
    let tick = Tick {
        name: "tell_g".to_owned(),
        value: "yes",
        text: "Email me when Margaret shares something new with me".to_owned(),
        hint: None,
        checked: true,
    };
    let body = PreferencesBody {
        ticks: vec![tick],
        unverified: false,
        saved: true,
    };
    written(
        "people-preferences",
        "people_preferences.jinja",
        &plain("Emails", "carer"),
        &body,
    );
    let body = LeaveBody {
        given: "Margaret".to_owned(),
        action: "/people/g/leave".to_owned(),
    };
    written(
        "people-leave",
        "people_leave.jinja",
        &plain("Leave", "carer"),
        &body,
    );
}
