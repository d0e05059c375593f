//! Deleting my account: what it means, why, and the button. Afterwards nobody is signed in anywhere.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::choice::Leaving;
use serde::Deserialize;

use super::super::doors::Doors;
use super::super::failure::{Failure, page};
use super::super::model::{DeleteBody, DeletedBody, FormatChoice};
use super::super::page::{render, see_other, visitor};
use super::super::words;
use super::{Owner, tabs};
use crate::commands::Wake;
use crate::commands::close_account::{Closed, close_account};
use crate::identity::session::removal;

const HERE: &str = "/account/delete";

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/account/delete", show)
        .post("/account/delete", delete)
        .get("/account/deleted", deleted);
}

#[derive(Deserialize)]
struct Asked {
    /// The form came without a reason.
    missing: Option<u8>,
}

async fn show(request: HttpRequest, asked: web::Query<Asked>) -> HttpResponse {
    let work = async {
        let owner = Owner::of(&request).await?;
        let account = &owner.account;
        let choice = |reason: Leaving| FormatChoice {
            value: reason.name(),
            text: text(reason),
            checked: false,
        };
        let body = DeleteBody {
            tabs: tabs(HERE, account.has_mailbox),
            has_mailbox: account.has_mailbox,
            unread: match account.unread {
                0 => None,
                some => Some(words::count(some, "letter")),
            },
            post_is_unsafe: account.post_is_unsafe,
            reasons: Leaving::ALL.into_iter().map(choice).collect(),
            missing: asked.missing.is_some(),
        };
        let chrome = owner.chrome("Delete my account", HERE);
        Ok(render(&request, "account_delete.jinja", &chrome, &body))
    };
    page(&request, work).await
}

const fn text(reason: Leaving) -> &'static str {
    match reason {
        Leaving::PreferPost => "I prefer letters by post",
        Leaving::HardToUse => "The portal is hard to use",
        Leaving::Privacy => "I am worried about who can see my information",
        Leaving::Moving => "I am moving away",
        Leaving::NoNeed => "I do not need it any more",
        Leaving::Other => "Another reason, or I would rather not say",
    }
}

#[derive(Deserialize)]
struct Deletion {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    reason: String,
}

async fn delete(request: HttpRequest, form: web::Form<Deletion>) -> HttpResponse {
    let work = async {
        let owner = Owner::sent(&request, &form.csrf).await?.freshly(HERE)?;
        let Some(reason) = Leaving::from_name(&form.reason) else {
            return Ok(see_other("/account/delete?missing=1"));
        };
        let Owner { reader, .. } = owner;
        let portal = reader.portal.clone();
        let account = reader.session.account;
        // The page's own snapshot must not wait beside the change.
        drop(reader);
        let closed = close_account(&portal.ladder, account, reason).await?;
        let closed = closed.ok_or(Failure::NotFound)?;
        obey(&portal, closed);
        goodbye()
    };
    page(&request, work).await
}

/// Before the answer: this server's sockets and views end here, the others' within a second.
fn obey(portal: &super::super::Portal, closed: Closed) {
    for (patient, grant, version) in &closed.grants {
        portal.system.revoke(*patient, *grant, *version);
    }
    portal.end_sockets(&closed.sessions);
    portal.bells.ring(Wake {
        events: closed.events,
        cases: closed.trusts,
        ..Wake::default()
    });
}

/// The browser forgets us.
fn goodbye() -> Result<HttpResponse, Failure> {
    let mut answer = see_other("/account/deleted");
    answer
        .add_cookie(&removal())
        .map_err(|error| Failure::Unavailable(Box::new(error)))?;
    let clear = HeaderValue::from_static(r#""cache", "storage""#);
    answer
        .headers_mut()
        .insert(HeaderName::from_static("clear-site-data"), clear);
    Ok(answer)
}

/// Public: whoever sees it is signed in no longer.
async fn deleted(request: HttpRequest) -> HttpResponse {
    let chrome = visitor("Your account is deleted", "");
    render(&request, "account_deleted.jinja", &chrome, &DeletedBody {})
}
