//! What went wrong with a page, and the page that says so: what to do, and a reference for the help desk.
//!
//! Not allowed and not there look alike. Never shows the reason itself; the log has it under the same reference.

use std::future::Future;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use uuid::Uuid;

use super::confirm;
use super::entrance::login_for;
use super::model::ErrorBody;
use super::page::{Chrome, render_with, see_other};
use crate::identity::session::NotSignedIn;
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
    /// Everything is fine but busy.
    #[error("unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Box::new(error))
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
    work.await.unwrap_or_else(|failure| failure.answer(request))
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
    Failure::NotFound.answer(&request)
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Confirm { .. } => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Stale => StatusCode::FORBIDDEN,
            Self::TooLate(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn log(&self, reference: Uuid) {
        if let Self::Unavailable(error) = self {
            tracing::error!(%reference, error = %error, source = ?error.source(), "a page could not be shown");
        }
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
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
        };
        let chrome = Chrome {
            title: heading.to_owned(),
            area: "plain",
            home: "/",
            ..Chrome::default()
        };
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
            Self::Unavailable(_) => (
                "Sorry, we cannot show this now",
                "Try again in a few seconds. Your letters are safe: any that you do not open in time comes by post.",
            ),
        }
    }
}
