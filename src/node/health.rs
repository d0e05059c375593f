//! Whether this node is alive, whether it can serve, and its figures. For orchestrators and operators, nobody else.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_actors::system::System;
use serde_json::json;

use crate::config::Network;
use crate::store::Store;
use crate::telemetry;

/// A loop that has neither completed nor failed an attempt for so long is stuck; an orchestrator should restart us.
const STUCK: Duration = Duration::from_secs(60);

/// What the health pages look at.
pub(super) struct Vitals {
    pub(super) system: System,
    pub(super) store: Store,
    /// Who may read the figures.
    pub(super) metrics_from: Vec<Network>,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/health/live").get(live))
        .service(web::resource("/health/ready").get(ready))
        .service(web::resource("/metrics").get(metrics));
}

/// 200 while every supervised loop moves; needs no database.
async fn live(vitals: web::Data<Vitals>) -> HttpResponse {
    let health = vitals.system.health();
    let stuck: Vec<String> = health
        .loops()
        .into_iter()
        .filter(|one| one.silent_for > STUCK)
        .map(|one| one.name)
        .collect();
    if stuck.is_empty() {
        HttpResponse::Ok().json(json!({ "alive": true }))
    } else {
        HttpResponse::ServiceUnavailable().json(json!({ "alive": false, "stuck": stuck }))
    }
}

/// 200 while the database answers and this node's heartbeat is fresh.
async fn ready(vitals: web::Data<Vitals>) -> HttpResponse {
    match vitals.store.check().await {
        Ok(()) => HttpResponse::Ok().json(json!({ "ready": true })),
        Err(error) => {
            tracing::warn!(%error, "node.not_ready");
            HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "2"))
                .json(json!({ "ready": false }))
        }
    }
}

async fn metrics(request: HttpRequest, vitals: web::Data<Vitals>) -> HttpResponse {
    let peer = request.peer_addr().map(|address| address.ip());
    if !peer.is_some_and(|peer| {
        vitals
            .metrics_from
            .iter()
            .any(|network| network.contains(peer))
    }) {
        return HttpResponse::NotFound().finish();
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(telemetry::render())
}
