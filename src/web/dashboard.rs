//! The first page: for a patient the dashboard, for a carer the people they help, for staff their board.

use actix_web::{HttpRequest, HttpResponse};
use letterbox_domain::appointment::{AppointmentList, AppointmentState};
use letterbox_domain::letter::LetterState;

use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{Card, DashboardBody};
use super::page::{render, see_other};
use super::portal::{Desk, Portal, Reader, live};
use super::words;
use crate::identity::session::{AccountKind, SignedIn};
use crate::store::pages;

/// Looked through for the numbers on the cards.
const LOOKED_THROUGH: i64 = 50;

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors.get("/", start).get("/dashboard.json", now);
}

async fn start(request: HttpRequest) -> HttpResponse {
    page(&request, first(&request)).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async {
        let desk = Desk::of(Reader::glance(&request).await?, None).await?;
        Ok(HttpResponse::Ok().json(body(&desk).await?))
    })
    .await
}

async fn first(request: &HttpRequest) -> Result<HttpResponse, Failure> {
    let Some(session) = SignedIn::of(request).await? else {
        return nobody(request);
    };
    if session.kind == AccountKind::Staff {
        return Ok(see_other("/board"));
    }
    let reader = Reader::of(request).await?;
    if reader.person.mailbox.is_none() {
        return Ok(see_other("/people"));
    }
    let desk = Desk::of(reader, None).await?;
    let body = body(&desk).await?;
    let mut chrome = desk.reader.chrome("Dashboard", "/");
    chrome.live = live("/dashboard.json", "/", "Check for new letters");
    Ok(render(request, "dashboard.jinja", &chrome, &body))
}

/// Nobody is signed in: in a demonstration the way to become somebody, otherwise to sign in.
fn nobody(request: &HttpRequest) -> Result<HttpResponse, Failure> {
    let portal = Portal::of(request)?;
    if let Some(demo) = &portal.demo {
        return Ok(see_other(demo.front_door(request)));
    }
    Ok(see_other("/login"))
}

async fn body(desk: &Desk) -> Result<DashboardBody, Failure> {
    let given = desk.reader.person.given_name.as_deref().unwrap_or("there");
    let mut cards = vec![
        letters(desk).await?,
        appointments(desk).await?,
        circle(desk).await?,
    ];
    if desk.reader.person.helps_others {
        cards.push(card(
            "people",
            "People you help",
            "See what they share with you".to_owned(),
            "/people",
        ));
    }
    let note = "Your letters come here first. We post any letter that you do not open in time, so you never miss one.";
    Ok(DashboardBody {
        greeting: format!("Hello {given}"),
        cards,
        note: Some(note.to_owned()),
    })
}

fn card(id: &'static str, title: &str, text: String, href: &'static str) -> Card {
    Card {
        id,
        title: title.to_owned(),
        text,
        href,
    }
}

async fn letters(desk: &Desk) -> Result<Card, Failure> {
    let found = pages::letters(&desk.reader.tx, desk.patient, None, LOOKED_THROUGH).await?;
    let unread = found
        .iter()
        .filter(|letter| letter.facts.state == LetterState::Published)
        .count();
    let text = if unread == 0 {
        "No new letters".to_owned()
    } else {
        words::count(unread as i64, "new letter")
    };
    Ok(card("letters", "Letters", text, "/my-health/documents"))
}

async fn appointments(desk: &Desk) -> Result<Card, Failure> {
    let found = pages::appointments(&desk.reader.tx, desk.patient, LOOKED_THROUGH).await?;
    let changed = found
        .iter()
        .filter(|one| one.facts.state != LetterState::Opened);
    let cancelled = changed
        .clone()
        .filter(|one| one.state == AppointmentState::Cancelled)
        .count();
    let next = found
        .iter()
        .rev()
        .find(|one| one.state.list(one.starts_at, one.now) == AppointmentList::Upcoming);
    let text = match (cancelled, changed.count(), next) {
        (1.., _, _) => format!(
            "{} cancelled",
            words::count(cancelled as i64, "appointment")
        ),
        (_, changed @ 1.., _) => words::count(changed as i64, "new appointment"),
        (_, _, Some(next)) => format!("Next: {}", words::day_and_time(next.starts_at)),
        _ => "None to come".to_owned(),
    };
    let href = if cancelled > 0 {
        "/my-health/appointments/cancelled"
    } else {
        "/my-health/appointments"
    };
    Ok(card("appointments", "Appointments", text, href))
}

async fn circle(desk: &Desk) -> Result<Card, Failure> {
    let carers = pages::carers(&desk.reader.tx, desk.patient).await?;
    let names: Vec<&str> = carers
        .iter()
        .filter(|carer| carer.revoked_at.is_none())
        .map(|carer| carer.name.as_str())
        .collect();
    let text = if names.is_empty() {
        "You share with nobody".to_owned()
    } else {
        format!("You share with {}", names.join(" and "))
    };
    Ok(card(
        "circle",
        "Circle of care",
        text,
        "/connect/circle-of-care",
    ))
}
