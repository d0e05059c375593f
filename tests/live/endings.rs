//! How sessions end: signed out, run out, too many, silent. Here and on every other node.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::Heard;
use crate::world::{Person, World, nowhere, until};

async fn sign_out(world: &World, person: &Person) {
    let cookie = format!("__Host-letterbox={}", person.cookie);
    let answer = world
        .node
        .request("POST", "/test/sign-out", &[("Cookie", &cookie)])
        .await;
    assert_eq!(answer.status, 200);
}

#[actix_rt::test]
async fn r23_4_signing_out_closes_the_sockets_of_that_browser_on_every_node() {
    let world = World::new().await;
    let other = world.another_node().await;
    let patient = world.patient().await;
    let mut here = world.at_home(&patient).await;
    let (mut there, _) = other.browse(&patient.person, &nowhere()).await;
    // The same person on another device stays signed in.
    let path = format!("/test/sign-in/{}", patient.person.account);
    let answer = world.node.request("POST", &path, &[]).await;
    let cookie = answer.header("set-cookie").expect("a cookie");
    let phone = Person {
        account: patient.person.account,
        cookie: cookie.split(['=', ';']).nth(1).expect("a value").to_owned(),
    };
    let (mut on_the_phone, _) = world.node.browse(&phone, &nowhere()).await;
    let signed_out = Instant::now();
    sign_out(&world, &patient.person).await;
    assert_eq!(here.close_code().await, 4001);
    assert_eq!(there.close_code().await, 4001);
    assert!(
        signed_out.elapsed() < Duration::from_secs(4),
        "took {:?}",
        signed_out.elapsed()
    );
    world.publish(&patient, 1).await;
    assert_eq!(on_the_phone.json().await["t"], "ev");
}

#[actix_rt::test]
async fn signing_in_again_ends_the_session_the_browser_had() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut wire = world.at_home(&patient).await;
    let cookie = format!("__Host-letterbox={}", patient.person.cookie);
    let path = format!("/test/sign-in/{}", patient.person.account);
    let answer = world
        .node
        .request("POST", &path, &[("Cookie", &cookie)])
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(wire.close_code().await, 4001);
    assert_eq!(world.node.ask_ticket(&patient.person).await.status, 401);
}

#[actix_rt::test]
async fn r23_1_r23_4_a_session_without_requests_runs_out_and_its_sockets_with_it() {
    let world = World::with_settings(&[("sessions.idle", "3s")], |_| ()).await;
    let patient = world.patient().await;
    let (mut wire, ok) = world.node.browse(&patient.person, &nowhere()).await;
    assert!(ok["ttl"].as_u64().is_some_and(|ttl| ttl <= 3), "{ok}");
    // Talking on the socket is not using the site.
    let talk = async {
        let mut code = None;
        while code.is_none() {
            wire.say(r#"{"t":"p"}"#).await;
            let heard = tokio::time::timeout(Duration::from_millis(300), wire.hear()).await;
            if let Ok(Heard::Close(said)) = heard {
                code = Some(said);
            }
        }
        code
    };
    let code = tokio::time::timeout(Duration::from_secs(30), talk).await;
    assert_eq!(code, Ok(Some(4001)));
    assert_eq!(world.node.ask_ticket(&patient.person).await.status, 401);
}

#[actix_rt::test]
async fn the_seventh_page_sends_away_the_one_idle_for_longest() {
    let world = World::new().await;
    let patient = world.patient().await;
    let mut pages = Vec::new();
    for _ in 0..6 {
        pages.push(world.at_home(&patient).await);
    }
    pages[3].say(r#"{"t":"bg"}"#).await;
    // The answer to a receipt shows that what was said before it has been heard.
    let id = uuid::Uuid::now_v7();
    pages[3]
        .say(&format!(
            r#"{{"t":"rx","id":"{id}","ev":"{id}","k":"shown"}}"#
        ))
        .await;
    assert_eq!(pages[3].json().await["t"], "rxok");
    let mut seventh = world.at_home(&patient).await;
    assert_eq!(
        pages.remove(3).close_code().await,
        4029,
        "the hidden page goes"
    );
    until("the hidden page has left", async || {
        world.node.live.sessions() == 6
    })
    .await;
    let mut eighth = world.at_home(&patient).await;
    assert_eq!(pages.remove(0).close_code().await, 4029, "then the oldest");
    world.publish(&patient, 1).await;
    for page in pages.iter_mut().chain([&mut seventh, &mut eighth]) {
        assert_eq!(page.json().await["t"], "ev");
    }
}

#[actix_rt::test]
async fn case_38_a_line_that_is_half_open_is_noticed_and_freed() {
    let world = World::with(|limits| {
        limits.ping_every = Duration::from_secs(1);
        limits.silence = Duration::from_secs(9);
    })
    .await;
    let patient = world.patient().await;
    let mut dead = world.at_home(&patient).await;
    let mut alive = world.at_home(&patient).await;
    let keep_alive = async {
        loop {
            if let Heard::Json(ping) = alive.hear().await {
                assert_eq!(ping["t"], "p");
                assert!(ping["c"][patient.id.to_string()].is_string(), "{ping}");
                alive.say(r#"{"t":"p"}"#).await;
            }
        }
    };
    let code = tokio::select! {
        code = dead.close_code() => code,
        () = keep_alive => unreachable!("it listens for ever"),
    };
    assert_eq!(code, 4103);
    until("the seat is free", async || world.node.live.sockets() == 1).await;
    world.publish(&patient, 1).await;
    assert_eq!(alive.json().await["t"], "ev");
}
