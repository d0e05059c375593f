//! What providers report about messages they took. Signed; unsigned reports change nothing.

use actix_web::{HttpRequest, HttpResponse, web};

use super::body;
use crate::channels::twilio::{Webhook, WebhookError};
use crate::commands::record_receipt::{About, Heard, Receipt, record_receipt};
use crate::commands::{Bells, Wake};
use crate::store::ladder::LadderStore;

/// A status callback is a handful of short fields.
const MOST_BYTES: usize = 16 * 1_024;

/// What the callback handler needs; absent where texts are not configured.
pub struct Receipts {
    pub webhook: Option<Webhook>,
    pub ladder: LadderStore,
    pub bells: std::sync::Arc<dyn Bells>,
}

/// The addresses that providers call.
pub fn provider_routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/channels/twilio/status").post(twilio));
}

/// Answers 2xx as soon as there is nothing left to retry: a repeated report changes nothing.
async fn twilio(
    request: HttpRequest,
    receipts: web::Data<Receipts>,
    mut payload: web::Payload,
) -> HttpResponse {
    let Ok(form) = body::read(&mut payload, MOST_BYTES).await else {
        return HttpResponse::PayloadTooLarge().finish();
    };
    let Some(webhook) = &receipts.webhook else {
        return HttpResponse::NotFound().finish();
    };
    let signature = request
        .headers()
        .get("X-Twilio-Signature")
        .and_then(|value| value.to_str().ok());
    let report = match webhook.read(request.query_string(), signature, &form) {
        Ok(report) => report,
        Err(WebhookError::Forged) => {
            tracing::warn!(security = true, "receipts.forged");
            return HttpResponse::Forbidden().finish();
        }
        Err(WebhookError::Unreadable) => return HttpResponse::BadRequest().finish(),
    };
    let Some(said) = report.status.state() else {
        return HttpResponse::NoContent().finish();
    };
    let about = match report.dispatch {
        Some(dispatch) => About::Dispatch(dispatch.as_uuid()),
        None => About::Reference(&report.reference),
    };
    let receipt = Receipt {
        about,
        said,
        code: report.code.as_deref(),
    };
    match record_receipt(&receipts.ladder, receipt).await {
        Ok(Heard::Moved(events)) => {
            receipts.bells.ring(Wake {
                events,
                ..Wake::default()
            });
            HttpResponse::NoContent().finish()
        }
        Ok(Heard::Nothing | Heard::Unknown) => HttpResponse::NoContent().finish(),
        Err(error) => {
            tracing::warn!(%error, "receipts.not_stored");
            HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "5"))
                .finish()
        }
    }
}
