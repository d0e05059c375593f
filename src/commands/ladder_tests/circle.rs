//! Grants: what they change and when everybody has heard.

use letterbox_domain::circle::{ShareKind, Ticks};

use super::world::World;
use crate::commands::revoke::{is_settled, revoke};
use crate::commands::share::{NewGrant, ShareError, share};

fn grant(carer: letterbox_domain::id::AccountId, ticks: Ticks) -> NewGrant {
    NewGrant {
        carer,
        relationship: "daughter".into(),
        ticks,
        may_read_for_me: false,
    }
}

#[tokio::test]
async fn sharing_and_withdrawing_raise_the_version_each_time() {
    let world = World::new().await;
    let (store, margaret, susan) = (
        world.db.store(),
        world.member("Margaret").await,
        world.member("Susan").await.account,
    );
    let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
    let given = share(store, margaret.account, &grant(susan, ticks))
        .await
        .expect("shares");
    let changed = share(
        store,
        margaret.account,
        &grant(susan, ticks.with(ShareKind::Appointments)),
    )
    .await
    .expect("shares");
    assert_eq!(given.id, changed.id, "one grant for each carer");
    assert!(changed.version > given.version);
    let revoked = revoke(store, margaret.account, given.id)
        .await
        .expect("answers")
        .expect("hers");
    assert_eq!(revoked.patient, margaret.patient);
    let version: i64 = world
        .one(
            "SELECT grants_version FROM patients WHERE id = $1",
            &[&margaret.patient.as_uuid()],
        )
        .await;
    assert!(version > changed.version.get());
    assert!(
        store
            .viewer(susan, margaret.patient)
            .await
            .expect("answers")
            .is_none()
    );
    assert!(
        revoke(store, margaret.account, given.id)
            .await
            .expect("answers")
            .is_some(),
        "twice is the same as once"
    );
    assert_eq!(
        world
            .count("audit WHERE action IN ('grant.given', 'grant.revoked')")
            .await,
        3
    );
    let again = share(store, margaret.account, &grant(susan, ticks))
        .await
        .expect("shares again");
    assert_eq!(again.id, given.id);
    assert!(
        store
            .viewer(susan, margaret.patient)
            .await
            .expect("answers")
            .is_some()
    );
}

#[tokio::test]
async fn only_the_patient_or_the_carer_withdraws_a_grant() {
    let world = World::new().await;
    let (store, margaret) = (world.db.store(), world.member("Margaret").await);
    let (susan, stranger) = (
        world.member("Susan").await.account,
        world.member("Stranger").await.account,
    );
    let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
    let given = share(store, margaret.account, &grant(susan, ticks))
        .await
        .expect("shares");
    assert!(
        revoke(store, stranger, given.id)
            .await
            .expect("answers")
            .is_none()
    );
    assert!(
        revoke(store, susan, given.id)
            .await
            .expect("answers")
            .is_some(),
        "a carer may leave"
    );
    let own = share(store, margaret.account, &grant(margaret.account, ticks)).await;
    assert!(matches!(own, Err(ShareError::OwnCarer)), "{own:?}");
    let nothing = share(store, margaret.account, &grant(susan, Ticks::NONE)).await;
    assert!(
        matches!(nothing, Err(ShareError::NothingTicked)),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn a_withdrawal_is_settled_when_every_living_node_has_compared_since() {
    let world = World::new().await;
    let (store, margaret, susan) = (
        world.db.store(),
        world.member("Margaret").await,
        world.member("Susan").await.account,
    );
    let given = share(
        store,
        margaret.account,
        &grant(susan, Ticks::of(&[ShareKind::ClinicLetters])),
    )
    .await
    .expect("shares");
    assert!(
        !is_settled(store, given.id).await.expect("answers"),
        "it stands"
    );
    let node =
        "INSERT INTO nodes (id, name, polled_from) VALUES (gen_random_uuid(), $1, app_now())";
    world.run(node, &[&"this"]).await;
    world.run(node, &[&"other"]).await;
    revoke(store, margaret.account, given.id)
        .await
        .expect("answers");
    assert!(
        !is_settled(store, given.id).await.expect("answers"),
        "nobody has compared since"
    );
    let polls =
        "UPDATE nodes SET polled_from = app_now(), heartbeat_at = app_now() WHERE name = $1";
    world.run(polls, &[&"this"]).await;
    assert!(
        !is_settled(store, given.id).await.expect("answers"),
        "the other has not"
    );
    world.pass(chrono::TimeDelta::seconds(11)).await;
    world.run(polls, &[&"this"]).await;
    assert!(
        is_settled(store, given.id).await.expect("answers"),
        "its lease has lapsed"
    );
}
