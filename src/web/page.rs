//! What all pages have in common: title, navigation, who is signed in, how the page stays up to date.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::guard::CspNonce;
use super::templates::Templates;
use crate::identity::session::SignedIn;

/// The frame around a page's own content.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Chrome {
    /// Title of the page, without the portal's name.
    pub title: String,
    /// Which part of the product: `patient`, `carer`, `board`, `stage`, `outside`, `plain`. Only styles depend on it.
    pub area: &'static str,
    /// Where the name in the header leads.
    pub home: &'static str,
    /// Shown instead of the portal's name, for pages that are not the portal's.
    pub service: Option<String>,
    /// The signed-in person's name; nothing is shown without one.
    pub who: Option<String>,
    /// Token for the forms of this session; empty where nobody is signed in.
    pub csrf: String,
    /// Given name of the patient at whose letters a carer looks.
    pub viewing: Option<String>,
    /// Tabs on a computer, the Menu on a phone.
    pub nav: Vec<NavItem>,
    /// Behind the person icon, above "Sign out".
    pub account: Vec<NavItem>,
    /// How long the reader stays signed in; nothing where nobody is.
    pub session: Option<SessionFacts>,
    /// How an open page stays up to date.
    pub live: Option<LiveSource>,
}

/// What an open page knows about the session it was made for.
#[derive(Clone, Debug, Serialize)]
pub struct SessionFacts {
    /// Seconds until it ends, if nothing is done.
    pub left: u64,
    /// Seconds before the end at which the page warns.
    pub warning: u64,
    /// `15 minutes`: how long it may go unused.
    pub idle: String,
    /// Nothing is to stay behind on this computer.
    pub public_computer: bool,
    /// Whose the unfinished forms are that the browser keeps: opaque, and the same at this person's next sign-in.
    pub drafts: String,
}

impl SessionFacts {
    pub(crate) fn of(session: &SignedIn) -> Self {
        let owner = Sha256::digest(format!("drafts of {}", session.account));
        Self {
            left: session.left.as_secs(),
            warning: session.warning.as_secs(),
            idle: minutes(session.idle),
            public_computer: session.public_computer,
            drafts: hex::encode(&owner[..8]),
        }
    }
}

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        60 => "1 minute".to_owned(),
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// One entry of the navigation, with its sub-menu.
#[derive(Clone, Debug, Serialize)]
pub struct NavItem {
    /// Shown text.
    pub text: &'static str,
    /// Address on this site.
    pub href: &'static str,
    /// Whether the page, or one below it, is open.
    pub current: bool,
    /// The sub-menu.
    pub children: Vec<NavItem>,
}

/// Where an open page asks how it stands now.
#[derive(Clone, Debug, Serialize)]
pub struct LiveSource {
    /// `socket` for signed-in people, `poll` for the pages of the demonstration's stage.
    pub how: &'static str,
    /// Address of the same view model as JSON.
    pub source: String,
    /// Address that a browser without JavaScript reloads.
    pub reload: String,
    /// Text of that link.
    pub check: &'static str,
}

/// One entry without a sub-menu.
fn leaf(text: &'static str, href: &'static str, here: &str) -> NavItem {
    NavItem {
        text,
        href,
        current: here == href,
        children: Vec::new(),
    }
}

/// One entry with a sub-menu.
fn branch(text: &'static str, href: &'static str, children: Vec<NavItem>) -> NavItem {
    NavItem {
        text,
        href,
        current: children.iter().any(|child| child.current),
        children,
    }
}

/// The entry that everybody has, signed in or not.
fn help_nav(here: &str) -> NavItem {
    let children = vec![
        leaf("Help", "/help", here),
        leaf("Frequently asked questions", "/help/questions", here),
        leaf("Help desk", "/help/contact", here),
    ];
    branch("Help", "/help", children)
}

/// Entries of the menu of somebody who is not signed in.
pub(crate) fn visitor_nav(here: &str) -> Vec<NavItem> {
    vec![leaf("Sign in", "/login", here), help_nav(here)]
}

/// Entries for somebody who is signed in and has no mailbox: who they help, and help.
pub(crate) fn carer_nav(here: &str) -> Vec<NavItem> {
    vec![leaf("People you help", "/people", here), help_nav(here)]
}

/// Entries for staff outside their board.
pub(crate) fn staff_nav(here: &str) -> Vec<NavItem> {
    vec![leaf("Booking office", "/board", here), help_nav(here)]
}

/// Entries where something went wrong for somebody who is signed in: back to the start, or to help.
pub(crate) fn lost_nav() -> Vec<NavItem> {
    vec![leaf("Start page", "/", ""), help_nav("")]
}

/// The frame of a page for somebody who is not signed in; `here` is its address in the menu.
pub(crate) fn visitor(title: &str, here: &str) -> Chrome {
    Chrome {
        title: title.to_owned(),
        area: "plain",
        home: "/",
        nav: visitor_nav(here),
        ..Chrome::default()
    }
}

/// Entries of a patient's menu; the one whose address is `here` is current.
pub(crate) fn patient_nav(here: &str, helps_others: bool) -> Vec<NavItem> {
    let leaf = |text, href| leaf(text, href, here);
    let mut nav = vec![
        leaf("Dashboard", "/"),
        branch(
            "My health",
            "/my-health/documents",
            vec![
                leaf("Documents", "/my-health/documents"),
                leaf("Appointments", "/my-health/appointments"),
            ],
        ),
        branch(
            "Connect",
            "/connect/circle-of-care",
            vec![leaf("Circle of care", "/connect/circle-of-care")],
        ),
    ];
    if helps_others {
        nav.push(leaf("People you help", "/people"));
    }
    nav.push(help_nav(here));
    nav
}

/// Entries behind the person icon; the one whose address is `here` is current.
pub(crate) fn account_menu(here: &str) -> Vec<NavItem> {
    let leaf = |text, href| NavItem {
        text,
        href,
        current: here == href,
        children: Vec::new(),
    };
    vec![
        leaf("Account", "/account"),
        leaf("Signed-in devices", "/account/sessions"),
    ]
}

#[derive(Serialize)]
struct Page<'a, B> {
    chrome: &'a Chrome,
    body: &'a B,
}

/// Renders a page for this request.
///
/// A template that fails is our bug: it is logged with its chain, and the reader gets the error page's status.
pub(crate) fn render<B: Serialize>(
    request: &HttpRequest,
    template: &str,
    chrome: &Chrome,
    body: &B,
) -> HttpResponse {
    render_with(request, StatusCode::OK, template, chrome, body)
}

/// The same with another status, for errors.
pub(crate) fn render_with<B: Serialize>(
    request: &HttpRequest,
    status: StatusCode,
    template: &str,
    chrome: &Chrome,
    body: &B,
) -> HttpResponse {
    match to_html(request, template, chrome, body) {
        Some(html) => HttpResponse::build(status)
            .insert_header(ContentType::html())
            .body(html),
        None => broken(request),
    }
}

/// What can still be said where no page can be made.
fn broken(request: &HttpRequest) -> HttpResponse {
    let reference = Uuid::now_v7();
    tracing::error!(%reference, "a page was answered in plain words");
    let templates = request.app_data::<web::Data<Templates>>();
    let desk = templates.map_or("", |templates| templates.site().help_email.as_str());
    HttpResponse::InternalServerError()
        .insert_header(ContentType::plaintext())
        .body(format!(
            "This page is broken. Please try again later.\nIf this goes on, email {desk} and tell us this reference: {reference}\n"
        ))
}

/// The page as text, for answers that send it themselves.
pub(crate) fn to_html<B: Serialize>(
    request: &HttpRequest,
    template: &str,
    chrome: &Chrome,
    body: &B,
) -> Option<String> {
    let templates = request.app_data::<web::Data<Templates>>()?;
    let nonce = request
        .extensions()
        .get::<CspNonce>()
        .map(|nonce| nonce.0.clone())
        .unwrap_or_default();
    match templates.render(template, &Page { chrome, body }, &nonce) {
        Ok(html) => Some(html),
        Err(error) => {
            tracing::error!(
                template,
                error = format!("{error:#}"),
                "a page could not be rendered"
            );
            None
        }
    }
}

/// 303: the answer to a form is another page.
pub(crate) fn see_other(place: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, place))
        .finish()
}
