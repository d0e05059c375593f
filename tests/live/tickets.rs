//! What opens a socket: a ticket for a signed-in page of ours, once, for half a minute.

use std::time::Duration;

use crate::client::Wire;
use crate::world::{ORIGIN, Person, World, hi, nowhere};

async fn close_code_of(world: &World, ticket: &str) -> u16 {
    let mut wire = Wire::upgrade(world.node.addr, ORIGIN).await;
    wire.say(&hi(ticket, &nowhere())).await;
    wire.close_code().await
}

#[actix_rt::test]
async fn a_ticket_is_for_signed_in_pages_of_ours() {
    let world = World::new().await;
    let patient = world.patient().await;
    let cookie = format!("__Host-letterbox={}", patient.person.cookie);
    let ask =
        async |headers: &[(&str, &str)]| world.node.request("POST", "/live/ticket", headers).await;
    assert_eq!(ask(&[("Origin", ORIGIN)]).await.status, 401);
    let made_up = "__Host-letterbox=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let unknown = ask(&[("Origin", ORIGIN), ("Cookie", made_up)]).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(ask(&[("Cookie", &cookie)]).await.status, 403, "no origin");
    for origin in [
        "null",
        "http://evil.test",
        "http://localhost:8080.evil.test",
    ] {
        let answer = ask(&[("Cookie", &cookie), ("Origin", origin)]).await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    let crossed = [
        ("Cookie", cookie.as_str()),
        ("Origin", ORIGIN),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    assert_eq!(ask(&crossed).await.status, 403);
    let good = ask(&[("Cookie", &cookie), ("Origin", ORIGIN)]).await;
    assert_eq!((good.status, good.json()["ttl"].as_u64()), (200, Some(30)));
    assert_eq!(good.header("cache-control"), Some("no-store"));
}

#[actix_rt::test]
async fn a_ticket_works_once() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    let mut wire = Wire::upgrade(world.node.addr, ORIGIN).await;
    wire.say(&hi(&ticket, &nowhere())).await;
    assert_eq!(wire.json().await["t"], "ok");
    assert_eq!(close_code_of(&world, &ticket).await, 4105);
    for made_up in [
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "' OR 1=1",
    ] {
        assert_eq!(close_code_of(&world, made_up).await, 4105, "{made_up}");
    }
}

#[actix_rt::test]
async fn a_ticket_lives_half_a_minute() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    world.db.pass(Duration::from_secs(31)).await;
    assert_eq!(close_code_of(&world, &ticket).await, 4105);
}

#[actix_rt::test]
async fn a_ticket_dies_with_its_session() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    let cookie = format!("__Host-letterbox={}", patient.person.cookie);
    let out = world
        .node
        .request("POST", "/test/sign-out", &[("Cookie", &cookie)])
        .await;
    assert_eq!(out.status, 200);
    assert_eq!(close_code_of(&world, &ticket).await, 4105);
    assert_eq!(world.node.ask_ticket(&patient.person).await.status, 401);
}

#[actix_rt::test]
async fn who_asks_too_often_is_told_to_wait_and_others_are_not() {
    let world = World::with(|limits| limits.tickets_per_minute = 3).await;
    let (greedy, other) = (world.patient().await, world.patient().await);
    for _ in 0..3 {
        world.node.ticket(&greedy.person).await;
    }
    let refused = world.node.ask_ticket(&greedy.person).await;
    assert_eq!(refused.status, 429);
    let wait = refused
        .header("retry-after")
        .and_then(|n| n.parse::<u64>().ok());
    assert!(
        wait.is_some_and(|wait| (1..=25).contains(&wait)),
        "{refused:?}"
    );
    world.node.ticket(&other.person).await;
}

#[actix_rt::test]
async fn a_herd_is_let_in_at_a_pace() {
    let world = World::with(|limits| limits.tickets_per_second = 2).await;
    let patient = world.patient().await;
    let mut refused = 0;
    for _ in 0..8 {
        let answer = world.node.ask_ticket(&patient.person).await;
        match answer.status {
            200 => {}
            503 if answer.header("retry-after").is_some() => refused += 1,
            _ => panic!("{answer:?}"),
        }
    }
    assert!(refused > 0, "eight at once and all let in");
}

#[actix_rt::test]
async fn an_account_with_nothing_to_look_at_is_told_so() {
    let world = World::new().await;
    let stranger: Person = world.person("person").await;
    let ticket = world.node.ticket(&stranger).await;
    assert_eq!(close_code_of(&world, &ticket).await, 4003);
}
