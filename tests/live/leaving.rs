//! A node that goes, and browsers that come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::client::{Heard, Wire};
use crate::world::{World, alone, ids, nowhere, resident_bytes, until};

#[actix_rt::test]
async fn case_24_a_stopping_node_sends_its_sessions_away_one_by_one_and_loses_nothing() {
    const SESSIONS: usize = 200;
    let world = World::with(|limits| {
        limits.sessions_per_account = SESSIONS;
        limits.drain_over = Duration::from_secs(4);
    })
    .await;
    let other = world.another_node().await;
    let patient = world.patient().await;
    let mut wires = Vec::new();
    for _ in 0..SESSIONS {
        wires.push(world.at_home(&patient).await);
    }
    let began = Instant::now();
    let drain = world.node.live.drain(Duration::from_secs(10));
    let publish = async {
        let mut events = Vec::new();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            events.extend(world.publish(&patient, 1).await);
        }
        events
    };
    let leave = futures_util::future::join_all(wires.iter_mut().map(|wire| leave(wire, began)));
    let (drained, published, left) = tokio::join!(drain, publish, leave);
    assert_eq!((drained.told, drained.left), (SESSIONS, 0));
    // Spread: of twenty slices of the time more than four fifths saw somebody go.
    let slices: BTreeSet<u128> = left.iter().map(|each| each.at.as_millis() / 200).collect();
    assert!(slices.len() > 16, "gone in {} slices", slices.len());
    for each in &left {
        let told = each.told_ms.expect("told to go");
        let off = each.at.as_millis().abs_diff(u128::from(told));
        assert!(off < 1_500, "told {told} ms, went after {:?}", each.at);
        assert_eq!(each.code, 4101);
    }
    // Whoever goes elsewhere with the last cursor gets the rest.
    for each in left.iter().step_by(20) {
        let positions = match &each.cursor {
            Some(cursor) => json!({ patient.id.to_string(): cursor }),
            None => nowhere(),
        };
        let (mut wire, _) = other.browse(&patient.person, &positions).await;
        let mut seen = each.events.clone();
        while seen.len() < published.len() && each.cursor.is_some() {
            let event = wire.json().await;
            seen.push(event["e"]["id"].as_str().expect("an id").to_owned());
        }
        assert!(each.cursor.is_none() || seen == ids(&published));
    }
}

struct Left {
    at: Duration,
    told_ms: Option<u64>,
    code: u16,
    cursor: Option<String>,
    events: Vec<String>,
}

async fn leave(wire: &mut Wire, began: Instant) -> Left {
    let mut left = Left {
        at: Duration::ZERO,
        told_ms: None,
        code: 0,
        cursor: None,
        events: Vec::new(),
    };
    loop {
        match wire.hear().await {
            Heard::Json(frame) if frame["t"] == "drain" => left.told_ms = frame["after"].as_u64(),
            Heard::Json(frame) if frame["t"] == "ev" => {
                left.cursor = frame["c"].as_str().map(str::to_owned);
                let id = frame["e"]["id"].as_str().expect("an id");
                left.events.push(id.to_owned());
            }
            Heard::Json(_) => {}
            Heard::Close(code) => {
                left.code = code;
                left.at = began.elapsed();
                // A good browser hangs up now.
                tokio::io::AsyncWriteExt::shutdown(&mut wire.io).await.ok();
                return left;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[actix_rt::test]
async fn a_stopping_node_takes_nobody_new() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    world.node.live.drain(Duration::from_secs(1)).await;
    assert_eq!(world.node.ask_ticket(&patient.person).await.status, 503);
    let mut wire = Wire::connect(world.node.addr).await;
    wire.send(crate::client::handshake(crate::world::ORIGIN).as_bytes())
        .await;
    assert_eq!(
        wire.answer().await.status,
        503,
        "with a good ticket: {ticket}"
    );
}

/// Ten times a thousand browsers that vanish without a word: memory stays where it was and nobody is left.
#[actix_rt::test]
async fn browsers_that_vanish_leave_nothing_behind() {
    alone("leaving::vanishing_browsers").await;
}

#[actix_rt::test]
#[ignore = "run alone by browsers_that_vanish_leave_nothing_behind"]
async fn vanishing_browsers() {
    const AT_ONCE: usize = 1_000;
    let world = World::with(|limits| limits.sessions_per_account = 100).await;
    let mut patients = Vec::new();
    for _ in 0..20 {
        patients.push(world.patient().await);
    }
    let mut settled = 0;
    for round in 0..10 {
        let connecting = (0..AT_ONCE).map(|n| world.at_home(&patients[n % patients.len()]));
        let wires = gently(connecting, 50).await;
        assert_eq!(world.node.live.sessions(), AT_ONCE);
        for wire in wires {
            // A reset, as from a killed process.
            wire.io.set_zero_linger().expect("a socket");
        }
        until("all have been noticed", async || {
            world.node.live.sockets() == 0 && world.node.live.sessions() == 0
        })
        .await;
        if round == 2 {
            settled = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(settled);
    assert!(grown < 6 << 20, "grew by {grown} bytes in seven rounds");
}

/// Runs futures, some at a time.
async fn gently<T>(
    futures: impl Iterator<Item = impl Future<Output = T>>,
    at_once: usize,
) -> Vec<T> {
    let mut done = Vec::new();
    let mut waiting = futures.peekable();
    while waiting.peek().is_some() {
        let some = waiting.by_ref().take(at_once);
        done.extend(futures_util::future::join_all(some).await);
    }
    done
}
