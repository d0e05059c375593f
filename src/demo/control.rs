//! The wire from the stage page to the parent: four buttons behind a secret, on loopback only.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::play::{Button, Play, Refused};

/// What the stage page needs to know to draw its buttons.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct State {
    /// Whether buttons 1, 2 and 3 have been pressed since the last reset.
    pub pressed: [bool; 3],
    /// Whether something is under way (a button's doing, a reset).
    pub busy: bool,
    /// What went wrong last, in words; empty when nothing did.
    pub problem: String,
}

struct Wire {
    play: Arc<Play>,
    token: SecretString,
}

/// Listens on a free port of 127.0.0.1; answers its URL and the server, which runs until it is dropped.
///
/// # Errors
/// When no port can be had.
pub(super) fn listen(
    play: Arc<Play>,
    token: SecretString,
) -> std::io::Result<(String, actix_web::dev::Server)> {
    let wire = web::Data::new(Wire { play, token });
    let server = HttpServer::new(move || {
        let state = web::resource("/state").get(state);
        App::new()
            .app_data(wire.clone())
            .service(state)
            .service(web::resource("/press/{button}").post(press))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))?;
    let url = server
        .addrs()
        .first()
        .map(|address| format!("http://{address}"));
    let url = url.ok_or_else(|| std::io::Error::other("no address was bound"))?;
    Ok((url, server.run()))
}

async fn state(request: HttpRequest, wire: web::Data<Wire>) -> HttpResponse {
    if !wire.admits(&request) {
        return HttpResponse::NotFound().finish();
    }
    HttpResponse::Ok().json(wire.play.state())
}

async fn press(
    request: HttpRequest,
    wire: web::Data<Wire>,
    name: web::Path<String>,
) -> HttpResponse {
    let Some(button) = Button::named(&name).filter(|_| wire.admits(&request)) else {
        return HttpResponse::NotFound().finish();
    };
    match Play::press(&wire.play, button) {
        Ok(()) => HttpResponse::Accepted().json(wire.play.state()),
        Err(Refused::Busy | Refused::PressedBefore) => {
            HttpResponse::Conflict().json(wire.play.state())
        }
    }
}

impl Wire {
    fn admits(&self, request: &HttpRequest) -> bool {
        let sent = request
            .headers()
            .get(header::AUTHORIZATION)
            .map(|value| value.as_bytes());
        let expected = format!("Bearer {}", self.token.expose_secret());
        sent.is_some_and(|sent| sent.ct_eq(expected.as_bytes()).into())
    }
}
