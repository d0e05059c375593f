//! Connect → Circle of care: whom the patient shares with, and the switch.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::circle::ShareKind;
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{CarerRow, CircleBody};
use super::page::{render, see_other};
use super::portal::{Desk, Reader, live};
use crate::commands::revoke;
use crate::commands::share::{self, NewGrant, ShareError};
use crate::store::pages::{self, CarerView};

#[derive(Deserialize)]
struct Switch {
    #[serde(default)]
    csrf: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/connect/circle-of-care", show)
        .get("/connect/circle-of-care.json", now)
        .post("/connect/circle-of-care/{grant}/withdraw", withdraw)
        .post("/connect/circle-of-care/{grant}/share", share_again);
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let body = body(&desk).await?;
        let mut chrome = desk
            .reader
            .chrome("Circle of care", "/connect/circle-of-care");
        chrome.live = live(
            "/connect/circle-of-care.json",
            "/connect/circle-of-care",
            "Check again",
        );
        // A withdrawal raises no event for the patient's own socket, so this page asks by itself.
        if let Some(live) = &mut chrome.live {
            live.how = "poll";
        }
        Ok(render(&request, "circle.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async {
        let desk = Desk::of(Reader::glance(&request).await?, None).await?;
        Ok(HttpResponse::Ok().json(body(&desk).await?))
    })
    .await
}

async fn withdraw(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    form: web::Form<Switch>,
) -> HttpResponse {
    let work = async {
        let desk = switched(&request, &form).await?;
        let portal = &desk.reader.portal;
        let revoked = revoke::revoke(
            &portal.store,
            desk.reader.session.account,
            grant.into_inner().into(),
        )
        .await?;
        let revoked = revoked.ok_or(Failure::NotFound)?;
        // Before the answer: this server's sockets fall silent here, the others' within a second.
        portal
            .system
            .revoke(revoked.patient, revoked.grant, revoked.version);
        Ok(see_other("/connect/circle-of-care"))
    };
    page(&request, work).await
}

/// Shares again what was shared before.
async fn share_again(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    form: web::Form<Switch>,
) -> HttpResponse {
    let work = async {
        let desk = switched(&request, &form).await?;
        let portal = &desk.reader.portal;
        let grant = grant.into_inner().into();
        let carers = pages::carers(&desk.reader.tx, desk.patient).await?;
        let before = carers
            .into_iter()
            .find(|carer| carer.id == grant)
            .ok_or(Failure::NotFound)?;
        let again = NewGrant {
            carer: before.account,
            relationship: before.relationship,
            ticks: before.ticks,
            may_read_for_me: before.may_read_for_me,
        };
        let given = share::share(&portal.store, desk.reader.session.account, &again).await?;
        portal.system.grants_changed(given.patient, given.version);
        Ok(see_other("/connect/circle-of-care"))
    };
    page(&request, work).await
}

impl From<ShareError> for Failure {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Store(error) => error.into(),
            _ => Self::NotFound,
        }
    }
}

async fn switched(request: &HttpRequest, form: &Switch) -> Result<Desk, Failure> {
    let desk = Desk::of(Reader::of(request).await?, None).await?;
    if !desk.reader.session.verify_csrf(&form.csrf) {
        return Err(Failure::Stale);
    }
    Ok(desk)
}

async fn body(desk: &Desk) -> Result<CircleBody, Failure> {
    let found = pages::carers(&desk.reader.tx, desk.patient).await?;
    let mut carers = Vec::with_capacity(found.len());
    for carer in &found {
        let confirmed = match carer.revoked_at {
            Some(_) => revoke::is_settled(&desk.reader.portal.store, carer.id).await?,
            None => true,
        };
        carers.push(row(carer, confirmed));
    }
    Ok(CircleBody {
        empty: carers.is_empty(),
        carers,
    })
}

fn row(carer: &CarerView, confirmed: bool) -> CarerRow {
    let at = format!("/connect/circle-of-care/{}", carer.id);
    let shared = carer.revoked_at.is_none();
    let (tag, tone) = match (shared, confirmed) {
        (true, _) => ("Sharing", "green"),
        (false, false) => ("Withdrawing…", "yellow"),
        (false, true) => ("Not shared", "grey"),
    };
    let kinds: Vec<&str> = carer.ticks.iter().map(words_for).collect();
    let sees = if shared {
        format!("Can see: {}", kinds.join(", "))
    } else {
        "Sees nothing of yours".to_owned()
    };
    let reads = match (shared, carer.may_read_for_me) {
        (false, _) => "",
        (true, true) => "May open letters for you",
        (true, false) => "Cannot open letters for you",
    };
    CarerRow {
        id: carer.id.to_string(),
        name: carer.name.clone(),
        relationship: carer.relationship.clone(),
        tag,
        tone,
        sees,
        reads: reads.to_owned(),
        withdraw_url: shared.then(|| format!("{at}/withdraw")),
        share_url: (!shared).then(|| format!("{at}/share")),
    }
}

fn words_for(kind: ShareKind) -> &'static str {
    match kind {
        ShareKind::Appointments => "appointments",
        ShareKind::AppointmentLetters => "appointment letters",
        ShareKind::ClinicLetters => "clinic letters",
        ShareKind::Questionnaires => "questionnaires",
        ShareKind::Trackers => "health trackers",
    }
}
