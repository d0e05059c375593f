//! Requests of patients to cancel or rebook: read and answered by the trust's own system. An answer changes no
//! appointment; `PUT /appointments` does.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use uuid::Uuid;

use super::wire::{ChangeAnswerForm, ChangeAnswerView, ChangeRequestList, ChangeRequestView};
use super::{Api, answer, body};
use crate::commands::CommandError;
use crate::commands::Wake;
use crate::commands::change_appointment::{AnswerAnswer, answer_change, waiting_requests};
use crate::problem::Problem;

/// Requests that wait, the one that must be answered first in front; 100 at most.
#[utoipa::path(get, path = "/api/v1/change-requests", tag = "appointments",
    responses((status = 200, body = ChangeRequestList)))]
pub(super) async fn list(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let found = waiting_requests(&api.store, &sender.principal(), sender.trust)
        .await
        .map_err(|error| answer::command_problem(&CommandError::Store(error)))?;
    let items = found.into_iter().map(|one| ChangeRequestView {
        id: one.id,
        appointment: one.source_id,
        wish: one.wish.name().to_owned(),
        note: one.note,
        asked_at: one.asked_at,
        answer_by: one.answer_by,
    });
    Ok(HttpResponse::Ok().json(ChangeRequestList {
        items: items.collect(),
    }))
}

/// Answers a request, once. The patient reads the message.
#[utoipa::path(post, path = "/api/v1/change-requests/{id}/answer", tag = "appointments", request_body = ChangeAnswerForm,
    params(("id" = Uuid, Path, description = "As the list gives it.")),
    responses((status = 200, body = ChangeAnswerView),
              (status = 404, description = "No such request of your trust.", body = Problem),
              (status = 409, description = "`request_settled`: answered, taken back or overtaken before.", body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn answer_one(
    request: HttpRequest,
    api: web::Data<Api>,
    id: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let unknown = || {
        let detail = "No request of your trust has this id.";
        Problem::new(StatusCode::NOT_FOUND, "unknown_request", detail)
    };
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let form: ChangeAnswerForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let accepted = match form.answer.as_str() {
        "accepted" => true,
        "declined" => false,
        _ => {
            let detail = "Use `accepted` or `declined`.";
            return Err(Problem::field("invalid_field", "/answer", detail));
        }
    };
    let (principal, message) = (sender.principal(), form.message.as_deref());
    let done = answer_change(&api.store, &principal, sender.trust, id, accepted, message)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    match done {
        AnswerAnswer::NotFound => Err(unknown()),
        AnswerAnswer::Settled(state) => Err(Problem::new(
            StatusCode::CONFLICT,
            "request_settled",
            format!("This request is {} already.", state.name()),
        )),
        AnswerAnswer::Done { events } => {
            api.bells.ring(Wake {
                events,
                cases: [sender.trust].into(),
                ..Wake::default()
            });
            Ok(HttpResponse::Ok().json(ChangeAnswerView { state: form.answer }))
        }
    }
}
