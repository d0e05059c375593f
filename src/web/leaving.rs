//! The ways out: signing out, the page after it, and the quick exit.
//!
//! Each ends the session on the server first, then its sockets, then what the browser has kept. None needs a script.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::SignedOutBody;
use super::page::{Chrome, render, render_with, see_other, visitor};
use super::place;
use super::portal::Portal;
use crate::identity::Identity;
use crate::identity::session::{SignedIn, removal};

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .post("/sign-out", sign_out)
        .get("/signed-out", signed_out)
        .post("/leave", leave);
}

#[derive(Deserialize)]
struct Leaving {
    #[serde(default)]
    csrf: String,
}

/// Ends the session, its sockets, and what the browser has kept.
async fn sign_out(
    request: HttpRequest,
    identity: web::Data<Identity>,
    form: web::Form<Leaving>,
) -> HttpResponse {
    let work = async {
        let Some(session) = SignedIn::of(&request).await? else {
            return cleared(see_other("/signed-out"));
        };
        if !session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        end(&request, &identity, &session).await?;
        cleared(see_other(if session.public_computer {
            "/signed-out?computer=public"
        } else {
            "/signed-out"
        }))
    };
    page(&request, work).await
}

/// The same, and away: whoever looks over the reader's shoulder sees another site's page.
async fn leave(
    request: HttpRequest,
    identity: web::Data<Identity>,
    form: web::Form<Leaving>,
) -> HttpResponse {
    let work = async {
        // Not a redirect: a form's answer may not lead to another site (`form-action`), a page that moves on may.
        let away = |status| {
            let chrome = Chrome::default();
            render_with(&request, status, "leave.jinja", &chrome, &())
        };
        let session = match SignedIn::of(&request).await {
            Ok(Some(session)) => session,
            Ok(None) => return cleared(away(StatusCode::OK)),
            // The session cannot be ended now; the browser forgets it, and whoever is here gets away.
            Err(error) => {
                tracing::error!(%error, "leave.session_not_ended");
                return cleared(away(StatusCode::SERVICE_UNAVAILABLE));
            }
        };
        if !session.verify_csrf(&form.csrf) {
            return Ok(away(StatusCode::FORBIDDEN));
        }
        end(&request, &identity, &session).await?;
        cleared(away(StatusCode::OK))
    };
    page(&request, work).await
}

async fn end(
    request: &HttpRequest,
    identity: &Identity,
    session: &SignedIn,
) -> Result<(), Failure> {
    let (_, ended) = identity.sign_out(session).await?;
    Portal::of(request)?.end_sockets(&ended);
    Ok(())
}

/// Takes the cookie away and has the browser drop what it keeps of this site. Other cookies are left alone: ours is
/// the only one, and it goes by name.
fn cleared(mut answer: HttpResponse) -> Result<HttpResponse, Failure> {
    answer
        .add_cookie(&removal())
        .map_err(|error| Failure::Unavailable(Box::new(error)))?;
    let kept = header::HeaderValue::from_static(r#""cache", "storage""#);
    answer
        .headers_mut()
        .insert(header::HeaderName::from_static("clear-site-data"), kept);
    Ok(answer)
}

#[derive(Deserialize)]
struct How {
    #[serde(default)]
    computer: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    next: String,
}

/// What stays on the screen: nothing of anybody's.
async fn signed_out(request: HttpRequest, how: web::Query<How>) -> HttpResponse {
    let body = SignedOutBody {
        ended: how.why == "ended",
        public_computer: how.computer == "public",
        next: place::known(&how.next).unwrap_or("/").to_owned(),
    };
    let chrome = visitor("You have been signed out", "");
    render(&request, "signed_out.jinja", &chrome, &body)
}
