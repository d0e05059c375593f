//! The page that asks whether to join, in front of somebody who has just proved who they are.
//!
//! There is no session yet: a cookie of its own leads to what NHS login said. Nothing is decided without a press of
//! a button, and the choice is the patient's own, whoever helps them.

use std::collections::BTreeMap;

use actix_web::cookie::time::Duration as CookieTime;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use letterbox_domain::joining::NoMailbox;
use letterbox_domain::letter::LetterKind;
use letterbox_domain::person::Mobile;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::doors::Doors;
use super::entrance::{plain, with_cookies};
use super::failure::{Failure, page};
use super::model::{JoinBody, NoMailboxText};
use super::page::{render, see_other};
use super::portal::Portal;
use super::{place, sorry, words};
use crate::commands::join::{Choice, Decided, decide};
use crate::identity::Identity;
use crate::identity::ticket::TicketHash;
use crate::store::Principal;
use crate::store::pages::{self, ComesHere, ComesHereRow};
use crate::store::sign_ins::Joining;

/// Leads from the browser to what was said of the person in front of it.
const COOKIE: &str = "__Host-letterbox-joining";

pub(super) fn routes(doors: &mut Doors<'_>) {
    doors.get("/join", ask).post("/join", answer);
}

pub(super) fn cookie(value: String, lives: std::time::Duration) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(CookieTime::seconds(lives.as_secs().cast_signed()))
        .finish()
}

fn removal() -> Cookie<'static> {
    let mut gone = cookie(String::new(), std::time::Duration::ZERO);
    gone.make_removal();
    gone
}

/// The secret of this browser, and its hash.
fn secret(request: &HttpRequest) -> Option<(String, TicketHash)> {
    let secret = request.cookie(COOKIE)?.value().to_owned();
    let hash = TicketHash::of(&secret)?;
    Some((secret, hash))
}

/// What the form must carry: only our page knows the cookie's value.
fn token(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("letterbox join form {secret}")))
}

async fn ask(request: HttpRequest) -> HttpResponse {
    let work = async {
        let portal = Portal::of(&request)?;
        let Some((secret, hash)) = secret(&request) else {
            return Ok(see_other(&sorry::address("try-again")));
        };
        let Some(joining) = portal.store.joining(&hash.0).await? else {
            return with_cookies(see_other(&sorry::address("try-again")), &[removal()]);
        };
        let tx = portal.store.begin_snapshot(&Principal::Anonymous).await?;
        let rollout = pages::comes_here(&tx).await?;
        drop(tx);
        let body = body(&joining, &rollout, token(&secret));
        let title = match &body.no_mailbox {
            Some(text) => text.heading,
            None => "Get your hospital letters here",
        };
        Ok(render(&request, "join.jinja", &plain(title), &body))
    };
    page(&request, work).await
}

#[derive(Deserialize)]
struct Pressed {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    choice: String,
}

async fn answer(
    request: HttpRequest,
    identity: web::Data<Identity>,
    form: web::Form<Pressed>,
) -> HttpResponse {
    let work = async {
        let portal = Portal::of(&request)?;
        let (secret, hash) = secret(&request).ok_or(Failure::Stale)?;
        if !bool::from(token(&secret).as_bytes().ct_eq(form.csrf.as_bytes())) {
            return Err(Failure::Stale);
        }
        let choice = match form.choice.as_str() {
            "letters" => Choice::Letters,
            "help-others" => Choice::HelpOthers,
            "neither" => Choice::Neither,
            _ => return Err(Failure::Stale),
        };
        let answer = match decide(&portal.store, &hash.0, choice).await? {
            Decided::Gone => see_other(&sorry::address("try-again")),
            Decided::Left => see_other(&sorry::address("as-it-was")),
            Decided::Refused(reason) => see_other(&sorry::address(reason.name())),
            Decided::Account {
                account,
                public_computer,
                next,
            } => {
                let (cookie, ended) = identity.sign_in(&request, account, public_computer).await?;
                portal.end_sockets(&ended);
                with_cookies(see_other(place::known(&next).unwrap_or("/")), &[cookie])?
            }
        };
        with_cookies(answer, &[removal()])
    };
    page(&request, work).await
}

fn body(joining: &Joining, rollout: &[ComesHere], csrf: String) -> JoinBody {
    let no_mailbox = joining
        .no_mailbox
        .as_deref()
        .map(|name| why_not(NoMailbox::from_name(name)));
    let (comes_here, by_post) = divide(rollout);
    let mobile = joining.mobile.as_deref().map(Mobile::parse);
    let told_at = match mobile {
        Some(Ok(mobile)) => format!("{} and {}", joining.email, mobile.printed()),
        _ => joining.email.clone(),
    };
    JoinBody {
        csrf,
        given: joining.given_name.clone(),
        no_mailbox,
        comes_here,
        by_post,
        told_at,
        may_help: joining.account.is_none(),
    }
}

fn why_not(reason: Option<NoMailbox>) -> NoMailboxText {
    match reason {
        Some(NoMailbox::OutsideArea) => NoMailboxText {
            heading: "You cannot get your letters here",
            lines: &[
                "Your GP surgery is outside {area}. This website is only for people with a GP surgery there.",
                "Your hospital letters go on coming by post. Your care is not affected.",
                "If you have moved here, tell your GP surgery first. NHS login learns of it within a few days.",
            ],
        },
        Some(NoMailbox::Wales) => NoMailboxText {
            heading: "Joining from Wales is not open yet",
            lines: &[
                "Your GP surgery is in Wales. People with a GP surgery in Wales will join with the “Sign up” button, which is not open yet.",
                "Your letters from hospitals in {area} go on coming by post. Your care is not affected.",
            ],
        },
        Some(NoMailbox::NoPractice) => NoMailboxText {
            heading: "You need to be registered with a GP surgery",
            lines: &[
                "NHS login knows of no GP surgery where you are registered. This website is for people with a GP surgery in {area}.",
                "Your hospital letters go on coming by post. Your care is not affected.",
            ],
        },
        Some(NoMailbox::NoNhsNumber) | None => NoMailboxText {
            heading: "You need an NHS number",
            lines: &[
                "NHS login did not tell us your NHS number, so we cannot know which letters are yours. Your GP surgery can help.",
                "Your hospital letters go on coming by post. Your care is not affected.",
            ],
        },
    }
}

/// What comes here today, and what still comes by post, sentence by sentence.
pub(super) fn divide(rollout: &[ComesHere]) -> (Vec<String>, Vec<String>) {
    let mut trusts: BTreeMap<&str, Vec<(&ComesHereRow, bool)>> = BTreeMap::new();
    for view in rollout {
        let rows = trusts.entry(&view.trust).or_default();
        rows.extend(view.row.iter().map(|row| (row, row.live_from <= view.now)));
    }
    let (mut here, mut post) = (Vec::new(), Vec::new());
    for (trust, rows) in trusts {
        let live: Vec<_> = rows.iter().filter(|(_, live)| *live).collect();
        here.extend(live.iter().map(|(row, _)| letters_of(row, trust)));
        for (row, _) in rows.iter().filter(|(_, live)| !live) {
            let from = words::day(row.live_from);
            post.push(format!("{}, until {from}", letters_of(row, trust)));
        }
        post.push(if live.is_empty() {
            format!("All letters from {trust}, for now")
        } else {
            format!("Anything else from {trust}, such as letters from the wards")
        });
    }
    (here, post)
}

fn letters_of(row: &ComesHereRow, trust: &str) -> String {
    let kind = match row.kind {
        LetterKind::Appointment => "Outpatient appointment letters",
        LetterKind::Clinic => "Outpatient clinic letters",
    };
    match &row.specialty {
        None => format!("{kind} from {trust}"),
        Some(specialty) => format!("{kind} about {specialty} from {trust}"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::*;

    #[test]
    fn r3_3_what_is_not_live_yet_still_comes_by_post() {
        let now: chrono::DateTime<Utc> = "2026-11-22T10:00:00Z".parse().expect("an instant");
        let view = |trust: &str, row| ComesHere {
            trust: trust.to_owned(),
            row,
            now,
        };
        let row = |specialty: Option<&str>, days| {
            Some(ComesHereRow {
                specialty: specialty.map(str::to_owned),
                kind: LetterKind::Clinic,
                live_from: now + TimeDelta::days(days),
            })
        };
        let (here, post) = divide(&[
            view("A Trust", row(None, -1)),
            view("B Trust", row(Some("Cardiology"), 9)),
            view("C Trust", None),
        ]);
        assert_eq!(here, ["Outpatient clinic letters from A Trust"]);
        assert_eq!(
            post,
            [
                "Anything else from A Trust, such as letters from the wards",
                "Outpatient clinic letters about Cardiology from B Trust, until Tuesday 1 December 2026",
                "All letters from B Trust, for now",
                "All letters from C Trust, for now",
            ]
        );
    }

    #[test]
    fn the_form_of_one_browser_is_worth_nothing_in_another() {
        assert_ne!(token("one"), token("other"));
        assert_eq!(token("one"), token("one"));
    }
}
