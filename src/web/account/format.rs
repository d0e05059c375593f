//! Format: how a letter that we post is printed. What is chosen stands in the print house's manifest.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::choice::Print;
use serde::Deserialize;

use super::super::doors::Doors;
use super::super::failure::{Failure, page};
use super::super::model::{FormatBody, FormatChoice};
use super::super::page::{render, see_other};
use super::contact::Saved;
use super::{Owner, tabs};
use crate::commands::choose_contact::choose_print;

const HERE: &str = "/account/format";

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/account/format", show)
        .post("/account/format", change);
}

async fn show(request: HttpRequest, query: web::Query<Saved>) -> HttpResponse {
    let work = async {
        let owner = Owner::of(&request).await?;
        if !owner.account.has_mailbox {
            return Err(Failure::NotFound);
        }
        let account = &owner.account;
        let now = account
            .print
            .or(account.print_on_file)
            .unwrap_or(Print::Standard);
        let choice = |print: Print| FormatChoice {
            value: print.name(),
            text: text(print),
            checked: print == now,
        };
        let body = FormatBody {
            tabs: tabs(HERE, true),
            saved: query.saved.is_some(),
            choices: Print::ALL.into_iter().map(choice).collect(),
            on_file: account.print_on_file.map(text),
        };
        let chrome = owner.chrome("Format", HERE);
        Ok(render(&request, "account_format.jinja", &chrome, &body))
    };
    page(&request, work).await
}

const fn text(print: Print) -> &'static str {
    match print {
        Print::Standard => "Standard print",
        Print::LargePrint => "Large print",
        Print::Braille => "Braille",
        Print::Audio => "Audio",
        Print::EasyRead => "Easy read",
    }
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    print: String,
}

async fn change(request: HttpRequest, form: web::Form<Change>) -> HttpResponse {
    let work = async {
        let owner = Owner::sent(&request, &form.csrf).await?;
        if !owner.account.has_mailbox {
            return Err(Failure::NotFound);
        }
        let print = Print::from_name(&form.print).ok_or(Failure::TooLate(
            "Choose one of the formats on the page, then save again.",
        ))?;
        let account = owner.reader.session.account;
        if !choose_print(&owner.reader.portal.ladder, account, Some(print)).await? {
            return Err(Failure::NotFound);
        }
        Ok(see_other("/account/format?saved=1"))
    };
    page(&request, work).await
}
