//! The page behind an invitation's link: who invites, and the two buttons. A GET answers nothing, whoever asks.
//!
//! Without a session it says the first name only. What would be shared is shown to the invited person alone.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::invitation::{Ended, NotYours, Standing};
use serde::Deserialize;

use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::InvitationBody;
use super::page::{Chrome, render, see_other};
use super::portal::{Portal, Reader};
use super::ticking::{capital, words_for};
use super::{place, words};
use crate::commands::answer_invitation::{self, AnswerError};
use crate::identity::session::SignedIn;
use crate::store::Principal;
use crate::store::invitations::Found;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    csrf: String,
    /// "Email me when there is something new".
    #[serde(default)]
    tell: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/invitations/{token}", show)
        .post("/invitations/{token}/accept", accept)
        .post("/invitations/{token}/decline", decline);
}

async fn show(request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let work = async {
        match SignedIn::of(&request).await? {
            None => stranger(&request, &token).await,
            Some(_) => known(&request, &token).await,
        }
    };
    page(&request, work).await
}

/// The sign-in page, which leads back here where it can.
fn sign_in(portal: &Portal, token: &str) -> String {
    let and_back = format!("/login?next=/invitations/{token}");
    match place::known(&and_back) {
        Some(address) => address.to_owned(),
        None if portal.demo.is_some() => "/demo/sign-in".to_owned(),
        None => "/".to_owned(),
    }
}

/// Nobody is signed in: who invites, and how to get on.
async fn stranger(request: &HttpRequest, token: &str) -> Result<HttpResponse, Failure> {
    let portal = Portal::of(request)?;
    let tx = portal.store.begin_snapshot(&Principal::SERVER).await?;
    let found = answer_invitation::look(&tx, token).await?;
    let Some(found) = found.filter(|found| found.terms.standing == Standing::Pending) else {
        return Ok(shown(request, Chrome::default(), gone()));
    };
    let body = InvitationBody {
        heading: heading(&found),
        lines: vec![
            format!(
                "{} would like to share some of what they have here with you, so that you can help them.",
                found.inviter
            ),
            "Sign in to see what it is and to say yes or no. If you do not come back here by yourself, open the link \
             in the email once more."
                .to_owned(),
            format!(
                "You need an account of your own with the email address to which the invitation was sent. You can \
                 answer until {}. If you do not want to, you do not have to do anything.",
                words::day(found.expires_at)
            ),
        ],
        sign_in_url: Some(sign_in(&portal, token)),
        ..InvitationBody::default()
    };
    Ok(shown(request, Chrome::default(), body))
}

async fn known(request: &HttpRequest, token: &str) -> Result<HttpResponse, Failure> {
    let reader = Reader::of(request).await?;
    let store = &reader.portal.store;
    let tx = store.begin_snapshot(&Principal::SERVER).await?;
    let Some(found) = answer_invitation::look(&tx, token).await? else {
        return Ok(shown(request, chrome(&reader), gone()));
    };
    let allowed = answer_invitation::allowed(&tx, &found, reader.session.account).await;
    let body = match allowed {
        Ok(()) => offer(&found, token),
        Err(AnswerError::NotYours(why)) => refusal(&found, why),
        Err(AnswerError::NotFound) => gone(),
        Err(AnswerError::Store(error)) => return Err(error.into()),
    };
    Ok(shown(request, chrome(&reader), body))
}

async fn accept(
    request: HttpRequest,
    token: web::Path<String>,
    form: web::Form<Answer>,
) -> HttpResponse {
    let work = async {
        let reader = vouched(&request, &form).await?;
        let (portal, account) = (&reader.portal, reader.session.account);
        match answer_invitation::accept(&portal.store, account, &token).await {
            Ok((grant, version)) => {
                portal.system.grants_changed(grant.patient, version);
                if !form.tell.is_empty() {
                    portal.store.tell_carer_too(account, grant.id).await?;
                }
                Ok(see_other("/people"))
            }
            Err(error) => refused(&request, &reader, &token, error).await,
        }
    };
    page(&request, work).await
}

async fn decline(
    request: HttpRequest,
    token: web::Path<String>,
    form: web::Form<Answer>,
) -> HttpResponse {
    let work = async {
        let reader = vouched(&request, &form).await?;
        let (portal, account) = (&reader.portal, reader.session.account);
        match answer_invitation::decline(&portal.store, account, &token).await {
            Ok((patient, version)) => {
                portal.system.grants_changed(patient, version);
                Ok(see_other(&format!("/invitations/{}", &*token)))
            }
            Err(error) => refused(&request, &reader, &token, error).await,
        }
    };
    page(&request, work).await
}

async fn vouched(request: &HttpRequest, form: &Answer) -> Result<Reader, Failure> {
    let reader = Reader::of(request).await?;
    if !reader.session.verify_csrf(&form.csrf) {
        return Err(Failure::Stale);
    }
    Ok(reader)
}

/// Pressed all the same, or somebody was quicker: the page that says why.
async fn refused(
    request: &HttpRequest,
    reader: &Reader,
    token: &str,
    error: AnswerError,
) -> Result<HttpResponse, Failure> {
    let why = match error {
        AnswerError::Store(error) => return Err(error.into()),
        AnswerError::NotFound => return Ok(shown(request, chrome(reader), gone())),
        AnswerError::NotYours(why) => why,
    };
    let store = &reader.portal.store;
    let tx = store.begin_snapshot(&Principal::SERVER).await?;
    let found = answer_invitation::look(&tx, token).await?;
    let body = found.map_or_else(gone, |found| refusal(&found, why));
    Ok(shown(request, chrome(reader), body))
}

fn chrome(reader: &Reader) -> Chrome {
    Chrome {
        area: "carer",
        ..reader.chrome("Invitation", "/people")
    }
}

/// A link that leads nowhere is a page too: everybody may come here, and it says what to do.
fn shown(request: &HttpRequest, chrome: Chrome, body: InvitationBody) -> HttpResponse {
    let chrome = Chrome {
        title: body.heading.clone(),
        area: if chrome.area.is_empty() {
            "plain"
        } else {
            chrome.area
        },
        home: "/",
        ..chrome
    };
    render(request, "invitation.jinja", &chrome, &body)
}

fn heading(found: &Found) -> String {
    format!("{} invites you to their circle of care", found.inviter)
}

fn offer(found: &Found, token: &str) -> InvitationBody {
    let at = format!("/invitations/{token}");
    let mut lines = vec![format!(
        "{} wants to share with you, so that you can help. You would see this, and nothing else:",
        found.inviter
    )];
    if found.may_read_for_me {
        lines.push(format!(
            "{name} also lets you read for them. A letter that you open counts as opened by {name}, and is not posted. \
             Open one only if you make sure that {name} hears what it says. We tell {name} each time.",
            name = found.inviter
        ));
    }
    lines.push(format!(
        "{} can change this or end it at any time, and you can leave at any time.",
        found.inviter
    ));
    InvitationBody {
        heading: heading(found),
        lines,
        shares: found
            .ticks
            .iter()
            .map(|kind| capital(words_for(kind)))
            .collect(),
        accept_url: Some(format!("{at}/accept")),
        decline_url: Some(format!("{at}/decline")),
        ..InvitationBody::default()
    }
}

/// Old, made up, or replaced by the link of a newer email.
fn gone() -> InvitationBody {
    InvitationBody {
        heading: "This link does not work".to_owned(),
        lines: vec![
            "If you have more than one email with an invitation, use the link in the newest one."
                .to_owned(),
            "Otherwise ask the person who invited you to send the invitation again.".to_owned(),
        ],
        ..InvitationBody::default()
    }
}

fn refusal(found: &Found, why: NotYours) -> InvitationBody {
    let inviter = &found.inviter;
    let (heading, line) = match why {
        NotYours::OtherEmail => (
            "This invitation is for another email address".to_owned(),
            format!(
                "It works only for the person to whom {inviter} sent it. If somebody forwarded it to you, ask {inviter} \
                 to invite you at your own email address. If you have another account, sign out and sign in with that."
            ),
        ),
        NotYours::Unverified => (
            "Your email address is not verified yet".to_owned(),
            "We must know that the address is yours. Verify it, and then open the link in the email again.".to_owned(),
        ),
        NotYours::Own => (
            "This is your own invitation".to_owned(),
            "You are signed in as the person who sent it. You see there whether it was answered.".to_owned(),
        ),
        NotYours::OtherNhsNumber => (
            "This invitation was meant for somebody else".to_owned(),
            format!("{inviter} gave an NHS number with it that is not yours. Ask {inviter} to check it."),
        ),
        NotYours::Under16 => (
            "You must be 16 or older".to_owned(),
            format!("You can join {inviter}’s circle of care from your 16th birthday."),
        ),
        NotYours::Over(standing) => over(inviter, standing),
    };
    let onward = match why {
        NotYours::Own => Some((
            "/connect/circle-of-care".to_owned(),
            "Circle of care".to_owned(),
        )),
        NotYours::Over(Standing::Ended(Ended::Accepted)) => {
            Some(("/people".to_owned(), "People you help".to_owned()))
        }
        _ => Some(("/".to_owned(), "Go to the first page".to_owned())),
    };
    InvitationBody {
        heading,
        lines: vec![line],
        onward,
        ..InvitationBody::default()
    }
}

fn over(inviter: &str, standing: Standing) -> (String, String) {
    match standing {
        Standing::Ended(Ended::Accepted) => (
            "You have accepted this invitation".to_owned(),
            format!("You find what {inviter} shares with you under People you help."),
        ),
        Standing::Ended(Ended::Declined) => (
            "You have said no to this invitation".to_owned(),
            format!(
                "{inviter} sees that. If you change your mind, ask {inviter} to invite you again."
            ),
        ),
        Standing::Ended(Ended::Cancelled) => (
            "This invitation was taken back".to_owned(),
            format!("Ask {inviter} to invite you again."),
        ),
        Standing::Expired | Standing::Pending => (
            "This invitation is too old".to_owned(),
            format!("An invitation can be answered for 7 days. Ask {inviter} to invite you again."),
        ),
    }
}
