//! The living system of Letterbox: one actor a patient, a supervisor a trust, a dispatcher a channel.
//!
//! It works on ports ([`ports`]) that the server fulfils, and on the rules of `letterbox-domain`. Nothing here
//! writes SQL, frames a socket, calls a provider or reads a clock outside [`clock`]. Whatever an actor holds
//! can be rebuilt from the store, so any of them may die at any moment.
//!
//! In reading order: [`ports`], [`clock`], [`settings`], [`messages`]; then one letter's way to a page
//! (`directory`, `shelf`, `patient`), one overdue letter's way out (`trusts`, `supervisor`, `dispatcher`,
//! `press`), the sweeps (`caretaker`), the staff's boards (`board`), and what holds them together (`rounds`,
//! `warden`, [`system`], [`health`]).

pub mod clock;
pub mod health;
pub mod measures;
pub mod messages;
pub mod ports;
pub mod settings;
pub mod system;

#[cfg(feature = "testing")]
pub mod testing;

mod board;
mod caretaker;
mod directory;
mod dispatcher;
mod lease;
mod patient;
mod press;
mod rounds;
mod shelf;
mod supervisor;
mod trusts;
mod warden;

pub use board::BoardSeat;
pub use caretaker::BadSchedule;
pub use shelf::Attachment;
