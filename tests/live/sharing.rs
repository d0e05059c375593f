//! Carers and staff: what they may see, and that it ends when it is withdrawn.

use std::time::Duration;

use letterbox_domain::circle::ShareKind;
use letterbox_domain::id::GrantsVersion;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::client::{Heard, Wire};
use crate::world::{World, events_of, ids, nowhere};

#[actix_rt::test]
async fn a_carer_sees_only_what_is_shared_under_a_name_that_tells_nothing() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (carer, grant) = world.carer(&patient, &["clinic_letters"]).await;
    let (mut wire, ok) = world.node.browse(&carer, &nowhere()).await;
    assert_eq!(ok["boxes"][0]["b"], grant.to_string());
    assert_eq!(ok["boxes"][0]["role"], "carer");
    assert!(!ok.to_string().contains(&patient.id.to_string()));
    let hidden = world.commit(&patient, 2, ShareKind::Appointments).await;
    world.node.relay.poke(&hidden);
    let shared = world.publish(&patient, 1).await;
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&shared));
}

#[actix_rt::test]
async fn r27_2_a_withdrawn_carer_hears_nothing_more_and_cannot_come_back() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (carer, grant) = world.carer(&patient, &["clinic_letters"]).await;
    let (mut wire, ok) = world.node.browse(&carer, &nowhere()).await;
    let position = ok["boxes"][0]["pos"].clone();
    let version = world.withdraw(&patient, grant).await;
    let ended = world
        .node
        .system
        .revoke(patient.id, grant, GrantsVersion(version));
    assert_eq!(ended, 1);
    world.publish(&patient, 3).await;
    let gone = wire.json().await;
    assert_eq!(
        (&gone["t"], &gone["b"]),
        (&json!("gone"), &json!(grant.to_string()))
    );
    let quiet = tokio::time::timeout(Duration::from_secs(2), wire.json()).await;
    assert!(quiet.is_err(), "after the withdrawal: {quiet:?}");
    let ticket = world.node.ticket(&carer).await;
    let mut again = Wire::upgrade(world.node.addr, crate::world::ORIGIN).await;
    let positions = json!({ grant.to_string(): position });
    again.say(&crate::world::hi(&ticket, &positions)).await;
    assert_eq!(again.close_code().await, 4003);
}

#[actix_rt::test]
async fn a_withdrawal_that_nobody_rang_for_is_noticed_within_two_seconds() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (carer, grant) = world.carer(&patient, &["clinic_letters"]).await;
    let (mut wire, _) = world.node.browse(&carer, &nowhere()).await;
    let withdrawn = Instant::now();
    world.withdraw(&patient, grant).await;
    assert_eq!(wire.json().await["t"], "gone");
    let took = withdrawn.elapsed();
    assert!(took < Duration::from_secs(6), "took {took:?}");
}

#[actix_rt::test]
async fn a_cursor_from_an_older_grant_resets() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (carer, grant) = world.carer(&patient, &["clinic_letters"]).await;
    let (wire, ok) = world.node.browse(&carer, &nowhere()).await;
    let position = ok["boxes"][0]["pos"].clone();
    drop(wire);
    let positions = json!({ grant.to_string(): position });
    let (_, same) = world.node.browse(&carer, &positions).await;
    assert_eq!(same["boxes"][0]["res"], "live");
    world
        .rows
        .execute(
            "WITH raised AS (UPDATE patients SET grants_version = grants_version + 1 WHERE id = $2 RETURNING grants_version)
             UPDATE grants SET ticks = '{appointments}', version = (SELECT grants_version FROM raised) WHERE id = $1",
            &[&grant.as_uuid(), &patient.id.as_uuid()],
        )
        .await
        .expect("a changed grant");
    let node = world.another_node().await;
    let (_, changed) = node.browse(&carer, &positions).await;
    assert_eq!(changed["boxes"][0]["res"], "reset");
}

/// Two carers with disjoint boxes ticked: what one hears is the same whatever happens in the other's.
#[actix_rt::test]
async fn hidden_events_leave_no_trace_but_a_moved_position() {
    let world = World::with(|limits| limits.ping_every = Duration::from_secs(2)).await;
    let patient = world.patient().await;
    let (carer, grant) = world.carer(&patient, &["appointments"]).await;
    let (mut wire, _) = world.node.browse(&carer, &nowhere()).await;
    world.publish(&patient, 20).await;
    // Nothing but pings at their own pace; after one of them the carer's position is past what was hidden.
    let ping = match wire.hear().await {
        Heard::Json(frame) if frame["t"] == "p" => frame,
        other => panic!("a hidden event showed: {other:?}"),
    };
    wire.say(r#"{"t":"p"}"#).await;
    let moved: Value = ping["c"][grant.to_string()].clone();
    drop(wire);
    let (mut wire, ok) = world
        .node
        .browse(&carer, &json!({ grant.to_string(): moved }))
        .await;
    assert_eq!(ok["boxes"][0]["res"], "live");
    let shared = world.commit(&patient, 1, ShareKind::Appointments).await;
    world.node.relay.poke(&shared);
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&shared));
}

#[actix_rt::test]
async fn one_socket_carries_ones_own_mailbox_and_those_one_cares_for() {
    let world = World::new().await;
    let (daughter, mother) = (world.patient().await, world.patient().await);
    let grant = Uuid::now_v7();
    world
        .rows
        .execute(
            "WITH raised AS (UPDATE patients SET grants_version = 1 WHERE id = $2)
             INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, version)
             VALUES ($1, $2, $3, 'daughter', '{clinic_letters}', 1)",
            &[
                &grant,
                &mother.id.as_uuid(),
                &daughter.person.account.as_uuid(),
            ],
        )
        .await
        .expect("a grant");
    let (mut wire, ok) = world.node.browse(&daughter.person, &nowhere()).await;
    let names: Vec<&Value> = ok["boxes"]
        .as_array()
        .expect("boxes")
        .iter()
        .map(|each| &each["b"])
        .collect();
    assert_eq!(
        names,
        [&json!(daughter.id.to_string()), &json!(grant.to_string())]
    );
    world.publish(&daughter, 1).await;
    assert_eq!(wire.json().await["b"], daughter.id.to_string());
    world.publish(&mother, 1).await;
    let hers = wire.json().await;
    assert_eq!(
        (&hers["b"], &hers["n"]),
        (&json!(grant.to_string()), &json!(2))
    );
}

#[actix_rt::test]
async fn staff_are_told_that_their_board_changed_and_nothing_else() {
    let world = World::new().await;
    let clerk = world.person("staff").await;
    world
        .rows
        .execute(
            "INSERT INTO staff_roles (account_id, trust_id, role) VALUES ($1, $2, 'booking_clerk')",
            &[&clerk.account.as_uuid(), &world.trust.as_uuid()],
        )
        .await
        .expect("a clerk");
    let (mut wire, ok) = world.node.browse(&clerk, &nowhere()).await;
    assert_eq!(ok["boxes"][0]["b"], "board:RLQ");
    assert_eq!(ok["boxes"][0]["role"], "board");
    let dirty = wire.json().await;
    assert_eq!(
        (&dirty["t"], &dirty["b"]),
        (&json!("dirty"), &json!("board:RLQ"))
    );
    world.node.system.poke_board(world.trust);
    assert_eq!(wire.json().await["t"], "dirty");
}

#[actix_rt::test]
async fn two_pages_of_one_patient_hear_the_same() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (mut one, mut two) = (world.at_home(&patient).await, world.at_home(&patient).await);
    let events = world.publish(&patient, 5).await;
    assert_eq!(events_of(&mut one, 5, 1).await, ids(&events));
    assert_eq!(events_of(&mut two, 5, 1).await, ids(&events));
}

/// The patient's own pages hear that the circle has changed, on whatever server; the carers who stay hear nothing.
#[actix_rt::test]
async fn r26_3_a_patients_open_page_is_told_that_the_circle_has_changed() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (_, left) = world.carer(&patient, &["clinic_letters"]).await;
    let (stays, _) = world.carer(&patient, &["clinic_letters"]).await;
    let (mut own, _) = world.node.browse(&patient.person, &nowhere()).await;
    let (mut other, _) = world.node.browse(&stays, &nowhere()).await;
    world.withdraw(&patient, left).await;
    let told = own.json().await;
    assert_eq!(
        (&told["t"], &told["b"]),
        (&json!("dirty"), &json!(patient.id.to_string()))
    );
    let quiet = tokio::time::timeout(Duration::from_secs(2), other.json()).await;
    assert!(quiet.is_err(), "a carer hears nothing of others: {quiet:?}");
}

/// Case 91: a box is unticked while the carer's page is open: what follows under it is not told any more.
#[actix_rt::test]
async fn case_91_r27_2_an_unticked_box_holds_for_an_open_socket() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (carer, grant) = world
        .carer(&patient, &["clinic_letters", "appointments"])
        .await;
    let (mut wire, _) = world.node.browse(&carer, &nowhere()).await;
    let account = patient.person.account;
    let ticks = letterbox_domain::circle::Ticks::of(&[ShareKind::ClinicLetters]);
    let changed =
        letterbox::commands::share::change(world.db.store(), account, grant, ticks, false).await;
    let changed = changed.expect("the patient changes it");
    world
        .node
        .system
        .grants_changed(changed.patient, changed.version);
    let reset = wire.json().await;
    assert_eq!(
        (&reset["t"], &reset["why"]),
        (&json!("reset"), &json!("rights_changed"))
    );
    let hidden = world.commit(&patient, 2, ShareKind::Appointments).await;
    world.node.relay.poke(&hidden);
    let shared = world.publish(&patient, 1).await;
    assert_eq!(events_of(&mut wire, 1, 1).await, ids(&shared));
}
