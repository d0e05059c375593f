//! Modules in reading order.
pub mod config;
pub mod inspect;
pub mod web;
