//! Baseline and subject take turns; medians are compared, so that a slow minute of the machine hits both.

use serde_json::{Value, json};

/// Rates of both sides, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Rounds {
    pub(crate) bare: Vec<f64>,
    pub(crate) ours: Vec<f64>,
}

impl Rounds {
    /// Medians, their ratio, and whether it meets the goal.
    pub(crate) fn report(&self, unit: &str, goal: f64) -> Value {
        let (bare, ours) = (median(&self.bare), median(&self.ours));
        let ratio = if bare > 0.0 { ours / bare } else { 0.0 };
        json!({
            "unit": unit, "bare": bare.round(), "letterbox": ours.round(), "ratio": (ratio * 1_000.0).round() / 1_000.0,
            "goal": goal, "met": ratio >= goal, "bare_rounds": self.bare, "letterbox_rounds": self.ours,
        })
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
