//! Signed-in devices: where the reader is signed in, and ending that; and what an open page asks about its session.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::account;
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{DeviceRow, DevicesBody};
use super::page::{render, see_other};
use super::portal::{Portal, Reader};
use super::words;
use crate::identity::Identity;
use crate::identity::session::SignedIn;
use crate::store::devices::{Device, devices};

const HERE: &str = "/account/sessions";

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get(HERE, show)
        .get("/account/sessions/left.json", left)
        .post("/account/sessions/stay", stay)
        .post("/account/sessions/{session}/end", end_one)
        .post("/account/sessions/end-others", end_others);
}

/// Set by a form's answer, shown once.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    ended: Option<u32>,
}

async fn show(
    request: HttpRequest,
    identity: web::Data<Identity>,
    said: web::Query<Said>,
) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let found = devices(&reader.tx, reader.session.account, identity.idle()).await?;
        let rows: Vec<_> = found.iter().map(|one| row(&reader.session, one)).collect();
        let body = DevicesBody {
            tabs: account::tabs(HERE, reader.person.mailbox.is_some()),
            others: rows.len() > 1,
            devices: rows,
            notice: said.ended.map(notice),
        };
        let chrome = reader.chrome("Signed-in devices", HERE);
        Ok(render(&request, "devices.jinja", &chrome, &body))
    };
    page(&request, work).await
}

fn notice(ended: u32) -> String {
    match ended {
        0 => "That device was signed out already.".to_owned(),
        1 => "1 device has been signed out.".to_owned(),
        many => format!("{many} devices have been signed out."),
    }
}

fn row(here: &SignedIn, device: &Device) -> DeviceRow {
    let this_one = device.session == here.session;
    DeviceRow {
        browser: device.browser.clone(),
        this_one,
        public_computer: device.public_computer,
        signed_in: words::date_and_time(device.signed_in_at),
        last_used: if this_one {
            "now".to_owned()
        } else {
            words::date_and_time(device.last_used_at)
        },
        end_url: (!this_one).then(|| format!("{HERE}/{}/end", device.session)),
    }
}

#[derive(Deserialize)]
struct Vouched {
    #[serde(default)]
    csrf: String,
}

/// The signed-in sender of a form of ours.
async fn vouched(request: &HttpRequest, form: &Vouched) -> Result<SignedIn, Failure> {
    let session = SignedIn::of(request).await?.ok_or(Failure::SignIn)?;
    if session.verify_csrf(&form.csrf) {
        Ok(session)
    } else {
        Err(Failure::Stale)
    }
}

/// Ends one of the reader's own sessions. Another account's is not there, and one that has ended is no failure.
async fn end_one(
    request: HttpRequest,
    identity: web::Data<Identity>,
    which: web::Path<Uuid>,
    form: web::Form<Vouched>,
) -> HttpResponse {
    let work = async {
        let session = vouched(&request, &form).await?;
        let ended = identity
            .end(session.account, which.into_inner().into())
            .await?;
        Portal::of(&request)?.end_sockets(&ended);
        Ok(see_other(&format!("{HERE}?ended={}", ended.len())))
    };
    page(&request, work).await
}

async fn end_others(
    request: HttpRequest,
    identity: web::Data<Identity>,
    form: web::Form<Vouched>,
) -> HttpResponse {
    let work = async {
        let session = vouched(&request, &form).await?;
        // Whoever picked this device up must not be able to sign its owner out everywhere else.
        if !session.freshly() {
            return Err(Failure::Confirm {
                back: HERE.to_owned(),
            });
        }
        let ended = identity
            .sign_out_elsewhere(session.account, Some(session.session))
            .await?;
        Portal::of(&request)?.end_sockets(&ended);
        Ok(see_other(&format!("{HERE}?ended={}", ended.len())))
    };
    page(&request, work).await
}

/// An open page asks how long it has; asking keeps nobody signed in.
async fn left(request: HttpRequest) -> HttpResponse {
    data(async {
        let session = SignedIn::glance(&request).await?.ok_or(Failure::SignIn)?;
        Ok(remaining(&session))
    })
    .await
}

/// "Stay signed in", or somebody is using the page: the idle time starts again. The longest life does not.
async fn stay(request: HttpRequest, form: web::Form<Vouched>) -> HttpResponse {
    data(async { Ok(remaining(&vouched(&request, &form).await?)) }).await
}

fn remaining(session: &SignedIn) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "left": session.left.as_secs() }))
}
