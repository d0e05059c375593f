//! What several trusts share and what they do not: the patient's one mailbox, and never each other's board.

use serde_json::Value;

use super::world::{Person, World};

#[tokio::test]
async fn r1_1_a_further_trust_is_only_rows_and_its_letters_stand_in_the_same_mailbox_under_its_name()
 {
    let world = World::new().await;
    let title = world.other_trust_writes().await;
    let list = world
        .knock(Person::Owner, "GET", "/my-health/documents", false)
        .await;
    assert!(list.body.contains(&title), "{}", list.body);
    let trusts = ["Wye Valley NHS Trust", "Other NHS Trust"];
    for trust in trusts {
        assert!(list.body.contains(trust), "the list does not name {trust}");
    }
    // Each item names its own trust, also on its page and in the lists of appointments.
    for row in list.body.split("data-id=").skip(1) {
        let row = row.split("</li>").next().unwrap_or_default();
        let template = row.starts_with("\"\"");
        let named = trusts.iter().filter(|trust| row.contains(**trust)).count();
        assert!(template || named == 1, "{row}");
    }
    for path in world.addresses("/my-health/documents/{letter}") {
        let page = world.knock(Person::Owner, "GET", &path, false).await;
        if !world.is_own(&path, Person::OtherPatient) {
            assert!(page.body.contains(trusts[0]), "{path}");
        }
    }
    let visits = world
        .knock(
            Person::Owner,
            "GET",
            "/my-health/appointments/upcoming",
            false,
        )
        .await;
    assert!(visits.body.contains(trusts[0]), "{}", visits.body);
    // The other trust's staff see their own letter's trust and nothing of the first one's.
    let board = world
        .knock(Person::OtherClerk, "GET", "/board", false)
        .await;
    assert!(!board.body.contains(trusts[0]), "{}", board.body);
}

/// Every key of a JSON value, however deep.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat())
            .collect(),
        Value::Array(values) => values.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn r3_9_staff_can_neither_filter_nor_rank_patients_by_membership() {
    let world = World::new().await;
    let clerk = Person::Clerk;
    let plain = world.knock(clerk, "GET", "/board.json", false).await;
    let board: Value = serde_json::from_str(&plain.body).expect("the board as JSON");
    let keys = keys(&board);
    assert!(keys.len() > 5, "{keys:?}");
    let telling = ["member", "joined", "portal_user", "account", "digital"];
    for key in &keys {
        let tells = telling.iter().any(|word| key.contains(word));
        assert!(!tells, "the board says of patients: {key}");
    }
    // The board takes no wish of what to show first: whatever is asked, it answers the same.
    for wish in [
        "member=1",
        "membership=none",
        "sort=member",
        "filter=portal",
        "order=joined",
    ] {
        let path = format!("/board.json?{wish}");
        let wished = world.knock(clerk, "GET", &path, false).await;
        assert_eq!(wished.status, 200, "{wish}");
        let wished: Value = serde_json::from_str(&wished.body).expect("the board as JSON");
        assert_eq!(self::keys(&wished), keys, "{wish}");
    }
    let page = world.knock(clerk, "GET", "/board", false).await;
    assert!(
        !page.body.contains("method=\"get\""),
        "the board has no form that chooses"
    );
}
