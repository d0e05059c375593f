//! The provider's JSON: a message, and an error with its code.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::gsm::segments;
use crate::world::Text;

/// A message as it stands now.
pub(super) fn message(text: &Text) -> Value {
    let accepted = &text.accepted;
    let uri = format!(
        "/2010-04-01/Accounts/{}/Messages/{}",
        accepted.account_sid, accepted.sid
    );
    json!({
        "account_sid": accepted.account_sid,
        "api_version": "2010-04-01",
        "body": accepted.body,
        "date_created": date(text.created_at),
        "date_sent": text.sent_at.map(date),
        "date_updated": date(text.updated_at),
        "direction": "outbound-api",
        "error_code": text.error_code,
        "error_message": Value::Null,
        "from": accepted.from,
        "messaging_service_sid": accepted.messaging_service_sid,
        "num_media": "0",
        "num_segments": segments(&accepted.body).to_string(),
        "price": Value::Null,
        "price_unit": "USD",
        "sid": accepted.sid,
        "status": text.status,
        "subresource_uris": { "media": format!("{uri}/Media.json") },
        "tags": Value::Null,
        "to": accepted.to,
        "uri": format!("{uri}.json"),
    })
}

/// The answer to a creation: the first status, whatever has happened since.
pub(super) fn as_accepted(text: &Text) -> Value {
    let mut value = message(text);
    value["status"] = text.accepted.status.clone().into();
    value["date_sent"] = Value::Null;
    value["error_code"] = Value::Null;
    value
}

/// RFC 2822 in UTC, as in `Tue, 25 Nov 2025 10:06:11 +0000`.
fn date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// A refusal with the provider's own code.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn bad(code: u32, message: &str) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    pub(super) fn unauthorised() -> Self {
        Self {
            status: 401,
            code: 20_003,
            message: "Authenticate".into(),
        }
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self {
            status: 404,
            code: 20_404,
            message: format!("The requested resource {path} was not found"),
        }
    }

    pub(super) fn unavailable(error: &anyhow::Error) -> Self {
        Self {
            status: 503,
            code: 20_503,
            message: format!("Service unavailable: {error:#}"),
        }
    }

    /// A refusal because of the number itself.
    pub(super) fn of_number(code: u32, to: &str) -> Self {
        let message = match code {
            20_429 => "Too Many Requests".into(),
            21_211 => format!("The 'To' number {to} is not a valid phone number."),
            21_408 => "Permission to send an SMS has not been enabled for the region indicated by the 'To' number.".into(),
            21_610 => "Attempt to send to unsubscribed recipient".into(),
            21_614 => format!("'To' number: {to}, is not a valid mobile number"),
            _ => format!("The message to {to} was refused"),
        };
        let status = if code == 20_429 { 429 } else { 400 };
        Self {
            status,
            code,
            message,
        }
    }

    pub(super) fn answer(self, retry_after_s: Option<u32>) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = HttpResponse::build(status);
        if let Some(seconds) = retry_after_s {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"Twilio API\""));
        }
        answer.json(json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        }))
    }
}

impl From<Refusal> for HttpResponse {
    fn from(refusal: Refusal) -> Self {
        refusal.answer(None)
    }
}
