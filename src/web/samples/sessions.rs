//! Signing out, devices, confirming: sample pages.

use super::*;
use crate::web::page::{SessionFacts, account_menu};

pub(super) fn signed_in(title: &str, area: &'static str, here: &str, public: bool) -> Chrome {
    Chrome {
        account: account_menu(here),
        session: Some(SessionFacts {
            left: 900,
            warning: 120,
            idle: "15 minutes".to_owned(),
            public_computer: public,
            drafts: "d".to_owned(),
        }),
        live: None,
        ..chrome(title, area, here)
    }
}

fn device(this_one: bool) -> DeviceRow {
    DeviceRow {
        browser: "Chrome on <Windows>".to_owned(),
        this_one,
        public_computer: !this_one,
        signed_in: "22 November 2026, 10:06am".to_owned(),
        last_used: "now".to_owned(),
        end_url: (!this_one).then(|| "/account/sessions/a/end".to_owned()),
    }
}

#[test]
fn the_list_of_devices_offers_to_end_every_other_one() {
    let chrome = signed_in("Signed-in devices", "patient", "/account/sessions", false);
    let body = DevicesBody {
        tabs: crate::web::account::tabs("/account/sessions", true),
        devices: vec![device(true), device(false)],
        others: true,
        notice: None,
    };
    let html = written("devices", "devices.jinja", &chrome, &body);
    assert_eq!(html.matches("/account/sessions/a/end").count(), 1);
    assert!(html.contains("Sign out all other devices"));
    assert!(html.contains("&lt;Windows&gt;"));
    assert!(html.contains("after 15 minutes without use"));
}

#[test]
fn every_page_of_a_patient_has_a_quick_exit_that_needs_no_script_and_staff_have_none() {
    let body = DevicesBody::default();
    for (area, exits) in [("patient", 1), ("carer", 1), ("board", 0)] {
        let chrome = signed_in("Signed-in devices", area, "/account/sessions", false);
        let html = written("devices-exit", "devices.jinja", &chrome, &body);
        assert_eq!(html.matches(r#"action="/leave""#).count(), exits, "{area}");
    }
    let html = written("leave", "leave.jinja", &Chrome::default(), &());
    assert!(html.contains(r#"content="0; url=https://www.bbc.co.uk/weather""#));
    assert!(!html.contains("Health"), "nothing says what it was");
}

#[test]
fn r23_3_on_a_public_computer_signing_out_stands_on_every_page_and_windows_are_to_be_closed() {
    let chrome = signed_in("Signed-in devices", "patient", "/account/sessions", true);
    let html = written(
        "devices-public",
        "devices.jinja",
        &chrome,
        &DevicesBody::default(),
    );
    assert!(html.contains("Sign out when you finish"));
    let plain = Chrome {
        title: "You have been signed out".to_owned(),
        area: "plain",
        ..Chrome::default()
    };
    for public_computer in [true, false] {
        let body = SignedOutBody {
            ended: false,
            public_computer,
            next: "/".to_owned(),
        };
        let html = written("signed-out", "signed_out.jinja", &plain, &body);
        assert_eq!(html.contains("Close all browser windows"), public_computer);
    }
}

#[test]
fn confirming_keeps_the_way_back() {
    let chrome = signed_in(
        "Confirm that it is you",
        "patient",
        "/account/confirm",
        false,
    );
    let body = ConfirmBody {
        by_nhs_login: true,
        next: "/my-health/documents".to_owned(),
        personas: vec![],
        problem: Some("That is somebody else. Choose the person who is signed in."),
    };
    let html = written("confirm", "confirm.jinja", &chrome, &body);
    assert!(html.contains(r#"name="next" value="/my-health/documents""#));
    assert!(html.contains("That is somebody else."));
}

#[test]
fn a_letter_as_pictures_has_its_words_under_each_page_and_no_file() {
    let chrome = signed_in(
        "Your eye clinic appointment",
        "patient",
        "/my-health/documents",
        true,
    );
    let picture = |number, lines: &[&str]| Picture {
        number,
        src: "data:image/png;base64,AAAA".to_owned(),
        width: 1240,
        height: 1754,
        lines: lines.iter().map(|&line| line.to_owned()).collect(),
    };
    let mut body = PicturesBody {
        title: "Your eye clinic appointment".to_owned(),
        back_url: "/my-health/documents/a".to_owned(),
        pages: vec![
            picture(1, &["Dear <Margaret>", "Please come."]),
            picture(2, &[]),
        ],
        full_text: vec![],
        no_text: false,
    };
    let html = written("letter-pictures", "pictures.jinja", &chrome, &body);
    assert!(html.contains("Page 1 of 2") && html.contains("Page 2 of 2"));
    assert!(html.contains("Dear &lt;Margaret&gt;"));
    assert_eq!(
        html.matches(r#"src="data:image/png;base64,AAAA""#).count(),
        2
    );
    assert!(!html.contains("application/pdf") && !html.contains("/file"));
    body.pages = vec![picture(1, &[])];
    body.no_text = true;
    let html = written("letter-pictures-mute", "pictures.jinja", &chrome, &body);
    assert!(html.contains("cannot read the words"));
}

#[test]
fn a_letter_that_cannot_be_drawn_leads_to_its_words_to_paper_and_to_ones_own_device() {
    let chrome = signed_in("A letter", "patient", "/my-health/documents", true);
    let mut body = LetterBody {
        title: "Your <eye> letter".to_owned(),
        promise: "New. We will post this on Tue 25 Nov unless you open it".to_owned(),
        text_url: Some("/my-health/documents/a/read".to_owned()),
        text_nonce: Some("n".to_owned()),
        paper_url: Some("/my-health/documents/a/paper".to_owned()),
        clinic: "Eye clinic".to_owned(),
        contact: "01432 000000".to_owned(),
        ..LetterBody::default()
    };
    let html = written("letter-undrawn", "undrawn.jinja", &chrome, &body);
    assert!(html.contains("Your &lt;eye&gt; letter"));
    assert!(html.contains(r#"action="/my-health/documents/a/read""#));
    assert!(html.contains(r#"action="/my-health/documents/a/paper""#));
    assert!(!html.contains("/file") && !html.contains("/view"));
    body.text_url = None;
    body.full_text = vec!["Dear Margaret".to_owned()];
    let html = written("letter-undrawn-read", "undrawn.jinja", &chrome, &body);
    assert!(html.contains("Dear Margaret") && !html.contains("/read"));
}
