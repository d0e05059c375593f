//! Texts by Twilio's Messages contract, spoken by ourselves.
//!
//! The provider has no idempotency key, so an answer that did not come is never followed by a second POST:
//! the outcome is unknown, [`Outlet::look_up`] asks by recipient and words, and only "it surely does not have
//! it" makes sending safe. Which crates were tried instead, and how they failed: docs/decisions/0012-twilio.md.

mod codes;
mod webhook;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use letterbox_actors::ports::{LookUp, Outgoing, Outlet};
use letterbox_domain::dispatch::{Channel, DispatchState, Outcome};
use letterbox_domain::id::DispatchId;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::config::TextSettings;
use crate::crash;
use codes::{Advice, advice};
use wire::{Message, Page, Refusal};

pub(super) use codes::spoils_contact;
pub use webhook::{Receipt, Webhook, WebhookError};
pub use wire::Status;

use super::ChannelError;

/// Where callbacks arrive, below the public address.
pub const CALLBACK_PATH: &str = "/channels/twilio/status";
/// A text that could not leave the provider within an hour is late enough to be the next step's business.
const VALIDITY_S: &str = "3600";
/// Connecting takes milliseconds; longer means that nobody is there, and surely nothing was sent.
const CONNECT: Duration = Duration::from_secs(3);
/// How long to leave the provider alone when it does not say.
const LATER: Duration = Duration::from_secs(30);
/// The same when our own account or settings are at fault: a person must act first.
const OURS: Duration = Duration::from_secs(300);
/// The longest wait that a provider may ask for; beyond it the case's own steps are better.
const LATER_MAX: Duration = Duration::from_secs(3_600);
/// An answer of the provider's is a few KB; a page of fifty messages below 100 KB.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
/// A text older than this is not the one we are asking about.
const WINDOW: TimeDelta = TimeDelta::hours(24);
/// Messages a page; four pages to one person in a day is more than anybody gets.
const PAGE_SIZE: &str = "50";
const PAGES_MAX: usize = 4;
/// References remembered as belonging to a dispatch, so that one text is never taken for another's.
const KNOWN_MAX: usize = 10_000;

/// The address that the provider reports to: the setting, or our public address.
pub(super) fn callback_url(settings: &TextSettings, public_url: &str) -> String {
    let default = || format!("{}{CALLBACK_PATH}", public_url.trim_end_matches('/'));
    settings.status_callback.clone().unwrap_or_else(default)
}

/// The client of the text provider.
pub struct Twilio {
    client: Client,
    base: Url,
    account: String,
    user: String,
    password: SecretString,
    sender: (&'static str, String),
    callback: Option<Url>,
    known: Mutex<Known>,
}

impl Twilio {
    /// `None` when no account is set.
    ///
    /// # Errors
    /// [`ChannelError`], naming the setting to correct.
    pub(super) fn new(
        settings: &TextSettings,
        callback: &str,
        timeout: Duration,
    ) -> Result<Option<Self>, ChannelError> {
        let Some(account) = settings.account_sid.clone() else {
            return Ok(None);
        };
        let (user, password) = credentials(settings, &account)?;
        let base = Url::parse(&settings.base_url)
            .map_err(|source| ChannelError::set_up("text.base_url", source))?;
        let callback = settings
            .auth_token
            .is_some()
            .then(|| checked(callback))
            .transpose()?;
        Ok(Some(Self {
            client: client(&base, timeout)?,
            base,
            account,
            user,
            password,
            sender: sender(settings)?,
            callback,
            known: Mutex::default(),
        }))
    }

    /// Asks where a text stands, for those about which no callback came. `None`: no answer that can be read.
    pub async fn status_of(&self, reference: &str) -> Option<Receipt> {
        let url = self.url(&format!("Messages/{reference}.json"))?;
        let answer = self.signed(self.client.get(url)).send().await.ok()?;
        let message: Message = serde_json::from_slice(&body(answer).await?).ok()?;
        Some(Receipt {
            status: message.status(),
            code: message.error_code.map(|code| code.to_string()),
            reference: message.sid,
            dispatch: None,
        })
    }

    fn url(&self, rest: &str) -> Option<Url> {
        let path = format!("/2010-04-01/Accounts/{}/{rest}", self.account);
        self.base.join(&path).ok()
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.user, Some(self.password.expose_secret()))
    }

    fn form(&self, outgoing: &Outgoing) -> Vec<(&'static str, String)> {
        let mut form = vec![
            ("To", outgoing.to.clone()),
            (self.sender.0, self.sender.1.clone()),
            ("Body", outgoing.body.clone()),
            ("ValidityPeriod", VALIDITY_S.to_owned()),
        ];
        if let Some(mut url) = self.callback.clone() {
            let key = outgoing.key.to_string();
            url.query_pairs_mut().append_pair(webhook::DISPATCH, &key);
            form.push(("StatusCallback", url.into()));
        }
        form
    }

    async fn answered(&self, outgoing: &Outgoing, answer: Response) -> Outcome {
        let status = answer.status();
        let headers = answer.headers().clone();
        let Some(body) = body(answer).await else {
            return Outcome::Unknown;
        };
        if status.is_success() {
            return match serde_json::from_slice::<Message>(&body) {
                Ok(message) => {
                    self.known().insert(message.sid.clone(), outgoing.key);
                    outcome_of(message)
                }
                Err(_) => Outcome::Unknown,
            };
        }
        refused(status, &headers, &body)
    }

    /// Reads pages until one text matches, the window is left, or there are no more.
    async fn search(&self, outgoing: &Outgoing) -> Option<LookUp> {
        let mut url = self.url("Messages.json")?;
        // No filter on the sent date: a text that is still queued has none and would be overlooked.
        url.query_pairs_mut()
            .append_pair("To", &outgoing.to)
            .append_pair("PageSize", PAGE_SIZE);
        for _ in 0..PAGES_MAX {
            let answer = self.signed(self.client.get(url)).send().await.ok()?;
            if !answer.status().is_success() {
                return None;
            }
            let date = answer
                .headers()
                .get(DATE)
                .and_then(|date| date.to_str().ok());
            let oldest = date.and_then(wire::instant).map(|now| now - WINDOW);
            let page: Page = serde_json::from_slice(&body(answer).await?).ok()?;
            for message in page.messages {
                let age = message.created_at().zip(oldest);
                if age.is_some_and(|(created, oldest)| created < oldest) {
                    return Some(LookUp::NotFound);
                }
                if self.is_ours(outgoing, &message) {
                    return Some(LookUp::Found(outcome_of(message)));
                }
            }
            let Some(next) = page.next_page_uri else {
                return Some(LookUp::NotFound);
            };
            url = self
                .base
                .join(&next)
                .ok()
                .filter(|url| url.origin() == self.base.origin())?;
        }
        None
    }

    /// The same words to the same number, not known to be another dispatch's.
    fn is_ours(&self, outgoing: &Outgoing, message: &Message) -> bool {
        let outbound = message.direction.starts_with("outbound");
        let owner = self.known().of(&message.sid);
        outbound
            && message.body == outgoing.body
            && message.status() != Status::Canceled
            && owner.is_none_or(|owner| owner == outgoing.key)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Outlet for Twilio {
    fn channel(&self) -> Channel {
        Channel::Text
    }

    async fn send(&self, outgoing: &Outgoing) -> Outcome {
        let Some(url) = self.url("Messages.json") else {
            return Outcome::Later { after: OURS };
        };
        let request = self
            .signed(self.client.post(url))
            .form(&self.form(outgoing));
        match request.send().await {
            Ok(answer) => {
                if answer.status().is_success() {
                    crash::point("dispatch.accepted");
                }
                self.answered(outgoing, answer).await
            }
            // Nobody was reached, so nothing was handed over.
            Err(error) if error.is_connect() || error.is_builder() => {
                tracing::warn!(key = %outgoing.key, "the text provider cannot be reached");
                Outcome::Later { after: LATER }
            }
            Err(_) => Outcome::Unknown,
        }
    }

    async fn look_up(&self, outgoing: &Outgoing) -> LookUp {
        self.search(outgoing).await.unwrap_or(LookUp::CannotTell)
    }
}

/// A text that the provider has. Taken on and failed later is still taken on: its failure is final.
fn outcome_of(message: Message) -> Outcome {
    if message.status().state() == Some(DispatchState::Failed) {
        let code = message
            .error_code
            .map_or(message.status, |code| code.to_string());
        return Outcome::Rejected { code };
    }
    Outcome::Accepted {
        reference: message.sid,
    }
}

fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let code = serde_json::from_slice::<Refusal>(body)
        .ok()
        .map(|refusal| refusal.code);
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Outcome::Later {
            after: retry_after(headers),
        };
    }
    // A server that broke may have broken after taking the message; so may one in between.
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || status.is_redirection()
    {
        return Outcome::Unknown;
    }
    let ours = status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
    match code.map(advice) {
        Some(Advice::Number | Advice::Message) if !ours => Outcome::Rejected {
            code: code.map_or_else(|| status.as_u16().to_string(), |code| code.to_string()),
        },
        Some(Advice::Later) => Outcome::Later {
            after: retry_after(headers),
        },
        _ => {
            tracing::error!(
                status = status.as_u16(),
                code,
                "the text provider refuses our account or settings: check channels.text"
            );
            Outcome::Later { after: OURS }
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let text = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let asked = text
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    asked
        .unwrap_or(LATER)
        .clamp(Duration::from_secs(1), LATER_MAX)
}

/// The body, if it arrives whole and is not absurdly long.
async fn body(mut answer: Response) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        if whole.len() + chunk.len() > ANSWER_MAX_BYTES {
            return None;
        }
        whole.extend_from_slice(&chunk);
    }
    Some(whole)
}

fn client(base: &Url, timeout: Duration) -> Result<Client, ChannelError> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout)
        // A redirect would repeat the POST somewhere else.
        .redirect(reqwest::redirect::Policy::none());
    if base.scheme() == "http" {
        builder = builder.no_proxy(); // a sandbox on this machine
    }
    builder
        .build()
        .map_err(|source| ChannelError::set_up("text", source))
}

fn credentials(
    settings: &TextSettings,
    account: &str,
) -> Result<(String, SecretString), ChannelError> {
    match (
        &settings.api_key_sid,
        &settings.api_key_secret,
        &settings.auth_token,
    ) {
        (Some(key), Some(secret), _) => Ok((key.clone(), secret.clone())),
        (None, None, Some(token)) => Ok((account.to_owned(), token.clone())),
        _ => Err(ChannelError::setting(
            "text.api_key_sid",
            "set api_key_sid and api_key_secret, or auth_token alone",
        )),
    }
}

fn sender(settings: &TextSettings) -> Result<(&'static str, String), ChannelError> {
    match (&settings.messaging_service_sid, &settings.from) {
        (Some(service), None) => Ok(("MessagingServiceSid", service.clone())),
        (None, Some(from)) => Ok(("From", from.clone())),
        _ => Err(ChannelError::setting(
            "text.from",
            "set either messaging_service_sid or from",
        )),
    }
}

/// The provider refuses hosts with an underscore; better to hear of it now than at the first text.
fn checked(callback: &str) -> Result<Url, ChannelError> {
    let url = Url::parse(callback)
        .map_err(|source| ChannelError::set_up("text.status_callback", source))?;
    if url.host_str().is_some_and(|host| !host.contains('_')) {
        return Ok(url);
    }
    Err(ChannelError::setting(
        "text.status_callback",
        "the provider needs a host name without an underscore",
    ))
}

/// Whose text a reference is; the oldest are forgotten first.
#[derive(Default)]
struct Known {
    owners: HashMap<String, DispatchId>,
    order: VecDeque<String>,
}

impl Known {
    fn insert(&mut self, reference: String, owner: DispatchId) {
        if self.owners.insert(reference.clone(), owner).is_none() {
            self.order.push_back(reference);
        }
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.owners.remove(&oldest);
        }
    }

    fn of(&self, reference: &str) -> Option<DispatchId> {
        self.owners.get(reference).copied()
    }
}
