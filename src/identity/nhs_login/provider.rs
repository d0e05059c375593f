//! NHS login's addresses and keys: asked for when first needed, kept for a while, asked for again when it signs with
//! a key that we do not know. Nothing is asked of any other host, whatever a document of its own says.

use std::sync::Arc;
use std::time::Duration;

use letterbox_actors::clock::{Clock, SystemClock};
use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::http::{self, HeaderMap};
use openidconnect::{HttpRequest, HttpResponse, IssuerUrl};
use reqwest::{Client, Url};
use tokio::sync::Mutex;

use super::LoginError;

/// Discovery, keys and tokens are a few KB.
const MOST_BYTES: usize = 256 * 1024;

/// Why one question was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// It leads to another host.
    #[error("the address is not the issuer's")]
    Elsewhere,
    /// Nobody answered in time.
    #[error("no answer")]
    Silent,
    /// It said that it cannot now.
    #[error("the server failed")]
    Failed,
    /// More than anything we ask for.
    #[error("the answer is too large")]
    TooLarge,
}

/// Asks NHS login, and nobody else.
#[derive(Clone)]
pub(super) struct Line {
    client: Client,
    issuer: Url,
}

impl Line {
    pub(super) fn to(issuer: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(timeout)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, issuer })
    }

    pub(super) fn is_issuers(&self, url: &Url) -> bool {
        url.origin() == self.issuer.origin() && url.username().is_empty()
    }

    pub(super) async fn ask(self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let url = request.uri().to_string().parse::<Url>();
        if !url.is_ok_and(|url| self.is_issuers(&url)) {
            return Err(Unanswered::Elsewhere);
        }
        let request = request.try_into().map_err(|_| Unanswered::Silent)?;
        let mut answer = self
            .client
            .execute(request)
            .await
            .map_err(|_| Unanswered::Silent)?;
        if answer.status().is_server_error() {
            return Err(Unanswered::Failed);
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|_| Unanswered::Silent)? {
            if body.len() + part.len() > MOST_BYTES {
                return Err(Unanswered::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        assemble(status, headers, body)
    }
}

fn assemble(
    status: http::StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<HttpResponse, Unanswered> {
    let mut answer = http::Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// What is known of NHS login, and since when.
struct Known {
    metadata: Arc<CoreProviderMetadata>,
    since: Duration,
    keys_since: Duration,
}

/// NHS login as this node knows it.
pub(super) struct Provider {
    issuer: IssuerUrl,
    line: Line,
    ttl: Duration,
    keys_interval: Duration,
    clock: SystemClock,
    known: Mutex<Option<Known>>,
}

impl Provider {
    pub(super) fn new(
        issuer: IssuerUrl,
        line: Line,
        ttl: Duration,
        keys_interval: Duration,
        clock: SystemClock,
    ) -> Self {
        Self {
            issuer,
            line,
            ttl,
            keys_interval,
            clock,
            known: Mutex::new(None),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }

    /// Addresses and keys; asked for where they are unknown or old. Old ones will do while nobody answers.
    pub(super) async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, LoginError> {
        let mut known = self.known.lock().await;
        let now = self.clock.uptime();
        if let Some(known) = known.as_ref()
            && now.saturating_sub(known.since) < self.ttl
        {
            return Ok(Arc::clone(&known.metadata));
        }
        match (self.discover().await, known.as_mut()) {
            (Ok(metadata), _) => {
                let metadata = Arc::new(metadata);
                *known = Some(Known {
                    metadata: Arc::clone(&metadata),
                    since: now,
                    keys_since: now,
                });
                Ok(metadata)
            }
            (Err(_), Some(old)) => Ok(Arc::clone(&old.metadata)),
            (Err(error), None) => Err(error),
        }
    }

    /// The same with its keys asked for again, unless that was done a moment ago: `None` then.
    pub(super) async fn with_new_keys(
        &self,
    ) -> Result<Option<Arc<CoreProviderMetadata>>, LoginError> {
        let mut known = self.known.lock().await;
        let now = self.clock.uptime();
        let Some(known) = known.as_mut() else {
            return Ok(None);
        };
        if now.saturating_sub(known.keys_since) < self.keys_interval {
            return Ok(None);
        }
        known.keys_since = now;
        let line = self.line.clone();
        let ask = move |request| line.clone().ask(request);
        let keys = CoreJsonWebKeySet::fetch_async(known.metadata.jwks_uri(), &ask)
            .await
            .map_err(|_| LoginError::Down("keys"))?;
        let metadata = known.metadata.as_ref().clone().set_jwks(keys);
        known.metadata = Arc::new(metadata);
        Ok(Some(Arc::clone(&known.metadata)))
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, LoginError> {
        let line = self.line.clone();
        let ask = move |request| line.clone().ask(request);
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &ask)
            .await
            .map_err(|_| LoginError::Down("discovery"))?;
        let all_its_own = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(|one| one.url()),
            metadata.userinfo_endpoint().map(|one| one.url()),
        ]
        .into_iter()
        .all(|url| url.is_some_and(|url| self.line.is_issuers(url)));
        all_its_own
            .then_some(metadata)
            .ok_or(LoginError::Down("addresses"))
    }
}
