//! The sandbox's own pages for machines: turn knobs, read the journal, look at what arrived, start afresh.
//!
//! It has no sign-in: the sandbox listens on this machine only and holds nothing real.

use actix_web::web::{self, Data, Json, Query};
use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::entry::MailAccepted;
use crate::faults::FaultsChange;
use crate::journal::PAGE_MAX;
use crate::mime::Message;
use crate::print::PrintHouse;
use crate::world::{Envelope, Text, World};

/// Knobs and returned envelopes are small.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// Items of one list unless asked otherwise; at most [`PAGE_MAX`].
const LIST: usize = 100;

/// The routes.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(BODY_MAX_BYTES))
        .route("/health", web::get().to(health))
        .route("/faults", web::get().to(faults))
        .route("/faults", web::post().to(change_faults))
        .route("/faults", web::delete().to(clear_faults))
        .route("/journal", web::get().to(journal))
        .route("/texts", web::get().to(texts))
        .route("/mails", web::get().to(mails))
        .route("/prints", web::get().to(prints))
        .route("/prints/returns", web::post().to(bring_back))
        .route("/reset", web::post().to(reset));
}

#[derive(Debug)]
struct Failed(StatusCode, String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl ResponseError for Failed {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.0).json(json!({ "error": self.1 }))
    }
}

fn broken(error: &anyhow::Error) -> Failed {
    Failed(StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}"))
}

fn mistaken(reason: impl Into<String>) -> Failed {
    Failed(StatusCode::BAD_REQUEST, reason.into())
}

async fn health(world: Data<World>) -> Json<Value> {
    let (held, newest) = world.journal.size();
    let counts = world.state().counts;
    Json(json!({ "status": "ok", "journal": { "held": held, "newest": newest }, "counts": counts }))
}

async fn faults(world: Data<World>) -> Json<Value> {
    Json(json!(*world.faults()))
}

async fn change_faults(
    world: Data<World>,
    change: Json<FaultsChange>,
) -> Result<Json<Value>, Failed> {
    world
        .faults()
        .change(change.into_inner())
        .map_err(mistaken)?;
    Ok(faults(world).await)
}

async fn clear_faults(world: Data<World>) -> Json<Value> {
    *world.faults() = crate::faults::Faults::default();
    faults(world).await
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(LIST).min(PAGE_MAX)
    }
}

async fn journal(world: Data<World>, page: Query<Page>) -> Result<Json<Value>, Failed> {
    let newest = world.journal.size().1;
    let journal = world.journal.clone();
    let read = web::block(move || journal.page(page.after, page.limit())).await;
    let lines = match read {
        Ok(lines) => lines.map_err(|error| broken(&error))?,
        Err(error) => return Err(broken(&error.into())),
    };
    Ok(Json(json!({ "lines": lines, "newest": newest })))
}

async fn texts(world: Data<World>, page: Query<Page>) -> Json<Value> {
    let state = world.state();
    let newest = state.texts.iter().rev().take(page.limit());
    Json(newest.map(|(n, text)| text_json(*n, text)).collect())
}

fn text_json(n: u64, text: &Text) -> Value {
    json!({
        "n": n,
        "at": text.created_at,
        "sid": text.accepted.sid,
        "to": text.accepted.to,
        "from": text.accepted.from.as_ref().or(text.accepted.messaging_service_sid.as_ref()),
        "body": text.accepted.body,
        "status": text.status,
        "error_code": text.error_code,
    })
}

async fn mails(world: Data<World>, page: Query<Page>) -> Json<Value> {
    let state = world.state();
    let newest = state.mails.iter().rev().take(page.limit());
    Json(
        newest
            .map(|(n, at, mail)| mail_json(*n, json!(at), mail))
            .collect(),
    )
}

fn mail_json(n: u64, at: Value, mail: &MailAccepted) -> Value {
    let message = Message::parse(&mail.raw);
    json!({
        "n": n,
        "at": at,
        "envelope_from": mail.envelope_from,
        "envelope_to": mail.envelope_to,
        "from": message.header("From"),
        "to": message.header("To"),
        "subject": mail.subject,
        "message_id": mail.message_id,
        "auto_submitted": message.header("Auto-Submitted"),
        "date": message.header("Date"),
        "text": message.text(),
        "size_bytes": mail.size_bytes,
        "raw": mail.raw,
    })
}

async fn prints(world: Data<World>, page: Query<Page>) -> Json<Value> {
    let state = world.state();
    let newest = state.envelopes.iter().rev().take(page.limit());
    Json(newest.map(print_json).collect())
}

fn print_json(envelope: &Envelope) -> Value {
    let printed = &envelope.printed;
    let mut window = printed.address_lines.clone();
    if window.last() != Some(&printed.postcode) {
        window.push(printed.postcode.clone());
    }
    json!({
        "n": envelope.n,
        "at": envelope.at,
        "batch": printed.batch,
        "letter_id": printed.letter_id,
        "version": printed.version,
        "sha256": printed.sha256,
        "pages": printed.pages,
        "postage": printed.postage,
        "format": printed.format,
        "window": window,
        "copy": envelope.copy,
        "returned": envelope.returned,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Return {
    batch: String,
    letter_id: String,
    version: u64,
    /// `R01` gone away … `R09` deceased, `R10` other.
    reason: String,
}

async fn bring_back(house: Data<PrintHouse>, back: Json<Return>) -> Result<Json<Value>, Failed> {
    let known = (1..=10).any(|n| back.reason == format!("R{n:02}"));
    if !known {
        return Err(mistaken("reason is R01 to R10"));
    }
    let done = house.bring_back(&back.batch, &back.letter_id, back.version, &back.reason);
    done.await.map_err(|error| mistaken(format!("{error:#}")))?;
    Ok(Json(json!({ "returned": true })))
}

async fn reset(house: Data<PrintHouse>) -> Result<Json<Value>, Failed> {
    house.reset().await.map_err(|error| broken(&error))?;
    Ok(Json(json!({ "reset": true })))
}
