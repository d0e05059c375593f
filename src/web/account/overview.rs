//! Account overview: what is on record, and where each thing is changed.

use actix_web::{HttpRequest, HttpResponse};
use letterbox_domain::dispatch::Channel;

use super::super::doors::Doors;
use super::super::entrance::offers_joining;
use super::super::failure::page;
use super::super::model::{AccountBody, AccountRow};
use super::super::page::render;
use super::super::words;
use super::{Owner, tabs};
use crate::store::pages::AccountView;

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors.get("/account", show);
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let owner = Owner::of(&request).await?;
        let body = AccountBody {
            tabs: tabs("/account", owner.account.has_mailbox),
            rows: rows(&owner.account),
            may_join: offers_joining(&request, &owner.reader).await?,
        };
        let chrome = owner.chrome("Account overview", "/account");
        Ok(render(&request, "account.jinja", &chrome, &body))
    };
    page(&request, work).await
}

fn rows(account: &AccountView) -> Vec<AccountRow> {
    let row = |key, value: String, href, change| AccountRow {
        key,
        value,
        href,
        change,
    };
    let missing = || "None verified".to_owned();
    let mut rows = vec![
        row("Name", account.name.clone(), "", ""),
        row(
            "Email",
            account.email.clone().unwrap_or_else(missing),
            "/account/contact",
            "how we use your email",
        ),
        row(
            "Mobile",
            account.mobile.as_deref().map_or_else(missing, words::phone),
            "/account/contact",
            "how we use your mobile",
        ),
    ];
    if !account.has_mailbox {
        return rows;
    }
    if let Some(joined) = account.joined_at {
        rows.push(row("Joined", words::day(joined), "", ""));
    }
    let hint = account.post_hint.clone();
    let post = match (account.post_is_unsafe, hint) {
        (true, _) => "You asked us not to post to you".to_owned(),
        (false, Some(hint)) => hint,
        (false, None) => "We have no address for you".to_owned(),
    };
    rows.push(row(
        "We would post to",
        post,
        "/account/post",
        "where we post to",
    ));
    let reminders = match account.reminders {
        None => "None",
        Some(Channel::Text) => "By text message, 7 and 2 days before an appointment",
        Some(_) => "By email, 7 and 2 days before an appointment",
    };
    rows.push(row(
        "Reminders",
        reminders.to_owned(),
        "/account/contact#reminders",
        "reminders of appointments",
    ));
    rows.push(row(
        "You share with",
        words::people(account.carers),
        "/connect/circle-of-care",
        "your circle of care",
    ));
    rows
}
