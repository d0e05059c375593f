//! The demonstration's own doors: sign-in without a password, and what the stage and the outside world ask elsewhere.
//!
//! Exists only where the server runs as a demonstration; there is no switch that adds it to another one.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::computer::is_public;
use super::doors::Doors;
use super::failure::{Failure, page};
use super::model::{PersonaRow, SignInBody};
use super::page::{render, see_other, visitor};
use super::portal::Portal;
use crate::commands::seed::{DEMO_ISSUER, PERSONAS, Part, Persona};
use crate::config::{DemoSettings, Mode};
use crate::identity::Identity;
use crate::identity::session::SignedIn;
use crate::store::{Principal, pages};

/// The sandbox and the parent run on this machine; who takes longer is gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the demonstration's other processes answer.
#[derive(Clone)]
pub struct Demo {
    client: Client,
    sandbox: Option<String>,
    control: Option<(String, SecretString)>,
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demo")
            .field("sandbox", &self.sandbox)
            .finish_non_exhaustive()
    }
}

/// What the parent says about its buttons.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Buttons {
    pub(crate) pressed: [bool; 3],
    pub(crate) busy: bool,
    pub(crate) problem: String,
}

impl Demo {
    /// The doors of a demonstration; `None` in any other mode, whatever the settings say.
    #[must_use]
    pub fn of(mode: Mode, settings: &DemoSettings) -> Option<Self> {
        let demo = Self {
            client: Client::builder()
                .timeout(PATIENCE)
                .no_proxy()
                .build()
                .ok()?,
            sandbox: settings.sandbox_url.clone(),
            control: settings
                .control_url
                .clone()
                .zip(settings.control_token.clone()),
        };
        (mode == Mode::Demo).then_some(demo)
    }

    /// Where a visitor who is nobody yet is led: the stage on the plain host, the sign-in on a person's own.
    pub(crate) fn front_door(&self, request: &HttpRequest) -> &'static str {
        if host_name(request).is_some() {
            "/demo/sign-in"
        } else {
            "/stage"
        }
    }

    /// A list from the sandbox, newest first.
    pub(crate) async fn sandbox<T: DeserializeOwned>(&self, path: &str) -> Option<Vec<T>> {
        let url = format!("{}{path}", self.sandbox.as_ref()?);
        self.client.get(url).send().await.ok()?.json().await.ok()
    }

    /// How the buttons stand.
    pub(crate) async fn buttons(&self) -> Option<Buttons> {
        let (url, token) = self.control.as_ref()?;
        let asked = self
            .client
            .get(format!("{url}/state"))
            .bearer_auth(token.expose_secret());
        asked.send().await.ok()?.json().await.ok()
    }

    /// Presses a button; `false` when it was pressed before or something else is under way.
    pub(crate) async fn press(&self, button: &str) -> Option<bool> {
        let (url, token) = self.control.as_ref()?;
        let asked = self
            .client
            .post(format!("{url}/press/{button}"))
            .bearer_auth(token.expose_secret());
        Some(asked.send().await.ok()?.status().is_success())
    }
}

/// `margaret` of `margaret.localhost:8080`; `None` on the plain host.
pub(super) fn host_name(request: &HttpRequest) -> Option<String> {
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let name = host.split(':').next()?.strip_suffix(".localhost")?;
    Some(name.to_ascii_lowercase())
}

/// Address of a person's own host, on the port that this request came in by.
pub(crate) fn door(request: &HttpRequest, name: &str) -> String {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let port = host
        .rsplit_once(':')
        .map(|(_, port)| port)
        .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    if name.is_empty() {
        format!("http://localhost{port}/stage")
    } else {
        format!("http://{name}.localhost{port}/")
    }
}

/// Everything below exists only when `portal.demo` does.
pub(crate) fn routes(doors: &mut Doors<'_>) {
    doors
        .get("/demo/sign-in", show)
        .post("/demo/sign-in", sign_in);
}

/// Who may be chosen at this address.
pub(crate) fn choosable(request: &HttpRequest) -> Vec<&'static Persona> {
    let host = host_name(request);
    let here = |persona: &&Persona| match &host {
        Some(name) => persona.key == name,
        None => persona.part != Part::PlayedPatient,
    };
    PERSONAS.iter().filter(here).collect()
}

async fn show(request: HttpRequest) -> HttpResponse {
    let work = async {
        only_in_demo(&request)?;
        if SignedIn::of(&request).await?.is_some() {
            return Ok(see_other("/"));
        }
        let body = SignInBody {
            personas: choosable(&request).into_iter().map(row).collect(),
            stage_url: door(&request, ""),
        };
        let chrome = visitor("Sign in", "/login");
        Ok(render(&request, "sign_in.jinja", &chrome, &body))
    };
    page(&request, work).await
}

pub(crate) fn row(persona: &Persona) -> PersonaRow {
    let part = match persona.part {
        Part::Patient | Part::PlayedPatient => "Patient",
        Part::Carer => "Margaret’s daughter",
        Part::Staff => "Wye Valley NHS Trust",
    };
    PersonaRow {
        key: persona.key.to_owned(),
        name: format!("{} {}", persona.given, persona.family),
        part,
    }
}

#[derive(Deserialize)]
struct Chosen {
    #[serde(default)]
    persona: String,
    #[serde(default)]
    computer: String,
}

async fn sign_in(
    request: HttpRequest,
    identity: web::Data<Identity>,
    form: web::Form<Chosen>,
) -> HttpResponse {
    let work = async {
        let portal = only_in_demo(&request)?;
        let persona = choosable(&request)
            .into_iter()
            .find(|persona| persona.key == form.persona)
            .ok_or(Failure::NotFound)?;
        let tx = portal.store.begin_snapshot(&Principal::Anonymous).await?;
        let account = pages::account_of(&tx, DEMO_ISSUER, persona.key)
            .await?
            .ok_or(Failure::NotFound)?;
        drop(tx);
        let (cookie, ended) = identity
            .sign_in(&request, account, is_public(&form.computer))
            .await?;
        portal.end_sockets(&ended);
        let mut answer = see_other("/");
        answer
            .add_cookie(&cookie)
            .map_err(|error| Failure::Unavailable(Box::new(error)))?;
        Ok(answer)
    };
    page(&request, work).await
}

/// In any other mode these addresses do not exist.
pub(crate) fn only_in_demo(request: &HttpRequest) -> Result<web::Data<Portal>, Failure> {
    let portal = Portal::of(request)?;
    if portal.demo.is_some() {
        Ok(portal)
    } else {
        Err(Failure::NotFound)
    }
}
