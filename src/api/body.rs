//! Request bodies: read whole within a bound, unknown fields refused, errors that name the field.

use crate::problem::Problem;
use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

/// Reads a JSON body of at most `most` bytes into `T`.
///
/// # Errors
/// 415 for another content type, 413 beyond the bound, 422 where the JSON does not fit the form.
pub(super) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: &mut web::Payload,
    most: usize,
) -> Result<T, Problem> {
    expect_type(request, "application/json")?;
    parse(&read(payload, most).await?)
}

/// Parses JSON that has been read already.
///
/// # Errors
/// 422 `invalid_json` or `unknown_field`, with what was expected.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| unfit(&error))
}

/// The same for one value of an array.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| unfit(&error))
}

/// Refuses a body of another type than `expected`.
///
/// # Errors
/// 415.
pub(super) fn expect_type(request: &HttpRequest, expected: &str) -> Result<(), Problem> {
    if request.content_type().eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let detail = format!("Send this request with `Content-Type: {expected}`.");
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "wrong_content_type",
        detail,
    ))
}

/// Reads a whole body of at most `most` bytes.
///
/// # Errors
/// 413 beyond the bound, 400 where the connection broke.
pub(super) async fn read(payload: &mut web::Payload, most: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| broken())?;
        if body.len() + chunk.len() > most {
            return Err(too_large(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn unfit(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let code = if text.starts_with("unknown field") {
        "unknown_field"
    } else {
        "invalid_json"
    };
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        code,
        format!("The body does not fit: {text}."),
    )
}

fn broken() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "body_incomplete",
        "The body ended early. Send the same request again.",
    )
}

fn too_large(most: usize) -> Problem {
    let detail = format!(
        "The body is larger than {most} bytes. Upload documents with POST /api/v1/documents first."
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
