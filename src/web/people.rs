//! A carer's home: the people who share something with them, and nobody else; emails about them; leaving.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::circle::Grant;
use letterbox_domain::id::GrantId;
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::entrance::offers_joining;
use super::failure::{Failure, data, page};
use super::model::{LeaveBody, PeopleBody, PersonRow, PreferencesBody, Tick};
use super::page::{Chrome, render, see_other};
use super::portal::{Desk, Reader, live};
use super::ticking::sentence;
use super::words;
use crate::commands::revoke;
use crate::store::{AccountBox, pages};

/// Before the id of a grant in the names of boxes.
const BOX: &str = "tell_";

#[derive(Deserialize)]
struct Saved {
    #[serde(default)]
    saved: String,
}

#[derive(Deserialize)]
struct Leaving {
    #[serde(default)]
    csrf: String,
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/people", show)
        .get("/people.json", now)
        .get("/people/preferences", preferences)
        .post("/people/preferences", prefer)
        .get("/people/{grant}/leave", before_leaving)
        .post("/people/{grant}/leave", leave);
}

fn chrome(reader: &Reader, title: &str) -> Chrome {
    Chrome {
        area: "carer",
        ..reader.chrome(title, "/people")
    }
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let mut chrome = chrome(&reader, "People you help");
        chrome.live = live("/people.json", "/people", "Check again");
        let mut body = body(&reader).await?;
        body.may_join = offers_joining(&request, &reader).await?;
        Ok(render(&request, "people.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async {
        let reader = Reader::glance(&request).await?;
        Ok(HttpResponse::Ok().json(body(&reader).await?))
    })
    .await
}

async fn body(reader: &Reader) -> Result<PeopleBody, Failure> {
    let mut people = Vec::new();
    for one in reader.portal.store.boxes(reader.session.account).await? {
        let AccountBox::Shared(grant) = one else {
            continue;
        };
        // In this page's own snapshot: what has been withdrawn meanwhile is not there.
        let shared = pages::shared_patient(&reader.tx, reader.session.account, grant.id).await?;
        if let Some((grant, _, name)) = shared {
            people.push(row(reader, &grant, name).await?);
        }
    }
    Ok(PeopleBody {
        may_join: false,
        empty: people.is_empty(),
        people,
    })
}

async fn row(reader: &Reader, grant: &Grant, name: String) -> Result<PersonRow, Failure> {
    let glimpse = pages::glimpse(&reader.tx, grant).await?;
    let news = match glimpse.unread {
        0 => "No new letters".to_owned(),
        some => words::count(some, "new letter"),
    };
    let latest = glimpse
        .latest
        .map(|(title, at)| format!("Latest: {title}, {}", words::short_day(at)));
    Ok(PersonRow {
        id: grant.id.to_string(),
        name,
        url: format!("/people/{}/documents", grant.id),
        news,
        shares: format!("Shares with you: {}", sentence(grant.ticks)),
        latest,
        leave_url: format!("/people/{}/leave", grant.id),
    })
}

async fn preferences(request: HttpRequest, query: web::Query<Saved>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let (people, verified) = pages::helped(&reader.tx, reader.session.account).await?;
        let tick = |one: &pages::Helped| Tick {
            name: format!("{BOX}{}", one.grant),
            value: "yes",
            text: format!(
                "Email me when {} shares something new with me",
                one.given_name
            ),
            hint: None,
            checked: one.tell,
        };
        let body = PreferencesBody {
            ticks: people.iter().map(tick).collect(),
            unverified: !verified,
            saved: !query.saved.is_empty(),
        };
        let chrome = chrome(&reader, "Emails about people you help");
        Ok(render(&request, "people_preferences.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn prefer(request: HttpRequest, form: web::Form<HashMap<String, String>>) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let csrf = form.get("csrf").map(String::as_str).unwrap_or_default();
        if !reader.session.verify_csrf(csrf) {
            return Err(Failure::Stale);
        }
        let ticked = form
            .keys()
            .filter_map(|name| name.strip_prefix(BOX)?.parse::<GrantId>().ok());
        let wanted: Vec<GrantId> = ticked.collect();
        let store = &reader.portal.store;
        store.tell_carer(reader.session.account, &wanted).await?;
        Ok(see_other("/people/preferences?saved=yes"))
    };
    page(&request, work).await
}

async fn before_leaving(request: HttpRequest, grant: web::Path<Uuid>) -> HttpResponse {
    let work = async {
        let grant = GrantId::from(grant.into_inner());
        let desk = Desk::of(Reader::of(&request).await?, Some(grant)).await?;
        let given = desk.viewing.clone().unwrap_or_default();
        let chrome = desk.chrome(&format!("Stop helping {given}"));
        let body = LeaveBody {
            given,
            action: format!("/people/{grant}/leave"),
        };
        Ok(render(&request, "people_leave.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn leave(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    form: web::Form<Leaving>,
) -> HttpResponse {
    let work = async {
        let grant = GrantId::from(grant.into_inner());
        // Only a grant of this reader's own: a patient withdraws elsewhere.
        let desk = Desk::of(Reader::of(&request).await?, Some(grant)).await?;
        if !desk.reader.session.verify_csrf(&form.csrf) {
            return Err(Failure::Stale);
        }
        let portal = &desk.reader.portal;
        let left = revoke::revoke(&portal.store, desk.reader.session.account, grant).await?;
        let left = left.ok_or(Failure::NotFound)?;
        portal.system.revoke(left.patient, left.grant, left.version);
        Ok(see_other("/people"))
    };
    page(&request, work).await
}
