//! The demonstration's own pages: stage, outside world, choosing who to be.

use super::{chrome, written};
use crate::web::model::*;
use crate::web::page::Chrome;

pub(super) fn all() {
    let stage = Chrome {
        who: None,
        nav: Vec::new(),
        service: Some("Letterbox demonstration".to_owned()),
        ..chrome("Stage", "stage", "/stage")
    };
    let step = |number, title, watch, button, dangerous, pressed| Step {
        id: number,
        number,
        title,
        watch,
        button,
        dangerous,
        pressed,
        waits: false,
        stopped: pressed,
    };
    let door = |name: &str, part: &str| Door {
        name: name.to_owned(),
        part: part.to_owned(),
        href: "http://margaret.localhost".to_owned(),
    };
    let rule = |step, real: &str, here: &str| Rule {
        step,
        real: real.to_owned(),
        here: here.to_owned(),
    };
    let body = StageBody {
        tally: "16 sent = 12 opened + 1 posted + 1 told by phone + 2 waiting.".to_owned(),
        verdict: "Lost 0. Posted twice 0.".to_owned(),
        steps: vec![
            step(
                1,
                "A letter each to Margaret and Gwyn",
                "Watch Margaret’s page, Susan’s page and the booking office.",
                "1. Publish two letters",
                false,
                true,
            ),
            step(
                2,
                "Tomorrow’s 9am clinic of 12 patients is cancelled",
                "Watch the booking office: the number falls as patients are told.",
                "2. Cancel the clinic",
                false,
                false,
            ),
            step(
                3,
                "The server is killed with kill -9",
                "Pages say “Reconnecting”, and are back within 5 seconds. Nothing is lost.",
                "3. Kill the server",
                true,
                false,
            ),
        ],
        doors: vec![
            door("Margaret", "Patient"),
            door("Susan", "Her daughter"),
            door("Gwyn", "Patient who does not look"),
            door("Booking office", "Wye Valley NHS Trust"),
            door("Outside world", "Email, texts, post"),
        ],
        rules: vec![
            rule("Email", "24 hours after publication", "10 s"),
            rule("Text", "36 hours after publication", "15 s"),
            rule("Post", "2 working days after publication", "30 s"),
        ],
        ..StageBody::default()
    };
    written("stage", "stage.jinja", &stage, &body);
    let at = || "10:06:45".to_owned();
    let body = OutsideBody {
        countdown: "1 letter prints in 9 s".to_owned(),
        texts: vec![TextRow { id: "1".to_owned(), to: "07700 900456".to_owned(), text: "My Health and Wellbeing: you have a new hospital message. Sign in the way you usually do. If you don't open it we will post it on Tue 25 Nov.".to_owned(), at: at() }],
        mails: vec![MailRow { id: "2".to_owned(), to: "gwyn@example.test".to_owned(), subject: "You have a new hospital message".to_owned(), text: "Hello,\n\nyou have a new hospital message.".to_owned(), at: at() }],
        envelopes: vec![EnvelopeRow { id: "3".to_owned(), window: "Gwyn Pritchard\n3 Wye Terrace\nHereford\nHR2 7QJ".to_owned(), postage: "2nd class".to_owned(), at: at() }],
        ..OutsideBody::default()
    };
    written("outside-world", "outside_world.jinja", &stage, &body);
    let persona = PersonaRow {
        key: "margaret".to_owned(),
        name: "Margaret Jones".to_owned(),
        part: "Patient",
    };
    written(
        "sign-in",
        "sign_in.jinja",
        &Chrome {
            live: None,
            ..stage
        },
        &SignInBody {
            personas: vec![persona],
            stage_url: "http://localhost:8080/stage".to_owned(),
        },
    );
}
