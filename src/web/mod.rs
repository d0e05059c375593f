//! Pages for patients, carers and booking offices: handlers parse, ask one command or query, and render.
//!
//! Never holds SQL, never calls a provider, never decides who may see what.

pub mod doors;
pub mod guard;
pub mod page;
pub mod templates;

mod account;
mod apology;
mod appointment;
mod appointments;
mod assets;
mod board;
mod circle;
mod computer;
mod confirm;
mod dashboard;
mod demo;
mod devices;
mod documents;
mod entrance;
mod failure;
mod help;
mod hiding;
mod ics;
mod invitations;
mod inviting;
mod join;
mod leaving;
mod letter;
mod letter_page;
mod model;
mod nonce;
mod not_mine;
mod opening;
mod outside;
mod paper;
mod people;
mod pictures;
mod place;
mod portal;
mod reports;
mod requests;
mod roll_out;
#[cfg(test)]
mod samples;
mod sorry;
mod stage;
mod ticking;
mod witnessed;
mod words;

pub use demo::Demo;
pub use entrance::Entrance;
pub use portal::Portal;
pub use witnessed::remember_socket;

use actix_web::App;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::identity::csrf::only_our_pages;
use doors::{Door, Doors};

/// Registers every page and asset, behind their headers and the check that forms come from our own pages. Only the
/// browsers' own reports come in beside that check.
///
/// Needs `web::Data` of [`Portal`], [`templates::Templates`] and the identity in the app. Comes last: whatever no
/// other route has taken is answered here, with a page that says that it does not exist.
pub fn routes(service: &mut ServiceConfig) {
    service.configure(reports::routes);
    let pages = web::scope("")
        .wrap(from_fn(only_our_pages))
        .wrap(from_fn(apology::apologize))
        .wrap(from_fn(guard::guard))
        .configure(|service| drop(all(service)));
    service.service(pages.default_service(web::to(failure::nowhere)));
}

/// Every page and form that the router knows, in the order of registration. Assets are not among them.
#[must_use]
pub fn doors() -> Vec<Door> {
    let mut list = Vec::new();
    drop(App::new().configure(|service| list = all(service)));
    list.push(reports::DOOR);
    list
}

fn all(service: &mut ServiceConfig) -> Vec<Door> {
    assets::routes(service);
    let mut doors = Doors::new(service);
    for register in [
        dashboard::routes,
        documents::routes,
        paper::routes,
        not_mine::routes,
        letter::routes,
        appointments::routes,
        appointment::routes,
        requests::routes,
        circle::routes,
        inviting::routes,
        invitations::routes,
        hiding::routes,
        account::routes,
        people::routes,
        board::routes,
        roll_out::routes,
        entrance::routes,
        demo::routes,
        leaving::routes,
        devices::routes,
        confirm::routes,
        stage::routes,
        outside::routes,
        help::routes,
    ] {
        register(&mut doors);
    }
    doors.into_list()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::doors;

    #[actix_web::test]
    async fn no_door_is_registered_twice() {
        let list = doors();
        let once: BTreeSet<_> = list.iter().copied().collect();
        assert_eq!(once.len(), list.len(), "{list:?}");
        assert!(list.len() > 30, "the router knows its pages");
    }
}
