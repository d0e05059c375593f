//! The one HTTP error of the API: problem+json with a stable code, and what to do about it.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// An error as the caller sees it; `code` never changes its meaning, `detail` says what to do.
///
/// Nothing here may carry what a patient could be known by: problems are logged by code, kept and forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:letterbox:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// Stable, snake_case; programs branch on this.
    #[schema(value_type = String)]
    pub code: &'static str,
    pub detail: String,
    /// Each field that is wrong, where the fault is in fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Seconds after which trying again makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// One wrong field of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer into the request.
    pub pointer: String,
    pub detail: String,
}

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:letterbox:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// 422 naming every wrong field.
    #[must_use]
    pub fn fields(code: &'static str, errors: Vec<FieldProblem>) -> Self {
        let detail = "Some fields are wrong; each is listed with what to do.";
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        }
    }

    /// 422 for one field.
    #[must_use]
    pub fn field(code: &'static str, pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields(
            code,
            vec![FieldProblem {
                pointer: pointer.to_owned(),
                detail: detail.into(),
            }],
        )
    }

    /// 503: nothing was changed, the same request may be sent again.
    #[must_use]
    pub fn unavailable() -> Self {
        let detail =
            "The service cannot answer now and changed nothing. Send the same request again.";
        Self {
            retry_after: Some(2),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }

    /// 429: the caller is faster than agreed, or the queue is full.
    #[must_use]
    pub fn too_many(retry_after: u32) -> Self {
        let detail = "Too many requests at once. Wait for the seconds in Retry-After, then send the same request again.";
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
        }
    }

    #[must_use]
    pub fn unauthorized() -> Self {
        let detail =
            "Send `Authorization: Bearer` with an API key of your trust that has not been revoked.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 404: not there and not yours look alike.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("No {what} of your trust has this id."),
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code, self.status)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        metrics::counter!("letterbox_http_problems_total", "code" => self.code).increment(1);
        let mut answer = HttpResponseBuilder::new(self.status_code());
        answer.insert_header((
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        ));
        answer.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status == 401 {
            answer.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        answer.body(serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_tells_its_code_and_when_to_come_back() {
        let answer = Problem::too_many(3).error_response();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(
            answer.headers().get(header::RETRY_AFTER),
            Some(&HeaderValue::from_static("3"))
        );
        let type_ = answer.headers().get(header::CONTENT_TYPE);
        assert_eq!(
            type_,
            Some(&HeaderValue::from_static("application/problem+json"))
        );
    }
}
