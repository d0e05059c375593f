//! One file per thing that can happen: authorise, decide, commit. A command never renders and never calls a provider.

pub mod seed;
