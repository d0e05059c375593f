//! Print: frozen at the cut-off, posted once, and never what was opened before.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use letterbox_actors::ports::{Ack, Batch, PrintStore, Verdict};
use letterbox_domain::event::EventKind;
use uuid::Uuid;

use super::world::{Published, World, pairs};
use crate::store::{Principal, openings};

/// Letters whose paper is queued and whose cut-off has passed.
async fn overdue(world: &World, count: usize) -> Vec<Published> {
    let mut letters = Vec::new();
    for n in 0..count {
        let person = world.member(&format!("Person{n}")).await;
        letters.push(world.publish(person.patient).await);
    }
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    letters
}

pub(super) async fn batches(world: &World) -> Vec<Batch> {
    world
        .ladder
        .close_due_batches(world.node)
        .await
        .expect("closes");
    world
        .ladder
        .unfinished(world.node, 100)
        .await
        .expect("reads")
}

pub(super) fn ack(batch: &Batch, item: Uuid, verdict: Verdict) -> Ack {
    Ack {
        batch_name: batch.name.clone(),
        item,
        verdict,
    }
}

#[tokio::test]
async fn a_letter_is_frozen_written_acknowledged_and_its_case_ends() {
    let world = World::new().await;
    let letter = overdue(&world, 1).await[0];
    assert!(
        world
            .ladder
            .next_cut_off()
            .await
            .expect("answers")
            .expect("something waits")
            <= TimeDelta::zero()
    );
    let batch = batches(&world).await.remove(0);
    assert!(
        batch.name.starts_with("LB_RLQ_2") && batch.name.ends_with("_01"),
        "{}",
        batch.name
    );
    assert_eq!(batch.items.len(), 1);
    assert_eq!(batch.items[0].subject, letter.letter.as_uuid());
    assert_eq!(
        batch.items[0].address_lines,
        ["Person0 Test", "1 High Street", "Hereford", "HR1 2ER"]
    );
    assert_eq!(world.ladder.next_cut_off().await.expect("answers"), None);

    // Until it is written it comes back under the same name; afterwards never.
    assert_eq!(
        world
            .ladder
            .unfinished(world.node, 10)
            .await
            .expect("reads")[0]
            .name,
        batch.name
    );
    world.ladder.written(batch.id).await.expect("notes");
    assert!(
        world
            .ladder
            .unfinished(world.node, 10)
            .await
            .expect("reads")
            .is_empty()
    );
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("post", "accepted")])
    );

    let posted = ack(&batch, letter.letter.as_uuid(), Verdict::Posted);
    let events = world
        .ladder
        .acknowledge(vec![posted.clone(), posted.clone()])
        .await
        .expect("takes in");
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [EventKind::LetterPosted]
    );
    assert_eq!(world.end_of(letter.case).await.as_deref(), Some("posted"));
    assert_eq!(world.count("notices WHERE closed_at IS NULL").await, 0);
    assert_eq!(
        world
            .count("print_batches WHERE state = 'acknowledged'")
            .await,
        1
    );
    assert!(
        world
            .ladder
            .acknowledge(vec![posted])
            .await
            .expect("takes in")
            .is_empty(),
        "a repeat changes nothing"
    );
}

#[tokio::test]
async fn r3_6_what_was_opened_before_the_cut_off_is_not_in_the_batch() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    let tx = world
        .db
        .store()
        .begin(&Principal::SERVER)
        .await
        .expect("begins");
    openings::open_letter(&tx, gwyn.account, letter.letter)
        .await
        .expect("opens");
    tx.commit().await.expect("commits");
    world.pass(TimeDelta::seconds(20)).await;
    assert!(batches(&world).await.is_empty());
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("post", "cancelled")])
    );
}

#[tokio::test]
async fn opened_between_cut_off_and_acknowledgement_it_stays_opened_and_the_posting_is_noted() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    let batch = batches(&world).await.remove(0);
    let tx = world
        .db
        .store()
        .begin(&Principal::SERVER)
        .await
        .expect("begins");
    openings::open_letter(&tx, gwyn.account, letter.letter)
        .await
        .expect("opens");
    tx.commit().await.expect("commits");
    world
        .ladder
        .acknowledge(vec![ack(&batch, letter.letter.as_uuid(), Verdict::Posted)])
        .await
        .expect("takes in");
    assert_eq!(
        world.end_of(letter.case).await.as_deref(),
        Some("opened"),
        "never a second end"
    );
    assert_eq!(
        world
            .count("letters WHERE state = 'opened' AND posted_at IS NOT NULL")
            .await,
        1
    );
    assert_eq!(
        world
            .count("history WHERE facts ->> 'noted' = 'posted_after_opening'")
            .await,
        1
    );
}

#[tokio::test]
async fn opened_after_posting_is_an_annotation() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    let batch = batches(&world).await.remove(0);
    world
        .ladder
        .acknowledge(vec![ack(&batch, letter.letter.as_uuid(), Verdict::Posted)])
        .await
        .expect("takes in");
    let tx = world
        .db
        .store()
        .begin(&Principal::SERVER)
        .await
        .expect("begins");
    openings::open_letter(&tx, gwyn.account, letter.letter)
        .await
        .expect("opens");
    tx.commit().await.expect("commits");
    assert_eq!(world.end_of(letter.case).await.as_deref(), Some("posted"));
    assert_eq!(
        world
            .count("history WHERE facts ->> 'noted' = 'opened_after_posting'")
            .await,
        1
    );
    let tally = world
        .db
        .store()
        .tally(chrono::DateTime::UNIX_EPOCH)
        .await
        .expect("counts");
    assert!(
        tally.is_sound() && (tally.sent, tally.posted, tally.opened) == (1, 1, 0),
        "{tally:?}"
    );
}

/// The race of reading against posting: whoever commits first wins, and nothing is both opened before and in the batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_open_while_batches_close_and_none_is_in_both() {
    let world = World::new().await;
    let mut people = Vec::new();
    for n in 0..60 {
        let person = world.member(&format!("P{n}")).await;
        people.push((person, world.publish(person.patient).await));
    }
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    let store = world.db.store();
    let open = people.iter().map(|(person, letter)| async move {
        let open =
            |tx| async move { openings::open_letter(&tx, person.account, letter.letter).await };
        store
            .run(
                "open",
                &Principal::Account {
                    account: person.account,
                },
                open,
            )
            .await
            .expect("opens")
    });
    let close = async {
        for _ in 0..3 {
            world
                .ladder
                .close_due_batches(world.node)
                .await
                .expect("closes");
        }
    };
    tokio::join!(futures_util::future::join_all(open), close);
    // Row locks order the two; the order itself is in the history.
    let both = "print_items i JOIN dispatches d ON d.id = i.dispatch_id
                JOIN history opened ON opened.subject_id = i.subject_id AND opened.kind = 'letter.opened'
                JOIN history frozen ON frozen.subject_id = d.id AND frozen.kind = 'dispatch.frozen'
                WHERE opened.id < frozen.id";
    assert_eq!(
        world.count(both).await,
        0,
        "opened first, and yet in the batch"
    );
    let left = "dispatches d JOIN cases c ON c.id = d.case_id WHERE d.channel = 'post' AND d.state = 'queued' AND c.ended_at IS NOT NULL";
    assert_eq!(world.count(left).await, 0);
    let frozen = world.count("print_items").await;
    let cancelled = world
        .count("dispatches WHERE channel = 'post' AND state = 'cancelled'")
        .await;
    assert_eq!(frozen + cancelled, 60);
    assert_eq!(world.count("letters WHERE state = 'opened'").await, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_close_one_batch() {
    let world = World::new().await;
    overdue(&world, 20).await;
    let nodes: Vec<_> = (0..6)
        .map(|_| letterbox_actors::ports::NodeId::random())
        .collect();
    let closing = nodes
        .iter()
        .map(|node| world.ladder.close_due_batches(*node));
    let closed: usize = futures_util::future::join_all(closing)
        .await
        .into_iter()
        .map(|done| done.expect("closes"))
        .sum();
    assert_eq!(closed, 1);
    assert_eq!(world.count("print_items").await, 20);
}

#[tokio::test]
async fn a_large_cut_off_is_several_batches_with_names_of_their_own() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    for _ in 0..260 {
        world.publish(gwyn.patient).await;
    }
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(16)).await;
    let batches = batches(&world).await;
    let names: BTreeSet<_> = batches.iter().map(|batch| batch.name.clone()).collect();
    assert_eq!((batches.len(), names.len()), (2, 2));
    assert_eq!(
        batches.iter().map(|batch| batch.items.len()).sum::<usize>(),
        260
    );
}

#[tokio::test]
async fn the_address_is_read_at_the_cut_off_and_without_one_a_person_takes_over() {
    let world = World::new().await;
    let letters = overdue(&world, 2).await;
    let ids: Vec<_> = letters
        .iter()
        .map(|letter| letter.patient.as_uuid())
        .collect();
    let moved = "UPDATE patients SET address_lines = ARRAY['2 New Road', 'Leominster', 'HR6 8AA'] WHERE id = $1";
    world.run(moved, &[&ids[0]]).await;
    world
        .run(
            "UPDATE patients SET address_lines = ARRAY['nowhere'] WHERE id = $1",
            &[&ids[1]],
        )
        .await;
    let batch = batches(&world).await.remove(0);
    assert_eq!(batch.items.len(), 1);
    assert_eq!(batch.items[0].address_lines[1], "2 New Road");
    assert_eq!(
        world.messages(letters[1].case).await,
        pairs(&[("post", "failed")])
    );
    assert_eq!(
        world
            .count("tasks WHERE kind = 'no_address' AND closed_at IS NULL")
            .await,
        1
    );
    assert_eq!(
        world
            .count("cases WHERE promised_at IS NULL AND due_at <= app_now()")
            .await,
        1,
        "it is looked at again"
    );
}

#[tokio::test]
async fn nothing_is_posted_to_the_dead() {
    let world = World::new().await;
    let letter = overdue(&world, 1).await[0];
    world
        .run("UPDATE patients SET deceased_at = '2026-01-01'", &[])
        .await;
    assert!(batches(&world).await.is_empty());
    assert_eq!(
        world.messages(letter.case).await,
        pairs(&[("post", "failed")])
    );
    assert_eq!(
        world.count("tasks WHERE closed_at IS NULL").await,
        1,
        "a person takes over"
    );
}

#[tokio::test]
async fn an_item_that_the_print_house_refuses_is_a_task_and_the_case_goes_on() {
    let world = World::new().await;
    let letter = overdue(&world, 1).await[0];
    let batch = batches(&world).await.remove(0);
    let refused = Verdict::Rejected {
        code: "too_many_pages".into(),
    };
    world
        .ladder
        .acknowledge(vec![ack(&batch, letter.letter.as_uuid(), refused)])
        .await
        .expect("takes in");
    assert_eq!(world.end_of(letter.case).await, None);
    assert_eq!(
        world
            .count("tasks WHERE kind = 'print_rejected' AND closed_at IS NULL")
            .await,
        1
    );
    world.supervise().await;
    assert_eq!(
        world.count("cases WHERE due_at > app_now()").await,
        1,
        "never without a next step"
    );
    let late = ack(&batch, letter.letter.as_uuid(), Verdict::Posted);
    assert!(
        world
            .ladder
            .acknowledge(vec![late])
            .await
            .expect("takes in")
            .is_empty(),
        "what was refused stays refused"
    );
}

#[tokio::test]
async fn a_batch_that_nobody_acknowledges_is_one_task_however_many_letters_it_holds() {
    let world = World::new().await;
    overdue(&world, 5).await;
    let batch = batches(&world).await.remove(0);
    world.ladder.written(batch.id).await.expect("notes");
    world.pass(TimeDelta::seconds(31)).await;
    world.supervise().await;
    world.pass(TimeDelta::seconds(31)).await;
    world.supervise().await;
    assert_eq!(
        world
            .count("tasks WHERE kind = 'print_unacknowledged' AND batch_id IS NOT NULL")
            .await,
        1
    );
    assert_eq!(world.count("tasks").await, 1);
    let acks = batch
        .items
        .iter()
        .map(|item| ack(&batch, item.subject, Verdict::Posted))
        .collect();
    world.ladder.acknowledge(acks).await.expect("takes in");
    assert_eq!(
        world.count("tasks WHERE closed_at IS NULL").await,
        0,
        "the incident is over"
    );
}
