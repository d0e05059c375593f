//! The way in: the sign-in page, the question whether to join, and every kind refusal.

use super::{Chrome, written};
use crate::web::model::{JoinBody, LoginBody, NoMailboxText};
use crate::web::sorry;

fn plain(title: &str) -> Chrome {
    Chrome {
        title: title.to_owned(),
        area: "plain",
        home: "/",
        ..Chrome::default()
    }
}

#[test]
fn r9_1_the_sign_in_page_has_both_ways_and_says_which_is_open() {
    let body = LoginBody {
        is_connected: true,
        next: "/account".to_owned(),
        is_demo: true,
    };
    let html = written("login", "login.jinja", &plain("Sign in"), &body);
    for part in [
        "Continue with NHS Login",
        "Sign up: not open yet",
        "Login: not open yet",
        "find-nhs-number",
        "help.login.nhs.uk",
        r#"name="next" value="/account""#,
        r#"value="public" checked"#,
    ] {
        assert!(html.contains(part), "the sign-in page lacks {part}");
    }
    let alone = LoginBody::default();
    let html = written("login-alone", "login.jinja", &plain("Sign in"), &alone);
    assert!(!html.contains("<form") && html.contains("not connected to NHS login"));
}

#[test]
fn r11_1_the_question_says_what_comes_here_and_hides_the_nhs_number() {
    let body = JoinBody {
        csrf: "token".to_owned(),
        given: "<b>Nadia</b>".to_owned(),
        comes_here: vec!["Outpatient clinic letters from Wye Valley NHS Trust".to_owned()],
        by_post: vec!["All letters from another trust, for now".to_owned()],
        told_at: "nadia@example.test".to_owned(),
        may_help: true,
        ..JoinBody::default()
    };
    let html = written("join", "join.jinja", &plain("Join"), &body);
    for part in [
        "From today these letters come here instead of by post.",
        "Outpatient clinic letters from Wye Valley",
        "What still comes by post",
        "you can stop at any time",
        "&lt;b&gt;Nadia",
    ] {
        assert!(html.contains(part), "the question lacks {part}");
    }
    assert_eq!(html.matches(r#"action="/join""#).count(), 3);
    let wales = JoinBody {
        no_mailbox: Some(NoMailboxText {
            heading: "Joining from Wales is not open yet",
            lines: &["Your GP surgery is in Wales."],
        }),
        ..body
    };
    let html = written("join-wales", "join.jinja", &plain("Join"), &wales);
    assert!(
        !html.contains(r#"value="letters""#),
        "there is nothing to agree to"
    );
}

#[test]
fn every_refusal_can_be_read() {
    for reason in sorry::REASONS {
        let body = sorry::body(reason).expect(reason);
        let name = format!("sorry-{reason}");
        let html = written(&name, "sorry.jinja", &plain(body.heading), &body);
        assert!(html.contains("<h1"), "{reason}");
        assert!(!html.contains("{area}"), "{reason} names no area");
    }
}
