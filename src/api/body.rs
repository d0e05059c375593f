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
        format!("The body does not fit: {}.", without_values(&text)),
    )
}

/// What the parser met and what it expected, without the value itself: answers are written to other people's logs.
fn without_values(text: &str) -> String {
    for said in ["invalid type: ", "invalid value: ", "unknown variant "] {
        if let Some((met, expected)) = text
            .strip_prefix(said)
            .and_then(|rest| rest.rsplit_once(", expected "))
        {
            let kind = met.split(['"', '`']).next().unwrap_or_default();
            let said = format!("{said}{kind}");
            return format!("{}, expected {expected}", said.trim_end());
        }
    }
    text.to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Clinic,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[expect(dead_code, reason = "only its parsing matters")]
        pages: u8,
        #[expect(dead_code, reason = "only its parsing matters")]
        kind: Kind,
    }

    #[test]
    fn an_answer_says_what_was_met_and_expected_and_never_the_value() {
        for (body, says) in [
            (
                r#""Gall, expected stones""#,
                "invalid type: string, expected struct Form",
            ),
            (
                r#"{"pages":"Gall","kind":"clinic"}"#,
                "invalid type: string, expected u8",
            ),
            (
                r#"{"pages":70000,"kind":"clinic"}"#,
                "invalid value: integer, expected u8",
            ),
            (
                r#"{"pages":true,"kind":"clinic"}"#,
                "invalid type: boolean, expected u8",
            ),
            (
                r#"{"pages":1,"kind":"Gall"}"#,
                "unknown variant, expected `clinic`",
            ),
            (
                r#"{"pages":[],"kind":"clinic"}"#,
                "invalid type: sequence, expected u8",
            ),
            (r#"{"pages":1}"#, "missing field `kind`"),
            (
                r#"{"pages":1,"size":2}"#,
                "unknown field `size`, expected `pages` or `kind`",
            ),
        ] {
            let problem = parse::<Form>(body.as_bytes()).expect_err(body);
            let detail = problem.detail;
            assert!(detail.contains(says), "{body}: {detail}");
            assert!(
                !detail.contains("Gall") && !detail.contains("70000"),
                "{detail}"
            );
        }
    }
}
