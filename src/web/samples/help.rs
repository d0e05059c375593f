//! Help, error pages and the words for old browsers.

use super::{chrome, written};
use crate::web::help::Part;
use crate::web::model::{
    AnswerBody, ErrorBody, HelpBody, HelpGroup, HelpLink, HelpPageBody, LoginBody, QuestionsBody,
    WhatComesBody,
};
use crate::web::page::visitor;

fn link() -> HelpLink {
    HelpLink {
        href: "/help/questions/28".to_owned(),
        text: "How do I delete my account?".to_owned(),
        about: None,
    }
}

fn questions(q: &str, found: Vec<HelpLink>) -> String {
    let body = QuestionsBody {
        q: q.to_owned(),
        outcome: Some("Nothing found".to_owned()),
        found,
        groups: vec![HelpGroup {
            heading: "Getting help",
            links: vec![link()],
        }],
    };
    let frame = visitor("Frequently asked questions", "/help/questions");
    written("help-questions", "help_questions.jinja", &frame, &body)
}

#[test]
fn what_somebody_searches_for_stays_text() {
    let html = questions("\"><script>alert(1)</script>", Vec::new());
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(
        html.contains("contact the help desk"),
        "and says what to do"
    );
    assert!(questions("delete", vec![link()]).contains("Clear the search"));
}

#[test]
fn r25_1_every_page_leads_to_help_and_names_the_help_desk() {
    let error = ErrorBody {
        heading: "We cannot find that page",
        lines: vec!["If you typed the address, check it.".to_owned()],
        reference: "0199d5e2-7e52-7000-8000-000000000000".to_owned(),
        sign_in: false,
    };
    let pages = [
        written("error", "error.jinja", &visitor("Lost", ""), &error),
        written(
            "error-signed-in",
            "error.jinja",
            &chrome("Lost", "patient", "/"),
            &error,
        ),
        written(
            "login-with-help",
            "login.jinja",
            &visitor("Sign in", "/login"),
            &LoginBody::default(),
        ),
        written(
            "help-what-comes",
            "help_what_comes.jinja",
            &visitor("Which letters come here", "/help"),
            &WhatComesBody::default(),
        ),
        questions("", Vec::new()),
    ];
    for html in &pages {
        // In the menu of phones, in the tabs, and at the foot.
        let ways = html.matches(r#"href="/help""#).count();
        assert!(ways >= 3, "{ways} ways to help: {html}");
        assert!(html.contains("mailto:help@example.test"));
    }
    assert!(pages[0].contains(&error.reference) && !pages[0].contains("Exit quickly"));
    assert!(
        pages[1].contains("Exit quickly"),
        "who is signed in can leave"
    );
}

#[derive(serde::Deserialize)]
struct Pages {
    page: Vec<One>,
}

#[derive(serde::Deserialize)]
struct One {
    slug: String,
    title: String,
    part: Vec<Part>,
}

#[test]
fn every_help_page_has_one_main_heading() {
    let pages: Pages = toml::from_str(include_str!("../help/pages.toml")).expect("the pages");
    let list = HelpBody {
        pages: vec![link()],
    };
    let mut all = vec![written(
        "help",
        "help.jinja",
        &visitor("Help", "/help"),
        &list,
    )];
    for page in pages.page {
        let name = format!("help-{}", page.slug);
        let frame = visitor(&page.title, "/help");
        let body = HelpPageBody {
            title: page.title,
            parts: page.part.clone(),
        };
        all.push(written(&name, "help_page.jinja", &frame, &body));
        let answer = AnswerBody {
            title: body.title,
            parts: page.part,
            next: Some(link()),
        };
        let name = format!("help-answer-{}", page.slug);
        all.push(written(&name, "help_answer.jinja", &frame, &answer));
    }
    for html in all {
        assert_eq!(html.matches("<h1").count(), 1, "{html}");
    }
}

#[test]
fn r7_1_the_words_for_old_browsers_stand_hidden_on_every_page_until_its_own_script_has_failed() {
    let html = questions("", Vec::new());
    assert!(html.contains(r#"id="old-browser" aria-label="Your browser" hidden"#));
    assert!(html.contains(r#"href="/help/browsers""#));
    let plain = html
        .split("<script")
        .find(|tag| tag.contains("old_browser"));
    let plain = plain.expect("the script for old browsers");
    assert!(plain.contains(r#"nonce="nonce""#) && !plain.contains("module"));
}
