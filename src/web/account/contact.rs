//! Contact and notifications: the verified contacts, what each is used for, what is wanted, and what is not safe.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::choice::Way;
use letterbox_domain::dispatch::Channel;
use serde::Deserialize;

use super::super::doors::Doors;
use super::super::failure::{Failure, page};
use super::super::model::{ContactBody, FormatChoice, WayRow};
use super::super::page::{render, see_other};
use super::super::words;
use super::{Owner, tabs};
use crate::commands::Wake;
use crate::commands::choose_contact::{Ways, choose_reminders, choose_ways};
use crate::store::pages::AccountView;

const HERE: &str = "/account/contact";

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/account/contact", show)
        .post("/account/contact", change)
        .post("/account/contact/reminders", remind);
}

async fn show(request: HttpRequest, query: web::Query<Saved>) -> HttpResponse {
    let work = async {
        let owner = Owner::of(&request).await?;
        let body = body(&owner.account, query.saved.is_some());
        let chrome = owner.chrome("Contact and notifications", HERE);
        Ok(render(&request, "account_contact.jinja", &chrome, &body))
    };
    page(&request, work).await
}

/// After a change, the page says that it was kept.
#[derive(Deserialize)]
pub(super) struct Saved {
    pub(super) saved: Option<u8>,
}

fn body(account: &AccountView, saved: bool) -> ContactBody {
    let not_verified =
        "None verified. It comes from your NHS login: add it there, then sign in again.";
    let row = |name, label, contact: Option<String>, is_bad: bool, way: Way, used_for| WayRow {
        name,
        label,
        works: contact.is_some() && !is_bad,
        warning: is_bad.then(|| {
            "A message to this did not arrive, so we do not use it. Check it in your NHS login."
                .to_owned()
        }),
        contact: contact.unwrap_or_else(|| not_verified.to_owned()),
        used_for,
        wanted: way == Way::On,
        is_unsafe: way == Way::Never,
    };
    ContactBody {
        tabs: tabs(HERE, account.has_mailbox),
        saved,
        has_mailbox: account.has_mailbox,
        ways: vec![
            row(
                "email",
                "Email",
                account.email.clone(),
                account.email_is_bad,
                account.email_way,
                "To tell you that something new is here, and about your account. Never what a letter says.",
            ),
            row(
                "text",
                "Text messages",
                account.mobile.as_deref().map(words::phone),
                account.mobile_is_bad,
                account.text_way,
                "To remind you when something new has not been opened. Never a link, never what a letter says.",
            ),
        ],
        post_is_unsafe: account.post_is_unsafe,
        reminders: reminders(account),
        reminders_warning: warning(account),
    }
}

/// "No", and the ways that work; the chosen one stands there even if it does not.
fn reminders(account: &AccountView) -> Vec<FormatChoice> {
    let offered = [
        (None, "none", "No, do not remind me"),
        (Some(Channel::Email), "email", "Yes, by email"),
        (Some(Channel::Text), "text", "Yes, by text message"),
    ];
    let is_offered =
        |by: Option<Channel>| by.is_none_or(|way| works(account, way)) || by == account.reminders;
    let choice = |(by, value, text)| FormatChoice {
        value,
        text,
        checked: by == account.reminders,
    };
    offered
        .into_iter()
        .filter(|(by, ..)| is_offered(*by))
        .map(choice)
        .collect()
}

fn works(account: &AccountView, by: Channel) -> bool {
    let (contact, is_bad, way) = match by {
        Channel::Email => (&account.email, account.email_is_bad, account.email_way),
        Channel::Text => (&account.mobile, account.mobile_is_bad, account.text_way),
        Channel::Post => return false,
    };
    contact.is_some() && !is_bad && way != Way::Never
}

fn warning(account: &AccountView) -> Option<&'static str> {
    let by = account.reminders.filter(|by| !works(account, *by))?;
    Some(match by {
        Channel::Text => {
            "We cannot text you at the moment, so we do not remind you. Choose another way, or check your mobile number above."
        }
        Channel::Email | Channel::Post => {
            "We cannot email you at the moment, so we do not remind you. Choose another way, or check your email address above."
        }
    })
}

/// What was chosen about reminders.
#[derive(Deserialize)]
struct Remind {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    reminders: String,
}

/// Asks for no new proof of who it is: a reminder goes to the owner's own verified contact and says a day.
async fn remind(request: HttpRequest, form: web::Form<Remind>) -> HttpResponse {
    let work = async {
        let owner = Owner::sent(&request, &form.csrf).await?;
        let by = match form.reminders.as_str() {
            "none" => None,
            "email" => Some(Channel::Email),
            "text" => Some(Channel::Text),
            _ => return Err(Failure::NotFound),
        };
        let account = owner.reader.session.account;
        if !choose_reminders(&owner.reader.portal.store, account, by).await? {
            return Err(Failure::NotFound);
        }
        Ok(see_other("/account/contact?saved=1"))
    };
    page(&request, work).await
}

/// Boxes of a form: present when ticked.
#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    csrf: String,
    email: Option<String>,
    text: Option<String>,
    email_unsafe: Option<String>,
    text_unsafe: Option<String>,
    post_unsafe: Option<String>,
}

async fn change(request: HttpRequest, form: web::Form<Change>) -> HttpResponse {
    let work = async {
        let owner = Owner::sent(&request, &form.csrf).await?;
        if !owner.account.has_mailbox {
            return Err(Failure::NotFound);
        }
        let owner = owner.freshly(HERE)?;
        let ways = Ways {
            email: Way::of(form.email.is_some(), form.email_unsafe.is_some()),
            text: Way::of(form.text.is_some(), form.text_unsafe.is_some()),
            post_is_unsafe: form.post_unsafe.is_some(),
        };
        let portal = &owner.reader.portal;
        let events = choose_ways(&portal.ladder, owner.reader.session.account, ways).await?;
        let events = events.ok_or(Failure::NotFound)?;
        portal.bells.ring(Wake {
            events,
            ..Wake::default()
        });
        Ok(see_other("/account/contact?saved=1"))
    };
    page(&request, work).await
}
