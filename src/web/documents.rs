//! My health → Documents, and the same list of a mailbox that is shared.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, NaiveDate, Utc};
use letterbox_domain::id::GrantId;
use letterbox_domain::letter::{LetterKind, LetterState};
use letterbox_domain::promise::{self, Audience, Standing};
use letterbox_domain::time::{local_date, start_of};
use serde::Deserialize;
use uuid::Uuid;

use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{DocumentsBody, LetterRow};
use super::page::render;
use super::portal::{Desk, Reader, live};
use super::{nonce, words};
use crate::commands::calendars;
use crate::store::pages::{self, LetterView, Search};

/// Letters of one page: three years of a patient who is often at the hospital.
const LETTERS: i64 = 50;

/// Longest text that is looked for; longer than any title that is read aloud.
const SOUGHT: usize = 60;

#[derive(Deserialize)]
struct Part {
    /// Milliseconds since 1970; letters published before.
    before: Option<i64>,
    /// Looked for in title, clinic and hospital.
    #[serde(default)]
    q: String,
    /// First day, as a date field sends it.
    #[serde(default)]
    from: String,
    /// Last day.
    #[serde(default)]
    to: String,
}

impl Part {
    fn before(&self) -> Option<DateTime<Utc>> {
        self.before.and_then(DateTime::from_timestamp_millis)
    }

    fn sought(&self) -> Option<String> {
        let text: String = self.q.trim().chars().take(SOUGHT).collect();
        (!text.is_empty()).then_some(text)
    }

    /// What cannot be read as a day does not narrow the search.
    fn search(&self) -> Search {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        Search {
            text: self.sought(),
            from: day(&self.from).map(start_of),
            to: day(&self.to).and_then(|day| day.succ_opt()).map(start_of),
        }
    }

    fn is_search(&self) -> bool {
        self.search() != Search::default()
    }

    /// The same search again, from the top or before an instant.
    fn query(&self, before: Option<i64>) -> String {
        let before = before.map(|before| before.to_string()).unwrap_or_default();
        let fields = [
            ("q", &self.q),
            ("from", &self.from),
            ("to", &self.to),
            ("before", &before),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given
            .map(|(name, value)| format!("{name}={}", words::in_query(value)))
            .collect();
        if pairs.is_empty() {
            String::new()
        } else {
            format!("?{}", pairs.join("&"))
        }
    }
}

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/my-health/documents", own)
        .get("/my-health/documents/rows.json", own_rows)
        .get("/people/{grant}/documents", shared)
        .get("/people/{grant}/documents/rows.json", shared_rows);
}

async fn own(request: HttpRequest, part: web::Query<Part>) -> HttpResponse {
    page(&request, show(&request, None, &part)).await
}

async fn own_rows(request: HttpRequest, part: web::Query<Part>) -> HttpResponse {
    data(rows(&request, None, &part)).await
}

async fn shared(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    part: web::Query<Part>,
) -> HttpResponse {
    page(
        &request,
        show(&request, Some(grant.into_inner().into()), &part),
    )
    .await
}

async fn shared_rows(
    request: HttpRequest,
    grant: web::Path<Uuid>,
    part: web::Query<Part>,
) -> HttpResponse {
    data(rows(&request, Some(grant.into_inner().into()), &part)).await
}

async fn show(
    request: &HttpRequest,
    grant: Option<GrantId>,
    part: &Part,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::of(request).await?, grant).await?;
    let body = body(&desk, part).await?;
    let mut chrome = desk.chrome(&body.heading);
    let query = part.query(part.before);
    chrome.live = live(
        format!("{}/rows.json{query}", desk.letters_at),
        format!("{}{query}", desk.letters_at),
        "Check for new letters",
    );
    Ok(render(request, "documents.jinja", &chrome, &body))
}

async fn rows(
    request: &HttpRequest,
    grant: Option<GrantId>,
    part: &Part,
) -> Result<HttpResponse, Failure> {
    let desk = Desk::of(Reader::glance(request).await?, grant).await?;
    Ok(HttpResponse::Ok().json(body(&desk, part).await?))
}

async fn body(desk: &Desk, part: &Part) -> Result<DocumentsBody, Failure> {
    let (tx, search) = (&desk.reader.tx, part.search());
    let found = pages::letters_found(tx, desk.patient, part.before(), &search, LETTERS).await?;
    let more_url = found
        .last()
        .filter(|_| found.len() as i64 == LETTERS)
        .map(|last| {
            let before = part.query(Some(last.published_at.timestamp_millis()));
            format!("{}{before}", desk.letters_at)
        });
    let letters: Vec<LetterRow> = found
        .iter()
        .filter(|letter| sees(desk, letter))
        .map(|letter| row(desk, letter))
        .collect();
    let (heading, empty_words) = match &desk.viewing {
        Some(name) => (format!("{name}’s documents"), format!("{name} shares no letters with you yet.")),
        None => ("Documents".to_owned(), "You have no letters yet. New ones appear here, and nothing is lost if you do not look.".to_owned()),
    };
    let searched = part.is_search();
    let own = desk.viewing.is_none();
    Ok(DocumentsBody {
        heading,
        empty: letters.is_empty(),
        found: searched.then(|| match letters.len() {
            0 => "No letter matches. Try fewer words, or other days.".to_owned(),
            many => format!("{} found", words::count(many as i64, "letter")),
        }),
        letters,
        empty_words: if searched { String::new() } else { empty_words },
        more_url,
        search_url: desk.letters_at.clone(),
        q: part.sought().unwrap_or_default(),
        from: part
            .from
            .parse::<NaiveDate>()
            .map(|day| day.to_string())
            .unwrap_or_default(),
        to: part
            .to
            .parse::<NaiveDate>()
            .map(|day| day.to_string())
            .unwrap_or_default(),
        appointments_url: (!own).then(|| desk.appointments_at.clone()),
        paper_url: own.then(|| format!("{}/paper", desk.letters_at)),
    })
}

pub(crate) fn sees(desk: &Desk, letter: &LetterView) -> bool {
    desk.viewer
        .sees(letter.share(), letter.restricted, letter.hidden)
}

/// What the reader may do with a letter now.
pub(crate) struct Ways {
    /// View, which opens it.
    pub(crate) view: bool,
    /// Read it again, because it has been opened.
    pub(crate) again: bool,
}

pub(crate) fn ways(desk: &Desk, letter: &LetterView) -> Ways {
    let may_open = desk
        .viewer
        .may_open(letter.share(), letter.restricted, letter.hidden);
    match letter.facts.state {
        _ if letter.dispute.is_some() => Ways {
            view: false,
            again: false,
        },
        LetterState::Opened => Ways {
            view: false,
            again: true,
        },
        LetterState::Published => Ways {
            view: may_open,
            again: false,
        },
        _ => Ways {
            view: false,
            again: false,
        },
    }
}

/// The promise as this reader is told it.
pub(crate) fn promise_of(desk: &Desk, letter: &LetterView) -> String {
    let reader = Some(desk.reader.session.account);
    let standing = letter
        .facts
        .standing_to(reader, &letter.policy, calendars());
    let audience = match &desk.viewing {
        Some(patient) => Audience::Carer { patient },
        None => Audience::Patient,
    };
    promise::line(
        &standing,
        audience,
        letter.policy.precision,
        local_date(letter.now),
    )
}

/// Word and colour of the tag in front of a letter or an appointment's change.
pub(crate) fn tag_of(standing: &Standing<'_>) -> (&'static str, &'static str) {
    match standing {
        Standing::WillPost { .. } | Standing::WillPhone { .. } | Standing::New => ("New", "blue"),
        Standing::GoesByPost { .. } | Standing::HospitalPosts | Standing::BeingPosted { .. } => {
            ("By post", "purple")
        }
        Standing::Posted { .. } => ("Posted", "purple"),
        Standing::Opened { .. } | Standing::OpenedAfterPosting { .. } => ("Opened", "grey"),
        Standing::ToldByPhone { .. } => ("Told by phone", "green"),
        Standing::WithTheHospital => ("With the hospital", "orange"),
        Standing::Withdrawn { .. } => ("Withdrawn", "grey"),
        Standing::Superseded { .. } => ("Replaced", "grey"),
        Standing::NotMine { .. } => ("Reported", "orange"),
    }
}

/// What to know before opening a clinic letter.
pub(crate) fn caution_of(letter: &LetterView) -> Option<String> {
    let unopened = letter.facts.state == LetterState::Published && letter.dispute.is_none();
    (letter.kind == LetterKind::Clinic && unopened).then(|| {
        format!(
            "May contain results. If worried: {}.",
            words::contact(&letter.contact_phone, letter.contact_hours.as_deref())
        )
    })
}

fn row(desk: &Desk, letter: &LetterView) -> LetterRow {
    let url = format!("{}/{}", desk.letters_at, letter.id);
    let ways = ways(desk, letter);
    let (tag, tone) = tag_of(&letter.facts.standing(&letter.policy, calendars()));
    LetterRow {
        id: letter.id.to_string(),
        title: letter.title.clone(),
        trust: letter.trust.clone(),
        clinic: letter.clinic.clone(),
        sent: format!("sent {}", words::date_and_time(letter.published_at)),
        tag,
        tone,
        promise: promise_of(desk, letter),
        caution: caution_of(letter),
        hint: hint_of(desk, letter, &ways),
        thread: thread_of(desk, letter),
        thread_url: format!("{url}#thread"),
        view_url: ways.view.then(|| format!("{url}/view")),
        nonce: ways
            .view
            .then(|| nonce::mint(&desk.reader.session, letter.id)),
        file_url: ways.again.then(|| format!("{url}/file")),
        url,
    }
}

/// That there are other letters about the same appointment. Not for carers: some of them may not be theirs to know of.
fn thread_of(desk: &Desk, letter: &LetterView) -> Option<String> {
    let others = (letter.thread - 1).max(0);
    (desk.viewing.is_none() && others > 0).then(|| {
        format!(
            "{} about this appointment",
            words::count(others, "other letter")
        )
    })
}

/// Why a carer finds nothing to press.
pub(crate) fn hint_of(desk: &Desk, letter: &LetterView, ways: &Ways) -> Option<String> {
    let patient = desk.viewing.as_ref()?;
    let unopened = letter.facts.state == LetterState::Published && !ways.view;
    unopened
        .then(|| format!("Only {patient} can open this. Once it is opened, you can read it too."))
}
