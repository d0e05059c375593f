//! Letters of a trust: publish one or many, ask how one stands, withdraw, replace.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use letterbox_domain::letter::LetterKind;
use serde_json::Value;

use super::wire::{
    BatchForm, BatchResult, BatchView, DocumentForm, LetterForm, LetterStoryView, LetterView,
    WithdrawForm,
};
use super::{Api, answer, body, documents, who};
use crate::commands::TrustSystem;
use crate::commands::forms::{NewLetter, check_source_id};
use crate::commands::letter_answer::ask_letters_story;
use crate::commands::publish_letters::{PublishResult, publish_letters, replace_letter};
use crate::commands::withdraw_letter::withdraw_letter;
use crate::problem::Problem;

/// Publishes a letter.
#[utoipa::path(post, path = "/api/v1/letters", tag = "letters", request_body = LetterForm,
    responses((status = 201, description = "Published, and safe.", body = LetterView),
              (status = 200, description = "Here already with the same content; nothing was changed.", body = LetterView),
              (status = 409, description = "`source_id_reused`, `patient_mismatch`: kept in quarantine.", body = Problem),
              (status = 422, description = "Refused; the problem says what to do.", body = Problem),
              (status = 429, description = "Come back after Retry-After seconds.", body = Problem)))]
pub(super) async fn publish(
    request: HttpRequest,
    api: web::Data<Api>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: LetterForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let letter = prepare(&api, &sender, form).await?;
    let result = api
        .lane
        .publish(sender, letter)
        .await
        .map_err(|error| answer::lane_problem(&error))?;
    let (status, view) = answer::published(&result)?;
    Ok(HttpResponse::build(status).json(view))
}

/// Publishes many letters in one transaction; one result an item, in order. A bad item never fails its neighbours.
#[utoipa::path(post, path = "/api/v1/letters/batch", tag = "letters", request_body = BatchForm,
    responses((status = 200, description = "One result a letter.", body = BatchView),
              (status = 413, description = "Too many letters, or too many bytes.", body = Problem)))]
pub(super) async fn publish_batch(
    request: HttpRequest,
    api: web::Data<Api>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: BatchForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    if form.letters.len() > api.most_items {
        return Err(too_many_items(api.most_items));
    }
    let mut prepared = Vec::with_capacity(form.letters.len());
    for value in form.letters {
        prepared.push(prepare_value(&api, &sender, value).await);
    }
    let letters: Vec<NewLetter> = prepared
        .iter()
        .filter_map(|one| one.as_ref().ok().cloned())
        .collect();
    let publication = publish_letters(&api.store, &sender, &letters)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    api.bells.ring(publication.wake);
    let mut published = publication.results.into_iter();
    let results = prepared
        .into_iter()
        .map(|one| result(one.map(|_| published.next())))
        .collect();
    Ok(HttpResponse::Ok().json(BatchView { results }))
}

/// How a letter stands, with its route, its promise and what has happened to it so far.
#[utoipa::path(get, path = "/api/v1/letters/{source_id}", tag = "letters",
    params(("source_id" = String, Path, description = "The trust's id of the letter.")),
    responses((status = 200, body = LetterStoryView), (status = 404, body = Problem)))]
pub(super) async fn state(
    request: HttpRequest,
    api: web::Data<Api>,
    source_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let (letter, moments) = ask_letters_story(&api.store, &sender, &source_id)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    Ok(HttpResponse::Ok().json(answer::letter_story(&letter, moments)))
}

/// Takes a letter back: unread copies vanish, print that has not left is pulled.
#[utoipa::path(post, path = "/api/v1/letters/{source_id}/withdraw", tag = "letters", request_body = WithdrawForm,
    params(("source_id" = String, Path, description = "The trust's id of the letter.")),
    responses((status = 200, body = LetterView), (status = 404, body = Problem),
              (status = 409, description = "`letter_gone`: it has been withdrawn or replaced already.", body = Problem)))]
pub(super) async fn withdraw(
    request: HttpRequest,
    api: web::Data<Api>,
    source_id: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: WithdrawForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let (letter, wake) = withdraw_letter(&api.store, &sender, &source_id, &form.reason)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    api.bells.ring(wake);
    Ok(HttpResponse::Ok().json(answer::letter_view(&letter)))
}

/// Publishes a letter in the place of another, which disappears in the same instant.
#[utoipa::path(post, path = "/api/v1/letters/{source_id}/replace", tag = "letters", request_body = LetterForm,
    params(("source_id" = String, Path, description = "The trust's id of the letter that is replaced.")),
    responses((status = 201, body = LetterView), (status = 200, body = LetterView),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn replace(
    request: HttpRequest,
    api: web::Data<Api>,
    source_id: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: LetterForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let letter = prepare(&api, &sender, form).await?;
    let publication = replace_letter(&api.store, &sender, &source_id, &letter)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    api.bells.ring(publication.wake);
    let first = publication
        .results
        .first()
        .ok_or_else(Problem::unavailable)?;
    let (status, view) = answer::published(first)?;
    Ok(HttpResponse::build(status).json(view))
}

async fn prepare_value(
    api: &Api,
    sender: &TrustSystem,
    value: Value,
) -> Result<NewLetter, Problem> {
    prepare(api, sender, body::parse_value(value)?).await
}

/// From the wire to the form that commands take; a PDF in the request is inspected and stored on the way.
async fn prepare(api: &Api, sender: &TrustSystem, form: LetterForm) -> Result<NewLetter, Problem> {
    // Looked up together with other letters', before each is judged: one senseless id would fail them all.
    for (field, id) in [
        ("/source_id", Some(&form.source_id)),
        ("/patient", Some(&form.patient)),
        ("/appointment", form.appointment.as_ref()),
    ] {
        id.map_or(Ok(()), |id| check_source_id(field, id))
            .map_err(|refusal| answer::refused(&refusal))?;
    }
    let from = who::From {
        kind: "letter",
        source_id: &form.source_id,
        form: &form,
    };
    let nhs_number = who::nhs_number(api, sender, &form.nhs_number, from).await?;
    let kind = LetterKind::from_name(&form.kind).ok_or_else(|| {
        Problem::field("invalid_field", "/kind", "Use `appointment` or `clinic`.")
    })?;
    let document = match &form.document {
        DocumentForm::Sha256(hash) => parse_hash(hash)?,
        DocumentForm::PdfBase64(text) => {
            let pdf = STANDARD.decode(text).map_err(|_| {
                Problem::field(
                    "invalid_field",
                    "/document/pdf_base64",
                    "Send the file in standard Base64, with padding.",
                )
            })?;
            documents::take_in(api, sender, &Bytes::from(pdf))
                .await?
                .sha256
        }
    };
    Ok(NewLetter {
        source_id: form.source_id,
        patient: form.patient,
        nhs_number,
        kind,
        title: form.title,
        specialty: form.specialty,
        clinic: form.clinic,
        contact_phone: form.contact.phone,
        contact_hours: form.contact.hours,
        appointment: form.appointment,
        authored_at: form.authored_at,
        signed: form.signed,
        full_text: form.full_text,
        release_at: form.release_at,
        document,
    })
}

fn parse_hash(text: &str) -> Result<[u8; 32], Problem> {
    let hash = hex::decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    hash.ok_or_else(|| {
        Problem::field(
            "invalid_field",
            "/document/sha256",
            "Send 64 hexadecimal digits.",
        )
    })
}

/// A lowercase fragment as a sentence.
pub(super) fn sentence(fragment: &impl std::fmt::Display) -> String {
    let text = fragment.to_string();
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn result(one: Result<Option<PublishResult>, Problem>) -> BatchResult {
    let settled = match &one {
        Ok(Some(result)) => answer::published(result),
        Ok(None) => Err(Problem::unavailable()),
        Err(problem) => Err(problem.clone()),
    };
    match settled {
        Ok((status, letter)) => BatchResult {
            status: status.as_u16(),
            letter: Some(letter),
            problem: None,
        },
        Err(problem) => BatchResult {
            status: problem.status,
            letter: None,
            problem: Some(problem),
        },
    }
}

fn too_many_items(most: usize) -> Problem {
    let detail = format!("Send at most {most} letters in one batch.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_items", detail)
}
