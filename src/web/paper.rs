//! Paper on request: "Post me this one too" on a letter's page, and "Always post my letters" on a page of its own.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::dispatch::DispatchState;
use letterbox_domain::promise;
use letterbox_domain::route::Route;
use letterbox_domain::time::local_date;
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::letter::found;
use super::model::PaperBody;
use super::page::{render, see_other};
use super::portal::{Desk, Reader, live};
use super::words;
use crate::commands::paper::{PaperAnswer, always_post, ask_paper};
use crate::store::pages::{self, LetterView};

const AT: &str = "/my-health/documents/paper";

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    csrf: String,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    csrf: String,
    /// `on` or `off`.
    #[serde(default)]
    always: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/documents/paper", show)
        .get("/my-health/documents/paper.json", now)
        .post("/my-health/documents/paper", wish)
        .post("/my-health/documents/{letter}/paper", ask);
}

/// Whether "Post me this one too" is offered: not where it goes by post in any case, or has gone.
pub(super) fn may_ask(letter: &LetterView) -> bool {
    let facts = &letter.facts;
    let on_its_way = facts
        .case
        .as_ref()
        .is_none_or(|case| case.batch_closed_at.is_some());
    facts.state.is_readable()
        && facts.route == Route::Portal
        && letter.dispute.is_none()
        && letter.asked.is_none()
        && facts.posted_at.is_none()
        && !on_its_way
}

/// What became of the paper that the patient asked for.
pub(super) fn paper_of(letter: &LetterView) -> Option<String> {
    let (state, at) = letter.asked?;
    let today = local_date(letter.now);
    let when = promise::when(at, letter.policy.precision, today);
    let became = match (state, letter.facts.posted_at) {
        (_, Some(posted)) => format!("We posted it on {}.", words::short_day(posted)),
        (DispatchState::Queued, None) => format!("We will post it {when}."),
        (
            DispatchState::Claimed
            | DispatchState::Accepted
            | DispatchState::Unknown
            | DispatchState::Delivered,
            None,
        ) => "It is being posted.".to_owned(),
        (DispatchState::Cancelled, None) => "It is not posted any more.".to_owned(),
        (DispatchState::Rejected | DispatchState::Failed | DispatchState::Returned, None) => {
            "We could not post it. The hospital has been told, and will contact you.".to_owned()
        }
    };
    Some(format!("You asked us to post this letter too. {became}"))
}

async fn ask(request: HttpRequest, letter: web::Path<Uuid>, form: web::Form<Sent>) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        if !desk.reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let letter = found(&desk, letter.into_inner().into()).await?;
        let portal = &desk.reader.portal;
        let back = see_other(&format!("{}/{}", desk.letters_at, letter.id));
        match ask_paper(&portal.ladder, desk.reader.session.account, letter.id).await? {
            PaperAnswer::NotFound => Err(Failure::NotFound),
            PaperAnswer::OnItsWay => Ok(back),
            PaperAnswer::HospitalPosts => Err(Failure::TooLate(
                "The hospital posts this letter itself. It is on its way.",
            )),
            PaperAnswer::NoAddress => Err(Failure::TooLate(
                "We have no address to post to. Tell your GP practice and the hospital where you live, then try again.",
            )),
            PaperAnswer::Queued { events, .. } => {
                portal.heard(events);
                Ok(back)
            }
        }
    };
    page(&request, work).await
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let body = body(&desk).await?;
        let mut chrome = desk.chrome("Always post my letters");
        chrome.live = live("/my-health/documents/paper.json", AT, "Check again");
        Ok(render(&request, "paper.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async {
        let desk = Desk::of(Reader::glance(&request).await?, None).await?;
        Ok(HttpResponse::Ok().json(body(&desk).await?))
    })
    .await
}

async fn body(desk: &Desk) -> Result<PaperBody, Failure> {
    let since = pages::paper_since(&desk.reader.tx, desk.reader.session.account).await?;
    let (tag, tone, standing) = match since {
        Some(since) => (
            "By post",
            "purple",
            format!(
                "Since {} we post every new letter, and you can read it here as well.",
                words::date_and_time(since)
            ),
        ),
        None => (
            "Online first",
            "blue",
            "Your letters come here first. We post those that you do not open in time.".to_owned(),
        ),
    };
    Ok(PaperBody {
        tag,
        tone,
        standing,
        always: since.is_some(),
        not_always: since.is_none(),
    })
}

async fn wish(request: HttpRequest, form: web::Form<Wish>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        if !reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let always = match form.always.as_str() {
            "on" => true,
            "off" => false,
            _ => return Err(Failure::NotFound),
        };
        if !always_post(&reader.portal.store, reader.session.account, always).await? {
            return Err(Failure::NotFound);
        }
        Ok(see_other(AT))
    };
    page(&request, work).await
}
