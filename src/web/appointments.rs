//! My health → Appointments: three lists, and the details of one.
//!
//! Opening the details is the read, so a change that is unread opens by a form; a GET shows only what has been read.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::appointment::{AppointmentList, AppointmentState};
use letterbox_domain::letter::LetterState;
use letterbox_domain::promise::{self, Audience};
use letterbox_domain::time::local_date;
use serde::Deserialize;
use uuid::Uuid;

use super::documents::tag_of;
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{AppointmentBody, AppointmentRow, AppointmentsBody, Choice, Fact};
use super::page::{render, see_other};
use super::portal::{Desk, Reader, live};
use super::{hiding, opening, words};
use crate::commands::calendars;
use crate::store::pages::{self, AppointmentView};

/// Appointments looked through for one list: ten years of monthly visits.
const APPOINTMENTS: i64 = 120;

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    list: String,
}

#[derive(Deserialize)]
struct Opening {
    #[serde(default)]
    csrf: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/appointments", show)
        .get("/my-health/appointments.json", rows)
        .get("/my-health/appointments/{appointment}", details)
        .post("/my-health/appointments/{appointment}/open", open);
}

async fn show(request: HttpRequest, which: web::Query<Which>) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let body = body(&desk, list_named(&which.list)).await?;
        let mut chrome = desk
            .reader
            .chrome("Appointments", "/my-health/appointments");
        let query = if which.list.is_empty() {
            String::new()
        } else {
            format!("?list={}", name_of(list_named(&which.list)))
        };
        chrome.live = live(
            format!("/my-health/appointments.json{query}"),
            format!("/my-health/appointments{query}"),
            "Check for changes",
        );
        Ok(render(&request, "appointments.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn rows(request: HttpRequest, which: web::Query<Which>) -> HttpResponse {
    data(async {
        let desk = Desk::of(Reader::glance(&request).await?, None).await?;
        Ok(HttpResponse::Ok().json(body(&desk, list_named(&which.list)).await?))
    })
    .await
}

/// The details of an appointment whose latest change has been read; otherwise back to the list.
async fn details(request: HttpRequest, appointment: web::Path<Uuid>) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let appointment = found(&desk, appointment.into_inner()).await?;
        if appointment.facts.state != LetterState::Opened {
            return Ok(see_other(&list_url(list_of(&appointment))));
        }
        let mut body = details_of(&appointment, promise_of(&appointment));
        let at = format!("/my-health/appointments/{}", appointment.id);
        body.hide = hiding::button(&desk, &at, appointment.hidden);
        Ok(render(
            &request,
            "appointment.jinja",
            &desk.reader.chrome(&body.title, "/my-health/appointments"),
            &body,
        ))
    };
    page(&request, work).await
}

async fn open(
    request: HttpRequest,
    appointment: web::Path<Uuid>,
    form: web::Form<Opening>,
) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        if !desk.reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let appointment = found(&desk, appointment.into_inner()).await?;
        opening::appointment(&desk, &appointment).await?;
        Ok(see_other(&format!(
            "/my-health/appointments/{}",
            appointment.id
        )))
    };
    page(&request, work).await
}

async fn found(desk: &Desk, appointment: Uuid) -> Result<AppointmentView, Failure> {
    let found = pages::appointment(&desk.reader.tx, appointment.into()).await?;
    found
        .filter(|appointment| appointment.patient == desk.patient)
        .ok_or(Failure::NotFound)
}

fn list_of(appointment: &AppointmentView) -> AppointmentList {
    appointment
        .state
        .list(appointment.starts_at, appointment.now)
}

fn list_named(name: &str) -> AppointmentList {
    match name {
        "past" => AppointmentList::Past,
        "cancelled" => AppointmentList::Cancelled,
        _ => AppointmentList::Upcoming,
    }
}

fn name_of(list: AppointmentList) -> &'static str {
    match list {
        AppointmentList::Upcoming => "upcoming",
        AppointmentList::Past => "past",
        AppointmentList::Cancelled => "cancelled",
    }
}

fn list_url(list: AppointmentList) -> String {
    match list {
        AppointmentList::Upcoming => "/my-health/appointments".to_owned(),
        other => format!("/my-health/appointments?list={}", name_of(other)),
    }
}

async fn body(desk: &Desk, list: AppointmentList) -> Result<AppointmentsBody, Failure> {
    let mut found = pages::appointments(&desk.reader.tx, desk.patient, APPOINTMENTS).await?;
    let unread_elsewhere = |wanted| {
        found
            .iter()
            .filter(|one| list_of(one) == wanted && one.facts.state != LetterState::Opened)
            .count()
    };
    let choice = |text: &str, wanted| {
        let unread = unread_elsewhere(wanted);
        let text = if unread > 0 {
            format!("{text} ({unread} new)")
        } else {
            text.to_owned()
        };
        Choice {
            id: name_of(wanted).to_owned(),
            text,
            value: String::new(),
            href: list_url(wanted),
            current: wanted == list,
        }
    };
    let choices = vec![
        choice("Upcoming", AppointmentList::Upcoming),
        choice("Past", AppointmentList::Past),
        choice("Cancelled", AppointmentList::Cancelled),
    ];
    found.retain(|one| list_of(one) == list);
    if list == AppointmentList::Upcoming {
        found.reverse();
    }
    let (list_heading, empty_words) = match list {
        AppointmentList::Upcoming => ("Upcoming", "You have no upcoming appointments."),
        AppointmentList::Past => ("Past", "You have no past appointments here."),
        AppointmentList::Cancelled => ("Cancelled", "No appointment has been cancelled."),
    };
    let appointments: Vec<AppointmentRow> = found.iter().map(row).collect();
    Ok(AppointmentsBody {
        heading: "Appointments".to_owned(),
        list_heading,
        choices,
        empty: appointments.is_empty(),
        appointments,
        empty_words,
    })
}

fn promise_of(appointment: &AppointmentView) -> String {
    let standing = appointment.facts.standing(&appointment.policy, calendars());
    promise::line(
        &standing,
        Audience::Patient,
        appointment.policy.precision,
        local_date(appointment.now),
    )
}

fn tag(appointment: &AppointmentView) -> (&'static str, &'static str) {
    match appointment.state {
        AppointmentState::Cancelled => ("Cancelled", "red"),
        AppointmentState::Booked if appointment.facts.state == LetterState::Opened => {
            ("Booked", "green")
        }
        AppointmentState::Booked => {
            tag_of(&appointment.facts.standing(&appointment.policy, calendars()))
        }
    }
}

fn row(appointment: &AppointmentView) -> AppointmentRow {
    let at = format!("/my-health/appointments/{}", appointment.id);
    let read = appointment.facts.state == LetterState::Opened;
    let (tag, tone) = tag(appointment);
    AppointmentRow {
        id: appointment.id.to_string(),
        when: words::day_and_time(appointment.starts_at),
        clinic: appointment.clinic.clone(),
        trust: appointment.trust.clone(),
        tag,
        tone,
        promise: promise_of(appointment),
        open_url: (!read).then(|| format!("{at}/open")),
        details_url: read.then_some(at),
    }
}

fn details_of(appointment: &AppointmentView, promise: String) -> AppointmentBody {
    let (tag, tone) = tag(appointment);
    let cancelled = appointment.state == AppointmentState::Cancelled;
    let mut facts = vec![
        Fact::new("Date", words::day(appointment.starts_at)),
        Fact::new("Time", words::time(appointment.starts_at)),
        Fact::new("Clinic", &appointment.clinic),
        Fact::new("Place", &appointment.location),
        Fact::new("Hospital", &appointment.trust),
    ];
    if let Some(minutes) = appointment.minutes.filter(|_| !cancelled) {
        facts.insert(2, Fact::new("How long", format!("about {minutes} minutes")));
    }
    let reason = appointment
        .cancel_reason
        .as_deref()
        .unwrap_or("The clinic will tell you what happens next.");
    let instructions = appointment.instructions.as_deref().filter(|_| !cancelled);
    AppointmentBody {
        title: format!(
            "{}, {}",
            appointment.clinic,
            words::day(appointment.starts_at)
        ),
        back_url: list_url(list_of(appointment)),
        tag,
        tone,
        promise,
        cancelled: cancelled.then(|| format!("You do not need to come. {reason}")),
        facts,
        instructions: instructions.map(words::paragraphs).unwrap_or_default(),
        hide: None,
        clinic: appointment.clinic.clone(),
        contact: words::contact(
            &appointment.contact_phone,
            appointment.contact_hours.as_deref(),
        ),
    }
}
