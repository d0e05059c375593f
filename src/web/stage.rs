//! The stage of the demonstration: the promise, three buttons, and a tally computed from the records.
//!
//! The buttons act in the parent process, which outlives this one: the third kills it.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::DateTime;
use serde::Deserialize;

use super::demo::{Buttons, Demo, door, only_in_demo};
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{Door, Rule, StageBody, Step};
use super::page::{Chrome, LiveSource, render, see_other};
use super::portal::Portal;
use crate::store::Tally;

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/stage", show)
        .get("/stage.json", now)
        .post("/stage/{button}", press);
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let portal = only_in_demo(&request)?;
        let body = body(&request, &portal).await?;
        Ok(render(
            &request,
            "stage.jinja",
            &chrome("Stage", "stage", "/stage", "Count again"),
            &body,
        ))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async {
        let portal = only_in_demo(&request)?;
        Ok(HttpResponse::Ok().json(body(&request, &portal).await?))
    })
    .await
}

async fn press(request: HttpRequest, button: web::Path<String>) -> HttpResponse {
    let work = async {
        let portal = only_in_demo(&request)?;
        let demo = portal.demo.as_ref().ok_or(Failure::NotFound)?;
        if !["1", "2", "3", "reset"].contains(&button.as_str()) {
            return Err(Failure::NotFound);
        }
        match demo.press(&button).await {
            Some(true) => Ok(see_other("/stage")),
            Some(false) => Err(Failure::TooLate(
                "This button was pressed before, or something is still under way. Press Reset first.",
            )),
            None => Err(Failure::Unavailable(
                "the demonstration's parent process does not answer".into(),
            )),
        }
    };
    page(&request, work).await
}

/// The frame of the demonstration's own pages.
pub(crate) fn chrome(title: &str, area: &'static str, here: &str, check: &'static str) -> Chrome {
    Chrome {
        title: title.to_owned(),
        area,
        home: "/stage",
        service: Some("Letterbox demonstration".to_owned()),
        live: Some(LiveSource {
            how: "poll",
            source: format!("{here}.json"),
            reload: here.to_owned(),
            check,
        }),
        ..Chrome::default()
    }
}

/// An envelope as the sandbox reports it; `copy` above 1 is a letter that was posted twice.
#[derive(Deserialize)]
struct Envelope {
    copy: u32,
}

async fn body(request: &HttpRequest, portal: &Portal) -> Result<StageBody, Failure> {
    let demo = portal.demo.as_ref().ok_or(Failure::NotFound)?;
    // The demonstration's database begins with the demonstration.
    let tally = portal.store.tally(DateTime::UNIX_EPOCH).await?;
    let buttons = demo.buttons().await.unwrap_or_default();
    Ok(StageBody {
        tally: tally_words(&tally),
        verdict: verdict(demo, &tally).await,
        no_problem: buttons.problem.is_empty(),
        problem: (!buttons.problem.is_empty()).then(|| buttons.problem.clone()),
        steps: steps(&buttons),
        busy: buttons.busy,
        doors: doors(request),
        rules: rules(),
    })
}

fn tally_words(tally: &Tally) -> String {
    let mut parts = vec![
        format!("{} opened", tally.opened),
        format!("{} posted", tally.posted),
        format!("{} told by phone", tally.told),
    ];
    if tally.taken_over > 0 {
        parts.push(format!("{} taken over by a person", tally.taken_over));
    }
    parts.push(format!("{} waiting", tally.waiting));
    format!("{} sent = {}.", tally.sent, parts.join(" + "))
}

async fn verdict(demo: &Demo, tally: &Tally) -> String {
    // Both judges must agree: our own records, and what the print house says that it printed.
    let printed: Vec<Envelope> = demo.sandbox("/prints?limit=1000").await.unwrap_or_default();
    let twice = printed.iter().filter(|envelope| envelope.copy > 1).count() as i64;
    format!(
        "Lost {}. Posted twice {}.",
        tally.lost,
        twice.max(tally.posted_twice)
    )
}

fn steps(buttons: &Buttons) -> Vec<Step> {
    let step = |number: u8, title, watch, button, dangerous| Step {
        id: number,
        number,
        title,
        watch,
        button,
        dangerous,
        pressed: buttons
            .pressed
            .get(usize::from(number) - 1)
            .copied()
            .unwrap_or(false),
        waits: buttons.busy,
        stopped: buttons.busy
            || buttons
                .pressed
                .get(usize::from(number) - 1)
                .copied()
                .unwrap_or(false),
    };
    vec![
        step(
            1,
            "A letter each to Margaret and Gwyn",
            "Watch Margaret’s and Susan’s pages and the booking office. Press View as Margaret. Leave Gwyn’s alone: his becomes an email, a text and an envelope.",
            "1. Publish two letters",
            false,
        ),
        step(
            2,
            "Tomorrow’s 9am clinic of 12 patients is cancelled",
            "Watch the booking office: the number falls as patients are told. Gwyn does not look, so somebody phones him.",
            "2. Cancel the clinic",
            false,
        ),
        step(
            3,
            "The server is killed with kill -9 while two letters arrive",
            "Every page says “Reconnecting”, and is back within 5 seconds. Count again: nothing is lost.",
            "3. Kill the server",
            true,
        ),
    ]
}

fn doors(request: &HttpRequest) -> Vec<Door> {
    let to = |name: &str, part: &str, host: &str| Door {
        name: name.to_owned(),
        part: part.to_owned(),
        href: door(request, host),
    };
    vec![
        to("Margaret", "A patient who reads her letters", "margaret"),
        to("Susan", "Her daughter, with whom she shares", "susan"),
        to("Gwyn", "A patient who does not look", "gwyn"),
        to("Booking office", "Wye Valley NHS Trust", "booking"),
        Door {
            name: "Outside world".to_owned(),
            part: "Emails, texts and the post".to_owned(),
            href: door(request, "").replace("/stage", "/outside-world"),
        },
    ]
}

/// The default rule beside what the demonstration makes of it: a working day is 15 seconds.
fn rules() -> Vec<Rule> {
    let rule = |step, real: &str, here: &str| Rule {
        step,
        real: real.to_owned(),
        here: here.to_owned(),
    };
    vec![
        rule("Shown in the portal", "at once", "at once"),
        rule("Email", "24 hours unread, 8am to 8pm", "15 s, at any time"),
        rule("Text", "36 hours unread, 8am to 8pm", "22 s, at any time"),
        rule(
            "Printed and posted",
            "2 working days unread, and 6 working days before the appointment",
            "30 s, next cut-off",
        ),
        rule("Print cut-off", "5:30pm on working days", "every 15 s"),
        rule(
            "Phone call, where paper is too late",
            "2 working hours unread",
            "10 s",
        ),
    ]
}
