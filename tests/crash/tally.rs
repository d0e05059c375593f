//! Counts what was done to the servers, and prints it as a table.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::plan::{Plan, WINDOWS, Window};

pub(crate) const RANDOM: &str = "kill -9 of a node, anywhere";
pub(crate) const POSTMASTER: &str = "kill -9 of the postmaster";
pub(crate) const IMMEDIATE: &str = "pg_ctl stop -m immediate";
pub(crate) const STALLS: &str = "SIGSTOP of a node past its lease, SIGCONT";

/// How often what was done.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, u32>>);

impl Tally {
    pub(crate) fn add(&self, title: &'static str) {
        *self.lock().entry(title).or_default() += 1;
    }

    pub(crate) fn of(&self, title: &'static str) -> u32 {
        self.lock().get(title).copied().unwrap_or(0)
    }

    /// The window that has been hit least often, unless all have had enough.
    pub(crate) fn neediest(&self, enough: u32) -> Option<Window> {
        let least = WINDOWS
            .iter()
            .min_by_key(|window| self.of(window.title))
            .copied();
        least.filter(|window| self.of(window.title) < enough)
    }

    /// What fell short of the plan, in words.
    pub(crate) fn shortfalls(&self, plan: &Plan) -> Vec<String> {
        let windows = WINDOWS
            .iter()
            .map(|window| (window.title, plan.kills_per_window));
        let others = [
            (RANDOM, plan.random_kills),
            (POSTMASTER, plan.postmaster_kills),
            (IMMEDIATE, plan.immediate_stops),
            (STALLS, plan.stalls),
        ];
        let short = windows
            .chain(others)
            .filter(|(title, wanted)| self.of(title) < *wanted);
        short
            .map(|(title, wanted)| format!("only {} of {wanted}: {title}", self.of(title)))
            .collect()
    }

    pub(crate) fn table(&self) -> String {
        let titles = WINDOWS
            .iter()
            .map(|window| window.title)
            .chain([RANDOM, POSTMASTER, IMMEDIATE, STALLS]);
        let rows = titles.map(|title| format!("  {title:<45}{:>6}\n", self.of(title)));
        format!(
            "  {:<45}{:>6}\n{}",
            "killed",
            "times",
            rows.collect::<String>()
        )
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
