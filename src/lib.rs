//! Modules in reading order.
