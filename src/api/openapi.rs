//! The API's description of itself, generated from the handlers and the wire types.

use actix_web::HttpResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{appointments, change_requests, documents, letters, patients, quarantine};

#[derive(OpenApi)]
#[openapi(
    info(title = "Letterbox trust API", description = "Hospitals' systems publish letters and appointments, and ask how they stand."),
    paths(
        documents::upload,
        patients::put,
        appointments::put,
        appointments::cancel_clinic,
        change_requests::list,
        change_requests::answer_one,
        letters::state,
        letters::withdraw,
        letters::publish,
        letters::publish_batch,
        letters::replace,
        quarantine::list,
    ),
    modifiers(&Key),
    security(("key" = []))
)]
struct Description;

/// Every call carries an API key of the trust.
struct Key;

impl Modify for Key {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(Description::openapi())
}
