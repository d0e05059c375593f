//! Reads what a client sent: who they are, what to send, what to list.

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Query;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::Account;
use super::shape::{Refusal, message};
use crate::world::{State, Text};

/// Characters of one message body.
const BODY_MAX: usize = 1_600;
/// Seconds a message may wait to be sent.
const VALIDITY: std::ops::RangeInclusive<u32> = 1..=36_000;
/// Messages on one page of a listing.
const PAGE_MAX: usize = 1_000;

/// Checks Basic credentials and that the path names the same account.
pub(super) fn authorise(
    request: &HttpRequest,
    path: &str,
    account: &Account,
) -> Result<(), Refusal> {
    let (user, password) = basic(request).ok_or_else(Refusal::unauthorised)?;
    let same = |a: &str, b: &str| bool::from(a.as_bytes().ct_eq(b.as_bytes()));
    let own = same(&user, &account.sid) & same(&password, &account.auth_token);
    let key = account
        .api_key
        .as_ref()
        .is_some_and(|(id, secret)| same(&user, id) & same(&password, secret));
    if (own || key) && path == account.sid {
        Ok(())
    } else {
        Err(Refusal::unauthorised())
    }
}

fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// A message to send, checked.
pub(super) struct Create {
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    pub(super) body: String,
    pub(super) status_callback: Option<String>,
}

impl Create {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let form = std::str::from_utf8(body).ok().and_then(pairs);
        let form = form.ok_or_else(|| Refusal::bad(20_422, "Unable to parse the form"))?;
        let field = |name: &str| {
            let found = form.iter().find(|(key, _)| key == name);
            found.map(|(_, v)| v.clone()).filter(|v| !v.is_empty())
        };
        let to =
            field("To").ok_or_else(|| Refusal::bad(21_604, "A 'To' phone number is required."))?;
        if !is_e164(&to) {
            return Err(Refusal::of_number(21_211, &to));
        }
        let create = Self {
            to,
            from: field("From"),
            messaging_service_sid: field("MessagingServiceSid"),
            body: field("Body").unwrap_or_default(),
            status_callback: field("StatusCallback"),
        };
        create.check(field("ValidityPeriod").as_deref())?;
        Ok(create)
    }

    fn check(&self, validity: Option<&str>) -> Result<(), Refusal> {
        if self.from.is_none() && self.messaging_service_sid.is_none() {
            return Err(Refusal::bad(21_603, "A 'From' phone number is required."));
        }
        if self.from.as_deref().is_some_and(|from| !is_sender(from)) {
            return Err(Refusal::bad(21_212, "Invalid 'From' Phone Number"));
        }
        if self.body.is_empty() {
            return Err(Refusal::bad(21_602, "Message body is required."));
        }
        if self.body.chars().count() > BODY_MAX {
            let text = "The concatenated message body exceeds the 1600 character limit.";
            return Err(Refusal::bad(21_617, text));
        }
        if self
            .status_callback
            .as_deref()
            .is_some_and(|url| !is_url(url))
        {
            return Err(Refusal::bad(
                21_609,
                "The 'StatusCallback' URL is not a valid URL.",
            ));
        }
        let seconds = validity.map(|v| v.parse().ok().filter(|s| VALIDITY.contains(s)));
        if seconds == Some(None) {
            return Err(Refusal::bad(20_422, "Invalid Parameter: ValidityPeriod"));
        }
        Ok(())
    }
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (8..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
}

/// A number, or up to 11 letters, digits and spaces with at least one letter.
fn is_sender(from: &str) -> bool {
    is_e164(from)
        || (from.len() <= 11
            && from.bytes().any(|b| b.is_ascii_alphabetic())
            && from.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' '))
}

/// Hosts with an underscore are refused by the provider.
fn is_url(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty() && !host.contains('_'))
        && reqwest::Url::parse(url).is_ok()
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    Query::<Vec<(String, String)>>::from_query(text)
        .ok()
        .map(Query::into_inner)
}

/// A listing, newest first: by recipient, sender, and when it was sent.
#[derive(Default)]
pub(super) struct Listing {
    to: Option<String>,
    from: Option<String>,
    sent_from: Option<DateTime<Utc>>,
    sent_before: Option<DateTime<Utc>>,
    page: usize,
    page_size: usize,
    query: String,
}

impl Listing {
    /// `DateSent>=x` arrives as the key `DateSent>`; unknown parameters are ignored, as the provider does.
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::bad(20_422, "Invalid Parameter");
        let mut listing = Self {
            page_size: 50,
            ..Self::default()
        };
        for (key, value) in pairs(query).ok_or_else(bad)? {
            match key.as_str() {
                "To" => listing.to = Some(value),
                "From" => listing.from = Some(value),
                "DateSent>" => listing.sent_from = Some(instant(&value).ok_or_else(bad)?),
                "DateSent<" => {
                    listing.sent_before = Some(instant(&value).ok_or_else(bad)? + Days::new(1))
                }
                "DateSent" => {
                    let from = instant(&value).ok_or_else(bad)?;
                    listing.sent_from = Some(from);
                    listing.sent_before = Some(from + Days::new(1));
                }
                "Page" => listing.page = value.parse().map_err(|_| bad())?,
                "PageSize" => listing.page_size = value.parse().map_err(|_| bad())?,
                _ => {}
            }
        }
        listing.page_size = listing.page_size.clamp(1, PAGE_MAX);
        let kept = query
            .split('&')
            .filter(|p| !p.is_empty() && !p.starts_with("Page"));
        listing.query = kept.map(|p| format!("&{p}")).collect();
        Ok(listing)
    }

    /// A text that has not left yet has no sent date, so no filter on that date finds it.
    fn matches(&self, text: &Text) -> bool {
        let to = self.to.as_ref().is_none_or(|to| *to == text.accepted.to);
        let from = self.from.is_none() || self.from == text.accepted.from;
        let after = self
            .sent_from
            .is_none_or(|from| text.sent_at.is_some_and(|at| at >= from));
        let before = self
            .sent_before
            .is_none_or(|end| text.sent_at.is_some_and(|at| at < end));
        to && from && after && before
    }

    /// One page in the provider's shape.
    pub(super) fn page(&self, account: &str, state: &State) -> Value {
        let skip = self.page.saturating_mul(self.page_size);
        let newest_first = state.texts.values().rev().filter(|text| self.matches(text));
        let mut found: Vec<_> = newest_first.skip(skip).take(self.page_size + 1).collect();
        let more = found.len() > self.page_size;
        found.truncate(self.page_size);
        let uri = |page: usize| {
            let size = self.page_size;
            let query = &self.query;
            format!(
                "/2010-04-01/Accounts/{account}/Messages.json?PageSize={size}&Page={page}{query}"
            )
        };
        json!({
            "first_page_uri": uri(0),
            "next_page_uri": more.then(|| uri(self.page + 1)),
            "previous_page_uri": self.page.checked_sub(1).map(uri),
            "uri": uri(self.page),
            "page": self.page,
            "page_size": self.page_size,
            "start": skip,
            "end": (skip + found.len()).saturating_sub(1),
            "messages": found.into_iter().map(message).collect::<Vec<_>>(),
        })
    }
}

/// A day (its first instant in UTC) or an instant.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    match day {
        Ok(day) => Some(day.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.to_utc()),
    }
}
