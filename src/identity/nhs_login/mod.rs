//! Signing in with NHS login: OpenID Connect, code flow, a confidential client with a key of its own.
//!
//! A visit begins here with a random state and nonce that only their hashes remember, bound to the browser by a
//! cookie, and ends here once. What comes out is a person whose every claim was checked; what becomes of them is
//! decided by `commands::arrive`. No claim, token or code is ever logged; only why a visit failed is.
//!
//! In reading order: [`NhsLogin::begin`], [`NhsLogin::finish`], `exchange` (code → checked claims), `claims`,
//! `provider` (its addresses and keys), `assertion` (our key).

mod assertion;
mod claims;
mod exchange;
mod provider;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::path::PathBuf;

use actix_web::cookie::{Cookie, SameSite, time::Duration as CookieTime};
use governor::clock::DefaultClock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use letterbox_actors::clock::SystemClock;
use letterbox_domain::id::AccountId;
use openidconnect::core::{CoreAuthPrompt, CoreResponseType};
use openidconnect::{
    AuthenticationFlow, ClientId, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
};
use sha2::{Digest as _, Sha256};

use super::ticket::{Ticket, TicketHash};
use crate::commands::arrive::{Purpose, Verified, Visit};
use crate::config::NhsLoginSettings;
use crate::store::sign_ins::{NewSignIn, SignIn};
use crate::store::{Store, StoreError};
use assertion::AssertionKey;
pub use assertion::new_key_pem;
use provider::{Line, Provider};

/// Binds a visit to the browser that began it.
pub const COOKIE: &str = "__Host-letterbox-visit";

/// Where NHS login sends people back to, below our public address.
pub const CALLBACK: &str = "/login/nhs/callback";

/// Why this server cannot offer NHS login; found at start-up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key cannot be read.
    #[error("nhs_login.key_file {}: {source}", path.display())]
    KeyFile {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The key is of another kind.
    #[error(
        "nhs_login.key_file holds no RSA key: `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096` makes one"
    )]
    NoRsaKey,
    /// An address is none.
    #[error("nhs_login.issuer or server.public_url is no address")]
    Address,
    /// The HTTP client cannot be built.
    #[error("the client of NHS login")]
    Client(#[from] reqwest::Error),
}

/// Why nobody came back from NHS login. The label is for logs and figures; it names no person.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Something does not fit; a fresh start may.
    #[error("the visit to NHS login came to nothing: {0}")]
    Again(&'static str),
    /// The person did not let NHS login tell us who they are.
    #[error("consent was refused")]
    NotShared,
    /// NHS login does not answer, or not sensibly.
    #[error("NHS login is out of reach: {0}")]
    Down(&'static str),
    /// Too many set out at once.
    #[error("too many visits begin at once")]
    Busy,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LoginError {
    /// For logs and figures.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Again(why) | Self::Down(why) => why,
            Self::NotShared => "not_shared",
            Self::Busy => "busy",
            Self::Store(_) => "store",
        }
    }
}

/// A visit that has begun: where the browser goes, and what it keeps.
#[derive(Debug)]
pub struct Begun {
    /// NHS login's address for this visit.
    pub url: String,
    /// Holds the secret that brings the visit home.
    pub cookie: Cookie<'static>,
}

/// What NHS login sends the browser back with.
#[derive(Clone, Default, serde::Deserialize)]
pub struct Callback {
    /// As we sent it.
    #[serde(default)]
    pub state: String,
    /// To be exchanged, once.
    pub code: Option<String>,
    /// Instead of a code.
    pub error: Option<String>,
    /// Which provider says so (RFC 9207), where it does.
    pub iss: Option<String>,
    /// Why, in the provider's words.
    pub error_description: Option<String>,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callback(…)")
    }
}

/// The client of NHS login; one per node.
pub struct NhsLogin {
    settings: NhsLoginSettings,
    client: ClientId,
    redirect: RedirectUrl,
    key: AssertionKey,
    provider: Provider,
    clock: SystemClock,
    begins: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
}

impl std::fmt::Debug for NhsLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NhsLogin")
            .field("issuer", &self.provider.issuer())
            .finish_non_exhaustive()
    }
}

impl NhsLogin {
    /// For one node; `None` where NHS login is not configured. Asks nobody yet: NHS login may be down.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn of(settings: &NhsLoginSettings, public_url: &str) -> Result<Option<Self>, SetupError> {
        let Some(issuer) = &settings.issuer else {
            return Ok(None);
        };
        let key_file = settings.key_file.as_deref().ok_or(SetupError::Address)?;
        let key = AssertionKey::read(key_file, settings.key_id.as_deref())?;
        let url = issuer.parse().map_err(|_| SetupError::Address)?;
        let line = Line::to(url, settings.timeout)?;
        let issuer = IssuerUrl::new(issuer.clone()).map_err(|_| SetupError::Address)?;
        let redirect = format!("{}{CALLBACK}", public_url.trim_end_matches('/'));
        let clock = SystemClock::new();
        let begins = NonZeroU32::new(settings.begins_per_second).unwrap_or(NonZeroU32::MIN);
        Ok(Some(Self {
            client: ClientId::new(settings.client_id.clone()),
            redirect: RedirectUrl::new(redirect).map_err(|_| SetupError::Address)?,
            key,
            provider: Provider::new(
                issuer,
                line,
                settings.metadata_ttl,
                settings.keys_interval,
                clock,
            ),
            clock,
            begins: RateLimiter::direct(Quota::per_second(begins)),
            settings: settings.clone(),
        }))
    }

    /// The origin that forms of ours may lead to, for the pages' security policy.
    #[must_use]
    pub fn origin(&self) -> String {
        self.provider
            .issuer()
            .parse::<reqwest::Url>()
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default()
    }

    /// Sends a browser out. With [`Purpose::Confirm`] NHS login asks for the password again.
    ///
    /// `account` is whoever is signed in, `public_computer` what they answered (or what their session says),
    /// `next` a path of ours.
    ///
    /// # Errors
    /// [`LoginError`]; nobody has been sent out then.
    pub async fn begin(
        &self,
        store: &Store,
        purpose: Purpose,
        account: Option<AccountId>,
        public_computer: bool,
        next: &str,
    ) -> Result<Begun, LoginError> {
        if self.begins.check().is_err() {
            return Err(LoginError::Busy);
        }
        let metadata = self.provider.metadata().await?;
        let (state, nonce, browser) = (Ticket::random(), Ticket::random(), Ticket::random());
        let new = NewSignIn {
            state_sha256: state.hash().0,
            browser_sha256: browser.hash().0,
            nonce_sha256: nonce.hash().0,
            issuer: self.provider.issuer(),
            purpose: purpose.name(),
            account,
            public_computer,
            next,
            lives: self.settings.visit,
        };
        store.begin_sign_in(&new).await?;
        let client = self.client_of(&metadata);
        let (state, nonce) = (state.reveal(), nonce.reveal());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .add_extra_param("vtr", vtr(&self.settings.vtr));
        if purpose == Purpose::Confirm {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        if self.settings.pkce {
            let verifier = verifier(&browser.reveal());
            let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
            request = request.set_pkce_challenge(challenge);
        }
        let (url, _, _) = request.url();
        Ok(Begun {
            url: url.into(),
            cookie: cookie(browser.reveal(), self.settings.visit),
        })
    }

    /// Brings a browser home: the visit is used up, the code exchanged, every claim checked.
    ///
    /// `browser` is the value of [`COOKIE`].
    ///
    /// # Errors
    /// [`LoginError`]; nobody has been signed in then, and this visit is over.
    pub async fn finish(
        &self,
        store: &Store,
        callback: &Callback,
        browser: Option<&str>,
    ) -> Result<(Verified, Visit), LoginError> {
        let finished = self.bring_home(store, callback, browser).await;
        let outcome = finished
            .as_ref()
            .map_or_else(LoginError::label, |_| "verified");
        metrics::counter!("letterbox_nhs_login_total", "outcome" => outcome).increment(1);
        if let Err(error) = &finished {
            tracing::warn!(security = true, reason = error.label(), "nhs_login.refused");
        }
        finished
    }

    async fn bring_home(
        &self,
        store: &Store,
        callback: &Callback,
        browser: Option<&str>,
    ) -> Result<(Verified, Visit), LoginError> {
        let browser = browser.ok_or(LoginError::Again("cookie_missing"))?;
        let secret = TicketHash::of(browser).ok_or(LoginError::Again("cookie_wrong"))?;
        let state = TicketHash::of(&callback.state).ok_or(LoginError::Again("state_wrong"))?;
        let used = store.use_sign_in(&state.0, &secret.0).await?;
        let used = used.ok_or(LoginError::Again("state_unknown"))?;
        self.judge_sender(callback, &used)?;
        let visit = visit_of(&used)?;
        let code = callback.code.as_deref().filter(|code| !code.is_empty());
        let code = code.ok_or(LoginError::Again("code_missing"))?;
        let verifier = self.settings.pkce.then(|| verifier(browser));
        let who = self.exchange(code, verifier, &used.nonce_sha256).await?;
        Ok((who, visit))
    }

    /// Whether it is NHS login that answers, and whether it has something to tell.
    fn judge_sender(&self, callback: &Callback, used: &SignIn) -> Result<(), LoginError> {
        let ours = self.provider.issuer();
        if used.issuer != ours || callback.iss.as_deref().is_some_and(|iss| iss != ours) {
            return Err(LoginError::Again("issuer_mixed_up"));
        }
        match callback.error.as_deref() {
            None => Ok(()),
            Some("access_denied" | "consent_required") => Err(LoginError::NotShared),
            Some("temporarily_unavailable" | "server_error") => Err(LoginError::Down("error")),
            Some(_) => Err(LoginError::Again("error_returned")),
        }
    }
}

fn visit_of(used: &SignIn) -> Result<Visit, LoginError> {
    let purpose = Purpose::from_name(&used.purpose)
        .ok_or_else(|| StoreError::corrupt("sign_ins", "purpose", "unknown"))?;
    Ok(Visit {
        purpose,
        account: used.account,
        public_computer: used.public_computer,
        next: used.next.clone(),
    })
}

/// A JSON list, as NHS login wants it.
fn vtr(wanted: &[String]) -> String {
    serde_json::Value::from(wanted.to_vec()).to_string()
}

/// From the browser's secret, so that nothing more has to be kept.
fn verifier(browser: &str) -> PkceCodeVerifier {
    let digest = Sha256::digest(format!("letterbox pkce {browser}"));
    PkceCodeVerifier::new(hex::encode(digest))
}

fn cookie(value: String, lives: std::time::Duration) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        // Lax: NHS login's redirect comes from another site and must bring it along.
        .same_site(SameSite::Lax)
        .max_age(CookieTime::seconds(lives.as_secs().cast_signed()))
        .finish()
}

/// Makes the browser forget the visit.
#[must_use]
pub fn removal() -> Cookie<'static> {
    let mut gone = cookie(String::new(), std::time::Duration::ZERO);
    gone.make_removal();
    gone
}
