//! Whether this installation holds real patients. Load testers ask before they start.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Api;

pub(super) async fn declare(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "sandbox": api.mode.is_sandbox() }))
}
