//! Connect → Circle of care → Add new, and the page that changes what somebody may see.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::invitation::{MOST_A_DAY, MOST_STANDING, READING_ANSWER_WITHIN};
use letterbox_domain::person::{Email, NhsNumber};
use serde::Deserialize;
use uuid::Uuid;

use super::circle::{CIRCLE, carer, proved, told, vouched};
use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::{ChangeBody, InviteBody, Problems};
use super::page::{render, render_with, see_other};
use super::portal::{Desk, Reader};
use super::ticking::{Boxes, boxes, reading};
use super::words;
use crate::commands::invite::{self, InviteError, NewInvitation};
use crate::commands::share;
use crate::store::pages::CarerView;

/// Address of the form that invites.
const ADD: &str = "/connect/circle-of-care/add";

/// The form as it is sent. No `Debug`: it is about somebody.
#[derive(Deserialize)]
struct Invite {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    relationship: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    nhs_number: String,
    #[serde(flatten)]
    boxes: Boxes,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    boxes: Boxes,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/connect/circle-of-care/add", form)
        .post("/connect/circle-of-care/add", send)
        .get("/connect/circle-of-care/{grant}", change_form)
        .post("/connect/circle-of-care/{grant}", change);
}

async fn form(request: HttpRequest) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        proved(&desk, ADD)?;
        let empty = Boxes::default();
        let body = InviteBody {
            kinds: boxes(empty.ticks()),
            reading: reading(false),
            ..InviteBody::default()
        };
        let chrome = desk
            .reader
            .chrome("Add someone to your circle of care", CIRCLE);
        Ok(render(&request, "circle_add.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn send(request: HttpRequest, form: web::Form<Invite>) -> HttpResponse {
    let work = async {
        let desk = vouched(&request, &form.csrf).await?;
        proved(&desk, ADD)?;
        let mut problems = Problems::default();
        if let Some(new) = checked(&form, &mut problems) {
            let (store, account) = (&desk.reader.portal.store, desk.reader.session.account);
            match invite::invite(store, account, &new).await {
                Ok(sent) => {
                    told(&desk, &sent);
                    return Ok(see_other(CIRCLE));
                }
                Err(error) => explain(error, &mut problems)?,
            }
        }
        Ok(again(&request, &desk, &form, problems))
    };
    page(&request, work).await
}

/// The form once more, with what was filled in and what is wrong with it.
fn again(request: &HttpRequest, desk: &Desk, form: &Invite, problems: Problems) -> HttpResponse {
    let body = InviteBody {
        name: form.name.clone(),
        relationship: form.relationship.clone(),
        email: form.email.clone(),
        nhs_number: form.nhs_number.clone(),
        kinds: boxes(form.boxes.ticks()),
        reading: reading(form.boxes.reads()),
        problems,
    };
    let title = "Error: Add someone to your circle of care";
    let chrome = desk.reader.chrome(title, CIRCLE);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    render_with(request, status, "circle_add.jinja", &chrome, &body)
}

fn checked(form: &Invite, problems: &mut Problems) -> Option<NewInvitation> {
    let name = words_of(&form.name, 100);
    if name.is_none() {
        problems.add("name", "Enter their name, up to 100 letters");
    }
    let relationship = words_of(&form.relationship, 60);
    if relationship.is_none() {
        problems.add(
            "relationship",
            "Enter what they are to you, such as daughter or neighbour, up to 60 letters",
        );
    }
    let email = Email::parse(&form.email);
    if email.is_err() {
        problems.add(
            "email",
            "Enter their email address in the correct format, like name@example.com",
        );
    }
    let given = Some(form.nhs_number.trim()).filter(|text| !text.is_empty());
    let nhs_number = given.map(NhsNumber::parse).transpose();
    if nhs_number.is_err() {
        problems.add(
            "nhs_number",
            "Check the NHS number: it has 10 digits, like 485 777 3456. If you do not know it, leave this blank",
        );
    }
    let ticks = form.boxes.ticks();
    if ticks.is_empty() {
        problems.add(FIRST_BOX, "Select what you want to share with them");
    }
    if !problems.none() {
        return None;
    }
    Some(NewInvitation {
        name: name?,
        email: email.ok()?,
        relationship: relationship?,
        nhs_number: nhs_number.ok()?,
        ticks,
        may_read_for_me: form.boxes.reads(),
    })
}

/// Where the summary's link leads for a fault of the boxes: the id of the first one.
const FIRST_BOX: &str = "ticks";

/// One line of at least one letter.
fn words_of(text: &str, most: usize) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = (1..=most).contains(&line.chars().count()) && !line.chars().any(char::is_control);
    fits.then_some(line)
}

fn explain(error: InviteError, problems: &mut Problems) -> Result<(), Failure> {
    match error {
        InviteError::Own => problems.add(
            "email",
            "This is you. Enter the email address and NHS number of the person you want to invite",
        ),
        InviteError::Invited => problems.add(
            "email",
            "You have invited this address already, and they have not answered yet. You can send the email again \
             from your circle of care",
        ),
        InviteError::Shares => problems.add(
            "email",
            "This person is in your circle of care already. You can change what they see there",
        ),
        InviteError::Full => problems.add(
            "name",
            format!(
                "Your circle of care is full: {MOST_STANDING} people at most. Stop sharing with somebody first"
            ),
        ),
        InviteError::TooManyToday => problems.add(
            "email",
            format!("You can send {MOST_A_DAY} invitations in 24 hours. Try again tomorrow"),
        ),
        other => return Err(other.into()),
    }
    Ok(())
}

async fn change_form(request: HttpRequest, grant: web::Path<Uuid>) -> HttpResponse {
    let work = async {
        let desk = Desk::of(Reader::of(&request).await?, None).await?;
        let carer = standing(&desk, grant.into_inner()).await?;
        let body = change_body(&carer);
        proved(&desk, &body.action)?;
        let chrome = desk.reader.chrome(&title(&carer), CIRCLE);
        Ok(render(&request, "circle_change.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn change(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    form: web::Form<Change>,
) -> HttpResponse {
    let work = async {
        let desk = vouched(&request, &form.csrf).await?;
        let carer = standing(&desk, grant.into_inner()).await?;
        proved(&desk, &format!("{CIRCLE}/{}", carer.id))?;
        let ticks = form.boxes.ticks();
        if ticks.is_empty() {
            let mut body = change_body(&carer);
            (body.kinds, body.reading) = (boxes(ticks), reading(form.boxes.reads()));
            body.problems.add(
                FIRST_BOX,
                "Select what you want to share. To share nothing, go back and press Stop sharing",
            );
            let chrome = desk
                .reader
                .chrome(&format!("Error: {}", title(&carer)), CIRCLE);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(render_with(
                &request,
                status,
                "circle_change.jinja",
                &chrome,
                &body,
            ));
        }
        let portal = &desk.reader.portal;
        let account = desk.reader.session.account;
        let reads = form.boxes.reads();
        let changed = share::change(&portal.store, account, carer.id, ticks, reads).await?;
        // Before the answer: open pages of the carer on this server are read again under the new ticks.
        portal
            .system
            .grants_changed(changed.patient, changed.version);
        Ok(see_other(CIRCLE))
    };
    page(&request, work).await
}

/// A carer whose grant is in force.
async fn standing(desk: &Desk, grant: Uuid) -> Result<CarerView, Failure> {
    let carer = carer(desk, grant).await?;
    Some(carer)
        .filter(|carer| carer.revoked_at.is_none())
        .ok_or(Failure::NotFound)
}

fn title(carer: &CarerView) -> String {
    format!("What {} may see", carer.name)
}

fn change_body(carer: &CarerView) -> ChangeBody {
    let question = carer.asked_at.filter(|_| carer.may_read_for_me).map(|asked| {
        format!(
            "A year ago you said that {} may read for you. If that is still right, press Save. If you do not answer, \
             they can no longer open letters for you from {}. They still see what you share.",
            carer.name,
            words::day(asked + READING_ANSWER_WITHIN)
        )
    });
    ChangeBody {
        name: carer.name.clone(),
        action: format!("{CIRCLE}/{}", carer.id),
        kinds: boxes(carer.ticks),
        reading: reading(carer.may_read_for_me),
        question,
        problems: Problems::default(),
    }
}
