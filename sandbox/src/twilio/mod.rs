//! The text provider: Twilio's Messages resource as its public REST contract states it.
//!
//! Create, list, fetch, and signed status callbacks. It never sends anything anywhere but to the
//! callback address that the client gave.

mod callbacks;
mod gsm;
mod request;
mod shape;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use uuid::Uuid;

pub use callbacks::Pace;
pub(crate) use callbacks::{Progress, start};
use request::{Create, Listing};
use shape::Refusal;

use crate::entry::{Entry, TextAccepted};
use crate::faults::take;
use crate::world::World;

/// A form with a 1,600-character body in UTF-8, percent-encoded, is below 20 KB.
const FORM_MAX_BYTES: usize = 32 * 1024;

/// Who may use the account.
#[derive(Clone)]
pub struct Account {
    /// `AC…`, also the user name of Basic authentication.
    pub sid: String,
    /// Its password, and the key of callback signatures.
    pub auth_token: String,
    /// An API key, `SK…`, and its secret, accepted in place of the account's own pair.
    pub api_key: Option<(String, String)>,
}

/// The routes below one account.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/2010-04-01/Accounts/{account}")
            .app_data(web::PayloadConfig::new(FORM_MAX_BYTES))
            .route("/Messages.json", web::post().to(create))
            .route("/Messages.json", web::get().to(list))
            .route("/Messages/{sid}.json", web::get().to(fetch)),
    );
}

async fn create(
    request: HttpRequest,
    path: Path<String>,
    body: Bytes,
    account: Data<Account>,
    world: Data<World>,
    progress: Data<Progress>,
) -> HttpResponse {
    latency(&world).await;
    if let Err(refusal) = request::authorise(&request, &path, &account) {
        return refusal.into();
    }
    if let Some(failure) = planned_failure(&world) {
        return failure;
    }
    let create = match Create::parse(&body) {
        Ok(create) => create,
        Err(refusal) => return refused(&world.into_inner(), "", refusal).await,
    };
    accept(create, &account, world.into_inner(), &progress).await
}

async fn accept(
    create: Create,
    account: &Account,
    world: Arc<World>,
    progress: &Progress,
) -> HttpResponse {
    let code = world.faults().twilio.refuse.get(&create.to).copied();
    if let Some(code) = code {
        return refused(&world, &create.to, Refusal::of_number(code, &create.to)).await;
    }
    let accepted = taken_on(create, account);
    let sid = accepted.sid.clone();
    if let Err(error) = world.record(vec![Entry::TextAccepted(accepted)]).await {
        return Refusal::unavailable(&error).into();
    }
    progress.begin(&sid).await;
    let (delay_ms, lose) = {
        let knobs = &mut world.faults().twilio;
        (knobs.answer_delay_ms, take(&mut knobs.lose_answer_next))
    };
    wait(delay_ms).await;
    if lose {
        return no_answer();
    }
    match world.state().text(&sid) {
        Some(text) => HttpResponse::Created().json(shape::as_accepted(text)),
        None => Refusal::not_found(&sid).into(),
    }
}

fn taken_on(create: Create, account: &Account) -> TextAccepted {
    // With a messaging service the sender is picked later, and the first status says so.
    let status = if create.from.is_some() {
        "queued"
    } else {
        "accepted"
    };
    TextAccepted {
        sid: format!("SM{}", Uuid::new_v4().simple()),
        account_sid: account.sid.clone(),
        to: create.to,
        from: create.from,
        messaging_service_sid: create.messaging_service_sid,
        body: create.body,
        status_callback: create.status_callback,
        status: status.into(),
    }
}

async fn refused(world: &Arc<World>, to: &str, refusal: Refusal) -> HttpResponse {
    let entry = Entry::TextRefused {
        to: to.to_owned(),
        code: refusal.code,
    };
    world.note(entry).await;
    refusal.into()
}

fn planned_failure(world: &World) -> Option<HttpResponse> {
    let knobs = &mut world.faults().twilio;
    if !take(&mut knobs.fail_next) {
        return None;
    }
    let refusal = Refusal {
        status: knobs.fail_status.unwrap_or(500),
        code: knobs.fail_code.unwrap_or(20_500),
        message: "An internal server error has occurred".into(),
    };
    Some(refusal.answer(knobs.retry_after_s))
}

/// Closes the connection without a byte: the body fails before the head has been flushed.
fn no_answer() -> HttpResponse {
    let cut = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::other("answer lost on request"))
    });
    HttpResponse::Created().streaming(cut)
}

async fn list(
    request: HttpRequest,
    path: Path<String>,
    account: Data<Account>,
    world: Data<World>,
) -> HttpResponse {
    latency(&world).await;
    let listing = request::authorise(&request, &path, &account)
        .and_then(|()| Listing::parse(request.query_string()));
    match listing {
        Ok(listing) => HttpResponse::Ok().json(listing.page(&account.sid, &world.state())),
        Err(refusal) => refusal.into(),
    }
}

async fn fetch(
    request: HttpRequest,
    path: Path<(String, String)>,
    account: Data<Account>,
    world: Data<World>,
) -> HttpResponse {
    let (owner, sid) = path.into_inner();
    latency(&world).await;
    if let Err(refusal) = request::authorise(&request, &owner, &account) {
        return refusal.into();
    }
    match world.state().text(&sid) {
        Some(text) => HttpResponse::Ok().json(shape::message(text)),
        None => Refusal::not_found(request.path()).into(),
    }
}

async fn latency(world: &World) {
    let ms = world.faults().twilio.latency_ms;
    wait(ms).await;
}

async fn wait(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
