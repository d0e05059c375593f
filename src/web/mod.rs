//! Pages for patients, carers and booking offices: handlers parse, ask one command or query, and render.
//!
//! Never holds SQL, never calls a provider, never decides who may see what.

pub mod guard;
pub mod page;
pub mod templates;

mod assets;
mod model;
#[cfg(test)]
mod samples;

use actix_web::web::ServiceConfig;

/// Registers every page and asset.
pub fn routes(service: &mut ServiceConfig) {
    assets::routes(service);
}
