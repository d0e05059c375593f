//! Modules in reading order.
pub mod config;
pub mod inspect;
pub mod pdf;
pub mod web;
