//! What is shown while the test runs, and the verdict at its end.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::browser::Connected;
use crate::hospital::Sent;
use crate::ledger::{Ledger, Verdict};
use crate::plan::Plan;

/// Two bars: sockets, then letters.
pub(crate) struct Screen {
    sockets: ProgressBar,
    letters: ProgressBar,
}

impl Screen {
    pub(crate) fn new(plan: &Plan, patients: usize) -> Self {
        if plan.quiet {
            return Self {
                sockets: ProgressBar::hidden(),
                letters: ProgressBar::hidden(),
            };
        }
        let style = ProgressStyle::with_template("{prefix:>10} {wide_bar} {pos}/{len} {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let letters = plan.requests() * plan.batch as u64;
        Self {
            sockets: ProgressBar::new(patients as u64)
                .with_style(style.clone())
                .with_prefix("sockets"),
            letters: ProgressBar::new(letters)
                .with_style(style)
                .with_prefix("letters"),
        }
    }

    pub(crate) fn connecting(&self, connected: u64) {
        self.sockets.set_position(connected);
    }

    pub(crate) fn published(&self, ledger: &Ledger) {
        if !self.sockets.is_finished() {
            self.sockets.finish();
        }
        self.letters
            .set_position(ledger.counts.acknowledged.load(Ordering::Relaxed));
        self.letters.set_message(format!(
            "{} arrived",
            ledger.counts.arrived.load(Ordering::Relaxed)
        ));
    }

    pub(crate) fn finish(&self) {
        self.letters.finish_and_clear();
        self.sockets.finish_and_clear();
    }
}

/// Everything the test found out.
pub(crate) struct Report {
    figures: Value,
    passed: bool,
}

impl Report {
    pub(crate) fn new(plan: &Plan, ledger: &Ledger, sent: &Sent, browsers: &Connected) -> Self {
        let verdict = ledger.verdict();
        let faults = faults(plan, ledger, &verdict, browsers);
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &ledger.counts;
        let figures = json!({
            "plan": { "patients": browsers.connected + browsers.failed, "letters_per_second": plan.rate,
                      "batch": plan.batch, "seconds": plan.duration },
            "letters": { "acknowledged": count(&counts.acknowledged), "arrived": count(&counts.arrived),
                         "per_second": per_second(count(&counts.acknowledged), sent.took),
                         "refused": count(&counts.refused), "unanswered": count(&counts.unanswered),
                         "not_sent_overload": count(&counts.overload), "requests": sent.requests },
            "ledger": { "lost": verdict.lost, "duplicates": count(&counts.duplicates),
                        "out_of_order": count(&counts.disorder), "misdelivered": count(&counts.misdelivered) },
            "sockets": { "connected": browsers.connected, "failed": browsers.failed,
                         "reconnects": count(&counts.reconnects), "resets": count(&counts.resets) },
            "milliseconds": { "due_to_frame": spread(&verdict.due_to_frame),
                              "sent_to_frame": spread(&verdict.sent_to_frame),
                              "due_to_answer": spread(&sent.due_to_answer),
                              "ticket_to_hello": spread(&browsers.took) },
            "faults": faults,
            "passed": faults.is_empty(),
        });
        Self {
            passed: faults.is_empty(),
            figures,
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.passed
    }

    pub(crate) fn print(&self) {
        println!("{:#}", self.figures);
        let verdict = if self.passed {
            "passed: nothing lost, doubled, out of order or late"
        } else {
            "FAILED"
        };
        println!("{verdict}");
    }

    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(path, format!("{:#}\n", self.figures))?)
    }
}

fn faults(plan: &Plan, ledger: &Ledger, verdict: &Verdict, browsers: &Connected) -> Vec<String> {
    let counts = &ledger.counts;
    let zero = [
        ("letters lost", verdict.lost),
        ("letters twice", counts.duplicates.load(Ordering::Relaxed)),
        (
            "frames out of order",
            counts.disorder.load(Ordering::Relaxed),
        ),
        (
            "letters in another mailbox",
            counts.misdelivered.load(Ordering::Relaxed),
        ),
        ("letters refused", counts.refused.load(Ordering::Relaxed)),
        (
            "letters unanswered",
            counts.unanswered.load(Ordering::Relaxed),
        ),
        (
            "letters not sent, the server was too slow",
            counts.overload.load(Ordering::Relaxed),
        ),
        ("sockets that never opened", browsers.failed),
    ];
    let mut faults: Vec<String> = zero
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    let p99 = millis(verdict.due_to_frame.value_at_quantile(0.99));
    if p99 > plan.bar_p99_ms {
        faults.push(format!(
            "p99 from due to frame {p99:.1} ms, bar {} ms",
            plan.bar_p99_ms
        ));
    }
    faults
}

fn spread(histogram: &Histogram<u64>) -> Value {
    let at = |quantile| millis(histogram.value_at_quantile(quantile));
    json!({ "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p99.9": at(0.999), "max": millis(histogram.max()),
            "count": histogram.len() })
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

fn per_second(count: u64, took: Duration) -> f64 {
    (count as f64 / took.as_secs_f64()).round()
}
