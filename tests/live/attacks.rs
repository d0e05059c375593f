//! Frames that no browser sends: each ends its own session with the code that RFC 6455 or our protocol names, and
//! nothing else.

use std::time::Duration;

use crate::client::{Heard, MASK, Wire, frame, text};
use crate::world::{ORIGIN, World, alone, hi, nowhere, resident_bytes, until};

#[actix_rt::test]
async fn case_73_case_74_broken_frames_and_messages_that_are_none_end_the_session_with_their_code()
{
    let world = World::new().await;
    let patient = world.patient().await;
    let long = "x".repeat(1_025);
    let mut huge = vec![0x81, 0xff];
    huge.extend(u64::MAX.to_be_bytes());
    huge.extend(MASK);
    let mut two_to_63 = vec![0x82, 0xff];
    two_to_63.extend((1_u64 << 63).to_be_bytes());
    two_to_63.extend(MASK);
    let half = "y".repeat(600);
    let in_two = [
        frame(0x01, Some(MASK), half.as_bytes()),
        frame(0x80, Some(MASK), half.as_bytes()),
    ];
    let interrupted = [frame(0x01, Some(MASK), b"{"), text("{}")];
    let table: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", frame(0x81, None, b"{}"), 1002),
        ("RSV1", frame(0xc1, Some(MASK), b"{}"), 1002),
        ("RSV2", frame(0xa1, Some(MASK), b"{}"), 1002),
        ("RSV3", frame(0x91, Some(MASK), b"{}"), 1002),
        ("opcode 3", frame(0x83, Some(MASK), b"{}"), 1002),
        ("opcode 7", frame(0x87, Some(MASK), b"{}"), 1002),
        ("opcode 11", frame(0x8b, Some(MASK), b""), 1002),
        ("opcode 15", frame(0x8f, Some(MASK), b""), 1002),
        ("a fragmented ping", frame(0x09, Some(MASK), b"a"), 1002),
        (
            "a fragmented close",
            frame(0x08, Some(MASK), b"\x03\xe8"),
            1002,
        ),
        (
            "a ping of 126 bytes",
            frame(0x89, Some(MASK), &[b'p'; 126]),
            1002,
        ),
        (
            "a close of one byte",
            frame(0x88, Some(MASK), b"\x03"),
            1002,
        ),
        (
            "a continuation of nothing",
            frame(0x80, Some(MASK), b"{}"),
            1002,
        ),
        ("a text inside a text", interrupted.concat(), 1002),
        ("2^64-1 bytes", huge, 1009),
        ("2^63 bytes", two_to_63, 1009),
        (
            "one byte too long",
            frame(0x81, Some(MASK), long.as_bytes()),
            1009,
        ),
        ("too long in two pieces", in_two.concat(), 1009),
        ("not UTF-8", frame(0x81, Some(MASK), b"\xff\xfe"), 1007),
        (
            "an overlong UTF-8",
            frame(0x81, Some(MASK), b"\xc0\xaf"),
            1007,
        ),
        (
            "a surrogate in UTF-8",
            frame(0x81, Some(MASK), b"\xed\xa0\x80"),
            1007,
        ),
        ("binary", frame(0x82, Some(MASK), b"{}"), 1003),
        ("not JSON", text("hello"), 4005),
        ("a wrong type", text(r#"{"t":"ack","n":"1"}"#), 4005),
        ("hi again", text(&hi("x", &nowhere())), 4005),
    ];
    let mut bystander = world.at_home(&patient).await;
    for (what, bytes, code) in table {
        // Before and after `hi`: a newcomer is judged by the same rules.
        let mut newcomer = Wire::upgrade(world.node.addr, ORIGIN).await;
        newcomer.send(&bytes).await;
        let told = newcomer.close_code().await;
        let newcomers_code = if what == "hi again" { 4105 } else { code };
        assert_eq!(told, newcomers_code, "{what}, before hi");
        let mut wire = world.at_home(&patient).await;
        wire.send(&bytes).await;
        assert_eq!(wire.close_code().await, code, "{what}");
        assert_eq!(wire.hear().await, Heard::End, "{what}");
    }
    until("only the bystander is left", async || {
        world.node.live.sockets() == 1
    })
    .await;
    world.publish(&patient, 1).await;
    assert_eq!(bystander.json().await["t"], "ev");
}

#[actix_rt::test]
async fn the_longest_allowed_message_and_unknown_types_are_harmless() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut wire = world.at_home(&patient).await;
    let padding = "x".repeat(1_024 - r#"{"t":"wave","x":""}"#.len());
    wire.say(&format!(r#"{{"t":"wave","x":"{padding}"}}"#))
        .await;
    let pieces = [
        frame(0x01, Some(MASK), br#"{"t":"#),
        frame(0x89, Some(MASK), b"in between"),
        frame(0x80, Some(MASK), br#""p"}"#),
    ];
    wire.send(&pieces.concat()).await;
    assert_eq!(wire.hear().await, Heard::Pong(b"in between".to_vec()));
    world.publish(&patient, 1).await;
    assert_eq!(wire.json().await["t"], "ev");
}

#[actix_rt::test]
async fn case_73_floods_are_cut_off_and_cost_no_memory() {
    alone("attacks::floods").await;
}

#[actix_rt::test]
#[ignore = "run alone by case_73_floods_are_cut_off_and_cost_no_memory"]
async fn floods() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ping = frame(0x89, Some(MASK), b"are you there");
    let pong = frame(0x8a, Some(MASK), b"");
    let mut one_byte = frame(0x01, Some(MASK), b"{");
    one_byte.extend(frame(0x00, Some(MASK), b" ").repeat(999_999));
    let mut empty = frame(0x01, Some(MASK), b"");
    empty.extend(frame(0x00, Some(MASK), b"").repeat(1_000_000));
    let floods: [(&str, Vec<u8>); 5] = [
        ("pings", ping.repeat(10_000)),
        ("pongs", pong.repeat(10_000)),
        ("messages", text(r#"{"t":"p"}"#).repeat(10_000)),
        ("a million pieces of one byte", one_byte),
        ("a million empty pieces", empty),
    ];
    // Once for warmth, so that what the allocator keeps is not counted.
    for round in 0..2 {
        let before = resident_bytes();
        for (what, bytes) in &floods {
            let mut wire = world.at_home(&patient).await;
            // The node may hang up while we are still sending.
            let (mut reading, mut writing) = wire.io.split();
            let send = tokio::io::AsyncWriteExt::write_all(&mut writing, bytes);
            let mut answer = Vec::new();
            let hear = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut answer);
            let (_, heard) = tokio::join!(send, hear);
            drop(heard);
            assert!(
                answer.windows(2).any(|two| two == 1008_u16.to_be_bytes()),
                "{what}: no 1008 in {answer:?}"
            );
        }
        let grown = resident_bytes().saturating_sub(before);
        assert!(round == 0 || grown < 4 << 20, "grew by {grown} bytes");
    }
}

#[actix_rt::test]
async fn who_says_nothing_does_not_stay() {
    let world = World::with(|limits| limits.hello_within = Duration::from_secs(1)).await;
    let mut silent = Wire::upgrade(world.node.addr, ORIGIN).await;
    assert_eq!(silent.close_code().await, 4005);
    let mut dribbling = Wire::upgrade(world.node.addr, ORIGIN).await;
    dribbling
        .send(&frame(0x01, Some(MASK), br#"{"t":"hi""#))
        .await;
    assert_eq!(dribbling.close_code().await, 4005);
    until("nobody is left", async || world.node.live.sockets() == 0).await;
}
