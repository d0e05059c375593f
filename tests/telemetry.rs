//! Logs and figures of a whole process: what they say, and what they must never say.

use std::process::Command;

use letterbox::{config::Settings, telemetry};

const PERSONAL: &str = "Margaret Evans 999 123 4567";

/// What a fault of ours does in production. Run alone by the test below, in a process of its own.
#[test]
#[ignore = "started by the test below"]
fn a_process_that_panics_over_a_patients_row() {
    let settings = Settings::with(&[("mode", "test")]).expect("the defaults");
    telemetry::start(&settings.telemetry).expect("first time in this process");
    let patient = String::from(PERSONAL);
    let panicked = std::panic::catch_unwind(|| {
        tracing::info_span!("letters.open", letter_id = "0b8e")
            .in_scope(|| panic!("no such patient: {patient}"))
    });
    assert!(panicked.is_err());
    assert!(std::panic::catch_unwind(|| panic!("a literal of ours")).is_err());
    println!("{}", telemetry::render());
}

#[test]
fn a_panic_is_logged_with_its_place_and_span_but_never_with_a_patients_data() {
    let output = Command::new(std::env::current_exe().expect("this process has one"))
        .args([
            "--exact",
            "a_process_that_panics_over_a_patients_row",
            "--ignored",
            "--nocapture",
        ])
        .env_remove("RUST_LOG")
        .output()
        .expect("it can be started");
    let (figures, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{log}");

    assert!(
        !log.contains("Margaret") && !log.contains("999 123"),
        "{log}"
    );
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let [formatted, literal] = lines.as_slice() else {
        panic!("two lines of JSON, not: {log}")
    };
    assert!(
        formatted["place"]
            .as_str()
            .is_some_and(|place| place.starts_with("tests/telemetry.rs:")),
        "{formatted}"
    );
    assert_eq!(formatted["text"], "(formatted, withheld)");
    assert_eq!(formatted["spans"][0]["name"], "letters.open");
    assert_eq!(literal["text"], "a literal of ours");

    assert!(figures.contains("letterbox_panics_total 2"), "{figures}");
    assert!(
        figures.contains("# HELP letterbox_panics_total Panics, anywhere"),
        "{figures}"
    );
    assert!(figures.contains("letterbox_open_descriptors "), "{figures}");
}

#[test]
fn the_descriptor_limit_is_raised_as_far_as_it_goes() {
    let limit = telemetry::raise_descriptor_limit().expect("raising the soft limit needs no right");
    let now = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    assert_eq!(now.current.unwrap_or(u64::MAX), limit);
    assert_eq!(now.current, now.maximum);
}
