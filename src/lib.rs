//! Modules in reading order.
pub mod channels;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod crash;
pub mod identity;
pub mod inspect;
pub mod live;
pub mod pdf;
pub mod problem;
pub mod store;
pub mod telemetry;
pub mod testing;
pub mod web;
