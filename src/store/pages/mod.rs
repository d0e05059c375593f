//! What pages show: read-only queries, one file per group of pages. Decides nothing and changes nothing.
//!
//! Whether the reader may see a row is the caller's question to the domain (`Viewer::sees`); the columns it needs
//! come along.

mod account;
mod appointments;
mod board;
mod circle;
mod comes_here;
mod demo;
mod letters;
mod people;
mod roll_out;

pub use account::{AccountView, LookView, LookedBy, account, looks};
pub use appointments::{AppointmentView, RequestView, appointment, appointments};
pub use board::{
    Board, ClinicView, CountsView, ItemView, QuarantineView, SessionView, TaskView, board,
};
pub use circle::{CarerView, Glimpse, Helped, carers, glimpse, helped};
pub use comes_here::{ComesHere, ComesHereRow, comes_here};
pub use demo::{PaperDue, paper_due};
pub use letters::{LetterView, Search, full_text, letter, letters, letters_found, thread};
pub use people::now;
pub use people::{
    Person, account_of, paper_since, person, shared_patient, staff_roles, staff_trust,
};
pub use roll_out::{RollOutRow, roll_out, specialties};
