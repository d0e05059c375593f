//! What an open mailbox costs: its actor, five items, its place in the directory and one seat.
//!
//! Alone in its file, because it weighs the whole process. The session and its socket are weighed elsewhere.

use letterbox_actors::testing::{RecordingSession, World};
use letterbox_domain::id::Seq;

const BOXES: usize = 20_000;
const ITEMS: i64 = 5;

/// The bar is 4,096 bytes with the session; a session takes about 1,500 of them.
const MOST_BYTES: usize = 2_500;

fn resident_bytes() -> usize {
    let status =
        std::fs::read_to_string("/proc/self/status").expect("Linux tells what a process weighs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS is there");
    let kib: usize = line
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number of KiB");
    kib * 1024
}

#[actix::test]
async fn an_open_mailbox_with_five_letters_stays_within_its_bytes() {
    let world = World::at("2026-03-02T09:00:00Z").start();
    world.cut_the_bell();
    let mut tabs = Vec::with_capacity(BOXES);
    for _ in 0..BOXES {
        let patient = world.hospital.patient();
        for _ in 0..ITEMS {
            world.publish(patient);
        }
        tabs.push((patient, RecordingSession::open()));
    }
    let mut held = Vec::with_capacity(BOXES);
    let before = resident_bytes();
    for (patient, tab) in &tabs {
        held.push(
            world
                .tab(*patient, Some(Seq(ITEMS)), tab)
                .await
                .expect("attached"),
        );
    }
    let each = resident_bytes().saturating_sub(before) / BOXES;
    println!(
        "{each} bytes an open mailbox, {} kept by the test itself",
        size_of_val(&held[0])
    );
    assert!(each <= MOST_BYTES, "{each} bytes an open mailbox");
    drop(held);
    world.end().await;
}
