//! "Hide from my circle of care", and the way back: a button on every letter and every appointment of the patient's.
//!
//! Carers' open pages lose the item at once; the address behind it leads them nowhere from then on.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::event::ItemRef;
use serde::Deserialize;
use uuid::Uuid;

use super::circle::vouched;
use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::HideForm;
use super::page::see_other;
use super::portal::Desk;
use crate::commands::Wake;
use crate::commands::hide_item::hide_item;

#[derive(Deserialize)]
struct Hide {
    #[serde(default)]
    csrf: String,
    /// `yes` hides, anything else shows again.
    #[serde(default)]
    hidden: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .post("/my-health/documents/{letter}/hide", letter)
        .post("/my-health/appointments/{appointment}/hide", appointment);
}

/// The button for one of the patient's own items; carers have none.
pub(super) fn button(desk: &Desk, at: &str, hidden: bool) -> Option<HideForm> {
    desk.viewer.is_patient().then(|| HideForm {
        action: format!("{at}/hide"),
        hidden,
    })
}

async fn letter(request: HttpRequest, id: web::Path<Uuid>, form: web::Form<Hide>) -> HttpResponse {
    let id = id.into_inner();
    let back = format!("/my-health/documents/{id}");
    page(
        &request,
        hide(&request, ItemRef::Letter(id.into()), &form, &back),
    )
    .await
}

async fn appointment(
    request: HttpRequest,
    id: web::Path<Uuid>,
    form: web::Form<Hide>,
) -> HttpResponse {
    let id = id.into_inner();
    let back = format!("/my-health/appointments/{id}");
    let item = ItemRef::Appointment(id.into());
    page(&request, hide(&request, item, &form, &back)).await
}

async fn hide(
    request: &HttpRequest,
    item: ItemRef,
    form: &Hide,
    back: &str,
) -> Result<HttpResponse, Failure> {
    let desk = vouched(request, &form.csrf).await?;
    let (portal, account) = (&desk.reader.portal, desk.reader.session.account);
    let events = hide_item(&portal.store, account, item, form.hidden == "yes").await?;
    let events = events.ok_or(Failure::NotFound)?;
    if !events.is_empty() {
        portal.bells.ring(Wake {
            events,
            ..Wake::default()
        });
    }
    Ok(see_other(back))
}
