//! Paper on request: one envelope, whatever else happens to the letter.

use chrono::TimeDelta;
use letterbox_actors::ports::{Ack, PrintStore, Verdict};
use letterbox_domain::id::AccountId;

use super::world::{Published, World};
use crate::commands::open_letter::{Form, begin, finish};
use crate::commands::paper::{PaperAnswer, always_post, ask_paper};

const NONCE: [u8; 32] = [7; 32];

async fn ask(world: &World, account: AccountId, letter: Published) -> PaperAnswer {
    ask_paper(&world.ladder, account, letter.letter)
        .await
        .expect("answers")
}

async fn open(world: &World, account: AccountId, letter: Published) {
    let store = world.db.store();
    let viewing = begin(store, account, letter.letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    finish(store, &viewing).await.expect("opens");
}

/// Every deadline and cut-off has passed, several times over.
async fn long_after(world: &World) {
    for _ in 0..4 {
        world.pass(TimeDelta::seconds(61)).await;
        world.supervise().await;
        world
            .ladder
            .close_due_batches(world.node)
            .await
            .expect("closes");
    }
}

#[tokio::test]
async fn r20_3_post_me_this_one_too_is_one_envelope_though_the_letter_is_opened() {
    let world = World::new().await;
    let margaret = world.member("Margaret").await;
    let letter = world.publish(margaret.patient).await;
    let answer = ask(&world, margaret.account, letter).await;
    assert!(
        matches!(&answer, PaperAnswer::Queued { events, .. } if events.len() == 1),
        "{answer:?}"
    );
    assert_eq!(
        ask(&world, margaret.account, letter).await,
        PaperAnswer::OnItsWay
    );
    open(&world, margaret.account, letter).await;
    assert_eq!(world.end_of(letter.case).await.as_deref(), Some("opened"));
    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 1);
    assert_eq!(
        ask(&world, margaret.account, letter).await,
        PaperAnswer::OnItsWay
    );
    let batch = world
        .ladder
        .unfinished(world.node, 10)
        .await
        .expect("reads")
        .remove(0);
    world.ladder.written(batch.id).await.expect("notes");
    let ack = Ack {
        batch_name: batch.name.clone(),
        item: batch.items[0].subject,
        verdict: Verdict::Posted,
    };
    world
        .ladder
        .acknowledge(vec![ack])
        .await
        .expect("takes it in");
    assert_eq!(
        world
            .count("letters WHERE posted_at IS NOT NULL AND state = 'opened'")
            .await,
        1
    );
    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 1, "never a second one");
}

#[tokio::test]
async fn r3_4_paper_that_was_asked_for_and_the_deadlines_paper_are_the_same_envelope() {
    let world = World::new().await;
    let margaret = world.member("Margaret").await;
    let letter = world.publish(margaret.patient).await;
    assert!(matches!(
        ask(&world, margaret.account, letter).await,
        PaperAnswer::Queued { .. }
    ));
    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 1);
    // And the other way round: what the opening called off can be asked for.
    let other = world.publish(margaret.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    let store = world.db.store();
    let viewing = begin(store, margaret.account, other.letter, &[8; 32], Form::Pdf)
        .await
        .expect("allowed");
    finish(store, &viewing).await.expect("opens");
    assert!(matches!(
        ask(&world, margaret.account, other).await,
        PaperAnswer::Queued { .. }
    ));
    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 2);
}

#[tokio::test]
async fn r20_3_only_the_patient_asks_for_paper_and_a_withdrawn_letter_is_not_sent() {
    let world = World::new().await;
    let margaret = world.member("Margaret").await;
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], true)
        .await;
    let letter = world.publish(margaret.patient).await;
    assert_eq!(ask(&world, susan, letter).await, PaperAnswer::NotFound);
    open(&world, margaret.account, letter).await;
    assert!(matches!(
        ask(&world, margaret.account, letter).await,
        PaperAnswer::Queued { .. }
    ));
    world
        .run(
            "UPDATE letters SET state = 'withdrawn', withdrawn_at = app_now()",
            &[],
        )
        .await;
    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 0);
    assert_eq!(
        ask(&world, margaret.account, letter).await,
        PaperAnswer::NotFound
    );
}

#[tokio::test]
async fn r20_3_without_an_address_paper_is_refused_and_lost_addresses_become_a_persons_task() {
    let world = World::new().await;
    let margaret = world.member("Margaret").await;
    let letter = world.publish(margaret.patient).await;
    open(&world, margaret.account, letter).await;
    assert!(matches!(
        ask(&world, margaret.account, letter).await,
        PaperAnswer::Queued { .. }
    ));
    world
        .run("UPDATE patients SET address_lines = '{}'", &[])
        .await;
    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 0);
    assert_eq!(
        world
            .count("tasks WHERE kind = 'no_address' AND closed_at IS NULL")
            .await,
        1
    );
    let other = world.publish(margaret.patient).await;
    assert_eq!(
        ask(&world, margaret.account, other).await,
        PaperAnswer::NoAddress
    );
}

#[tokio::test]
async fn r20_3_always_post_is_the_patients_wish_and_is_undone_as_easily() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], true)
        .await;
    assert!(
        !always_post(store, susan, true).await.expect("answers"),
        "a carer has no mailbox"
    );
    for _ in 0..2 {
        assert!(
            always_post(store, margaret.account, true)
                .await
                .expect("answers")
        );
    }
    assert_eq!(
        world
            .count("memberships WHERE paper_since IS NOT NULL")
            .await,
        1
    );
    assert!(
        always_post(store, margaret.account, false)
            .await
            .expect("answers")
    );
    assert_eq!(
        world
            .count("memberships WHERE paper_since IS NOT NULL")
            .await,
        0
    );
    assert_eq!(
        world
            .count("history WHERE kind = 'paper.wish_changed'")
            .await,
        2,
        "what changed nothing is not recorded"
    );
}
