//! My health → Appointments: the month, and three lists; the same lists of a mailbox that is shared.
//!
//! Shows what stands where; opening an appointment's details is the next file's.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{Datelike, NaiveDate};
use letterbox_domain::appointment::{AppointmentList, AppointmentState};
use letterbox_domain::id::GrantId;
use letterbox_domain::letter::LetterState;
use letterbox_domain::month::Month;
use letterbox_domain::promise::{self, Audience};
use letterbox_domain::time::{local_date, start_of};
use serde::Deserialize;
use uuid::Uuid;

use super::documents::tag_of;
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{
    AppointmentRow, AppointmentsBody, CalendarBody, CalendarDay, CalendarWeek, Choice,
};
use super::page::{render, see_other};
use super::portal::{Desk, Reader, live};
use super::words;
use crate::commands::calendars;
use crate::store::pages::{self, AppointmentView};

/// Appointments looked through for one page: ten years of monthly visits.
const APPOINTMENTS: i64 = 120;

/// Shown below the calendar while no day is chosen.
const COMING_NEXT: usize = 5;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Which part: a list by name, or a month with perhaps a day.
#[derive(Clone, Default, Deserialize)]
struct Which {
    #[serde(default)]
    list: String,
    #[serde(default)]
    month: String,
    #[serde(default)]
    day: String,
}

impl Which {
    fn day(&self) -> Option<NaiveDate> {
        let day: NaiveDate = self.day.parse().ok()?;
        Month::parse(&Month::of(day).to_string()).map(|_| day)
    }

    fn month(&self, today: NaiveDate) -> Month {
        let chosen = || self.day().map(Month::of);
        Month::parse(&self.month)
            .or_else(chosen)
            .unwrap_or_else(|| Month::of(today))
    }
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/appointments", calendar)
        .get("/my-health/appointments.json", calendar_now)
        .get("/my-health/appointments/upcoming", upcoming)
        .get("/my-health/appointments/past", past)
        .get("/my-health/appointments/cancelled", cancelled)
        .get("/my-health/appointments/lists.json", list_now)
        .get("/people/{grant}/appointments", shared)
        .get("/people/{grant}/appointments.json", shared_now);
}

async fn calendar(request: HttpRequest, which: web::Query<Which>) -> HttpResponse {
    let work = async {
        if !which.list.is_empty() {
            return Ok(see_other(&list_url(
                "/my-health/appointments",
                list_named(&which.list),
            )));
        }
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let body = month_body(&desk, &which).await?;
        let mut chrome = desk
            .reader
            .chrome("Appointments", "/my-health/appointments");
        let query = month_query(&which);
        chrome.live = live(
            format!("/my-health/appointments.json{query}"),
            format!("/my-health/appointments{query}"),
            "Check for changes",
        );
        Ok(render(&request, "calendar.jinja", &chrome, &body))
    };
    page(&request, work).await
}

/// The same part again; only what can be read is passed on.
fn month_query(which: &Which) -> String {
    let month = Month::parse(&which.month).map(|month| format!("month={month}"));
    let day = which.day().map(|day| format!("day={day}"));
    let parts: Vec<String> = month.into_iter().chain(day).collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("?{}", parts.join("&"))
    }
}

async fn calendar_now(request: HttpRequest, which: web::Query<Which>) -> HttpResponse {
    data(async {
        let desk = Desk::of(Reader::glance(&request).await?, None).await?;
        Ok(HttpResponse::Ok().json(month_body(&desk, &which).await?))
    })
    .await
}

async fn upcoming(request: HttpRequest) -> HttpResponse {
    page(&request, list(&request, None, AppointmentList::Upcoming)).await
}

async fn past(request: HttpRequest) -> HttpResponse {
    page(&request, list(&request, None, AppointmentList::Past)).await
}

async fn cancelled(request: HttpRequest) -> HttpResponse {
    page(&request, list(&request, None, AppointmentList::Cancelled)).await
}

async fn shared(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    which: web::Query<Which>,
) -> HttpResponse {
    let (grant, list_wanted) = (grant.into_inner().into(), list_named(&which.list));
    page(&request, list(&request, Some(grant), list_wanted)).await
}

async fn list_now(request: HttpRequest, which: web::Query<Which>) -> HttpResponse {
    data(list_data(&request, None, &which)).await
}

async fn shared_now(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    which: web::Query<Which>,
) -> HttpResponse {
    data(list_data(&request, Some(grant.into_inner().into()), &which)).await
}

async fn list(
    request: &HttpRequest,
    grant: Option<GrantId>,
    wanted: AppointmentList,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::of(request).await?, grant).await?;
    let body = list_body(&desk, wanted).await?;
    let mut chrome = desk.chrome_at(&body.heading, "/my-health/appointments");
    let source = match &desk.viewing {
        Some(_) => format!("{}.json", desk.appointments_at),
        None => format!("{}/lists.json", desk.appointments_at),
    };
    chrome.live = live(
        format!("{source}?list={}", name_of(wanted)),
        url_of(&desk, wanted),
        "Check for changes",
    );
    Ok(render(request, "appointments.jinja", &chrome, &body))
}

async fn list_data(
    request: &HttpRequest,
    grant: Option<GrantId>,
    which: &Which,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::glance(request).await?, grant).await?;
    Ok(HttpResponse::Ok().json(list_body(&desk, list_named(&which.list)).await?))
}

/// Appointments of this desk that its reader sees, the latest start first.
async fn seen(desk: &Desk) -> Result<Vec<AppointmentView>, Failure> {
    let mut found = pages::appointments(&desk.reader.tx, desk.patient, APPOINTMENTS).await?;
    found.retain(|one| sees(desk, one));
    Ok(found)
}

pub(crate) fn sees(desk: &Desk, appointment: &AppointmentView) -> bool {
    use letterbox_domain::circle::ShareKind;
    let (restricted, hidden) = (appointment.restricted, appointment.hidden);
    desk.viewer
        .sees(ShareKind::Appointments, restricted, hidden)
}

pub(crate) fn list_of(appointment: &AppointmentView) -> AppointmentList {
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

fn list_url(at: &str, list: AppointmentList) -> String {
    format!("{at}/{}", name_of(list))
}

/// Where a list of this desk stands; a carer's lists are one page.
pub(crate) fn url_of(desk: &Desk, list: AppointmentList) -> String {
    match &desk.viewing {
        Some(_) => format!("{}?list={}", desk.appointments_at, name_of(list)),
        None => list_url(&desk.appointments_at, list),
    }
}

const LISTS: [(AppointmentList, &str); 3] = [
    (AppointmentList::Upcoming, "Upcoming"),
    (AppointmentList::Past, "Past"),
    (AppointmentList::Cancelled, "Cancelled"),
];

/// Calendar and lists, with how many changes wait in each.
fn choices(
    desk: &Desk,
    found: &[AppointmentView],
    current: Option<AppointmentList>,
) -> Vec<Choice> {
    let choice = |id: &str, text: String, href: String, current| Choice {
        id: id.to_owned(),
        text,
        value: String::new(),
        href,
        current,
    };
    let calendar = desk.viewing.is_none().then(|| {
        let here = current.is_none();
        choice(
            "calendar",
            "Calendar".to_owned(),
            desk.appointments_at.clone(),
            here,
        )
    });
    let lists = LISTS.map(|(list, text)| {
        let unread = found
            .iter()
            .filter(|one| list_of(one) == list && is_news(desk, one));
        let text = match unread.count() {
            0 => text.to_owned(),
            unread => format!("{text} ({unread} new)"),
        };
        choice(
            name_of(list),
            text,
            url_of(desk, list),
            current == Some(list),
        )
    });
    calendar.into_iter().chain(lists).collect()
}

/// A change that the patient has not read; carers are not counted at.
fn is_news(desk: &Desk, appointment: &AppointmentView) -> bool {
    desk.viewing.is_none() && appointment.facts.state != LetterState::Opened
}

async fn list_body(desk: &Desk, list: AppointmentList) -> Result<AppointmentsBody, Failure> {
    let mut found = seen(desk).await?;
    let choices = choices(desk, &found, Some(list));
    found.retain(|one| list_of(one) == list);
    if list == AppointmentList::Upcoming {
        found.reverse();
    }
    let empty_words = match (list, &desk.viewing) {
        (_, Some(name)) => format!("{name} shares nothing of this kind with you."),
        (AppointmentList::Upcoming, None) => "You have no upcoming appointments.".to_owned(),
        (AppointmentList::Past, None) => "You have no past appointments here.".to_owned(),
        (AppointmentList::Cancelled, None) => "No appointment has been cancelled.".to_owned(),
    };
    let appointments: Vec<AppointmentRow> = found.iter().map(|one| row(desk, one)).collect();
    Ok(AppointmentsBody {
        heading: match &desk.viewing {
            Some(name) => format!("{name}’s appointments"),
            None => "Appointments".to_owned(),
        },
        list_heading: LISTS
            .into_iter()
            .find(|(one, _)| *one == list)
            .map_or("", |(_, text)| text),
        choices,
        empty: appointments.is_empty(),
        appointments,
        empty_words,
        letters_url: desk.viewing.is_some().then(|| desk.letters_at.clone()),
    })
}

async fn month_body(desk: &Desk, which: &Which) -> Result<CalendarBody, Failure> {
    let found = seen(desk).await?;
    let today = local_date(pages::now(&desk.reader.tx).await?);
    let (month, chosen) = (which.month(today), which.day());
    let at = &desk.appointments_at;
    let by_day = by_day(&found, month);
    let mut notes = BTreeMap::new();
    let place = |day: Option<NaiveDate>| calendar_day(at, day, month, today, chosen, &by_day);
    let weeks: Vec<CalendarWeek> = month
        .weeks()
        .into_iter()
        .map(|week| CalendarWeek {
            days: week.map(place).to_vec(),
        })
        .collect();
    let days = weeks.iter().flat_map(|week| &week.days);
    for day in days.filter(|day| day.url.is_some()) {
        if let Some(words) = &day.words {
            notes.insert(day.words_key.clone(), words.clone().into());
        }
        notes.insert(day.has_key.clone(), day.words.is_some().into());
    }
    let news = found.iter().filter(|one| is_news(desk, one));
    let first_news = news.clone().next().map(list_of);
    let below = below(&found, chosen);
    let (list_heading, empty_words) = match chosen {
        Some(day) => (words::day(start_of(day)), "Nothing on this day."),
        None => (
            "Coming next".to_owned(),
            "You have no upcoming appointments.",
        ),
    };
    let name = |month: Month| month.first().format("%B %Y").to_string();
    let to = |month: Month| format!("{at}?month={month}");
    Ok(CalendarBody {
        heading: "Appointments".to_owned(),
        choices: choices(desk, &found, None),
        news: first_news
            .map(|_| format!("{} to read", words::count(news.count() as i64, "change"))),
        news_url: first_news.map(|list| url_of(desk, list)),
        month: name(month),
        previous: name(month.previous()),
        previous_url: to(month.previous()),
        next: name(month.next()),
        next_url: to(month.next()),
        today_url: (month != Month::of(today)).then(|| at.clone()),
        weekdays: WEEKDAYS.to_vec(),
        weeks,
        list_heading,
        empty: below.is_empty(),
        appointments: below.into_iter().map(|one| row(desk, one)).collect(),
        empty_words,
        notes,
    })
}

/// What is listed below the calendar.
fn below(found: &[AppointmentView], chosen: Option<NaiveDate>) -> Vec<&AppointmentView> {
    let in_order = found.iter().rev();
    match chosen {
        Some(day) => in_order
            .filter(|one| local_date(one.starts_at) == day)
            .collect(),
        None => in_order
            .filter(|one| list_of(one) == AppointmentList::Upcoming)
            .take(COMING_NEXT)
            .collect(),
    }
}

/// Booked and cancelled appointments on each day of the month that has one.
fn by_day(found: &[AppointmentView], month: Month) -> BTreeMap<NaiveDate, (i64, i64)> {
    let mut days = BTreeMap::new();
    for one in found {
        let day = local_date(one.starts_at);
        if !month.holds(day) {
            continue;
        }
        let (booked, cancelled) = days.entry(day).or_insert((0, 0));
        match one.state {
            AppointmentState::Booked => *booked += 1,
            AppointmentState::Cancelled => *cancelled += 1,
        }
    }
    days
}

fn calendar_day(
    at: &str,
    day: Option<NaiveDate>,
    month: Month,
    today: NaiveDate,
    chosen: Option<NaiveDate>,
    by_day: &BTreeMap<NaiveDate, (i64, i64)>,
) -> CalendarDay {
    let Some(day) = day else {
        return CalendarDay::default();
    };
    let note = by_day
        .get(&day)
        .map(|(booked, cancelled)| match (booked, cancelled) {
            (0, cancelled) => format!("{cancelled} cancelled"),
            (booked, 0) => words::count(*booked, "appointment"),
            (booked, cancelled) => {
                format!(
                    "{}, {cancelled} cancelled",
                    words::count(*booked, "appointment")
                )
            }
        });
    let key = day.format("%Y%m%d");
    CalendarDay {
        number: day.day(),
        name: day.format("%A %-d %B").to_string(),
        url: Some(format!("{at}?month={month}&day={day}#which")),
        today: day == today,
        past: day < today,
        chosen: chosen == Some(day),
        words: note,
        words_key: format!("words_{key}"),
        has_key: format!("has_{key}"),
    }
}

pub(crate) fn promise_of(desk: &Desk, appointment: &AppointmentView) -> String {
    let standing = appointment.facts.standing(&appointment.policy, calendars());
    let audience = match &desk.viewing {
        Some(patient) => Audience::Carer { patient },
        None => Audience::Patient,
    };
    let today = local_date(appointment.now);
    promise::line(&standing, audience, appointment.policy.precision, today)
}

pub(crate) fn tag(appointment: &AppointmentView) -> (&'static str, &'static str) {
    let read = appointment.facts.state == LetterState::Opened;
    match (appointment.state, &appointment.request) {
        (AppointmentState::Cancelled, _) => ("Cancelled", "red"),
        (AppointmentState::Booked, Some(request)) if read && request.is_pending() => {
            (request.wish.pending(), "yellow")
        }
        (AppointmentState::Booked, _) if read => ("Booked", "green"),
        (AppointmentState::Booked, _) => {
            tag_of(&appointment.facts.standing(&appointment.policy, calendars()))
        }
    }
}

fn row(desk: &Desk, appointment: &AppointmentView) -> AppointmentRow {
    let at = format!("{}/{}", desk.appointments_at, appointment.id);
    let read = appointment.facts.state == LetterState::Opened;
    let (tag, tone) = tag(appointment);
    AppointmentRow {
        id: appointment.id.to_string(),
        when: words::day_and_time(appointment.starts_at),
        clinic: appointment.clinic.clone(),
        trust: appointment.trust.clone(),
        tag,
        tone,
        promise: promise_of(desk, appointment),
        open_url: (!read).then(|| format!("{at}/open")),
        details_url: read.then_some(at),
    }
}
