//! A hospital in memory, for tests: the ports with their claims, leases and fences, scripted channels, a
//! movable clock, sessions that write down what they hear, and the contract that every store must keep.
//!
//! Nothing here is compiled into a server.

mod cases;
pub mod contract;
mod dispatches;
mod hospital;
mod mailboxes;
mod outlet;
mod print;
mod session;
mod state;
mod time;
mod world;

pub use hospital::{Hospital, Published};
pub use outlet::{Script, ScriptedOutlet};
pub use print::MemoryPress;
pub use session::{Heard, RecordingSession};
pub use time::MovableClock;
pub use world::{World, WorldBuilder, eventually};
