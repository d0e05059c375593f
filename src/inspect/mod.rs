//! Looks inside uploaded PDF files, in confined children; never parses one in the server itself.
//!
//! A hostile file may hang, exhaust memory or crash its parser. So each file is read by a child process that
//! gave up its rights, one file at a time; a child that misses a bound is killed and replaced, and only that
//! file is refused.

mod child;
mod pool;
mod scan;
mod verdict;

pub use child::run as run_child;
pub use pool::{InspectError, Inspector, Limits};
pub use scan::page_count;
pub use verdict::{Inspected, Refusal};
