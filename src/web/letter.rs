//! One letter: its page, and the two ways of opening it — the PDF, or its text on the page.
//!
//! Only a form of ours, with the session's token and a number that is used once, opens a letter; and it has been
//! opened when the last byte was written. A GET never opens anything.

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::event::ItemRef;
use letterbox_domain::id::{GrantId, LetterId};
use letterbox_domain::letter::LetterState;
use serde::Deserialize;
use uuid::Uuid;

use super::documents::{sees, ways};
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::letter_page::{composed, threaded};
use super::page::{render, see_other, to_html};
use super::portal::{Desk, Reader};
use super::witnessed::Witnessed;
use super::{nonce, opening, pictures};
use crate::commands::look::{self, Closed};
use crate::commands::open_letter::{Content, Form, Viewing};
use crate::store::pages::{self, LetterView};

#[derive(Deserialize)]
struct Opening {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    nonce: String,
}

/// Which letter, and by whose leave: without a grant it is the patient's own.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    grant: Option<Uuid>,
    letter: Uuid,
}

impl Which {
    pub(super) fn grant(self) -> Option<GrantId> {
        self.grant.map(GrantId::from)
    }

    pub(super) fn letter(self) -> LetterId {
        self.letter.into()
    }
}

pub(super) type Path = web::Path<Which>;
type Sent = web::Form<Opening>;

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/documents/{letter}", show)
        .get("/my-health/documents/{letter}/now.json", standing)
        .post("/my-health/documents/{letter}/view", view)
        .post("/my-health/documents/{letter}/read", read)
        .get("/my-health/documents/{letter}/file", file)
        .get("/my-health/documents/{letter}/download", download)
        .get("/people/{grant}/documents/{letter}", show)
        .get("/people/{grant}/documents/{letter}/now.json", standing)
        .post("/people/{grant}/documents/{letter}/view", view)
        .post("/people/{grant}/documents/{letter}/read", read)
        .get("/people/{grant}/documents/{letter}/file", file)
        .get("/people/{grant}/documents/{letter}/download", download);
}

async fn show(request: HttpRequest, which: Path) -> HttpResponse {
    page(&request, shown(&request, *which)).await
}

async fn standing(request: HttpRequest, which: Path) -> HttpResponse {
    data(as_it_stands(&request, *which)).await
}

async fn view(request: HttpRequest, which: Path, form: Sent) -> HttpResponse {
    page(&request, viewed(&request, *which, &form)).await
}

async fn read(request: HttpRequest, which: Path, form: Sent) -> HttpResponse {
    page(&request, read_here(&request, *which, &form)).await
}

async fn file(request: HttpRequest, which: Path) -> HttpResponse {
    page(&request, again(&request, *which, Keep::Show)).await
}

async fn download(request: HttpRequest, which: Path) -> HttpResponse {
    page(&request, again(&request, *which, Keep::Download)).await
}

/// The letter on this reader's desk; one that is not theirs to see is not there.
pub(crate) async fn found(desk: &Desk, letter: LetterId) -> Result<LetterView, Failure> {
    let letter = pages::letter(&desk.reader.tx, letter).await?;
    letter
        .filter(|letter| letter.patient == desk.patient && sees(desk, letter))
        .ok_or(Failure::NotFound)
}

/// As [`found`], for what somebody asked for by hand: an attempt at what is not theirs is written down.
async fn asked_for(desk: Desk, letter: LetterId) -> Result<(Desk, LetterView), Failure> {
    match found(&desk, letter).await {
        Err(Failure::NotFound) => {
            let from = Closed::Item(ItemRef::Letter(letter));
            Err(desk.reader.turned_away(from).await)
        }
        found => found.map(|letter| (desk, letter)),
    }
}

async fn shown(request: &HttpRequest, which: Which) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::of(request).await?, which.grant()).await?;
    let (desk, letter) = asked_for(desk, which.letter()).await?;
    let text = match letter.facts.state {
        LetterState::Opened => pages::full_text(&desk.reader.tx, letter.id).await?,
        _ => None,
    };
    let (chrome, mut body) = composed(&desk, &letter, text.as_deref());
    threaded(&desk, &letter, &mut body).await?;
    if text.is_some() {
        let (portal, account) = desk.reader.done();
        look::at_letter(&portal.store, account, letter.id).await?;
    }
    Ok(render(request, "letter.jinja", &chrome, &body))
}

async fn as_it_stands(request: &HttpRequest, which: Which) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::glance(request).await?, which.grant()).await?;
    let letter = found(&desk, which.letter()).await?;
    let (_, body) = composed(&desk, &letter, None);
    Ok(HttpResponse::Ok()
        .json(serde_json::json!({ "tag": body.tag, "tone": body.tone, "promise": body.promise, "paper": body.paper })))
}

/// Checks what every form here must carry, before anything is touched.
async fn vouched(
    request: &HttpRequest,
    which: Which,
    form: &Opening,
) -> Result<(Desk, LetterView), Failure> {
    let desk = Desk::of(Reader::of(request).await?, which.grant()).await?;
    if !desk.reader.session.verify_csrf(&form.csrf)
        || !nonce::verify(&desk.reader.session, which.letter(), &form.nonce)
    {
        return Err(Failure::Stale);
    }
    asked_for(desk, which.letter()).await
}

/// View: the answer is the PDF itself, or pictures of its pages at a public computer.
async fn viewed(
    request: &HttpRequest,
    which: Which,
    form: &Opening,
) -> Result<HttpResponse, Failure> {
    let (desk, letter) = vouched(request, which, form).await?;
    if letter.facts.state == LetterState::Opened {
        return Ok(see_other(&format!(
            "{}/{}/file",
            desk.letters_at, letter.id
        )));
    }
    match opening::begin(&desk, letter.id, &form.nonce, Form::Pdf).await? {
        Some(viewing) if desk.reader.session.public_computer => {
            Box::pin(pictures::handed_over(
                request,
                which.grant(),
                desk,
                &letter,
                viewing,
            ))
            .await
        }
        Some(viewing) => handed_over(request, &desk, viewing, Keep::Show),
        None => Ok(see_other(&format!("{}/{}", desk.letters_at, letter.id))),
    }
}

/// Reading the text on the page instead: the answer is the page with the text.
async fn read_here(
    request: &HttpRequest,
    which: Which,
    form: &Opening,
) -> Result<HttpResponse, Failure> {
    let (desk, letter) = vouched(request, which, form).await?;
    let at = format!("{}/{}", desk.letters_at, letter.id);
    if letter.facts.state == LetterState::Opened {
        return Ok(see_other(&at));
    }
    let Some(viewing) = opening::begin(&desk, letter.id, &form.nonce, Form::FullText).await? else {
        return Ok(see_other(&at));
    };
    let Content::FullText(text) = &viewing.content else {
        return Err(Failure::NotFound);
    };
    let (chrome, mut body) = composed(&desk, &letter, Some(text));
    body.promise = "You are reading this letter now".to_owned();
    (body.tag, body.tone) = ("Opened", "grey");
    (body.view_url, body.text_url, body.file_url) = (None, None, Some(format!("{at}/file")));
    let html = to_html(request, "letter.jinja", &chrome, &body).ok_or(Failure::NotFound)?;
    let finish = opening::finish(&desk, viewing);
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .body(Witnessed::new(request, html.into(), finish)))
}

/// The file of a letter that has been opened; of any other, and of one to be kept on a public computer, its page.
async fn again(request: &HttpRequest, which: Which, keep: Keep) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::of(request).await?, which.grant()).await?;
    let (desk, letter) = asked_for(desk, which.letter()).await?;
    let page = see_other(&format!("{}/{}", desk.letters_at, letter.id));
    let refused = matches!(keep, Keep::Download) && !desk.keeps_files();
    if refused || !ways(&desk, &letter).again {
        return Ok(page);
    }
    match opening::again(&desk, letter.id).await? {
        Some(viewing) if desk.reader.session.public_computer => {
            Box::pin(pictures::handed_over(
                request,
                which.grant(),
                desk,
                &letter,
                viewing,
            ))
            .await
        }
        Some(viewing) => handed_over(request, &desk, viewing, keep),
        None => Ok(page),
    }
}

/// Whether the browser shows the file or offers to keep it.
#[derive(Clone, Copy)]
enum Keep {
    Show,
    Download,
}

impl Keep {
    /// A neutral name: the folder of downloads is everybody's.
    const fn disposition(self) -> &'static str {
        match self {
            Self::Show => r#"inline; filename="letter.pdf""#,
            Self::Download => r#"attachment; filename="letter.pdf""#,
        }
    }
}

/// A PDF shows in the browser's own viewer, runs nothing, is framed by nobody and kept nowhere.
fn handed_over(
    request: &HttpRequest,
    desk: &Desk,
    viewing: Viewing,
    keep: Keep,
) -> Result<HttpResponse, Failure> {
    let Content::Pdf(content) = &viewing.content else {
        return Err(Failure::NotFound);
    };
    let body = Witnessed::new(request, content.clone(), opening::finish(desk, viewing));
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/pdf"))
        .insert_header((header::CONTENT_DISPOSITION, keep.disposition()))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'; frame-ancestors 'none'",
        ))
        .body(body))
}
