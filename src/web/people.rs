//! A carer's home: the people who share something with them, and nobody else.

use actix_web::{HttpRequest, HttpResponse};
use letterbox_domain::letter::LetterState;

use super::documents::sees;
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{PeopleBody, PersonRow};
use super::page::render;
use super::portal::{Desk, Reader, live};
use super::words;
use crate::store::{AccountBox, pages};

/// Letters looked through for the number beside a name.
const LOOKED_THROUGH: i64 = 50;

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors.get("/people", show).get("/people.json", now);
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let reader = Reader::of(&request).await?;
        let mut chrome = reader.chrome("People you help", "/people");
        chrome.area = "carer";
        chrome.live = live("/people.json", "/people", "Check again");
        let body = body(reader).await?;
        Ok(render(&request, "people.jinja", &chrome, &body))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async { Ok(HttpResponse::Ok().json(body(Reader::glance(&request).await?).await?)) }).await
}

async fn body(mut reader: Reader) -> Result<PeopleBody, Failure> {
    let mut people = Vec::new();
    for one in reader.portal.store.boxes(reader.session.account).await? {
        let AccountBox::Shared(grant) = one else {
            continue;
        };
        let Some((_, _, name)) =
            pages::shared_patient(&reader.tx, reader.session.account, grant.id).await?
        else {
            continue;
        };
        let desk = Desk::of(reader, Some(grant.id)).await?;
        people.push(PersonRow {
            id: grant.id.to_string(),
            name,
            url: desk.letters_at.clone(),
            news: news(&desk).await?,
        });
        reader = desk.reader;
    }
    Ok(PeopleBody {
        empty: people.is_empty(),
        people,
    })
}

async fn news(desk: &Desk) -> Result<String, Failure> {
    let letters = pages::letters(&desk.reader.tx, desk.patient, None, LOOKED_THROUGH).await?;
    let unread = letters
        .iter()
        .filter(|letter| sees(desk, letter) && letter.facts.state == LetterState::Published);
    Ok(match unread.count() {
        0 => "No new letters".to_owned(),
        some => words::count(some as i64, "new letter"),
    })
}
