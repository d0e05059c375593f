//! Who looked at my record: from the audit, newest first. Staff are shown by role and trust, carers by name.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::super::doors::Doors;
use super::super::failure::{Failure, page};
use super::super::model::{LookRow, LookedBody};
use super::super::page::render;
use super::super::words;
use super::{Owner, tabs};
use crate::store::pages::{self, LookView, LookedBy};

const HERE: &str = "/account/looked";
/// Looks on one page: a screen or two, and one more to know whether there are older ones.
const ON_A_PAGE: i64 = 50;

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors.get("/account/looked", show);
}

#[derive(Deserialize)]
struct From {
    before: Option<i64>,
}

async fn show(request: HttpRequest, from: web::Query<From>) -> HttpResponse {
    let work = async {
        let owner = Owner::of(&request).await?;
        let patient = owner.reader.person.mailbox.ok_or(Failure::NotFound)?;
        let account = owner.reader.session.account;
        let before = from.before.unwrap_or(i64::MAX);
        let tx = &owner.reader.tx;
        let mut looks = pages::looks(tx, patient, account, before, ON_A_PAGE + 1).await?;
        let on_a_page = usize::try_from(ON_A_PAGE).unwrap_or(usize::MAX);
        let more = looks.len() > on_a_page;
        looks.truncate(on_a_page);
        let older = looks.last().filter(|_| more);
        let body = LookedBody {
            tabs: tabs(HERE, true),
            older: older.map(|last| format!("{HERE}?before={}", last.id)),
            is_first: from.before.is_none(),
            looks: looks.iter().map(row).collect(),
        };
        let chrome = owner.chrome("Who looked", HERE);
        Ok(render(&request, "account_looked.jinja", &chrome, &body))
    };
    page(&request, work).await
}

fn row(look: &LookView) -> LookRow {
    let did = did(&look.action);
    let did = if look.allowed {
        did.to_owned()
    } else {
        format!("Tried, and was not allowed: {}", did.to_lowercase())
    };
    LookRow {
        at: words::date_and_time(look.at),
        who: who(&look.who),
        did: look
            .what
            .as_ref()
            .map_or_else(|| did.clone(), |what| format!("{did}: {what}")),
    }
}

fn who(by: &LookedBy) -> String {
    match by {
        LookedBy::Owner => "You".to_owned(),
        LookedBy::Carer { name, relationship } => format!("{name} ({relationship})"),
        LookedBy::Staff { role, trust } => format!("{}, {trust}", role_text(role)),
        LookedBy::Somebody => "Somebody who has no account any more".to_owned(),
    }
}

fn role_text(role: &str) -> &'static str {
    match role {
        "booking_clerk" => "Booking clerk",
        "manager" => "Manager",
        "information_governance" => "Information governance",
        _ => "Member of staff",
    }
}

/// What an audit row says, in words. An action without words of its own is told all the same.
fn did(action: &str) -> &'static str {
    match action {
        "letter.view" => "Opened a letter",
        "letter.download" => "Downloaded a letter",
        "appointment.open" | "appointment.view" => "Looked at an appointment",
        "mailbox.view" => "Looked at your letters and appointments",
        "board.view" => "Saw your name on the booking office’s list",
        "account.reminders_chosen" => "Changed reminders",
        "grant.given" => "Changed the circle of care",
        "grant.revoked" => "Stopped sharing",
        "account.ways_chosen" => "Changed contact choices",
        "account.print_chosen" => "Changed the format of post",
        _ => "Looked at the record",
    }
}
