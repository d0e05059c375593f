//! Modules in reading order.
pub mod inspect;
pub mod web;
