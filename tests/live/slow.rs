//! Slow browsers cost nothing and lose nothing: slow to acknowledge is waited for, a blocked line is cut after its time.

use std::time::Duration;

use serde_json::json;

use crate::client::{Heard, Wire};
use crate::world::{ORIGIN, World, alone, events_of, ids, nowhere, resident_bytes, say_hi, until};

#[actix_rt::test]
async fn who_does_not_acknowledge_gets_a_window_and_later_all_the_rest_in_order() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut slow = world.at_home(&patient).await;
    let mut events = world.publish(&patient, 64).await;
    assert_eq!(events_of(&mut slow, 64, 1).await, ids(&events));
    let rest = world.publish(&patient, 150).await;
    let quiet = tokio::time::timeout(Duration::from_secs(1), slow.json()).await;
    assert!(quiet.is_err(), "beyond the window: {quiet:?}");
    // Others do not notice.
    let mut quick = world.at_home(&patient).await;
    let fresh = world.publish(&patient, 1).await;
    assert_eq!(events_of(&mut quick, 1, 1).await, ids(&fresh));
    slow.say(r#"{"t":"ack","n":64}"#).await;
    events = [rest, fresh].concat();
    let mut seen = Vec::new();
    while seen.len() < events.len() {
        let event = slow.json().await;
        let n = 65 + seen.len() as u64;
        assert_eq!((&event["t"], &event["n"]), (&json!("ev"), &json!(n)));
        seen.push(event["e"]["id"].as_str().expect("an id").to_owned());
        if n.is_multiple_of(32) {
            slow.say(&format!(r#"{{"t":"ack","n":{n}}}"#)).await;
        }
    }
    assert_eq!(seen, ids(&events));
}

#[actix_rt::test]
async fn acknowledging_what_was_never_sent_opens_no_window() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut wire = world.at_home(&patient).await;
    wire.say(r#"{"t":"ack","n":18446744073709551615}"#).await;
    let events = world.publish(&patient, 80).await;
    assert_eq!(events_of(&mut wire, 64, 1).await, ids(&events[..64]));
    let quiet = tokio::time::timeout(Duration::from_secs(1), wire.json()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[actix_rt::test]
async fn case_37_a_blocked_line_is_cut_in_time_costs_no_memory_and_loses_nothing() {
    alone("slow::blocked_line").await;
}

#[actix_rt::test]
#[ignore = "run alone by case_37_a_blocked_line_is_cut_in_time_costs_no_memory_and_loses_nothing"]
async fn blocked_line() {
    let world = World::with(|limits| {
        limits.write_within = Duration::from_secs(3);
        limits.send_buffer_bytes = 1;
    })
    .await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    let mut wire = Wire::connect_narrow(world.node.addr).await;
    wire.shake_hands(ORIGIN).await;
    let ok = say_hi(&mut wire, &ticket, &nowhere()).await;
    let start = ok["boxes"][0]["pos"]
        .as_str()
        .expect("a position")
        .to_owned();
    let before = resident_bytes();
    let mut events = Vec::new();
    // It acknowledges all the time and reads nothing.
    for _ in 0..40 {
        events.extend(world.publish(&patient, 50).await);
        wire.say(r#"{"t":"ack","n":1000000}"#).await;
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "grew by {grown} bytes");
    until("the blocked line is cut", async || {
        world.node.live.sockets() == 0
    })
    .await;
    // What lies in its buffer is still in order; then the line ends without a goodbye.
    let (mut cursor, mut seen) = (start, 0);
    loop {
        match wire.hear().await {
            Heard::Json(frame) if frame["t"] == "ev" => {
                assert_eq!(frame["e"]["id"], events[seen].id.to_string());
                cursor = frame["c"].as_str().expect("a cursor").to_owned();
                seen += 1;
            }
            Heard::Json(_) => {}
            Heard::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(seen < events.len(), "the line was never blocked");
    let positions = json!({ patient.id.to_string(): cursor });
    let (mut wire, ok) = world.node.browse(&patient.person, &positions).await;
    // So many were missed that the page is read again; a position given now misses nothing.
    assert_eq!(ok["boxes"][0]["res"], "reset");
    let fresh = world.publish(&patient, 1).await;
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&fresh));
}

#[actix_rt::test]
async fn a_flood_into_one_mailbox_arrives_in_order_in_bounded_memory() {
    alone("slow::flooded_mailbox").await;
}

#[actix_rt::test]
#[ignore = "run alone by a_flood_into_one_mailbox_arrives_in_order_in_bounded_memory"]
async fn flooded_mailbox() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut wire = world.at_home(&patient).await;
    let mut idle = world.at_home(&patient).await;
    let before = resident_bytes();
    let publish = async {
        for _ in 0..20 {
            world.publish(&patient, 100).await;
        }
    };
    let read = async {
        let mut n = 0;
        let mut reset = false;
        while n < 2_000 && !reset {
            let frame = wire.json().await;
            if frame["t"] == "reset" {
                // Further behind than is worth replaying: allowed, and said aloud.
                reset = true;
                continue;
            }
            n += 1;
            assert_eq!(frame["n"], n, "{frame}");
            if n % 16 == 0 {
                wire.say(&format!(r#"{{"t":"ack","n":{n}}}"#)).await;
                // A browser may speak ten times a second; the window is four times as wide as this.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    tokio::join!(publish, read);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "grew by {grown} bytes");
    // Who never acknowledged holds a window at most, and what it holds is in order.
    let (mut n, mut quiet) = (0, false);
    while !quiet {
        match tokio::time::timeout(Duration::from_millis(500), idle.json()).await {
            Ok(frame) if frame["t"] == "ev" => {
                n += 1;
                assert_eq!(frame["n"], n, "{frame}");
            }
            Ok(frame) => assert_eq!(frame["t"], "reset", "{frame}"),
            Err(_) => quiet = true,
        }
    }
    assert!(n <= 64, "{n} events without an acknowledgement");
}
