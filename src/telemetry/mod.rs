//! Logs and figures. Never says anything about a person: ids, codes and counts only.

mod metrics_table;
mod process;

use std::{io, panic::PanicHookInfo, sync::OnceLock};

use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub use metrics_table::{Kind, METRICS, Metric};
pub use process::raise_descriptor_limit;

use crate::config::{LogFormat, TelemetrySettings};

static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();

/// Upper edges in seconds. The goals (3, 15 and 250 ms) are edges, so that keeping them can be read off exactly.
const SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.003, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// Why there are no logs or figures.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` or `telemetry.filter` is not a filter.
    #[error("the log filter cannot be read (RUST_LOG, telemetry.filter): {0}")]
    Filter(String),
    /// It has been set up before in this process.
    #[error("logs or figures were set up twice in one process: {0}")]
    Twice(String),
}

/// Sets up logs on standard error, figures, and a last word for panics. Once per process.
pub fn start(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    start_logs(settings)?;
    start_figures()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The figures as Prometheus reads them; empty before [`start`].
pub fn render() -> String {
    let Some(figures) = FIGURES.get() else {
        return String::new();
    };
    process::record();
    // Folds what histograms have collected since the last look; nobody else does.
    figures.run_upkeep();
    figures.render()
}

fn start_logs(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|filter| !filter.is_empty());
    let wanted = wanted.unwrap_or_else(|| settings.filter.clone());
    let filter =
        EnvFilter::try_new(wanted).map_err(|error| TelemetryError::Filter(error.to_string()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let result = match settings.format {
        LogFormat::Json => {
            let lines = fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_writer(io::stderr);
            registry.with(lines).try_init()
        }
        LogFormat::Text => registry
            .with(fmt::layer().with_writer(io::stderr))
            .try_init(),
    };
    result.map_err(|error| TelemetryError::Twice(error.to_string()))
}

fn start_figures() -> Result<(), TelemetryError> {
    let twice = |error: &dyn std::error::Error| TelemetryError::Twice(error.to_string());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS);
    let handle = builder
        .map_err(|error| twice(&error))?
        .install_recorder()
        .map_err(|error| twice(&error))?;
    for metric in METRICS {
        metric.describe();
    }
    FIGURES
        .set(handle)
        .map_err(|_| TelemetryError::Twice("figures".into()))
}

impl Metric {
    fn describe(&self) {
        let unit = if self.name.ends_with("_seconds") {
            Unit::Seconds
        } else {
            Unit::Count
        };
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, unit, self.help),
            Kind::Gauge => metrics::describe_gauge!(self.name, unit, self.help),
            Kind::Histogram => metrics::describe_histogram!(self.name, unit, self.help),
        }
    }
}

/// A panic is logged with its place and span. Its text only if it is a literal of ours: a formatted one may hold a
/// value from a patient's row.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let text = panic
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(formatted, withheld)");
    metrics::counter!("letterbox_panics_total").increment(1);
    tracing::error!(
        place,
        text,
        thread = std::thread::current().name().unwrap_or_default(),
        "panic"
    );
}
