//! Requests to cancel or rebook on the booking office's board: listed, and answered with a message to the patient.
//! An answer changes no appointment; the hospital's own system does.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::change_request::Wish;
use serde::Deserialize;
use uuid::Uuid;

use super::board::own_trust;
use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::RequestRow;
use super::page::see_other;
use super::portal::Reader;
use super::words;
use crate::commands::CommandError;
use crate::commands::change_appointment::{AnswerAnswer, WaitingRequest, answer_change};
use crate::store::Principal;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    csrf: String,
    /// `accepted` or `declined`.
    #[serde(default)]
    answer: String,
    #[serde(default)]
    message: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors.post("/board/requests/{request}", answer);
}

pub(super) fn row(request: &WaitingRequest) -> RequestRow {
    let wanted = match request.wish {
        Wish::Cancel => "to cancel",
        Wish::Rebook => "for another time:",
    };
    let overdue = request.answer_by <= request.now;
    RequestRow {
        id: request.id.to_string(),
        title: format!(
            "{} asks {wanted} {}, {} {}",
            request.name,
            request.clinic,
            words::short_day(request.starts_at),
            words::time(request.starts_at)
        ),
        phone: request.phone.as_deref().map(words::phone),
        note: request.note.as_ref().map(|note| format!("“{note}”")),
        due: if overdue {
            "Answer now".to_owned()
        } else {
            format!("Answer by {}", words::by(request.answer_by, request.now))
        },
        tone: if overdue { "red" } else { "orange" },
        reference: format!("Your reference {}", request.source_id),
        url: format!("/board/requests/{}", request.id),
    }
}

async fn answer(
    request: HttpRequest,
    id: web::Path<Uuid>,
    form: web::Form<Answer>,
) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        if !reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let (trust, _) = own_trust(&reader).await?;
        let accepted = match form.answer.as_str() {
            "accepted" => true,
            "declined" => false,
            _ => return Err(Failure::NotFound),
        };
        let principal = Principal::Account {
            account: reader.session.account,
        };
        let message = Some(form.message.trim()).filter(|message| !message.is_empty());
        let (portal, id) = (&reader.portal, id.into_inner());
        match answer_change(&portal.store, &principal, trust, id, accepted, message).await {
            Ok(AnswerAnswer::NotFound) => Err(Failure::NotFound),
            Ok(AnswerAnswer::Settled(_)) => Err(Failure::TooLate(
                "Somebody was quicker, or the patient or your own system has settled it meanwhile. Nothing is left to do.",
            )),
            Ok(AnswerAnswer::Done { events }) => {
                portal.heard(events);
                portal.system.poke_board(trust);
                Ok(see_other("/board"))
            }
            Err(CommandError::Refused(_)) => Err(Failure::TooLate(
                "The message is too long. Go back and use 500 characters at most. Nothing was sent.",
            )),
            Err(CommandError::Store(error)) => Err(error.into()),
        }
    };
    page(&request, work).await
}
