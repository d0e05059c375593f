//! Texts: the provider's contract, its refusals, and answers that never come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use letterbox::channels::twilio::{Receipt, Status, Webhook, WebhookError};
use letterbox_actors::ports::{LookUp, Outlet};
use letterbox_domain::dispatch::{DispatchState, Outcome};
use serde_json::json;

use crate::world::{GWYN, World, outgoing};

#[actix_web::test]
async fn a_text_is_accepted_and_found_again_by_its_words() {
    let world = World::new().await;
    let text = world.channels().text.expect("configured");
    let message = outgoing(GWYN, "You have a new hospital message.");
    assert!(matches!(text.look_up(&message).await, LookUp::NotFound));
    let Outcome::Accepted { reference } = text.send(&message).await else {
        panic!("the sandbox accepts");
    };
    let LookUp::Found(Outcome::Accepted { reference: found }) = text.look_up(&message).await else {
        panic!("the sandbox has it");
    };
    assert_eq!(found, reference);
    world.until("text_status", 2).await;
    let receipt = text.status_of(&reference).await.expect("an answer");
    assert_eq!(
        (receipt.status, receipt.reference),
        (Status::Delivered, reference)
    );
    let sent = world.journal("text_accepted").await;
    let callback = format!(
        "https://letters.example.test/channels/twilio/status?dispatch={}",
        message.key
    );
    assert_eq!(sent[0]["status_callback"], callback.as_str());
    world.end().await;
}

/// The provider took it and the answer was lost: asking shows that it must not be sent again.
#[actix_web::test]
async fn a_lost_answer_is_unknown_and_the_look_up_finds_the_text() {
    let world = World::new().await;
    let text = world.channels().text.expect("configured");
    let message = outgoing(GWYN, "You have a new hospital message.");
    world
        .faults(json!({ "twilio": { "lose_answer_next": 1, "hold_statuses": true } }))
        .await;
    assert_eq!(text.send(&message).await, Outcome::Unknown);
    assert!(
        matches!(
            text.look_up(&message).await,
            LookUp::Found(Outcome::Accepted { .. })
        ),
        "though it is still queued"
    );
    assert_eq!(world.journal("text_accepted").await.len(), 1);
    world.end().await;
}

#[actix_web::test]
async fn a_slow_provider_is_unknown_and_asked_before_anything_is_sent_again() {
    let world = World::new().await;
    let text = world
        .channels_within(Duration::from_millis(300))
        .text
        .expect("configured");
    let message = outgoing(GWYN, "You have a new hospital message.");
    world
        .faults(json!({ "twilio": { "answer_delay_ms": 2_000 } }))
        .await;
    assert_eq!(text.send(&message).await, Outcome::Unknown);
    world
        .faults(json!({ "twilio": { "latency_ms": 2_000 } }))
        .await;
    assert!(matches!(text.look_up(&message).await, LookUp::CannotTell));
    world.calm().await;
    assert!(matches!(text.look_up(&message).await, LookUp::Found(_)));
    world.end().await;
}

/// Two letters, the same words on the same day: the first one's text is not taken for the second's.
#[actix_web::test]
async fn another_dispatchs_text_of_the_same_words_is_not_ours() {
    let world = World::new().await;
    let text = world.channels().text.expect("configured");
    let first = outgoing(GWYN, "You have a new hospital message.");
    let second = outgoing(GWYN, "You have a new hospital message.");
    assert!(matches!(text.send(&first).await, Outcome::Accepted { .. }));
    assert!(matches!(text.look_up(&second).await, LookUp::NotFound));
    world.end().await;
}

#[actix_web::test]
async fn refusals_are_final_waiting_is_later_and_breakage_is_unknown() {
    let world = World::new().await;
    let text = world.channels().text.expect("configured");
    let message = outgoing(GWYN, "x");
    let rejected = |code: &str| Outcome::Rejected { code: code.into() };
    let later = |seconds| Outcome::Later {
        after: Duration::from_secs(seconds),
    };
    let fail = |status: u16, code: u32| json!({ "fail_next": 1, "fail_status": status, "fail_code": code });
    for (knobs, expected) in [
        (json!({ "refuse": { GWYN: 21_610 } }), rejected("21610")),
        (json!({ "refuse": { GWYN: 99_999 } }), rejected("99999")),
        (
            json!({ "fail_next": 1, "fail_status": 429, "fail_code": 20_429, "retry_after_s": 7 }),
            later(7),
        ),
        (fail(401, 20_003), later(300)),
        (fail(400, 21_606), later(300)),
        (fail(400, 21_611), later(30)),
        (fail(500, 20_500), Outcome::Unknown),
        (fail(503, 20_503), Outcome::Unknown),
    ] {
        world.faults(json!({ "twilio": knobs })).await;
        assert_eq!(text.send(&message).await, expected, "{knobs}");
    }
    assert!(world.journal("text_accepted").await.is_empty());
    world.end().await;
}

#[actix_web::test]
async fn a_provider_that_cannot_be_reached_has_surely_got_nothing() {
    let mut world = World::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    world.settings.text.base_url = format!("http://{address}");
    let text = world.channels().text.expect("configured");
    let message = outgoing(GWYN, "x");
    assert!(matches!(text.send(&message).await, Outcome::Later { .. }));
    assert!(matches!(text.look_up(&message).await, LookUp::CannotTell));
    world.end().await;
}

#[actix_web::test]
async fn a_text_that_failed_after_all_is_found_as_rejected() {
    let world = World::new().await;
    let text = world.channels().text.expect("configured");
    let message = outgoing(GWYN, "x");
    world
        .faults(json!({ "twilio": { "lose_answer_next": 1, "undelivered": { GWYN: 30_005 } } }))
        .await;
    assert_eq!(text.send(&message).await, Outcome::Unknown);
    world.until("text_status", 2).await;
    let LookUp::Found(Outcome::Rejected { code }) = text.look_up(&message).await else {
        panic!("the sandbox has it, undelivered");
    };
    assert_eq!(code, "30005");
    world.end().await;
}

type Heard = Mutex<Vec<Result<Receipt, WebhookError>>>;

/// Our own door for callbacks, as the server has it.
async fn hear(
    request: HttpRequest,
    body: Bytes,
    webhook: Data<Webhook>,
    heard: Data<Heard>,
) -> HttpResponse {
    let signature = request.headers().get("X-Twilio-Signature");
    let signature = signature.and_then(|value| value.to_str().ok());
    let read = webhook.read(request.query_string(), signature, &body);
    heard.lock().expect("no panic").push(read);
    HttpResponse::NoContent().finish()
}

#[actix_web::test]
async fn callbacks_of_the_sandbox_are_believed_and_forged_ones_are_not() {
    let mut world = World::new().await;
    let door = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = door.local_addr().expect("an address");
    world.settings.text.status_callback = Some(format!("http://{address}/status"));
    let channels = world.channels();
    let webhook = Data::new(channels.webhook.expect("a token is set"));
    let heard: Arc<Heard> = Arc::default();
    let data = Data::from(Arc::clone(&heard));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(webhook.clone())
            .app_data(data.clone())
            .route("/status", web::post().to(hear))
    });
    let server = server.workers(1).listen(door).expect("a socket").run();
    let handle = server.handle();
    tokio::spawn(server);
    let text = channels.text.expect("configured");
    let message = outgoing(GWYN, "x");
    text.send(&message).await;
    world.until("callback", 2).await;
    world
        .faults(json!({ "twilio": { "forge_signatures": true } }))
        .await;
    text.send(&message).await;
    world.until("callback", 4).await;
    let heard = std::mem::take(&mut *heard.lock().expect("no panic"));
    let states: Vec<_> = heard
        .iter()
        .map(|read| {
            read.as_ref()
                .map(|r| (r.dispatch, r.status.state()))
                .map_err(|e| *e)
        })
        .collect();
    let ours = Some(message.key);
    let expected = [
        Ok((ours, Some(DispatchState::Accepted))),
        Ok((ours, Some(DispatchState::Delivered))),
        Err(WebhookError::Forged),
        Err(WebhookError::Forged),
    ];
    assert_eq!(states, expected);
    handle.stop(false).await;
    world.end().await;
}
