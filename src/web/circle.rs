//! Connect → Circle of care: whom the patient shares with and has invited, and the switch for each.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::invitation::{Ended, READING_ANSWER_WITHIN, Standing};
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{CarerRow, CircleBody};
use super::page::{render, see_other};
use super::portal::{Desk, Reader, live};
use super::ticking::sentence;
use super::words;
use crate::commands::invite::{self, InviteError, Invited};
use crate::commands::revoke;
use crate::commands::share::{self, NewGrant, ShareError};
use crate::store::invitations::{self, Sent};
use crate::store::mails::MailState;
use crate::store::pages::{self, CarerView};

/// Address of the list.
pub(super) const CIRCLE: &str = "/connect/circle-of-care";

/// While a withdrawal is not confirmed everywhere, which takes a second.
const SOON_MS: u32 = 1_000;

/// While an invitation's email is on its way: nobody waits for it, so not often.
const LATER_MS: u32 = 5_000;

#[derive(Deserialize)]
pub(super) struct Switch {
    #[serde(default)]
    csrf: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/connect/circle-of-care", show)
        .get("/connect/circle-of-care.json", now)
        .post("/connect/circle-of-care/{grant}/withdraw", withdraw)
        .post("/connect/circle-of-care/{grant}/share", share_again)
        .post(
            "/connect/circle-of-care/invitations/{invitation}/send-again",
            send_again,
        )
        .post(
            "/connect/circle-of-care/invitations/{invitation}/cancel",
            cancel,
        );
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let body = body(&desk).await?;
        let mut chrome = desk.reader.chrome("Circle of care", CIRCLE);
        chrome.live = live("/connect/circle-of-care.json", CIRCLE, "Check again");
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
        Ok(see_other(CIRCLE))
    };
    page(&request, work).await
}

/// Shares again what was shared before. A carer who has left is asked anew, by an invitation.
async fn share_again(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    form: web::Form<Switch>,
) -> HttpResponse {
    let work = async {
        let desk = switched(&request, &form).await?;
        proved(&desk, CIRCLE)?;
        let portal = &desk.reader.portal;
        let before = carer(&desk, grant.into_inner()).await?;
        if before.left {
            return Err(Failure::NotFound);
        }
        let again = NewGrant {
            carer: before.account,
            relationship: before.relationship,
            ticks: before.ticks,
            may_read_for_me: before.may_read_for_me,
        };
        let given = share::share(&portal.store, desk.reader.session.account, &again).await?;
        portal.system.grants_changed(given.patient, given.version);
        Ok(see_other(CIRCLE))
    };
    page(&request, work).await
}

async fn send_again(
    request: HttpRequest,
    invitation: web::Path<Uuid>,
    form: web::Form<Switch>,
) -> HttpResponse {
    let work = async {
        let desk = switched(&request, &form).await?;
        let (store, account) = (&desk.reader.portal.store, desk.reader.session.account);
        let sent = invite::send_again(store, account, invitation.into_inner()).await?;
        told(&desk, &sent);
        Ok(see_other(CIRCLE))
    };
    page(&request, work).await
}

async fn cancel(
    request: HttpRequest,
    invitation: web::Path<Uuid>,
    form: web::Form<Switch>,
) -> HttpResponse {
    let work = async {
        let desk = switched(&request, &form).await?;
        let (store, account) = (&desk.reader.portal.store, desk.reader.session.account);
        let cancelled = invite::cancel(store, account, invitation.into_inner()).await?;
        told(&desk, &cancelled);
        Ok(see_other(CIRCLE))
    };
    page(&request, work).await
}

/// The patient's other open pages hear of it.
pub(super) fn told(desk: &Desk, invited: &Invited) {
    let system = &desk.reader.portal.system;
    system.grants_changed(invited.patient, invited.version);
}

impl From<ShareError> for Failure {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Store(error) => error.into(),
            _ => Self::NotFound,
        }
    }
}

impl From<InviteError> for Failure {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::Store(error) => error.into(),
            InviteError::TooManyToday => Self::TooLate(
                "You have sent many invitations today. Please try again tomorrow. Nothing was changed.",
            ),
            _ => Self::NotFound,
        }
    }
}

/// The patient's own mailbox behind a form of ours.
pub(super) async fn switched(request: &HttpRequest, form: &Switch) -> Result<Desk, Failure> {
    vouched(request, &form.csrf).await
}

/// Who lets somebody in, or lets them see more, has proved lately who they are. Withdrawing needs no proof.
pub(super) fn proved(desk: &Desk, back: &str) -> Result<(), Failure> {
    if desk.reader.session.freshly() {
        return Ok(());
    }
    Err(Failure::Confirm {
        back: back.to_owned(),
    })
}

/// The same for forms with more in them.
pub(super) async fn vouched(request: &HttpRequest, csrf: &str) -> Result<Desk, Failure> {
    let desk = Desk::of(Reader::of(request).await?, None).await?;
    if !desk.reader.session.verify_csrf(csrf) {
        return Err(Failure::Stale);
    }
    Ok(desk)
}

/// One of this patient's carers.
pub(super) async fn carer(desk: &Desk, grant: Uuid) -> Result<CarerView, Failure> {
    let carers = pages::carers(&desk.reader.tx, desk.patient).await?;
    let wanted = grant.into();
    carers
        .into_iter()
        .find(|carer| carer.id == wanted)
        .ok_or(Failure::NotFound)
}

async fn body(desk: &Desk) -> Result<CircleBody, Failure> {
    let tx = &desk.reader.tx;
    let found = pages::carers(tx, desk.patient).await?;
    let (mut carers, mut recheck_ms) = (Vec::with_capacity(found.len()), None);
    for carer in &found {
        let confirmed = match carer.revoked_at {
            Some(_) => revoke::is_settled(&desk.reader.portal.store, carer.id).await?,
            None => true,
        };
        if !confirmed {
            recheck_ms = Some(SOON_MS);
        }
        carers.push(row(carer, confirmed));
    }
    for sent in invitations::of_patient(tx, desk.patient).await? {
        if sent.standing == Standing::Pending && sent.mail == Some(MailState::Sending) {
            recheck_ms = recheck_ms.or(Some(LATER_MS));
        }
        carers.push(invited(&sent));
    }
    Ok(CircleBody {
        empty: carers.is_empty(),
        carers,
        recheck_ms,
    })
}

fn row(carer: &CarerView, confirmed: bool) -> CarerRow {
    let at = format!("{CIRCLE}/{}", carer.id);
    let shared = carer.revoked_at.is_none();
    let (tag, tone) = match (shared, confirmed) {
        (true, _) => ("Sharing", "green"),
        (false, false) => ("Withdrawing…", "yellow"),
        (false, true) if carer.left => ("Left", "grey"),
        (false, true) => ("Not shared", "grey"),
    };
    let sees = if shared {
        format!("Can see: {}", sentence(carer.ticks))
    } else {
        "Sees nothing of yours".to_owned()
    };
    let reads = match (shared, carer.may_read_for_me) {
        (false, _) => "",
        (true, true) => "May open letters for you",
        (true, false) => "Cannot open letters for you",
    };
    let question = carer.asked_at.filter(|_| shared && carer.may_read_for_me);
    let note = match question {
        Some(asked) => Some(format!(
            "May they still read for you? Press Change and save, or this ends on {}.",
            words::day(asked + READING_ANSWER_WITHIN)
        )),
        None if carer.left && !shared => {
            Some("They have left. To share again, invite them again.".to_owned())
        }
        None => None,
    };
    CarerRow {
        id: carer.id.to_string(),
        name: carer.name.clone(),
        relationship: carer.relationship.clone(),
        tag,
        tone,
        sees,
        reads: reads.to_owned(),
        note,
        change_url: shared.then(|| at.clone()),
        withdraw_url: shared.then(|| format!("{at}/withdraw")),
        share_url: (!shared && !carer.left).then(|| format!("{at}/share")),
        ..CarerRow::default()
    }
}

fn invited(sent: &Sent) -> CarerRow {
    let at = format!("{CIRCLE}/invitations/{}", sent.id);
    let pending = sent.standing == Standing::Pending;
    let (tag, tone, sees) = match sent.standing {
        Standing::Pending => (
            "Waiting for an answer",
            "blue",
            format!("Will see, once they accept: {}", sentence(sent.ticks)),
        ),
        Standing::Expired => ("Expired", "grey", nothing("They did not answer in time.")),
        Standing::Ended(Ended::Declined) => ("Declined", "grey", nothing("They said no.")),
        Standing::Ended(_) => (
            "Invitation cancelled",
            "grey",
            nothing("You took the invitation back."),
        ),
    };
    let open = pending || sent.standing == Standing::Expired;
    CarerRow {
        id: sent.id.to_string(),
        name: sent.name.clone(),
        relationship: format!("{}, {}", sent.relationship, sent.email),
        tag,
        tone,
        sees,
        reads: match (pending, sent.may_read_for_me) {
            (true, true) => "Will be able to open letters for you".to_owned(),
            _ => String::new(),
        },
        note: if pending { Some(post(sent)) } else { None },
        again_url: open.then(|| format!("{at}/send-again")),
        cancel_url: pending.then(|| format!("{at}/cancel")),
        ..CarerRow::default()
    }
}

fn nothing(why: &str) -> String {
    format!("{why} They see nothing of yours.")
}

/// What became of the email.
fn post(sent: &Sent) -> String {
    let until = words::day(sent.expires_at);
    match sent.mail {
        Some(MailState::Sent) => format!("Email sent. They can answer until {until}."),
        Some(MailState::Failed) => {
            "The email could not be delivered. Check the address: cancel this and add them again."
                .to_owned()
        }
        Some(MailState::Unknown) => {
            "We could not tell whether the email arrived. Ask them, or send it again.".to_owned()
        }
        _ => "The email is on its way.".to_owned(),
    }
}
