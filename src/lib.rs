//! Modules in reading order.
pub mod inspect;
