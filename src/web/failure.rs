//! What went wrong with a page, and the page that says so: what to do, and a reference for the help desk.
//!
//! Not allowed and not there look alike. Never shows the reason itself; the log has it under the same reference.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::FutureExt as _;
use uuid::Uuid;

use super::confirm;
use super::entrance::login_for;
use super::model::ErrorBody;
use super::page::{Chrome, SessionFacts, lost_nav, render_with, see_other, visitor};
use crate::identity::session::{AccountKind, COOKIE, NotSignedIn, SignedIn};
use crate::store::StoreError;

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignIn,
    /// The reader is signed in, and proves again who they are before this is done; then they come back.
    #[error("to be confirmed first")]
    Confirm {
        /// A page of ours, where the change is made.
        back: String,
    },
    /// It is not there, or not for this reader.
    #[error("not found")]
    NotFound,
    /// The form is older than the session or came from elsewhere.
    #[error("the form is stale")]
    Stale,
    /// What was asked for cannot be done any more; the text says why.
    #[error("{0}")]
    TooLate(&'static str),
    /// Refused before any page of ours could say why; only the status is known.
    #[error("refused with {0}")]
    Refused(StatusCode),
    /// A handler panicked: a bug, reported by the panic itself.
    #[error("a fault of ours")]
    Broken,
    /// What was typed holds a character that cannot be kept.
    #[error("a text cannot be stored")]
    Unstorable,
    /// Everything is fine but busy.
    #[error("unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unstorable => Self::Unstorable,
            error => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<NotSignedIn> for Failure {
    fn from(error: NotSignedIn) -> Self {
        match error {
            NotSignedIn::SignIn => Self::SignIn,
            NotSignedIn::Unknown(error) => error.into(),
        }
    }
}

/// Runs a handler and turns its failure into a page.
pub(crate) async fn page(
    request: &HttpRequest,
    work: impl Future<Output = Result<HttpResponse, Failure>>,
) -> HttpResponse {
    // A panic costs this reader a page that says so, not the connection without a word.
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    match outcome.unwrap_or(Err(Failure::Broken)) {
        Ok(answer) => answer,
        Err(failure) => failure.told(request).await,
    }
}

/// The same for what scripts ask: a status is enough.
pub(crate) async fn data(
    work: impl Future<Output = Result<HttpResponse, Failure>>,
) -> HttpResponse {
    work.await.unwrap_or_else(|failure| {
        failure.log(Uuid::now_v7());
        HttpResponse::build(failure.status()).finish()
    })
}

/// The page for an address that does not exist.
pub(crate) async fn nowhere(request: HttpRequest) -> HttpResponse {
    Failure::NotFound.told(&request).await
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Confirm { .. } => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Stale => StatusCode::FORBIDDEN,
            Self::TooLate(_) => StatusCode::CONFLICT,
            Self::Refused(status) => *status,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unstorable => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn log(&self, reference: Uuid) {
        match self {
            Self::Unavailable(error) => {
                tracing::error!(%reference, error = %error, source = ?error.source(), "a page could not be shown");
            }
            Self::Broken => tracing::error!(%reference, "a page could not be shown"),
            // Under the reference the help desk finds what was answered; never an address, which may name somebody.
            other => {
                tracing::info!(%reference, status = other.status().as_u16(), "a page was refused");
            }
        }
    }

    /// The page that says so, with the quick exit for whoever is signed in.
    pub(super) async fn told(&self, request: &HttpRequest) -> HttpResponse {
        let session = match self {
            // The store is asked nothing more while it does not answer.
            Self::Unavailable(_) => known(request),
            _ => SignedIn::of(request).await.ok().flatten(),
        };
        self.answer(request, session.as_ref())
    }

    fn answer(&self, request: &HttpRequest, session: Option<&SignedIn>) -> HttpResponse {
        if matches!(self, Self::SignIn) {
            return see_other(&login_for(request));
        }
        if let Self::Confirm { back } = self {
            return see_other(&confirm::address(back));
        }
        let reference = Uuid::now_v7();
        self.log(reference);
        let (heading, lines) = self.words();
        let body = ErrorBody {
            heading,
            lines: vec![lines.to_owned()],
            reference: reference.to_string(),
            sign_in: self.status() == StatusCode::UNAUTHORIZED,
        };
        let chrome = frame(request, heading, session);
        let mut answer = render_with(request, self.status(), "error.jinja", &chrome, &body);
        if matches!(self, Self::Unavailable(_)) {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
        }
        answer
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::SignIn => ("Sign in", "Sign in to see this page."),
            Self::Confirm { .. } => (
                "Confirm that it is you",
                "Confirm that it is you, then try again.",
            ),
            Self::NotFound => (
                "We cannot find that page",
                "If you typed the address, check it. If you followed a link, what it led to may be gone.",
            ),
            Self::Stale => (
                "Please try again",
                "The page was open for too long. Go back, load the page again, and press the button once more. Nothing was changed.",
            ),
            Self::TooLate(why) => ("That is no longer possible", why),
            Self::Refused(status) => refusal(*status),
            Self::Broken => BROKEN,
            Self::Unstorable => (
                "We cannot use what you typed",
                "It holds a character that cannot be kept. Go back and type it again instead of pasting it.",
            ),
            Self::Unavailable(_) => (
                "Sorry, we cannot show this now",
                "Try again in a few seconds. Your letters are safe: any that you do not open in time comes by post.",
            ),
        }
    }
}

const BROKEN: (&str, &str) = (
    "Sorry, something went wrong",
    "This is a fault of ours. Try again later. Your letters are safe: any that you do not open in time comes by post.",
);

/// Who is signed in, as far as this request has asked before.
fn known(request: &HttpRequest) -> Option<SignedIn> {
    let asked = request.extensions();
    asked.get::<Option<SignedIn>>().cloned().flatten()
}

/// What is said of a refusal of which only the status is known.
fn refusal(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        401 => Failure::SignIn.words(),
        403 => (
            "Please try again",
            "Your browser did not say that this came from a page of ours, so we did nothing. Go back, load the page again, and press the button once more. If you use an old browser, update it.",
        ),
        404 | 405 | 410 => Failure::NotFound.words(),
        408 => (
            "That took too long",
            "Your connection may be slow. Nothing was changed. Go back and try again.",
        ),
        413 => (
            "That is too long",
            "What you sent is longer than we can take. Nothing was changed. Go back, shorten it, and send it again.",
        ),
        429 => (
            "Please wait a moment",
            "There were too many requests at once. Nothing was changed. Try again in a minute.",
        ),
        503 => (
            "Sorry, we cannot show this now",
            "Try again in a few seconds. Your letters are safe: any that you do not open in time comes by post.",
        ),
        400..=499 => (
            "We could not understand that",
            "What your browser sent was not complete. Nothing was changed. Go back, load the page again, and try once more.",
        ),
        _ => BROKEN,
    }
}

/// The frame of an error page. Whoever is signed in, or may be, gets the quick exit; nothing else of theirs is shown.
fn frame(request: &HttpRequest, heading: &str, session: Option<&SignedIn>) -> Chrome {
    let staff = session.is_some_and(|session| session.kind == AccountKind::Staff);
    if staff || session.is_none() && request.cookie(COOKIE).is_none() {
        return visitor(heading, "");
    }
    Chrome {
        area: "patient",
        nav: lost_nav(),
        csrf: session.map(SignedIn::csrf_token).unwrap_or_default(),
        session: session.map(SessionFacts::of),
        ..visitor(heading, "")
    }
}
