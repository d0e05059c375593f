//! "Confirm that it is you": before contacts, sharing or the account itself are changed, whoever has the device proves
//! again who they are. A handler asks `SignedIn::freshly` and answers `Failure::Confirm` with the page to come back to.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::demo::{choosable, host_name, row};
use super::doors::Doors;
use super::entrance::{lead_to_nhs_login, set_out};
use super::failure::{Failure, page};
use super::model::ConfirmBody;
use super::page::{Chrome, render, see_other};
use super::place;
use super::portal::Reader;
use crate::commands::arrive::Purpose;
use crate::commands::seed::DEMO_ISSUER;
use crate::identity::Identity;
use crate::store::pages;

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/account/confirm", show)
        .post("/account/confirm", confirm);
}

/// Where to confirm before `back` is gone on with.
pub(crate) fn address(back: &str) -> String {
    match place::known(back) {
        Some(back) => format!("/account/confirm?next={}", escaped(back)),
        None => "/account/confirm".to_owned(),
    }
}

/// For a query's value: what a known address may hold and a query may not.
pub(crate) fn escaped(address: &str) -> String {
    address
        .replace('%', "%25")
        .replace('&', "%26")
        .replace('+', "%2B")
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn show(request: HttpRequest, to: web::Query<Next>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        Ok(ask(&request, &reader, &to.next, None))
    };
    page(&request, work).await
}

fn ask(
    request: &HttpRequest,
    reader: &Reader,
    next: &str,
    problem: Option<&'static str>,
) -> HttpResponse {
    let demo = reader.portal.demo.is_some();
    // A person's own host in a demonstration is theirs alone: NHS login comes back to the plain one.
    let by_nhs_login =
        reader.portal.entrance.nhs_login.is_some() && !(demo && host_name(request).is_some());
    if by_nhs_login {
        lead_to_nhs_login(request, &reader.portal);
    }
    let body = ConfirmBody {
        by_nhs_login,
        next: place::known(next).unwrap_or("/").to_owned(),
        personas: if demo {
            choosable(request).into_iter().map(row).collect()
        } else {
            Vec::new()
        },
        problem,
    };
    let chrome = Chrome {
        nav: Vec::new(),
        ..reader.chrome("Confirm that it is you", "/account/confirm")
    };
    render(request, "confirm.jinja", &chrome, &body)
}

#[derive(Deserialize)]
struct Proof {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    next: String,
    /// In a demonstration: who says that they are still there.
    #[serde(default)]
    persona: String,
}

/// In a demonstration choosing oneself again is the proof, as it is at sign-in.
async fn confirm(
    request: HttpRequest,
    identity: web::Data<Identity>,
    form: web::Form<Proof>,
) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        if !reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        if form.persona.is_empty() && reader.portal.entrance.nhs_login.is_some() {
            let next = place::known(&form.next).unwrap_or("/");
            let public = reader.session.public_computer;
            return set_out(
                &request,
                Purpose::Confirm,
                Some(&reader.session),
                public,
                next,
            )
            .await;
        }
        if reader.portal.demo.is_none() {
            return Err(Failure::TooLate(
                "Sign out and sign in again, then make the change within ten minutes.",
            ));
        }
        let chosen = choosable(&request)
            .into_iter()
            .find(|persona| persona.key == form.persona);
        let account = match chosen {
            Some(persona) => pages::account_of(&reader.tx, DEMO_ISSUER, persona.key).await?,
            None => None,
        };
        if account != Some(reader.session.account) {
            let problem = "That is somebody else. Choose the person who is signed in.";
            return Ok(ask(&request, &reader, &form.next, Some(problem)));
        }
        if identity.confirmed(&reader.session).await? {
            Ok(see_other(place::known(&form.next).unwrap_or("/")))
        } else {
            Err(Failure::SignIn)
        }
    };
    page(&request, work).await
}

#[cfg(test)]
mod tests {
    use super::address;

    #[actix_web::test]
    async fn whoever_confirms_comes_back_to_the_page_with_its_query() {
        assert_eq!(
            address("/my-health/appointments?list=past&x=1"),
            "/account/confirm?next=/my-health/appointments?list=past%26x=1"
        );
        assert_eq!(address("//evil.example"), "/account/confirm");
    }
}
