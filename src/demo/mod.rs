//! The demonstration: a parent that keeps the sandbox and the server running, and plays the hospital.
//!
//! The parent is another process than the server on purpose: button 3 kills the server with -9, and a hospital
//! whose request was cut off sends it again. The parent reaches the server only as others do, by the public API
//! and the pages.

mod child;
mod control;
mod hospital;
mod keeper;
mod letters;
mod nhs_login;
mod patients;
mod play;

pub use keeper::{Stage, run};
