//! A signed-in browser: the `__Host-letterbox` cookie, the session behind it, and how it begins and ends.
//!
//! The cookie holds 256 random bits and means nothing by itself; the store keeps its hash. A session ends when it is
//! signed out, has been idle for too long or has lasted too long, and its sockets end with it. Socket traffic is not
//! activity. Signing in always makes a new session and ends the one the browser had.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError, web};
use letterbox_domain::id::{AccountId, SessionId};

use super::csrf::CsrfSecret;
use super::ticket::{Ticket, TicketHash, random_bytes};
use super::{Identity, browser_name};
use crate::store::{FoundSession, NewSession, StoreError};

pub use crate::store::{AccountKind, Idle};

/// The cookie's name: the prefix makes browsers insist on `Secure`, path `/` and no domain.
pub const COOKIE: &str = "__Host-letterbox";

/// A sensitive change (contacts, sharing, deletion) wants a proof of who is asking that is younger than this: long
/// enough to fill in a form, too short for somebody who finds the device on a table after lunch.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// Whoever is signed in on this browser. As an extractor it answers 401 when nobody is.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub account: AccountId,
    /// Person or trust staff.
    pub kind: AccountKind,
    /// Which of their browsers.
    pub session: SessionId,
    /// The short time-outs of a public computer apply.
    pub public_computer: bool,
    /// How long until the session ends if nothing is requested.
    pub left: Duration,
    /// How long it may go unused.
    pub idle: Duration,
    /// How long before the end an open page warns.
    pub warning: Duration,
    proved_ago: Duration,
    csrf: CsrfSecret,
}

/// Why nobody is known to be asking.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// No cookie, or its session has ended.
    #[error("nobody is signed in")]
    SignIn,
    /// The store did not answer.
    #[error("it cannot be known who is asking")]
    Unknown(#[source] StoreError),
}

impl ResponseError for NotSignedIn {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Unknown(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if matches!(self, Self::Unknown(_)) {
            response.insert_header((header::RETRY_AFTER, "2"));
        }
        response.finish()
    }
}

impl SignedIn {
    /// Whoever is signed in, counting the request as use of the site. Asks the store once per request.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn of(request: &HttpRequest) -> Result<Option<Self>, StoreError> {
        if let Some(known) = request.extensions().get::<Option<Self>>() {
            return Ok(known.clone());
        }
        let found = Self::find(request, true).await?;
        request.extensions_mut().insert(found.clone());
        Ok(found)
    }

    /// As [`SignedIn::of`] without counting as use: for what a page does by itself while nobody touches it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn glance(request: &HttpRequest) -> Result<Option<Self>, StoreError> {
        Self::find(request, false).await
    }

    async fn find(request: &HttpRequest, counts_as_use: bool) -> Result<Option<Self>, StoreError> {
        let (Some(identity), Some(token)) = (
            request.app_data::<web::Data<Identity>>().cloned(),
            token_of(request),
        ) else {
            return Ok(None);
        };
        let found = identity
            .store()
            .find_session(&token.0, identity.idle(), counts_as_use)
            .await?;
        Ok(found.map(|found| Self::standing(found, &identity)))
    }

    /// Whether its holder has proved who they are within the last ten minutes: by signing in, or by confirming since.
    /// Where not, a sensitive change is not made before they have confirmed.
    #[must_use]
    pub fn freshly(&self) -> bool {
        self.proved_ago < FRESH
    }

    /// The token that every form of this session carries.
    #[must_use]
    pub fn csrf_token(&self) -> String {
        self.csrf.token()
    }

    /// Whether a form's token is this session's, in constant time.
    #[must_use]
    pub fn verify_csrf(&self, token: &str) -> bool {
        self.csrf.verify(token)
    }

    /// A secret of this session for nonces and the like, derived per purpose; never leaves the server.
    #[must_use]
    pub fn secret_for(&self, purpose: &str) -> [u8; 32] {
        self.csrf.derive(purpose)
    }
}

impl SignedIn {
    fn standing(found: FoundSession, identity: &Identity) -> Self {
        Self {
            idle: identity.idle().unused(found.public_computer),
            warning: identity.warning(),
            account: found.account,
            kind: found.kind,
            session: found.session,
            public_computer: found.public_computer,
            left: found.left,
            proved_ago: found.proved_ago,
            csrf: CsrfSecret(found.csrf_secret),
        }
    }
}

impl FromRequest for SignedIn {
    type Error = NotSignedIn;
    type Future = Pin<Box<dyn Future<Output = Result<Self, NotSignedIn>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match Self::of(&request).await {
                Ok(Some(signed_in)) => Ok(signed_in),
                Ok(None) => Err(NotSignedIn::SignIn),
                Err(error) => Err(NotSignedIn::Unknown(error)),
            }
        })
    }
}

/// The cookie's hash, if the browser sent exactly one that could be ours.
fn token_of(request: &HttpRequest) -> Option<TicketHash> {
    TicketHash::of(request.cookie(COOKIE)?.value())
}

fn user_agent(request: &HttpRequest) -> &str {
    let sent = request.headers().get(header::USER_AGENT);
    sent.and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Sessions that a sign-in or sign-out has ended: their sockets are to be closed.
pub type Ended = Vec<(AccountId, SessionId)>;

impl Identity {
    /// Signs `account` in on the browser that sent `request`: a new session with a new secret, whatever cookie the
    /// browser had. Answers the cookie to set and the session it replaces.
    ///
    /// # Errors
    /// When the store does not answer; nobody is signed in then.
    pub async fn sign_in(
        &self,
        request: &HttpRequest,
        account: AccountId,
        public_computer: bool,
    ) -> Result<(Cookie<'static>, Ended), StoreError> {
        let token = Ticket::random();
        let new = NewSession {
            session: SessionId::random(),
            account,
            token_sha256: token.hash().0,
            csrf_secret: random_bytes(),
            public_computer,
            lasts: self.idle().absolute(public_computer),
            browser: browser_name::coarse(user_agent(request)),
        };
        let old = token_of(request).map(|hash| hash.0);
        let ended = self.store().replace_session(old.as_ref(), &new).await?;
        Ok((cookie(token.reveal()), ended))
    }

    /// The holder of this session has just proved again who they are (at the identity provider, or by whatever the
    /// caller has checked): for ten minutes, [`SignedIn::freshly`] says so. The token stays: other tabs of the same
    /// browser may have requests under way that carry it.
    ///
    /// # Errors
    /// When the store does not answer; the proof is not remembered then.
    pub async fn confirmed(&self, signed_in: &SignedIn) -> Result<bool, StoreError> {
        self.store()
            .reauthenticated(signed_in.account, signed_in.session)
            .await
    }

    /// Ends one session of this account, here or on another device; another account's is left alone.
    ///
    /// # Errors
    /// When the store does not answer; the session then still stands.
    pub async fn end(&self, account: AccountId, session: SessionId) -> Result<Ended, StoreError> {
        self.store().end_session(account, session).await
    }

    /// Ends this browser's session. Answers the cookie that removes the old one.
    ///
    /// # Errors
    /// When the store does not answer; the session then still stands.
    pub async fn sign_out(
        &self,
        signed_in: &SignedIn,
    ) -> Result<(Cookie<'static>, Ended), StoreError> {
        let ended = self
            .store()
            .end_session(signed_in.account, signed_in.session)
            .await?;
        Ok((removal(), ended))
    }

    /// Ends all sessions of an account but `kept`: after a new password or a lost phone.
    ///
    /// # Errors
    /// When the store does not answer; the sessions then still stand.
    pub async fn sign_out_elsewhere(
        &self,
        account: AccountId,
        kept: Option<SessionId>,
    ) -> Result<Ended, StoreError> {
        self.store().end_sessions_of(account, kept).await
    }
}

fn cookie(value: String) -> Cookie<'static> {
    // No Max-Age: it goes when the browser is closed; the server's time-outs hold meanwhile.
    Cookie::build(COOKIE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

/// A cookie that makes the browser forget ours.
#[must_use]
pub fn removal() -> Cookie<'static> {
    let mut gone = cookie(String::new());
    gone.make_removal();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r16_1_the_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        let text = cookie("x".to_owned()).to_string();
        for part in [
            "__Host-letterbox=x",
            "HttpOnly",
            "Secure",
            "SameSite=Lax",
            "Path=/",
        ] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
        assert!(
            !text.contains("Domain") && !text.contains("Max-Age"),
            "{text}"
        );
    }
}
