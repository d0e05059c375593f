//! The sockets, from outside: a scripted raw client against a whole node on a database of its own.
//!
//! Run by `make test`. The client frames by hand, because the point is what a good library would never send.

mod client;
mod idle;
mod world;

mod attacks;
mod cursors;
mod door;
mod endings;
mod leaving;
mod receipts;
mod sharing;
mod slow;
mod tickets;
mod weight;
