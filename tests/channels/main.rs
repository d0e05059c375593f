//! The channels on the wire, against the sandbox: real sockets, real files, and a world that misbehaves.

mod accounts;
mod email;
mod post;
mod reminders;
mod text;
mod world;
