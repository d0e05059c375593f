//! The way in: the sign-in page, out to NHS login and back again, and the pages that say why it did not work.
//!
//! Never reads a claim: `identity::nhs_login` checks them, `commands::arrive` decides what becomes of the person.

use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::joining::Left;
use serde::Deserialize;

use super::computer::is_public;
use super::confirm::escaped;
use super::demo::host_name;
use super::doors::Doors;
use super::failure::{Failure, page};
use super::guard::forms_may_lead_to;
use super::model::LoginBody;
use super::page::{Chrome, render, render_with, see_other, visitor};
use super::portal::{Portal, Reader};
use super::{join, place, sorry};
use crate::commands::arrive::{Arrival, Arriving, Leaving, Purpose, Visit, arrive};
use crate::config::Practices;
use crate::identity::Identity;
use crate::identity::nhs_login::{COOKIE, Callback, LoginError, NhsLogin, removal};
use crate::identity::session::SignedIn;
use crate::identity::ticket::Ticket;
use crate::store::pages;

/// What the way in needs.
#[derive(Debug)]
pub struct Entrance {
    /// `None` where NHS login is not configured.
    pub nhs_login: Option<NhsLogin>,
    /// Which GP practices are whose.
    pub practices: Practices,
    /// How long somebody may take to decide whether to join.
    pub decide_within: Duration,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/login", show)
        .post("/login/nhs", go)
        .get("/login/nhs/callback", back)
        .get("/login/{reason}", why);
    join::routes(doors);
}

#[derive(Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

async fn show(request: HttpRequest, wanted: web::Query<Wanted>) -> HttpResponse {
    let work = async {
        let portal = Portal::of(&request)?;
        let next = landing(&wanted.next);
        if SignedIn::of(&request).await?.is_some() {
            return Ok(see_other(next));
        }
        // A person's own host in a demonstration is theirs alone: NHS login comes back to the plain one.
        if portal.demo.is_some() && host_name(&request).is_some() {
            return Ok(see_other("/demo/sign-in"));
        }
        lead_to_nhs_login(&request, &portal);
        let body = LoginBody {
            is_connected: portal.entrance.nhs_login.is_some(),
            next: next.to_owned(),
            is_demo: portal.demo.is_some(),
        };
        Ok(render(&request, "login.jinja", &plain("Sign in"), &body))
    };
    page(&request, work).await
}

/// The page to go to: the one that was wanted, if it is one of ours.
fn landing(wanted: &str) -> &str {
    place::known(wanted).unwrap_or("/")
}

/// The sign-in page, with the way back to the page that was asked for. A form is not sent twice.
pub(crate) fn login_for(request: &HttpRequest) -> String {
    let asked = request
        .uri()
        .path_and_query()
        .map_or("/", |one| one.as_str());
    let next = (*request.method() == Method::GET).then(|| landing(asked));
    match next {
        None | Some("/") => "/login".to_owned(),
        Some(next) => format!("/login?next={}", escaped(next)),
    }
}

/// The frame of a page for somebody who is not signed in.
pub(crate) fn plain(title: &str) -> Chrome {
    visitor(title, "/login")
}

/// Lets forms of this page lead to NHS login; every page with such a form calls it.
pub(crate) fn lead_to_nhs_login(request: &HttpRequest, portal: &Portal) {
    if let Some(nhs_login) = &portal.entrance.nhs_login {
        forms_may_lead_to(request, nhs_login.origin());
    }
}

/// Whether somebody who has no mailbox is offered to join: by the proof they sign in with, so not where that is another.
pub(crate) async fn offers_joining(
    request: &HttpRequest,
    reader: &Reader,
) -> Result<bool, Failure> {
    let portal = &reader.portal;
    let is_persona = portal.demo.is_some() && host_name(request).is_some();
    if is_persona || reader.person.mailbox.is_some() || portal.entrance.nhs_login.is_none() {
        return Ok(false);
    }
    lead_to_nhs_login(request, portal);
    let staff = pages::staff_trust(&reader.tx, reader.session.account).await?;
    Ok(staff.is_none())
}

#[derive(Deserialize)]
struct SettingOut {
    #[serde(default)]
    next: String,
    #[serde(default)]
    computer: String,
    /// `join` to get a mailbox for an account that has none.
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    csrf: String,
}

async fn go(request: HttpRequest, form: web::Form<SettingOut>) -> HttpResponse {
    let work = async {
        let next = landing(&form.next);
        if form.purpose != Purpose::Join.name() {
            return set_out(
                &request,
                Purpose::SignIn,
                None,
                is_public(&form.computer),
                next,
            )
            .await;
        }
        let session = SignedIn::of(&request).await?.ok_or(Failure::SignIn)?;
        if !session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let public = session.public_computer;
        set_out(&request, Purpose::Join, Some(&session), public, next).await
    };
    page(&request, work).await
}

/// Sends the browser to NHS login. `next` is a page of ours.
pub(crate) async fn set_out(
    request: &HttpRequest,
    purpose: Purpose,
    session: Option<&SignedIn>,
    public_computer: bool,
    next: &str,
) -> Result<HttpResponse, Failure> {
    let portal = Portal::of(request)?;
    let nhs_login = portal.entrance.nhs_login.as_ref();
    let nhs_login = nhs_login.ok_or(Failure::NotFound)?;
    let account = session.map(|session| session.account);
    let begun = nhs_login
        .begin(&portal.store, purpose, account, public_computer, next)
        .await;
    match begun {
        Ok(begun) => with_cookies(see_other(&begun.url), &[begun.cookie]),
        Err(error) => failed(error),
    }
}

/// NHS login sends the browser back: whatever comes of it, the visit is over.
async fn back(request: HttpRequest, identity: web::Data<Identity>) -> HttpResponse {
    let work = async {
        let portal = Portal::of(&request)?;
        let Some(nhs_login) = &portal.entrance.nhs_login else {
            return failed(LoginError::Again("not_configured"));
        };
        // What cannot be read is as good as nothing: the client says what is missing.
        let callback = web::Query::<Callback>::from_query(request.query_string());
        let callback = callback.map(web::Query::into_inner).unwrap_or_default();
        let browser = request.cookie(COOKIE);
        let browser = browser.as_ref().map(Cookie::value);
        let answer = match nhs_login.finish(&portal.store, &callback, browser).await {
            Err(error) => failed(error),
            Ok((who, visit)) => {
                let secret = Ticket::random();
                let arriving = Arriving {
                    practices: &portal.entrance.practices,
                    visit: &visit,
                    secret_sha256: &secret.hash().0,
                    decide_within: portal.entrance.decide_within,
                };
                let arrival = arrive(&portal.store, &who, arriving).await?;
                settle(&request, &identity, &portal, arrival, &visit, &secret).await
            }
        }?;
        with_cookies(answer, &[removal()])
    };
    page(&request, work).await
}

async fn settle(
    request: &HttpRequest,
    identity: &Identity,
    portal: &Portal,
    arrival: Arrival,
    visit: &Visit,
    secret: &Ticket,
) -> Result<HttpResponse, Failure> {
    match arrival {
        Arrival::Refused(reason) => {
            let outcome = reason.name();
            metrics::counter!("letterbox_nhs_login_total", "outcome" => outcome).increment(1);
            tracing::info!(security = true, reason = outcome, "nhs_login.not_let_in");
            Ok(see_other(&sorry::address(outcome)))
        }
        Arrival::Decide => {
            let cookie = join::cookie(secret.reveal(), portal.entrance.decide_within);
            with_cookies(see_other("/join"), &[cookie])
        }
        Arrival::SignIn(account) => {
            let next = landing(&visit.next);
            if visit.purpose == Purpose::Confirm
                && let Some(session) = SignedIn::of(request).await?
                && session.account == account
                && identity.confirmed(&session).await?
            {
                return Ok(see_other(next));
            }
            let (cookie, ended) = identity
                .sign_in(request, account, visit.public_computer)
                .await?;
            portal.end_sockets(&ended);
            with_cookies(see_other(next), &[cookie])
        }
        Arrival::Left(leaving) => left(request, identity, portal, &leaving, visit).await,
    }
}

/// No member any more: every open page of theirs and of their carers falls silent before the answer.
async fn left(
    request: &HttpRequest,
    identity: &Identity,
    portal: &Portal,
    leaving: &Leaving,
    visit: &Visit,
) -> Result<HttpResponse, Failure> {
    let ended = identity.sign_out_elsewhere(leaving.account, None).await?;
    portal.end_sockets(&ended);
    for grant in &leaving.grants {
        portal
            .system
            .revoke(leaving.patient, *grant, leaving.version);
    }
    let (cookie, _) = identity
        .sign_in(request, leaving.account, visit.public_computer)
        .await?;
    let reason = match leaving.why {
        Left::MovedAway => "moved-away",
        Left::MovedToWales => "moved-to-wales",
    };
    with_cookies(see_other(&sorry::address(reason)), &[cookie])
}

pub(crate) fn with_cookies(
    mut answer: HttpResponse,
    cookies: &[Cookie<'static>],
) -> Result<HttpResponse, Failure> {
    for cookie in cookies {
        answer
            .add_cookie(cookie)
            .map_err(|error| Failure::Unavailable(Box::new(error)))?;
    }
    Ok(answer)
}

fn failed(error: LoginError) -> Result<HttpResponse, Failure> {
    let reason = match error {
        LoginError::Store(error) => return Err(error.into()),
        LoginError::NotShared => "not-shared",
        LoginError::Down(_) | LoginError::Busy => "not-answering",
        LoginError::Again(_) => "try-again",
    };
    Ok(see_other(&sorry::address(reason)))
}

async fn why(request: HttpRequest, reason: web::Path<String>) -> HttpResponse {
    let work = async {
        let body = sorry::body(&reason).ok_or(Failure::NotFound)?;
        let is_down = reason.as_str() == "not-answering";
        let status = if is_down {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        let mut answer = render_with(&request, status, "sorry.jinja", &plain(body.heading), &body);
        if is_down {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        Ok(answer)
    };
    page(&request, work).await
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::login_for;

    #[actix_web::test]
    async fn case_77_whoever_asks_for_a_page_of_ours_is_led_back_to_it_and_nowhere_else() {
        let at = |uri: &str| login_for(&TestRequest::get().uri(uri).to_http_request());
        assert_eq!(
            at("/my-health/documents"),
            "/login?next=/my-health/documents"
        );
        assert_eq!(
            at("/my-health/appointments?list=past&x=1"),
            "/login?next=/my-health/appointments?list=past%26x=1"
        );
        for elsewhere in ["/", "/nowhere", "//evil.example/account", "/my-health/../x"] {
            assert_eq!(at(elsewhere), "/login", "{elsewhere}");
        }
        let form = TestRequest::post()
            .uri("/account/sessions")
            .to_http_request();
        assert_eq!(login_for(&form), "/login", "a form is not sent twice");
    }
}
