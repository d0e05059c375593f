//! Single faults on whole processes, one test each; the numbers are those of the fault catalogue in docs.
//!
//! Each test starts its own installation: a database, the sandbox, one or two servers. What is judged is what a
//! hospital's system, a patient's browser and the sandbox's journal saw.

#[path = "../rig/mod.rs"]
mod rig;

mod database;
mod deadlines;
mod intake;
mod malformed;
mod proxy;
mod schema;
mod sockets;
mod stage;
mod watching;
mod zombie;
