//! The roll-out of the trust whose board this is: everybody in the office reads it, a manager changes it.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDate;
use letterbox_domain::circle::Role;
use letterbox_domain::letter::LetterKind;
use letterbox_domain::route::Route;
use letterbox_domain::time::{local_date, start_of};
use serde::Deserialize;

use super::board::own_trust;
use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::{Choice, RollOutBody, RollOutLine};
use super::page::{Chrome, render, see_other};
use super::portal::Reader;
use super::words;
use crate::commands::CommandError;
use crate::commands::roll_out::{RollOutChange, change_roll_out};
use crate::store::pages::{self, RollOutRow};

const AT: &str = "/board/roll-out";

/// Kinds of letters as the office calls them.
const KINDS: [(LetterKind, &str); 2] = [
    (LetterKind::Appointment, "Appointment letters"),
    (LetterKind::Clinic, "Clinic letters"),
];

/// Whose the paper of somebody is who has not joined.
const PAPERS: [(Route, &str); 2] = [
    (Route::WePost, "We post it"),
    (Route::YouPost, "You post it"),
];

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/board/roll-out", show)
        .post("/board/roll-out", change);
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    changed: bool,
}

async fn show(request: HttpRequest, said: web::Query<Said>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let (trust, name) = own_trust(&reader).await?;
        let roles = pages::staff_roles(&reader.tx, reader.session.account, trust).await?;
        let rows = pages::roll_out(&reader.tx, trust).await?;
        let today = local_date(pages::now(&reader.tx).await?);
        let body = RollOutBody {
            trust: name,
            notice: said.changed.then(|| {
                "Changed. Letters that are here keep the route they were given; new ones follow this page.".to_owned()
            }),
            lines: rows.iter().map(line).collect(),
            may_change: roles.contains(&Role::Manager),
            specialties: pages::specialties(&reader.tx, trust).await?,
            kinds: KINDS.map(|(kind, text)| choice(text, kind.name())).to_vec(),
            papers: PAPERS.map(|(route, text)| choice(text, route.name())).to_vec(),
            today: today.to_string(),
        };
        let chrome = Chrome {
            area: "board",
            nav: Vec::new(),
            ..reader.chrome("Roll-out", AT)
        };
        Ok(render(&request, "roll_out.jinja", &chrome, &body))
    };
    page(&request, work).await
}

fn choice(text: &str, value: &str) -> Choice {
    Choice {
        id: value.to_owned(),
        text: text.to_owned(),
        value: value.to_owned(),
        href: String::new(),
        current: false,
    }
}

fn line(row: &RollOutRow) -> RollOutLine {
    let named = |list: &[(LetterKind, &'static str)]| {
        list.iter()
            .find(|(kind, _)| *kind == row.kind)
            .map_or("", |(_, text)| text)
    };
    let changed = row.changed_at.map(|at| {
        let who = row.changed_by.as_deref().unwrap_or("somebody");
        format!("{}, {who}", words::date_and_time(at))
    });
    RollOutLine {
        specialty: match row.specialty.as_str() {
            "*" => "All others".to_owned(),
            other => other.to_owned(),
        },
        kind: named(&KINDS),
        tag: if row.is_live { "Live" } else { "Not yet" },
        tone: if row.is_live { "green" } else { "grey" },
        since: words::day(row.live_from),
        paper: match row.paper {
            Route::YouPost => "You post it",
            Route::WePost | Route::Portal => "We post it",
        },
        changed,
    }
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    specialty: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    live_from: String,
    #[serde(default)]
    paper: String,
}

async fn change(request: HttpRequest, form: web::Form<Sent>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        if !reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let (trust, _) = own_trust(&reader).await?;
        let roles = pages::staff_roles(&reader.tx, reader.session.account, trust).await?;
        if !roles.contains(&Role::Manager) {
            return Err(Failure::NotFound);
        }
        let wanted = wanted(&form).ok_or(UNREADABLE)?;
        let (store, account) = (&reader.portal.store, reader.session.account);
        match change_roll_out(store, account, trust, &wanted).await {
            Ok(true) => Ok(see_other(&format!("{AT}?changed=true"))),
            Ok(false) => Err(Failure::NotFound),
            Err(CommandError::Refused(_)) => Err(UNREADABLE),
            Err(CommandError::Store(error)) => Err(error.into()),
        }
    };
    page(&request, work).await
}

const UNREADABLE: Failure = Failure::TooLate(
    "Name a specialty, a kind of letter and the day from which it is live. Nothing was changed.",
);

fn wanted(form: &Sent) -> Option<RollOutChange> {
    let day: NaiveDate = form.live_from.parse().ok()?;
    let specialty = match form.specialty.trim() {
        "" => "*",
        other => other,
    };
    Some(RollOutChange {
        specialty: specialty.to_owned(),
        kind: LetterKind::from_name(&form.kind)?,
        live_from: start_of(day),
        paper: Route::from_name(&form.paper)?,
    })
}
