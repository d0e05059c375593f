//! Refused input that somebody at the trust must look at: unseen, it would be a lost letter.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::wire::{QuarantineList, QuarantineView};
use super::{Api, answer};
use crate::commands::quarantined::{PAGE, quarantined};
use crate::problem::Problem;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// `next` of the page before.
    after: Option<Uuid>,
}

/// What is in quarantine, oldest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "quarantine", params(Page),
    responses((status = 200, body = QuarantineList)))]
pub(super) async fn list(
    request: HttpRequest,
    api: web::Data<Api>,
    page: web::Query<Page>,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let rows = quarantined(&api.store, &sender, page.after)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
    let next = rows.last().map(|row| row.id).filter(|_| full);
    let items = rows.into_iter().map(|row| QuarantineView {
        id: row.id,
        kind: row.kind,
        source_id: row.source_id,
        code: row.code,
        detail: row.detail,
        created_at: row.created_at,
    });
    Ok(HttpResponse::Ok().json(QuarantineList {
        items: items.collect(),
        next,
    }))
}
