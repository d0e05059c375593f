//! Pages around a letter: its thread, what can be wrong with it, paper, and the roll-out.

use super::{chrome, unread, written};
use crate::web::model::*;

fn letter() -> LetterBody {
    LetterBody {
        title: "Your eye clinic appointment".to_owned(),
        back_url: "/my-health/documents".to_owned(),
        tag: "New",
        tone: "blue",
        promise: "New. We will post this on Tue 25 Nov unless you open it".to_owned(),
        clinic: "Eye clinic".to_owned(),
        contact: "01432 000000".to_owned(),
        wrong_url: Some("/my-health/documents/a/wrong".to_owned()),
        ..LetterBody::default()
    }
}

#[test]
fn r19_1_every_letter_says_whom_to_tell_when_something_is_wrong() {
    let page = chrome("Letter", "patient", "/my-health/documents");
    let html = written("letter-wrong", "letter.jinja", &page, &letter());
    assert!(html.contains("Something wrong?") && html.contains("/my-health/documents/a/wrong"));
    let body = WrongBody {
        title: "Your eye clinic appointment".to_owned(),
        back_url: "/my-health/documents/a".to_owned(),
        clinic: "Eye clinic".to_owned(),
        contact: "01432 000000, Monday to Friday, 9am to 5pm".to_owned(),
        trust: "Wye Valley NHS Trust".to_owned(),
        not_mine_url: Some("/my-health/documents/a/not-mine".to_owned()),
    };
    let html = written("wrong", "wrong.jinja", &page, &body);
    assert!(html.contains("Eye clinic, 01432 000000") && html.contains("at your next visit"));
    let confirm = written("not-mine", "not_mine.jinja", &page, &body);
    assert!(confirm.contains("10 minutes") && confirm.contains("a named person"));
    let carer = WrongBody {
        not_mine_url: None,
        ..body
    };
    let html = written("wrong-carer", "wrong.jinja", &page, &carer);
    assert!(
        !html.contains("not mine"),
        "a carer cannot say so for the patient"
    );
}

#[test]
fn r30_1_a_thread_shows_replaced_and_withdrawn_letters_honestly() {
    let row = |title: &str, promise: &str, note: Option<&str>, url: Option<&str>| ThreadRow {
        title: title.to_owned(),
        sent: "sent 22 November 2026, 10:06am".to_owned(),
        tag: "Replaced",
        tone: "grey",
        promise: promise.to_owned(),
        note: note.map(str::to_owned),
        url: url.map(str::to_owned),
    };
    let body = LetterBody {
        thread: vec![
            row(
                "Your new date",
                "New",
                Some("Replaces the letter sent 20 November."),
                None,
            ),
            row(
                "Your date",
                "Replaced by a newer one 22 Nov",
                None,
                Some("/my-health/documents/b"),
            ),
        ],
        thread_about: Some("Tuesday 1 December 2026, 9am".to_owned()),
        download_url: Some("/my-health/documents/a/download".to_owned()),
        paper_url: Some("/my-health/documents/a/paper".to_owned()),
        paper: Some(
            "You asked us to post this letter too. We will post it on Tue 25 Nov.".to_owned(),
        ),
        undo: Some("You told us that this letter is not yours.".to_owned()),
        undo_url: Some("/my-health/documents/a/not-mine/undo".to_owned()),
        ..letter()
    };
    let html = written(
        "letter-thread",
        "letter.jinja",
        &chrome("Letter", "patient", "/my-health/documents"),
        &body,
    );
    assert!(html.contains("Replaced by a newer one 22 Nov") && html.contains("(this letter)"));
    assert_eq!(html.matches("/my-health/documents/b").count(), 1);
}

#[test]
fn r30_1_the_search_keeps_its_words_and_says_what_it_found() {
    let body = DocumentsBody {
        heading: "Documents".to_owned(),
        letters: vec![LetterRow {
            thread: Some("1 other letter about this appointment".to_owned()),
            thread_url: "/my-health/documents/a#thread".to_owned(),
            ..unread()
        }],
        q: "\"eye\"".to_owned(),
        found: Some("1 letter found".to_owned()),
        search_url: "/my-health/documents".to_owned(),
        ..DocumentsBody::default()
    };
    let html = written(
        "documents-search",
        "documents.jinja",
        &chrome("Documents", "patient", "/my-health/documents"),
        &body,
    );
    assert!(html.contains("value=\"&quot;eye&quot;\"") && html.contains("1 letter found"));
}

#[test]
fn r3_3_a_clerk_reads_the_roll_out_and_only_a_manager_finds_the_form() {
    let mut body = RollOutBody {
        trust: "Wye Valley NHS Trust".to_owned(),
        lines: vec![RollOutLine {
            specialty: "All others".to_owned(),
            kind: "Clinic letters",
            tag: "Live",
            tone: "green",
            since: "Monday 2 November 2026".to_owned(),
            paper: "We post it",
            changed: None,
        }],
        ..RollOutBody::default()
    };
    let page = chrome("Roll-out", "board", "/board");
    assert!(
        !written("roll-out", "roll_out.jinja", &page, &body)
            .contains("<form method=\"post\" action=\"/board/roll-out\"")
    );
    body.may_change = true;
    assert!(
        written("roll-out-manager", "roll_out.jinja", &page, &body)
            .contains("action=\"/board/roll-out\"")
    );
    let paper = PaperBody {
        tag: "Online first",
        tone: "blue",
        standing: "Your letters come here first.".to_owned(),
        not_always: true,
        ..PaperBody::default()
    };
    assert!(written("paper", "paper.jinja", &page, &paper).contains("Always post my letters"));
}
