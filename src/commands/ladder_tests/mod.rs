//! The ladder on a real PostgreSQL: stories about cases, messages, print, opening and tasks, and what must hold in
//! every one.

mod accounts;
mod cases;
mod circle;
mod closing;
mod contract;
mod disputes;
mod invitations;
mod looks;
mod messages;
mod openings;
mod paper;
mod poison;
mod print;
mod print_notices;
mod reminders;
mod sharing;
mod speed;
mod tasks;
pub(crate) mod world;
