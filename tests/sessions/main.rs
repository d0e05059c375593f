//! Sessions on whole processes: what a form must carry at every door that the router knows, what no cache may keep,
//! and letters drawn by the real confined child.

#[path = "../rig/mod.rs"]
mod rig;

mod drawing;
mod exit;
mod forms;
mod payloads;
mod pictures;
mod suffixes;
