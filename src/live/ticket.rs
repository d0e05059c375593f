//! `POST /live/ticket`: a signed-in page asks for a ticket that opens one socket, once, within half a minute.
//!
//! The refusals that a browser cannot see on a failed handshake are given here as ordinary answers: 401, 403, 429
//! and 503 with `Retry-After`. It is also the valve in front of a returning herd. Tickets are never in a URL.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use letterbox_domain::id::AccountId;

use super::limits::Limits;
use super::{Live, measures};
use crate::identity::csrf;
use crate::identity::session::SignedIn;
use crate::identity::ticket::Ticket;

/// Keys of accounts that have not asked for a while are forgotten once there are this many.
const KEPT_ACCOUNTS: usize = 50_000;

/// How many tickets are given out, by account and altogether.
pub(super) struct Valve {
    accounts: RateLimiter<AccountId, DefaultKeyedStateStore<AccountId>, DefaultClock>,
    node: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
    clock: DefaultClock,
}

impl Valve {
    pub(super) fn new(limits: &Limits) -> Self {
        let per = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self {
            accounts: RateLimiter::keyed(Quota::per_minute(per(limits.tickets_per_minute))),
            node: RateLimiter::direct(Quota::per_second(per(limits.tickets_per_second))),
            clock: DefaultClock::default(),
        }
    }

    /// How long this account should wait, if it has asked too often.
    fn wait_of_account(&self, account: AccountId) -> Option<Duration> {
        if self.accounts.len() > KEPT_ACCOUNTS {
            self.accounts.retain_recent();
        }
        let asked = self.accounts.check_key(&account);
        asked
            .err()
            .map(|later| later.wait_time_from(self.clock.now()))
    }

    /// How long everybody should wait, when too many ask.
    fn wait_of_node(&self) -> Option<Duration> {
        let asked = self.node.check();
        asked
            .err()
            .map(|later| later.wait_time_from(self.clock.now()))
    }
}

/// Why no ticket is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoTicket {
    SignIn,
    Foreign,
    TooMany(Duration),
    Later(Duration),
}

#[derive(serde::Serialize)]
struct Given {
    ticket: String,
    ttl: u64,
}

/// Adds the routes of the live side: the ticket, and an answer for those who ask `/live` without upgrading.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/live/ticket", web::post().to(give))
        .route("/live", web::get().to(upgrade_required));
}

async fn upgrade_required() -> HttpResponse {
    HttpResponse::UpgradeRequired()
        .insert_header((header::UPGRADE, "websocket"))
        .insert_header((header::SEC_WEBSOCKET_VERSION, "13"))
        .finish()
}

async fn give(request: HttpRequest, live: web::Data<Live>) -> HttpResponse {
    match ticket_for(&request, &live).await {
        Ok(ticket) => {
            count("given");
            let ttl = live.limits.ticket_life.as_secs();
            HttpResponse::Ok()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .json(Given { ticket, ttl })
        }
        Err(refused) => refused.answer(),
    }
}

async fn ticket_for(request: &HttpRequest, live: &Live) -> Result<String, NoTicket> {
    if csrf::judge_origin(request, &live.origins).is_err() {
        return Err(NoTicket::Foreign);
    }
    // Looking does not count as using the site: a page left open must still run out.
    let signed_in = SignedIn::glance(request)
        .await
        .map_err(|_| NoTicket::Later(live.limits.retry_after))?
        .ok_or(NoTicket::SignIn)?;
    if let Some(wait) = live.valve.wait_of_account(signed_in.account) {
        return Err(NoTicket::TooMany(wait));
    }
    if !live.admission.has_room() {
        return Err(NoTicket::Later(live.limits.retry_after));
    }
    if let Some(wait) = live.valve.wait_of_node() {
        return Err(NoTicket::Later(wait));
    }
    let ticket = Ticket::random();
    let stored = live
        .store
        .insert_ticket(
            &ticket.hash().0,
            signed_in.account,
            signed_in.session,
            live.limits.ticket_life,
        )
        .await;
    stored.map(|()| ticket.reveal()).map_err(|error| {
        tracing::warn!(%error, "live.ticket_not_stored");
        NoTicket::Later(live.limits.retry_after)
    })
}

impl NoTicket {
    fn answer(self) -> HttpResponse {
        let (mut response, label) = match self {
            Self::SignIn => (HttpResponse::Unauthorized(), "sign_in"),
            Self::Foreign => (HttpResponse::Forbidden(), "foreign"),
            Self::TooMany(_) => (HttpResponse::TooManyRequests(), "too_many"),
            Self::Later(_) => (HttpResponse::ServiceUnavailable(), "later"),
        };
        count(label);
        if let Self::TooMany(wait) | Self::Later(wait) = self {
            // Rounded up, and spread, so that those refused together do not come back together.
            let seconds = wait.as_secs() + 1 + rand::random_range(0..=2);
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish()
    }
}

fn count(outcome: &'static str) {
    metrics::counter!(measures::TICKETS, "outcome" => outcome).increment(1);
}

/// The live side as handlers take it.
#[must_use]
pub fn data(live: &Arc<Live>) -> web::Data<Live> {
    web::Data::from(Arc::clone(live))
}
