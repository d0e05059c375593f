//! What leaving the portal means for letters, carers and sessions.

use chrono::TimeDelta;
use letterbox_actors::ports::{PrintStore, Verdict};
use letterbox_domain::choice::{Leaving, Way};
use letterbox_domain::id::AccountId;
use letterbox_domain::route::{Route, RouteReason};
use uuid::Uuid;

use super::accounts::{ALL_ON, choose, until_the_paper};
use super::print::{ack, batches};
use super::world::World;
use crate::commands::choose_contact::Ways;
use crate::commands::close_account::{Closed, close_account};
use crate::commands::publish_letters::{PublishResult, publish_letters};
use crate::store::Principal;
use crate::testing::Hospital;

async fn leave(world: &World, account: AccountId) -> Option<Closed> {
    close_account(&world.ladder, account, Leaving::PreferPost)
        .await
        .expect("it is closed")
}

#[tokio::test]
async fn r28_2_every_unread_letter_is_posted_and_no_timer_just_vanishes() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letters = [
        world.publish(gwyn.patient).await,
        world.publish(gwyn.patient).await,
    ];
    let opened = world.publish(gwyn.patient).await;
    let tx = world
        .db
        .store()
        .begin(&Principal::SERVER)
        .await
        .expect("begins");
    crate::store::openings::open_letter(&tx, gwyn.account, opened.letter)
        .await
        .expect("opens");
    tx.commit().await.expect("commits");
    world.pass(TimeDelta::seconds(11)).await;
    world.supervise().await;
    let closed = leave(&world, gwyn.account).await.expect("it was open");
    assert_eq!((closed.posted, closed.trusts.len()), (2, 1));
    assert_eq!(
        world.count("letters WHERE route = 'we_post'").await,
        2,
        "the hospital is told"
    );
    assert_eq!(
        world
            .count("history WHERE kind = 'letter.route_changed'")
            .await,
        2
    );
    assert_eq!(
        world
            .count("dispatches WHERE channel <> 'post' AND state = 'queued'")
            .await,
        0
    );
    world.every_open_case_has_a_next_step().await;
    world.pass(TimeDelta::seconds(16)).await;
    let batches = batches(&world).await;
    assert_eq!(
        batches.iter().map(|batch| batch.items.len()).sum::<usize>(),
        2
    );
    for letter in letters {
        assert_eq!(
            world.end_of(letter.case).await,
            None,
            "not before it has left"
        );
        let posted = ack(&batches[0], letter.letter.as_uuid(), Verdict::Posted);
        world
            .ladder
            .acknowledge(vec![posted])
            .await
            .expect("takes in");
        assert_eq!(world.end_of(letter.case).await.as_deref(), Some("posted"));
    }
    assert_eq!(world.end_of(opened.case).await.as_deref(), Some("opened"));
    assert!(
        world
            .db
            .store()
            .tally(chrono::DateTime::UNIX_EPOCH)
            .await
            .expect("counts")
            .is_sound()
    );
}

#[tokio::test]
async fn r28_2_who_may_not_be_posted_to_is_phoned_about_what_is_unread() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    choose(
        &world,
        gwyn,
        Ways {
            post_is_unsafe: true,
            ..ALL_ON
        },
    )
    .await;
    let closed = leave(&world, gwyn.account).await.expect("it was open");
    assert_eq!(closed.posted, 0);
    assert_eq!(
        world
            .count("tasks WHERE closed_at IS NULL AND kind = 'no_address'")
            .await,
        1
    );
    let sent = until_the_paper(&world, letter).await;
    assert!(
        sent.is_empty(),
        "nothing is sent to somebody who has left and may not be posted to: {sent:?}"
    );
    assert_eq!(
        world.end_of(letter.case).await,
        None,
        "it waits for the person who phones"
    );
}

#[tokio::test]
async fn r28_3_grants_sessions_and_the_account_end_and_the_audit_stays() {
    let world = World::new().await;
    let (gwyn, helped) = (world.member("Gwyn").await, world.member("Margaret").await);
    let carer = world.carer(gwyn.patient, &["appointments"], false).await;
    let helps = "INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, version) VALUES ($1, $2, $3, 'friend', '{appointments}', 1)";
    world
        .run(
            helps,
            &[
                &Uuid::now_v7(),
                &helped.patient.as_uuid(),
                &gwyn.account.as_uuid(),
            ],
        )
        .await;
    let session = "INSERT INTO sessions (id, token_sha256, account_id, csrf_secret, expires_at) VALUES ($1, $2, $3, '', app_now() + interval '1 hour')";
    for (byte, account) in [(1_u8, gwyn.account), (2, carer)] {
        world
            .run(
                session,
                &[&Uuid::now_v7(), &vec![byte; 32], &account.as_uuid()],
            )
            .await;
    }
    world
        .run(
            "INSERT INTO identities (issuer, subject, account_id) VALUES ('urn:test', 'gwyn', $1)",
            &[&gwyn.account.as_uuid()],
        )
        .await;
    choose(
        &world,
        gwyn,
        Ways {
            email: Way::Off,
            ..ALL_ON
        },
    )
    .await;
    let audited = world.count("audit").await;
    let closed = leave(&world, gwyn.account).await.expect("it was open");
    assert_eq!(
        (closed.grants.len(), closed.sessions.len()),
        (2, 1),
        "{closed:?}"
    );
    assert_eq!(world.count("grants WHERE revoked_at IS NULL").await, 0);
    assert_eq!(
        world.count("sessions WHERE ended_at IS NULL").await,
        1,
        "the carer's own"
    );
    let kept = "accounts WHERE closed_at IS NOT NULL AND email IS NULL AND mobile IS NULL AND display_name = 'Closed account'";
    assert_eq!(world.count(kept).await, 1);
    assert_eq!(
        world.count("identities WHERE subject = 'gwyn'").await,
        0,
        "the same proof is a newcomer's"
    );
    assert_eq!(
        world.count("memberships WHERE left_at IS NOT NULL").await,
        1
    );
    assert!(
        world.count("audit").await > audited,
        "the audit is kept, and knows of the closing"
    );
    assert_eq!(
        world
            .count("account_closures WHERE reason = 'prefer_post'")
            .await,
        1
    );
    assert!(
        leave(&world, gwyn.account).await.is_none(),
        "a second time there is nothing to close"
    );
}

#[tokio::test]
async fn r28_4_letters_after_the_account_is_deleted_go_by_post() {
    let world = World::new().await;
    let hospital = Hospital::open(&world.db).await;
    let gwyn = hospital.member(1).await;
    let publish = async |id: &str| {
        let letters = [hospital.letter(&gwyn, id)];
        let done = publish_letters(world.db.store(), &hospital.system, &letters)
            .await
            .expect("publishes");
        match done.results.into_iter().next() {
            Some(PublishResult::Published(answer)) => (answer.route, answer.reason),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        publish("before").await,
        (Route::Portal, RouteReason::Member)
    );
    leave(&world, gwyn.account.expect("a member"))
        .await
        .expect("it was open");
    assert_eq!(
        publish("after").await,
        (Route::WePost, RouteReason::NonMember)
    );
}
