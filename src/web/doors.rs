//! The pages' router and, beside it, the list of what it knows: whatever judges every page (who may open it, how it
//! looks, whether a test names it) goes through this list, so that no page can be left out.

use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Responder};

/// One method at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Door {
    /// `GET` or `POST`; pages have no other.
    pub method: &'static str,
    /// Address with its parameters in braces.
    pub path: &'static str,
}

/// Registers handlers and notes where.
pub(crate) struct Doors<'a> {
    service: &'a mut ServiceConfig,
    list: Vec<Door>,
}

impl<'a> Doors<'a> {
    pub(super) fn new(service: &'a mut ServiceConfig) -> Self {
        Self {
            service,
            list: Vec::new(),
        }
    }

    /// Answers GET at this address.
    pub(crate) fn get<F, Args>(&mut self, path: &'static str, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.service.route(path, web::get().to(handler));
        self.note("GET", path)
    }

    /// Answers POST at this address.
    pub(crate) fn post<F, Args>(&mut self, path: &'static str, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.service.route(path, web::post().to(handler));
        self.note("POST", path)
    }

    fn note(&mut self, method: &'static str, path: &'static str) -> &mut Self {
        self.list.push(Door { method, path });
        self
    }

    pub(super) fn into_list(self) -> Vec<Door> {
        self.list
    }
}
