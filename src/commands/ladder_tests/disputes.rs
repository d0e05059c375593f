//! "This letter is not mine": locked at once, taken back within ten minutes, ended only by a named person.

use chrono::TimeDelta;
use letterbox_actors::ports::PrintStore;
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{AccountId, TaskId};
use uuid::Uuid;

use super::world::{Published, World};
use crate::commands::close_task::{Done, TaskAnswer, close_task};
use crate::commands::hide_item::hide_item;
use crate::commands::not_mine::{DisputeAnswer, say_not_mine, undo_not_mine};
use crate::commands::open_letter::{Form, OpenError, begin, finish};

const NONCE: [u8; 32] = [7; 32];

async fn say(world: &World, account: AccountId, letter: Published) -> Vec<EventKind> {
    match say_not_mine(&world.ladder, account, letter.letter)
        .await
        .expect("answers")
    {
        DisputeAnswer::Done { events } => events.iter().map(|event| event.kind).collect(),
        other => panic!("not said: {other:?}"),
    }
}

async fn task(world: &World) -> TaskId {
    let id: Uuid = world
        .one(
            "SELECT id FROM tasks WHERE kind = 'not_mine' AND closed_at IS NULL",
            &[],
        )
        .await;
    id.into()
}

/// Days later the supervisor and the print queue have had every chance.
async fn long_after(world: &World) {
    for _ in 0..5 {
        world.pass(TimeDelta::hours(20)).await;
        world.supervise().await;
        world
            .ladder
            .close_due_batches(world.node)
            .await
            .expect("closes");
    }
}

#[tokio::test]
async fn r19_2_a_letter_that_is_not_the_patients_is_locked_and_nothing_leaves_until_a_named_person_accepts()
 {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let susan = world
        .carer(margaret.patient, &["clinic_letters"], true)
        .await;
    let letter = world.publish(margaret.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    assert_eq!(
        world
            .count("dispatches WHERE channel = 'post' AND state = 'queued'")
            .await,
        1
    );

    // The patient only; what a carer sees of it is gone with the same event.
    let refused = say_not_mine(&world.ladder, susan, letter.letter)
        .await
        .expect("answers");
    assert_eq!(refused, DisputeAnswer::NotFound);
    assert_eq!(
        say(&world, margaret.account, letter).await,
        [EventKind::ItemHidden]
    );
    for account in [susan, margaret.account] {
        let refused = begin(store, account, letter.letter, &NONCE, Form::Pdf).await;
        assert!(matches!(refused, Err(OpenError::NotFound)), "{refused:?}");
    }
    let item = ItemRef::Letter(letter.letter);
    assert_eq!(
        hide_item(store, margaret.account, item, false)
            .await
            .expect("answers"),
        Some(Vec::new())
    );
    assert_eq!(
        world.count("letters WHERE hidden_at IS NULL").await,
        0,
        "it cannot be shown again by the other door"
    );

    long_after(&world).await;
    assert_eq!(world.count("print_items").await, 0);
    assert_eq!(world.end_of(letter.case).await, None, "nobody has accepted");
    assert!(
        world
            .one::<i16>("SELECT escalations FROM tasks WHERE kind = 'not_mine'", &[])
            .await
            > 0,
        "it went to the next person"
    );

    let (clerk, manager) = (world.clerk().await, world.staff("manager").await);
    let task = task(&world).await;
    let answer = |who, done| {
        let world = &world;
        async move {
            close_task(&world.ladder, who, task, done)
                .await
                .expect("answers")
        }
    };
    assert_eq!(answer(clerk, Done::Resolved).await, TaskAnswer::NotForThis);
    assert_eq!(answer(clerk, Done::Accepted).await, TaskAnswer::NotYours);
    assert_eq!(answer(susan, Done::Accepted).await, TaskAnswer::NotFound);
    assert!(matches!(
        answer(manager, Done::Accepted).await,
        TaskAnswer::Closed { .. }
    ));
    assert_eq!(
        answer(manager, Done::Accepted).await,
        TaskAnswer::ClosedAlready
    );
    assert_eq!(
        world.end_of(letter.case).await.as_deref(),
        Some("handed_over")
    );
    let owner: Option<Uuid> = world
        .one(
            "SELECT owner_account_id FROM tasks WHERE kind = 'not_mine'",
            &[],
        )
        .await;
    assert_eq!(owner, Some(manager.as_uuid()), "it has a name");
    let late = undo_not_mine(&world.ladder, margaret.account, letter.letter)
        .await
        .expect("answers");
    assert_eq!(late, DisputeAnswer::TooLate);
}

#[tokio::test]
async fn r19_2_within_ten_minutes_it_is_taken_back_and_everything_goes_on_as_it_was() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let letter = world.publish(margaret.patient).await;
    let manager = world.staff("manager").await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    say(&world, margaret.account, letter).await;
    assert_eq!(
        say_not_mine(&world.ladder, margaret.account, letter.letter)
            .await
            .expect("answers"),
        DisputeAnswer::Unchanged
    );
    let early = close_task(&world.ladder, manager, task(&world).await, Done::Accepted).await;
    assert_eq!(early.expect("answers"), TaskAnswer::NotYet);

    world.pass(TimeDelta::seconds(9 * 60 + 50)).await;
    let undone = undo_not_mine(&world.ladder, margaret.account, letter.letter)
        .await
        .expect("answers");
    assert!(
        matches!(&undone, DisputeAnswer::Done { events } if events.len() == 2),
        "{undone:?}"
    );
    assert_eq!(world.count("disputes").await, 0);
    assert_eq!(world.count("tasks WHERE closed_at IS NULL").await, 0);
    assert_eq!(
        world
            .count("letters WHERE not_mine_at IS NULL AND hidden_at IS NULL")
            .await,
        1
    );
    world
        .ladder
        .close_due_batches(world.node)
        .await
        .expect("closes");
    assert_eq!(
        world.count("print_items").await,
        1,
        "the deadline was past: the paper goes, once"
    );
    let viewing = begin(store, margaret.account, letter.letter, &NONCE, Form::Pdf)
        .await
        .expect("hers again");
    assert!(finish(store, &viewing).await.expect("opens").is_open);
}

#[tokio::test]
async fn r19_2_after_ten_minutes_it_cannot_be_taken_back() {
    let world = World::new().await;
    let margaret = world.member("Margaret").await;
    let letter = world.publish(margaret.patient).await;
    say(&world, margaret.account, letter).await;
    world.pass(TimeDelta::minutes(10)).await;
    let late = undo_not_mine(&world.ladder, margaret.account, letter.letter)
        .await
        .expect("answers");
    assert_eq!(late, DisputeAnswer::TooLate);
    let stranger = world.member("Stranger").await;
    let not_theirs = undo_not_mine(&world.ladder, stranger.account, letter.letter)
        .await
        .expect("answers");
    assert_eq!(not_theirs, DisputeAnswer::NotFound);
}

#[tokio::test]
async fn r19_2_a_letter_that_was_read_first_stays_hidden_as_the_patient_had_it() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let letter = world.publish(margaret.patient).await;
    let viewing = begin(store, margaret.account, letter.letter, &NONCE, Form::Pdf)
        .await
        .expect("allowed");
    finish(store, &viewing).await.expect("opens");
    hide_item(
        store,
        margaret.account,
        ItemRef::Letter(letter.letter),
        true,
    )
    .await
    .expect("hides");
    assert_eq!(
        say(&world, margaret.account, letter).await,
        [EventKind::PromiseChanged]
    );
    undo_not_mine(&world.ladder, margaret.account, letter.letter)
        .await
        .expect("answers");
    assert_eq!(
        world
            .count("letters WHERE hidden_at IS NOT NULL AND not_mine_at IS NULL")
            .await,
        1
    );
    // Said again and accepted: an ended case keeps its first end, and the matter still has its person.
    say(&world, margaret.account, letter).await;
    world.pass(TimeDelta::minutes(11)).await;
    let governance = world.staff("information_governance").await;
    let answer = close_task(
        &world.ladder,
        governance,
        task(&world).await,
        Done::Accepted,
    )
    .await;
    assert!(matches!(
        answer.expect("answers"),
        TaskAnswer::Closed { .. }
    ));
    assert_eq!(world.end_of(letter.case).await.as_deref(), Some("opened"));
    assert_eq!(
        world.count("disputes WHERE accepted_by IS NOT NULL").await,
        1
    );
}
