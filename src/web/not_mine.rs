//! "Something wrong?": whom to tell, and for the patient alone "This letter is not mine", with a confirmation before
//! it and ten minutes to take it back.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::id::LetterId;
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::failure::{Failure, page};
use super::letter::{Path, found};
use super::model::WrongBody;
use super::page::{render, see_other};
use super::portal::{Desk, Reader};
use super::words;
use crate::commands::not_mine::{DisputeAnswer, say_not_mine, undo_not_mine};
use crate::store::pages::LetterView;

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    csrf: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/documents/{letter}/wrong", wrong)
        .get("/people/{grant}/documents/{letter}/wrong", wrong)
        .get("/my-health/documents/{letter}/not-mine", confirm)
        .post("/my-health/documents/{letter}/not-mine", say)
        .post("/my-health/documents/{letter}/not-mine/undo", undo);
}

async fn wrong(request: HttpRequest, which: Path) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, which.grant()).await?;
        let letter = found(&desk, which.letter()).await?;
        let body = body(&desk, &letter);
        let chrome = desk.chrome("Something wrong with a letter?");
        Ok(render(&request, "wrong.jinja", &chrome, &body))
    };
    page(&request, work).await
}

/// What will happen, before it does.
async fn confirm(request: HttpRequest, letter: web::Path<Uuid>) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let letter = found(&desk, letter.into_inner().into()).await?;
        let body = body(&desk, &letter);
        if body.not_mine_url.is_none() {
            return Ok(see_other(&body.back_url));
        }
        let chrome = desk.chrome("This letter is not mine");
        Ok(render(&request, "not_mine.jinja", &chrome, &body))
    };
    page(&request, work).await
}

fn body(desk: &Desk, letter: &LetterView) -> WrongBody {
    let at = format!("{}/{}", desk.letters_at, letter.id);
    let may_say =
        desk.viewing.is_none() && letter.dispute.is_none() && letter.facts.state.is_readable();
    WrongBody {
        title: letter.title.clone(),
        clinic: letter.clinic.clone(),
        contact: words::contact(&letter.contact_phone, letter.contact_hours.as_deref()),
        trust: letter.trust.clone(),
        not_mine_url: may_say.then(|| format!("{at}/not-mine")),
        back_url: at,
    }
}

async fn say(request: HttpRequest, letter: web::Path<Uuid>, form: web::Form<Sent>) -> HttpResponse {
    let work = async {
        let (desk, letter) = vouched(&request, letter.into_inner().into(), &form).await?;
        let portal = &desk.reader.portal;
        let answer = say_not_mine(&portal.ladder, desk.reader.session.account, letter).await?;
        answered(&desk, letter, answer)
    };
    page(&request, work).await
}

async fn undo(
    request: HttpRequest,
    letter: web::Path<Uuid>,
    form: web::Form<Sent>,
) -> HttpResponse {
    let work = async {
        let (desk, letter) = vouched(&request, letter.into_inner().into(), &form).await?;
        let portal = &desk.reader.portal;
        let answer = undo_not_mine(&portal.ladder, desk.reader.session.account, letter).await?;
        answered(&desk, letter, answer)
    };
    page(&request, work).await
}

async fn vouched(
    request: &HttpRequest,
    letter: LetterId,
    form: &Sent,
) -> Result<(Desk, LetterId), Failure> {
    let desk = Desk::of(Reader::of(request).await?, None).await?;
    if !desk.reader.session.verify_csrf(&form.csrf) {
        return Err(Failure::Stale);
    }
    found(&desk, letter).await?;
    Ok((desk, letter))
}

/// The mailbox hears at once; the trust's board finds the task with its next look at the history, within a second.
fn answered(desk: &Desk, letter: LetterId, answer: DisputeAnswer) -> Result<HttpResponse, Failure> {
    let back = see_other(&format!("{}/{letter}", desk.letters_at));
    match answer {
        DisputeAnswer::NotFound => Err(Failure::NotFound),
        DisputeAnswer::TooLate => Err(Failure::TooLate(
            "The hospital is looking into this letter now, or it has been withdrawn. Call the number in the letter if you have a question.",
        )),
        DisputeAnswer::Unchanged => Ok(back),
        DisputeAnswer::Done { events } => {
            desk.reader.portal.heard(events);
            Ok(back)
        }
    }
}
