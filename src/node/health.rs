//! Whether this node is alive, whether it can serve, and its figures. For orchestrators and operators, nobody else.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_actors::health::LoopHealth;
use letterbox_actors::system::System;
use serde_json::json;

use crate::config::Network;
use crate::identity::peer;
use crate::relay::Relay;
use crate::store::Store;
use crate::telemetry;

/// A loop that has neither completed nor failed an attempt for so long is stuck; an orchestrator should restart us.
const STUCK: Duration = Duration::from_secs(60);
/// A heartbeat older than this is stale: carers' views have gone silent by then.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What the health pages look at.
pub(super) struct Vitals {
    pub(super) system: System,
    pub(super) relay: Relay,
    pub(super) store: Store,
    /// Whose word about a client's address counts.
    pub(super) trusted_proxies: Vec<Network>,
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
    let mut stuck: Vec<String> = health
        .loops()
        .into_iter()
        .filter(|one| one.silent_for > STUCK)
        .map(|one| one.name)
        .collect();
    if vitals.relay.silent_for() > STUCK {
        stuck.push("relay.sweep".to_owned());
    }
    if stuck.is_empty() {
        HttpResponse::Ok().json(json!({ "alive": true }))
    } else {
        HttpResponse::ServiceUnavailable().json(json!({ "alive": false, "stuck": stuck }))
    }
}

/// 200 while the database answers and this node has lately compared its mailboxes with it, which stamps its heartbeat.
async fn ready(vitals: web::Data<Vitals>) -> HttpResponse {
    if let Err(error) = vitals.store.check().await {
        tracing::warn!(%error, "node.not_ready");
        return not_ready("database");
    }
    let beating = |one: &LoopHealth| {
        one.name == "directory" && one.completed_ago.is_some_and(|ago| ago < HEARTBEAT)
    };
    if vitals.system.health().loops().iter().any(beating) {
        HttpResponse::Ok().json(json!({ "ready": true }))
    } else {
        not_ready("heartbeat")
    }
}

fn not_ready(missing: &str) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header(("Retry-After", "2"))
        .json(json!({ "ready": false, "missing": missing }))
}

async fn metrics(request: HttpRequest, vitals: web::Data<Vitals>) -> HttpResponse {
    let reader = peer::client(&request, &vitals.trusted_proxies);
    if !reader.is_some_and(|reader| {
        vitals
            .metrics_from
            .iter()
            .any(|network| network.contains(reader))
    }) {
        return HttpResponse::NotFound().finish();
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(telemetry::render())
}
