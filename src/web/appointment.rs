//! One appointment: its details, the calendar file, "I'll be there", and asking the hospital for a change.
//!
//! Opening the details is the read, so a change that is unread opens by a form; a GET shows the patient only what has
//! been read. Nothing here changes an appointment: the hospital does.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::appointment::AppointmentState;
use letterbox_domain::change_request::{RequestState, Way, Wish, way};
use letterbox_domain::event::ItemRef;
use letterbox_domain::id::{AppointmentId, GrantId};
use letterbox_domain::letter::LetterState;
use serde::Deserialize;
use uuid::Uuid;

use super::appointments::{list_of, promise_of, sees, tag, url_of};
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{AppointmentBody, Fact, RequestBody};
use super::page::{render, see_other};
use super::portal::{Desk, Reader, live};
use super::{hiding, ics, opening, words};
use crate::commands::change_appointment::{AskAnswer, ask_change, say_coming, take_back_change};
use crate::commands::look::Closed;
use crate::commands::{CommandError, calendars, look};
use crate::store::pages::{self, AppointmentView, RequestView};

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    csrf: String,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    wish: String,
    #[serde(default)]
    note: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/appointments/{appointment}", own)
        .get("/my-health/appointments/{appointment}/now.json", own_now)
        .post("/my-health/appointments/{appointment}/open", open_own)
        .get("/my-health/appointments/{appointment}/calendar.ics", file)
        .post("/my-health/appointments/{appointment}/coming", coming)
        .get("/my-health/appointments/{appointment}/request", form)
        .post("/my-health/appointments/{appointment}/request", ask)
        .post(
            "/my-health/appointments/{appointment}/request/take-back",
            take_back,
        )
        .get("/people/{grant}/appointments/{appointment}", shared)
        .get(
            "/people/{grant}/appointments/{appointment}/now.json",
            shared_now,
        )
        .post(
            "/people/{grant}/appointments/{appointment}/open",
            open_shared,
        );
}

type Own = web::Path<Uuid>;
type Shared = web::Path<(Uuid, Uuid)>;

async fn own(request: HttpRequest, path: Own) -> HttpResponse {
    page(&request, details(&request, None, path.into_inner())).await
}

async fn shared(request: HttpRequest, path: Shared) -> HttpResponse {
    let (grant, appointment) = path.into_inner();
    page(&request, details(&request, Some(grant.into()), appointment)).await
}

async fn own_now(request: HttpRequest, path: Own) -> HttpResponse {
    data(now(&request, None, path.into_inner())).await
}

async fn shared_now(request: HttpRequest, path: Shared) -> HttpResponse {
    let (grant, appointment) = path.into_inner();
    data(now(&request, Some(grant.into()), appointment)).await
}

async fn open_own(request: HttpRequest, path: Own, form: web::Form<Sent>) -> HttpResponse {
    page(&request, open(&request, None, path.into_inner(), &form)).await
}

async fn open_shared(request: HttpRequest, path: Shared, form: web::Form<Sent>) -> HttpResponse {
    let (grant, appointment) = path.into_inner();
    page(
        &request,
        open(&request, Some(grant.into()), appointment, &form),
    )
    .await
}

async fn found(desk: &Desk, appointment: Uuid) -> Result<AppointmentView, Failure> {
    let found = pages::appointment(&desk.reader.tx, appointment.into()).await?;
    found
        .filter(|appointment| appointment.patient == desk.patient && sees(desk, appointment))
        .ok_or(Failure::NotFound)
}

fn is_read(appointment: &AppointmentView) -> bool {
    appointment.facts.state == LetterState::Opened
}

/// Details that the patient has read; otherwise back to the list. A carer sees what is shared, which reads nothing.
async fn details(
    request: &HttpRequest,
    grant: Option<GrantId>,
    appointment: Uuid,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::of(request).await?, grant).await?;
    let appointment = match found(&desk, appointment).await {
        Err(Failure::NotFound) => {
            let from = Closed::Item(ItemRef::Appointment(appointment.into()));
            return Err(desk.reader.turned_away(from).await);
        }
        found => found?,
    };
    if desk.viewing.is_none() && !is_read(&appointment) {
        return Ok(see_other(&url_of(&desk, list_of(&appointment))));
    }
    let body = body(&desk, &appointment);
    let at = format!("{}/{}", desk.appointments_at, appointment.id);
    let mut chrome = desk.chrome_at(&body.title, "/my-health/appointments");
    chrome.live = live(format!("{at}/now.json"), at, "Check for changes");
    let (portal, account) = desk.reader.done();
    look::at_appointment(&portal.store, account, appointment.id).await?;
    Ok(render(request, "appointment.jinja", &chrome, &body))
}

/// What an open page must know: a change that is not on it is only announced, and read by its own form.
async fn now(
    request: &HttpRequest,
    grant: Option<GrantId>,
    appointment: Uuid,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::glance(request).await?, grant).await?;
    let appointment = found(&desk, appointment).await?;
    let body = body(&desk, &appointment);
    let request = body.request.unwrap_or_default();
    let changed = desk.viewing.is_none() && !is_read(&appointment);
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "tag": body.tag, "tone": body.tone, "promise": body.promise, "changed": changed,
        "list_url": body.list_url, "take_back": request.take_back_url.is_some(), "request_words": request.words, "request_message": request.message,
        "announcement": if changed { "This appointment has changed." } else { "" },
    })))
}

async fn open(
    request: &HttpRequest,
    grant: Option<GrantId>,
    appointment: Uuid,
    form: &Sent,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::of(request).await?, grant).await?;
    if !desk.reader.session.verify_csrf(&form.csrf) {
        return Err(Failure::Stale);
    }
    let appointment = found(&desk, appointment).await?;
    opening::appointment(&desk, &appointment).await?;
    Ok(see_other(&format!(
        "{}/{}",
        desk.appointments_at, appointment.id
    )))
}

/// A calendar file is kept: only on a private device, only of what has been read.
async fn file(request: HttpRequest, path: Own) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let appointment = found(&desk, path.into_inner()).await?;
        if !desk.keeps_files() || !is_read(&appointment) {
            let at = format!("{}/{}", desk.appointments_at, appointment.id);
            return Ok(see_other(&at));
        }
        let entry = ics::Entry {
            id: appointment.id.as_uuid(),
            change: appointment.change,
            starts_at: appointment.starts_at,
            minutes: appointment.minutes,
            cancelled: appointment.state == AppointmentState::Cancelled,
            now: appointment.now,
        };
        Ok(HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/calendar; charset=utf-8"))
            .insert_header((
                header::CONTENT_DISPOSITION,
                r#"attachment; filename="appointment.ics""#,
            ))
            .body(ics::file(&entry, "the patient portal")))
    };
    page(&request, work).await
}

async fn coming(request: HttpRequest, path: Own, form: web::Form<Sent>) -> HttpResponse {
    let work = async {
        let (desk, id) = vouched(&request, path.into_inner(), &form.csrf).await?;
        let (store, account) = (&desk.reader.portal.store, desk.reader.session.account);
        answered(&desk, id, say_coming(store, account, id).await?)
    };
    page(&request, work).await
}

async fn take_back(request: HttpRequest, path: Own, form: web::Form<Sent>) -> HttpResponse {
    let work = async {
        let (desk, id) = vouched(&request, path.into_inner(), &form.csrf).await?;
        let (store, account) = (&desk.reader.portal.store, desk.reader.session.account);
        answered(&desk, id, take_back_change(store, account, id).await?)
    };
    page(&request, work).await
}

/// The form with what asking means; where asking is not for now, back to the details, which say why.
async fn form(request: HttpRequest, path: Own) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let appointment = found(&desk, path.into_inner()).await?;
        let body = body(&desk, &appointment);
        if body.ask_url.is_none() {
            let at = format!("{}/{}", desk.appointments_at, appointment.id);
            return Ok(see_other(&at));
        }
        let chrome = desk.chrome_at("Ask for a change", "/my-health/appointments");
        Ok(render(&request, "request.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn ask(request: HttpRequest, path: Own, form: web::Form<Asked>) -> HttpResponse {
    let work = async {
        let (desk, id) = vouched(&request, path.into_inner(), &form.csrf).await?;
        let wish = Wish::from_name(&form.wish).ok_or(Failure::TooLate(
            "Choose whether you want to cancel or another time. Go back and choose one. Nothing was changed.",
        ))?;
        let note = Some(form.note.trim()).filter(|note| !note.is_empty());
        let (store, account) = (&desk.reader.portal.store, desk.reader.session.account);
        match ask_change(store, account, id, wish, note).await {
            Ok(answer) => answered(&desk, id, answer),
            Err(CommandError::Refused(_)) => Err(Failure::TooLate(
                "Your message is too long. Go back and use 500 characters at most. Nothing was changed.",
            )),
            Err(CommandError::Store(error)) => Err(error.into()),
        }
    };
    page(&request, work).await
}

async fn vouched(
    request: &HttpRequest,
    appointment: Uuid,
    csrf: &str,
) -> Result<(Desk, AppointmentId), Failure> {
    let desk = Desk::of(Reader::of(request).await?, None).await?;
    if !desk.reader.session.verify_csrf(csrf) {
        return Err(Failure::Stale);
    }
    let id = found(&desk, appointment).await?.id;
    Ok((desk, id))
}

fn answered(desk: &Desk, id: AppointmentId, answer: AskAnswer) -> Result<HttpResponse, Failure> {
    match answer {
        AskAnswer::NotFound => Err(Failure::NotFound),
        AskAnswer::TooLate => Err(Failure::TooLate(
            "The appointment has changed, or has begun. Look at its details again.",
        )),
        AskAnswer::Phone => Err(Failure::TooLate(
            "The appointment is less than 2 working days away. Phone the hospital: the number is with the appointment’s details. Your appointment still stands.",
        )),
        AskAnswer::Unchanged => Ok(see_other(&format!("{}/{id}", desk.appointments_at))),
        AskAnswer::Done { events } => {
            desk.reader.portal.heard(events);
            Ok(see_other(&format!("{}/{id}", desk.appointments_at)))
        }
    }
}

fn body(desk: &Desk, appointment: &AppointmentView) -> AppointmentBody {
    let (tag, tone) = tag(appointment);
    let cancelled = appointment.state == AppointmentState::Cancelled;
    let stands = !cancelled && is_read(appointment);
    let own = desk.viewing.is_none();
    let at = format!("{}/{}", desk.appointments_at, appointment.id);
    let asking = way(appointment.starts_at, appointment.now, calendars());
    let pending = appointment
        .request
        .as_ref()
        .is_some_and(RequestView::is_pending);
    let reason = appointment
        .cancel_reason
        .as_deref()
        .unwrap_or("The clinic will tell you what happens next.");
    let text = |text: &Option<String>| {
        let text = text.as_deref().filter(|_| !cancelled);
        text.map(words::paragraphs).unwrap_or_default()
    };
    AppointmentBody {
        title: format!(
            "{}, {}",
            appointment.clinic,
            words::day(appointment.starts_at)
        ),
        back_url: url_of(desk, list_of(appointment)),
        tag,
        tone,
        promise: promise_of(desk, appointment),
        cancelled: cancelled.then(|| format!("You do not need to come. {reason}")),
        facts: facts(appointment, cancelled),
        bring: text(&appointment.bring),
        instructions: text(&appointment.instructions),
        clinic: appointment.clinic.clone(),
        contact: words::contact(
            &appointment.contact_phone,
            appointment.contact_hours.as_deref(),
        ),
        email: appointment.contact_email.clone(),
        over: asking == Way::Over,
        soon: stands && asking == Way::Phone,
        ics_url: (own && stands && desk.keeps_files()).then(|| format!("{at}/calendar.ics")),
        coming: appointment.coming_at.filter(|_| stands).map(|at| {
            format!(
                "You told the hospital on {} that you will be there.",
                words::short_day(at)
            )
        }),
        coming_url: (own
            && stands
            && asking != Way::Over
            && appointment.coming_at.is_none()
            && !pending)
            .then(|| format!("{at}/coming")),
        ask_url: (own && stands && asking == Way::Online && !pending)
            .then(|| format!("{at}/request")),
        request: appointment
            .request
            .as_ref()
            .filter(|_| own && !cancelled)
            .map(|request| request_body(request, &at)),
        list_url: url_of(desk, list_of(appointment)),
        hide: hiding::button(desk, &at, appointment.hidden),
    }
}

fn facts(appointment: &AppointmentView, cancelled: bool) -> Vec<Fact> {
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
    facts
}

fn request_body(request: &RequestView, at: &str) -> RequestBody {
    let wanted = match request.wish {
        Wish::Cancel => "to cancel this appointment",
        Wish::Rebook => "for another time",
    };
    let asked = format!(
        "You asked the hospital {wanted} on {}.",
        words::short_day(request.asked_at)
    );
    let became = match request.state {
        RequestState::Pending => "Your appointment still stands until the hospital confirms.",
        RequestState::Accepted => {
            "The hospital has agreed. You will see the change here as soon as it is made; until then your appointment stands."
        }
        RequestState::Declined => "The hospital cannot do that. Your appointment stands.",
        RequestState::TakenBack => "You have taken that back. Your appointment stands.",
        RequestState::Overtaken => "The hospital has changed the appointment since.",
    };
    RequestBody {
        words: format!("{asked} {became}"),
        message: request
            .message
            .as_ref()
            .map(|message| format!("The hospital says: {message}")),
        take_back_url: request
            .is_pending()
            .then(|| format!("{at}/request/take-back")),
    }
}
