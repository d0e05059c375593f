//! The trust API: hospitals' systems publish letters and appointments, and ask how they stand.
//! Handlers parse, call one command and answer; nothing is decided here.

mod answer;
mod appointments;
mod auth;
mod body;
mod change_requests;
mod documents;
mod letters;
mod openapi;
mod patients;
mod quarantine;
mod receipts;
mod sandbox;
mod who;
mod wire;

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};

use crate::commands::intake_lane::IntakeLane;
use crate::commands::publish_letters::MOST;
use crate::commands::{Bells, TrustSystem};
use crate::config::{IntakeSettings, Mode};
use crate::inspect::Inspector;
use crate::problem::Problem;
use crate::store::Store;

use auth::Keys;

pub use receipts::{Receipts, provider_routes};

/// What the handlers share; one per node.
pub struct Api {
    store: Store,
    lane: IntakeLane,
    bells: Arc<dyn Bells>,
    inspector: Arc<Inspector>,
    keys: Keys,
    mode: Mode,
    most_items: usize,
    most_json_bytes: usize,
    most_pdf_bytes: usize,
}

impl Api {
    #[must_use]
    pub fn new(
        store: Store,
        bells: Arc<dyn Bells>,
        inspector: Arc<Inspector>,
        intake: &IntakeSettings,
    ) -> Self {
        let per_second = NonZeroU32::new(intake.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(intake.burst).unwrap_or(per_second);
        Self {
            lane: IntakeLane::new(store.clone(), Arc::clone(&bells), intake.queue_letters),
            keys: Keys::new(store.clone(), per_second, burst),
            mode: store.mode(),
            most_items: intake.max_batch.clamp(1, MOST),
            most_json_bytes: intake.max_json_bytes,
            most_pdf_bytes: intake.max_pdf_bytes,
            store,
            bells,
            inspector,
        }
    }

    /// The trust whose key the request carries.
    async fn sender(&self, request: &HttpRequest) -> Result<TrustSystem, Problem> {
        let holder = self.keys.holder(request).await?;
        Ok(TrustSystem {
            trust: holder.trust,
            key: holder.key,
        })
    }
}

/// Every route of the API, with what it needs.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/api/v1")
            .service(web::resource("/openapi.json").get(openapi::document))
            .service(web::resource("/sandbox").get(sandbox::declare))
            .service(web::resource("/documents").post(documents::upload))
            .service(web::resource("/patients/{source_id}").put(patients::put))
            .service(web::resource("/letters").post(letters::publish))
            .service(web::resource("/letters/batch").post(letters::publish_batch))
            .service(web::resource("/letters/{source_id}").get(letters::state))
            .service(web::resource("/letters/{source_id}/withdraw").post(letters::withdraw))
            .service(web::resource("/appointments/{source_id}").put(appointments::put))
            .service(
                web::resource("/clinics/{clinic_code}/cancel").post(appointments::cancel_clinic),
            )
            .service(web::resource("/letters/{source_id}/replace").post(letters::replace))
            .service(web::resource("/change-requests").get(change_requests::list))
            .service(
                web::resource("/change-requests/{id}/answer").post(change_requests::answer_one),
            )
            .service(web::resource("/quarantine").get(quarantine::list))
            .default_service(web::to(unknown)),
    );
}

async fn unknown() -> HttpResponse {
    let detail = "The API has no such address. /api/v1/openapi.json lists all.";
    Problem::new(StatusCode::NOT_FOUND, "unknown_address", detail).error_response()
}
