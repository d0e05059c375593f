//! The front door: what arrives there has passed no route, so the door itself must turn away everything else.

use crate::client::{Heard, KEY, Wire, handshake, text};
use crate::world::{ORIGIN, World, hi, nowhere, say_hi, until};

/// Sends one head and answers the status, having seen that the connection is closed afterwards.
async fn status_of(world: &World, head: &str) -> u16 {
    let mut wire = Wire::connect(world.node.addr).await;
    wire.send(head.as_bytes()).await;
    let answer = wire.answer().await;
    assert_ne!(answer.status, 101, "{head}");
    assert!(wire.hangs_up().await, "still open after {head}");
    answer.status
}

#[actix_rt::test]
async fn case_72_only_our_own_pages_may_open_a_socket() {
    let world = World::new().await;
    for foreign in [
        "null",
        "http://localhost:8081",
        "https://localhost:8080",
        "http://localhost:8080.evil.test",
        "http://localhost:8080@evil.test",
        "http://localhost",
        "http://evil.test",
        "http://sub.localhost:8080",
        "http://LOCALHOST:8080",
        "http://localhost:8080/",
        "http://localhost:8080, http://evil.test",
        "file://",
        "",
    ] {
        let status = status_of(&world, &handshake(foreign)).await;
        assert_eq!(status, 403, "{foreign}");
    }
    let missing = handshake(ORIGIN).replace(&format!("Origin: {ORIGIN}\r\n"), "");
    assert_eq!(status_of(&world, &missing).await, 403);
    let twice = handshake(ORIGIN).replace("Origin:", "Origin: http://evil.test\r\nOrigin:");
    assert_eq!(status_of(&world, &twice).await, 403);
    let crossed = handshake(ORIGIN).replace("Origin:", "Sec-Fetch-Site: cross-site\r\nOrigin:");
    assert_eq!(status_of(&world, &crossed).await, 403);
    assert_eq!(world.node.live.sockets(), 0);
}

#[actix_rt::test]
async fn every_other_upgrade_is_turned_away_and_closed() {
    let world = World::new().await;
    let good = handshake(ORIGIN);
    let table = [
        ("another path", good.replace("GET /live ", "GET / "), 404),
        (
            "a route of the application",
            good.replace("GET /live ", "GET /hello "),
            404,
        ),
        (
            "a query",
            good.replace("GET /live ", "GET /live?ticket=1 "),
            404,
        ),
        ("POST", good.replace("GET ", "POST "), 405),
        ("DELETE", good.replace("GET ", "DELETE "), 405),
        ("version 8", good.replace("Version: 13", "Version: 8"), 426),
        (
            "no version",
            good.replace("Sec-WebSocket-Version: 13\r\n", ""),
            426,
        ),
        (
            "no key",
            good.replace(&format!("Sec-WebSocket-Key: {KEY}\r\n"), ""),
            400,
        ),
        ("a short key", good.replace(KEY, "c2hvcnQ="), 400),
        (
            "no sub-protocol",
            good.replace("Sec-WebSocket-Protocol: letterbox.v1\r\n", ""),
            400,
        ),
        (
            "a foreign sub-protocol",
            good.replace("letterbox.v1", "graphql-ws"),
            400,
        ),
        (
            "no Connection: upgrade",
            good.replace("Connection: Upgrade\r\n", ""),
            400,
        ),
        (
            "a body",
            good.replace("Host:", "Content-Length: 5\r\nHost:") + "hello",
            400,
        ),
    ];
    for (what, head, status) in table {
        assert_eq!(status_of(&world, &head).await, status, "{what}");
    }
    assert_eq!(world.node.live.sockets(), 0);
}

#[actix_rt::test]
async fn a_post_with_a_body_that_asks_to_upgrade_reaches_no_route() {
    let world = World::new().await;
    let head = handshake(ORIGIN)
        .replace("GET /live ", "POST /test/sign-out ")
        .replace("Host:", "Content-Length: 44\r\nHost:");
    let smuggled = "GET /hello HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    assert_eq!(status_of(&world, &(head + smuggled)).await, 405);
}

#[actix_rt::test]
async fn connect_is_refused() {
    let world = World::new().await;
    let head = "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n";
    assert_eq!(status_of(&world, head).await, 405);
}

#[actix_rt::test]
async fn asking_for_the_socket_without_upgrading_is_answered_by_the_application() {
    let world = World::new().await;
    let answer = world.node.request("GET", "/live", &[]).await;
    assert_eq!(answer.status, 426);
}

#[actix_rt::test]
async fn a_page_and_an_upgrade_in_one_segment_are_both_answered_in_order() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    let mut wire = Wire::connect(world.node.addr).await;
    let page = "GET /hello HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    wire.send((page.to_owned() + &handshake(ORIGIN)).as_bytes())
        .await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!(wire.answer().await.status, 101);
    say_hi(&mut wire, &ticket, &nowhere()).await;
}

#[actix_rt::test]
async fn a_frame_sent_with_the_handshake_is_not_lost() {
    let world = World::new().await;
    let patient = world.patient().await;
    let ticket = world.node.ticket(&patient.person).await;
    let mut wire = Wire::connect(world.node.addr).await;
    let mut bytes = handshake(ORIGIN).into_bytes();
    bytes.extend(text(&hi(&ticket, &nowhere())));
    wire.send(&bytes).await;
    assert_eq!(wire.answer().await.status, 101);
    assert_eq!(wire.json().await["t"], "ok");
}

#[actix_rt::test]
async fn a_full_node_says_so_and_keeps_those_it_has() {
    let world = World::with(|limits| limits.max_sockets = 2).await;
    let patient = world.patient().await;
    let mut first = world.at_home(&patient).await;
    let _second = world.at_home(&patient).await;
    let mut third = Wire::connect(world.node.addr).await;
    third.send(handshake(ORIGIN).as_bytes()).await;
    let answer = third.answer().await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let ticket = world.node.ask_ticket(&patient.person).await;
    assert_eq!(ticket.status, 503);
    assert!(ticket.header("retry-after").is_some(), "{ticket:?}");
    let page = world.node.request("GET", "/hello", &[]).await;
    assert_eq!(page.status, 200, "pages are still served");
    world.publish(&patient, 1).await;
    assert_eq!(first.json().await["t"], "ev", "who is in stays in");
    drop(first);
    until("the place is free again", async || {
        world.node.live.sockets() == 1
    })
    .await;
    let mut fourth = world.at_home(&patient).await;
    world.publish(&patient, 1).await;
    assert!(matches!(fourth.hear().await, Heard::Json(_)));
}
