//! The outside world of the demonstration: what the sandbox received, and how soon the next letters are printed.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::demo::only_in_demo;
use super::doors::Doors;
use super::failure::{Failure, data, page};
use super::model::{EnvelopeRow, MailRow, OutsideBody, TextRow};
use super::page::render;
use super::portal::Portal;
use super::stage::chrome;
use super::words;
use crate::store::Principal;
use crate::store::pages::{self, PaperDue};

pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/outside-world", show)
        .get("/outside-world.json", now);
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        let body = body(&*only_in_demo(&request)?).await?;
        Ok(render(
            &request,
            "outside_world.jinja",
            &chrome("Outside world", "outside", "/outside-world", "Look again"),
            &body,
        ))
    };
    page(&request, work).await
}

async fn now(request: HttpRequest) -> HttpResponse {
    data(async { Ok(HttpResponse::Ok().json(body(&*only_in_demo(&request)?).await?)) }).await
}

#[derive(Deserialize)]
struct Text {
    n: u64,
    at: DateTime<Utc>,
    to: String,
    body: String,
}

#[derive(Deserialize)]
struct Mail {
    n: u64,
    at: DateTime<Utc>,
    envelope_to: Vec<String>,
    subject: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    n: u64,
    at: DateTime<Utc>,
    window: Vec<String>,
    postage: String,
    /// As the manifest has it: `std`, `large16`, `braille` …
    format: String,
}

async fn body(portal: &Portal) -> Result<OutsideBody, Failure> {
    let demo = portal.demo.as_ref().ok_or(Failure::NotFound)?;
    let tx = portal.store.begin_snapshot(&Principal::SERVER).await?;
    let due = pages::paper_due(&tx).await?;
    drop(tx);
    let texts: Vec<Text> = demo.sandbox("/texts?limit=30").await.unwrap_or_default();
    let mails: Vec<Mail> = demo.sandbox("/mails?limit=30").await.unwrap_or_default();
    let envelopes: Vec<Envelope> = demo.sandbox("/prints?limit=30").await.unwrap_or_default();
    Ok(OutsideBody {
        countdown: countdown(due),
        no_texts: texts.is_empty(),
        texts: texts.into_iter().map(text_row).collect(),
        no_mails: mails.is_empty(),
        mails: mails.into_iter().map(mail_row).collect(),
        no_envelopes: envelopes.is_empty(),
        envelopes: envelopes.into_iter().map(envelope_row).collect(),
    })
}

/// `1 letter prints in 9 s`.
fn countdown(due: Option<PaperDue>) -> String {
    let Some(due) = due else {
        return "No letter waits for the printer".to_owned();
    };
    let letters = words::count(due.letters, "letter");
    if due.seconds < 1.0 {
        return format!("{letters} printing now");
    }
    let (verb, it) = if due.letters == 1 {
        ("prints", "it is")
    } else {
        ("print", "they are")
    };
    let seconds = due.seconds;
    let unless = if due.decided {
        String::new()
    } else {
        format!(" unless {it} opened")
    };
    format!("{letters} {verb} in {seconds:.0} s{unless}")
}

fn text_row(text: Text) -> TextRow {
    TextRow {
        id: text.n.to_string(),
        to: words::phone(&text.to),
        text: text.body,
        at: words::clock(text.at),
    }
}

fn mail_row(mail: Mail) -> MailRow {
    MailRow {
        id: mail.n.to_string(),
        to: mail.envelope_to.join(", "),
        subject: mail.subject.unwrap_or_default(),
        text: mail.text.unwrap_or_default(),
        at: words::clock(mail.at),
    }
}

fn envelope_row(envelope: Envelope) -> EnvelopeRow {
    let postage = match envelope.postage.as_str() {
        "first" => "1st class",
        "second" => "2nd class",
        _ => "Economy",
    };
    let format = match envelope.format.as_str() {
        "std" => String::new(),
        "large16" => ", large print".to_owned(),
        other => format!(", {}", other.replace('_', " ")),
    };
    EnvelopeRow {
        id: envelope.n.to_string(),
        window: envelope.window.join("\n"),
        postage: postage.to_owned(),
        at: format!("printed {}{format}", words::clock(envelope.at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countdown_counts_letters_and_seconds() {
        let says = |letters, seconds, decided| {
            countdown(Some(PaperDue {
                letters,
                seconds,
                decided,
            }))
        };
        assert_eq!(says(1, 9.2, true), "1 letter prints in 9 s");
        assert_eq!(says(2, 14.6, true), "2 letters print in 15 s");
        assert_eq!(says(1, 0.3, true), "1 letter printing now");
        assert_eq!(
            says(1, 29.8, false),
            "1 letter prints in 30 s unless it is opened"
        );
        assert_eq!(
            says(2, 44.0, false),
            "2 letters print in 44 s unless they are opened"
        );
        assert_eq!(countdown(None), "No letter waits for the printer");
    }
}
