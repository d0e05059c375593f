//! A letter at a public computer: its pages as pictures with their text, in one answer, instead of a file.
//!
//! One answer, because then the letter has been opened exactly when that answer was written out whole; pictures fetched
//! one by one would need a second account of what has arrived, and would have to be drawn or kept once more.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use letterbox_domain::id::GrantId;
use letterbox_domain::letter::LetterState;

use super::failure::Failure;
use super::guard::policy_with_pictures;
use super::letter::found;
use super::letter_page::composed;
use super::model::{Picture, PicturesBody};
use super::page::{render_with, to_html};
use super::portal::{Desk, Reader};
use super::witnessed::Witnessed;
use super::{opening, words};
use crate::commands::open_letter::{Content, Viewing};
use crate::draw::{DrawError, Drawn};
use crate::store::pages::{self, LetterView};

/// The letter's pages; it counts as opened once the last byte of the last page was written.
///
/// A letter that cannot be drawn is answered by a page that says where else it can be read, and is not opened by it.
pub(crate) async fn handed_over(
    request: &HttpRequest,
    grant: Option<GrantId>,
    desk: Desk,
    letter: &LetterView,
    viewing: Viewing,
) -> Result<HttpResponse, Failure> {
    let Content::Pdf(file) = viewing.content.clone() else {
        return Err(Failure::NotFound);
    };
    let full_text = pages::full_text(&desk.reader.tx, letter.id).await?;
    let chrome = desk.chrome(&letter.title);
    let known = full_text
        .as_deref()
        .filter(|_| letter.facts.state == LetterState::Opened);
    let (_, other_ways) = composed(&desk, letter, known);
    let back_url = format!("{}/{}", desk.letters_at, letter.id);
    let drawer = Arc::clone(&desk.reader.portal.drawer);
    let finish = opening::finish(&desk, viewing);
    // Drawing takes a while: the database is not kept waiting for it.
    drop(desk);
    let drawn = match drawer.draw(&file).await {
        Ok(drawn) => drawn,
        Err(DrawError::Beyond) => {
            let status = StatusCode::CONFLICT;
            return Ok(render_with(
                request,
                status,
                "undrawn.jinja",
                &chrome,
                &other_ways,
            ));
        }
        Err(error) => return Err(Failure::Unavailable(Box::new(error))),
    };
    still_theirs(request, grant, letter).await?;
    let body = body(letter, back_url, drawn, full_text.as_deref());
    let html = to_html(request, "pictures.jinja", &chrome, &body).ok_or(Failure::NotFound)?;
    let policy = policy_with_pictures(request).ok_or(Failure::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(Witnessed::new(request, html.into(), finish)))
}

/// Drawing takes seconds, and nobody keeps a right that ended meanwhile: a session, a carer's, the letter's own.
async fn still_theirs(
    request: &HttpRequest,
    grant: Option<GrantId>,
    letter: &LetterView,
) -> Result<(), Failure> {
    let desk = Desk::of(Reader::glance(request).await?, grant).await?;
    found(&desk, letter.id).await.map(drop)
}

fn body(
    letter: &LetterView,
    back_url: String,
    drawn: Vec<Drawn>,
    full_text: Option<&str>,
) -> PicturesBody {
    // The hospital's own text is better to read out than what the drawing says of itself.
    let own_text = full_text.map(words::paragraphs).unwrap_or_default();
    let spoken = own_text.is_empty();
    let picture = |(index, page): (usize, Drawn)| Picture {
        number: index + 1,
        src: format!("data:image/png;base64,{}", STANDARD.encode(&page.png)),
        width: page.width,
        height: page.height,
        lines: if spoken {
            page.text.lines().map(str::to_owned).collect()
        } else {
            Vec::new()
        },
    };
    let pages: Vec<_> = drawn.into_iter().enumerate().map(picture).collect();
    PicturesBody {
        title: letter.title.clone(),
        back_url,
        no_text: spoken && pages.iter().all(|page| page.lines.is_empty()),
        full_text: own_text,
        pages,
    }
}
