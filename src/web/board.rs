//! The booking office's board of one trust: what waits, what needs a person, what was settled.
//!
//! Staff see names and dates, never a letter's content; nothing here opens anything.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, NaiveDate, Utc};
use letterbox_domain::id::TrustId;
use letterbox_domain::promise::{self, Audience, Standing};
use letterbox_domain::time::local_date;
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{BoardBody, Choice, ClinicRow, ItemRow, QuarantineRow, TaskRow};
use super::page::{Chrome, render, see_other};
use super::portal::{Reader, live};
use super::{opening, requests, words};
use crate::commands::calendars;
use crate::commands::look::{self, OnBoard};
use crate::store::pages::{
    self, Board, ClinicView, ItemView, QuarantineView, SessionView, TaskView,
};

/// What patients may be told; free text would end up in front of twelve people unread.
const REASONS: [&str; 3] = [
    "The clinician is not available. We are sorry, and will send you a new date.",
    "The clinic has to close that day. We are sorry, and will send you a new date.",
    "The clinic has moved to another day. We will send you the new date.",
];

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/board", show)
        .get("/board.json", now)
        .post("/board/tasks/{task}", close_task)
        .post("/board/clinics/cancel", cancel_clinic);
}

/// Set by a form's answer, shown once.
#[derive(Default, Deserialize)]
struct Said {
    cancelled: Option<i64>,
}

async fn show(request: HttpRequest, said: web::Query<Said>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let (trust, name) = own_trust(&reader).await?;
        let (mut body, shown) = body(&reader, trust, name).await?;
        body.notice = said.cancelled.map(|number| {
            let who = if number == 1 {
                "1 patient is".to_owned()
            } else {
                format!("{number} patients are")
            };
            format!("Clinic cancelled. {who} being told now, on every channel we have.")
        });
        let chrome = Chrome {
            area: "board",
            nav: Vec::new(),
            live: live("/board.json", "/board", "Check the board again"),
            ..reader.chrome("Booking office", "/board")
        };
        let (portal, account) = reader.done();
        look::at_board(&portal.store, account, trust, &shown).await?;
        Ok(render(&request, "board.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async {
        let reader = Reader::glance(&request).await?;
        let (trust, name) = own_trust(&reader).await?;
        let (body, shown) = body(&reader, trust, name).await?;
        let (portal, account) = reader.done();
        look::at_board(&portal.store, account, trust, &shown).await?;
        Ok(HttpResponse::Ok().json(body))
    })
    .await
}

/// Whoever is not staff finds no board.
pub(super) async fn own_trust(reader: &Reader) -> Result<(TrustId, String), Failure> {
    pages::staff_trust(&reader.tx, reader.session.account)
        .await?
        .ok_or(Failure::NotFound)
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    outcome: String,
}

async fn close_task(
    request: HttpRequest,
    task: web::Path<Uuid>,
    form: web::Form<Outcome>,
) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        if !reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let (trust, _) = own_trust(&reader).await?;
        opening::task(&reader, trust, task.into_inner().into(), &form.outcome).await?;
        Ok(see_other("/board"))
    };
    page(&request, work).await
}

#[derive(Deserialize)]
struct Cancel {
    #[serde(default)]
    csrf: String,
    /// `CODE|2026-11-24`, as the select box sent it.
    #[serde(default)]
    session: String,
    #[serde(default)]
    reason: usize,
}

async fn cancel_clinic(request: HttpRequest, form: web::Form<Cancel>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        if !reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let (trust, _) = own_trust(&reader).await?;
        let (code, day) = form.session.rsplit_once('|').ok_or(Failure::NotFound)?;
        let day: NaiveDate = day.parse().map_err(|_| Failure::NotFound)?;
        let reason = REASONS.get(form.reason).ok_or(Failure::NotFound)?;
        let cancelled = opening::clinic(&reader, trust, code, day, reason).await?;
        Ok(see_other(&format!("/board?cancelled={cancelled}")))
    };
    page(&request, work).await
}

/// The board, and whose names are on it.
async fn body(
    reader: &Reader,
    trust: TrustId,
    name: String,
) -> Result<(BoardBody, OnBoard), Failure> {
    let board = pages::board(&reader.tx, trust).await?;
    let items = |found: &[ItemView]| found.iter().map(item_row).collect::<Vec<_>>();
    let reasons = REASONS
        .iter()
        .enumerate()
        .map(|(number, text)| choice((*text).to_owned(), number.to_string()));
    let body = BoardBody {
        trust: name,
        notice: None,
        waiting: board.counts.waiting,
        opened: board.counts.opened,
        posted: board.counts.posted,
        told: board.counts.told,
        no_tasks: board.tasks.is_empty(),
        tasks: board.tasks.iter().map(task_row).collect(),
        no_clinics: board.clinics.is_empty(),
        clinics: board
            .clinics
            .iter()
            .map(|clinic| clinic_row(clinic, board.now))
            .collect(),
        sessions: board.sessions.iter().map(session_choice).collect(),
        reasons: reasons.collect(),
        no_unread: board.unread.is_empty(),
        unread: items(&board.unread),
        no_notices: board.notices.is_empty(),
        notices: items(&board.notices),
        no_settled: board.settled.is_empty(),
        settled: items(&board.settled),
        no_quarantine: board.quarantine.is_empty(),
        quarantine: board.quarantine.iter().map(quarantine_row).collect(),
        no_requests: board.requests.is_empty(),
        requests: board.requests.iter().map(requests::row).collect(),
    };
    Ok((body, shown(&board)))
}

/// Everybody whose name is on it.
fn shown(board: &Board) -> OnBoard {
    let lists = [&board.unread, &board.notices, &board.settled];
    OnBoard {
        cases: lists.into_iter().flatten().map(|item| item.id).collect(),
        tasks: board.tasks.iter().map(|task| task.id.as_uuid()).collect(),
        requests: board.requests.iter().map(|request| request.id).collect(),
    }
}

fn choice(text: String, value: String) -> Choice {
    Choice {
        id: value.clone(),
        text,
        value,
        href: String::new(),
        current: false,
    }
}

fn item_row(item: &ItemView) -> ItemRow {
    let standing = item.facts.standing(&item.policy, calendars());
    let promise = promise::line(
        &standing,
        Audience::Trust,
        item.policy.precision,
        local_date(item.now),
    );
    let (tag, tone) = tag_of(&standing);
    let promise = if matches!(standing, Standing::Posted { .. }) {
        format!("{promise}. Nothing for you to do.")
    } else {
        promise
    };
    ItemRow {
        id: item.id.to_string(),
        name: item.name.clone(),
        what: format!("{}, {}", item.title, item.clinic),
        tag,
        tone,
        promise,
    }
}

fn tag_of(standing: &Standing<'_>) -> (&'static str, &'static str) {
    match standing {
        Standing::WillPost { .. } | Standing::New => ("Waiting", "blue"),
        Standing::WillPhone { .. } => ("To phone", "orange"),
        Standing::GoesByPost { .. } | Standing::HospitalPosts | Standing::BeingPosted { .. } => {
            ("Going by post", "purple")
        }
        Standing::Posted { .. } => ("Posted", "green"),
        Standing::Opened { .. } | Standing::OpenedAfterPosting { .. } => ("Opened", "green"),
        Standing::ToldByPhone { .. } => ("Told by phone", "green"),
        Standing::WithTheHospital | Standing::NotMine { .. } => ("With a person", "orange"),
        Standing::Withdrawn { .. } | Standing::Superseded { .. } => ("Withdrawn", "grey"),
    }
}

fn task_row(task: &TaskView) -> TaskRow {
    let calls = matches!(task.kind.as_str(), "phone" | "no_address");
    let by = words::by(task.latest_useful_at.unwrap_or(task.due_at), task.now);
    let given = task.given_name.as_deref().unwrap_or("the patient");
    let overdue = task.due_at <= task.now;
    TaskRow {
        id: task.id.to_string(),
        title: if calls {
            format!("Phone {given} by {by}")
        } else {
            title_of(&task.kind).to_owned()
        },
        name: task.name.clone().unwrap_or_default(),
        phone: task.phone.as_deref().map(words::phone),
        due: if overdue {
            "Due now".to_owned()
        } else {
            format!("Due {}", words::by(task.due_at, task.now))
        },
        tone: if overdue { "red" } else { "orange" },
        why: why(task),
        script: calls.then(|| script(task)),
        tries: (task.tries > 0).then(|| {
            format!(
                "Tried {}: no answer",
                words::count(task.tries.into(), "time")
            )
        }),
        url: format!("/board/tasks/{}", task.id),
        calls,
        resolves: !calls && !matches!(task.kind.as_str(), "not_mine" | "change_request"),
        accepts: task.kind == "not_mine",
    }
}

fn title_of(kind: &str) -> &'static str {
    match kind {
        "print_unacknowledged" => "The print house has not confirmed a batch",
        "print_rejected" => "The print house refused a letter",
        "returned_post" => "A letter came back",
        "correction" => "Tell the patient what is right",
        "quarantine" => "Look at input we could not take",
        "change_request" => "Answer a request to change an appointment",
        "not_mine" => "A patient says that a letter is not theirs",
        "failed_opening" => "A patient could not open a letter",
        _ => "Something needs a person",
    }
}

fn why(task: &TaskView) -> String {
    let clinic = task.clinic.as_deref().unwrap_or("The clinic");
    let when = task
        .appointment_at
        .map(|at| format!(", {} {}", words::short_day(at), words::time(at)))
        .unwrap_or_default();
    match (task.kind.as_str(), &task.title, &task.detail) {
        ("not_mine", Some(title), _) => format!(
            "“{title}” ({clinic}{when}) was reported as somebody else’s. Nobody can read it, and it is not posted. Information governance or a manager takes it on; then find out whose it is, and withdraw it."
        ),
        (_, _, Some(detail)) => detail.clone(),
        ("phone", None, _) if task.appointment_cancelled => format!(
            "{clinic}{when}, is cancelled, and has not been read. Paper would come too late."
        ),
        ("phone", None, _) => {
            format!("{clinic}{when}, has not been read. Paper would come too late.")
        }
        ("phone", Some(title), _) => {
            format!("“{title}” ({clinic}{when}) has not been opened. Paper would come too late.")
        }
        ("no_address", _, _) => format!("{clinic}{when}: there is no address to post to."),
        ("change_request", _, _) => format!(
            "{clinic}{when}: the patient has waited a working day. Answer it under “Requests” below."
        ),
        (_, Some(title), _) => format!("“{title}” ({clinic}{when})"),
        (_, None, _) => format!("{clinic}{when}"),
    }
}

/// What to say. Names nothing that the patient's household should not hear before the patient has come to the phone.
fn script(task: &TaskView) -> String {
    let clinic = task.clinic.as_deref().unwrap_or("hospital");
    let when = task
        .appointment_at
        .map(|at| format!(" on {} at {}", words::day(at), words::time(at)))
        .unwrap_or_default();
    match (&task.title, task.appointment_cancelled) {
        (None, true) => format!(
            "Say, to the patient only: “Your {clinic} appointment{when} is cancelled. You do not need to come. We will send you a new date.”"
        ),
        (None, false) => format!(
            "Say, to the patient only: “You have a {clinic} appointment{when}. Can you come?”"
        ),
        (Some(_), _) => format!(
            "Say, to the patient only: “There is a letter for you about your {clinic} appointment{when}. Can you sign in and open it today?”"
        ),
    }
}

fn clinic_row(clinic: &ClinicView, now: DateTime<Utc>) -> ClinicRow {
    let all = clinic.told == clinic.patients;
    let at = if local_date(clinic.changed_at) == local_date(now) {
        "today".to_owned()
    } else {
        words::short_day(clinic.changed_at)
    };
    ClinicRow {
        id: format!("{}|{}", clinic.code, clinic.starts_at.timestamp()),
        title: format!(
            "{}, {} {}",
            clinic.clinic,
            words::short_day(clinic.starts_at),
            words::time(clinic.starts_at)
        ),
        facts: format!(
            "Cancelled {at} at {}, {}",
            words::clock(clinic.changed_at),
            words::count(clinic.patients, "patient")
        ),
        told: format!("{} of {} told", clinic.told, clinic.patients),
        tone: if all { "green" } else { "yellow" },
    }
}

fn session_choice(session: &SessionView) -> Choice {
    let text = format!(
        "{}, {} {}, {}",
        session.clinic,
        words::short_day(session.starts_at),
        words::time(session.starts_at),
        words::count(session.patients, "patient")
    );
    let text = match session.coming {
        0 => text,
        coming => format!("{text}, {coming} will be there"),
    };
    choice(text, format!("{}|{}", session.code, session.day))
}

fn quarantine_row(input: &QuarantineView) -> QuarantineRow {
    let source = input.source_id.as_deref().unwrap_or("without a reference");
    QuarantineRow {
        id: input.id.to_string(),
        title: format!("{} {source}", capital(&input.kind)),
        detail: input.detail.clone(),
        since: format!("since {}", words::date_and_time(input.created_at)),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
