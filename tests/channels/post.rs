//! Paper: batches that stand whole or not at all, and the print house's answers.

use letterbox_actors::ports::{Ack, Batch, BatchItem, PortError, Postage, Verdict};
use letterbox_domain::id::{BatchId, DispatchId};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::world::World;

const NAME: &str = "LB_RLQ_20261124_1";

fn item(n: u128) -> BatchItem {
    let pdf = format!("%PDF-1.7 letter {n}").into_bytes();
    BatchItem {
        dispatch: DispatchId::random(),
        subject: Uuid::from_u128(n),
        version: 1,
        sha256: Sha256::digest(&pdf).into(),
        pdf: pdf.into(),
        pages: 1,
        address_lines: ["Mr Gwyn Test", "1 Sample Street", "HR1 2BN"]
            .map(String::from)
            .to_vec(),
        postage: Postage::Second,
        format: "standard".into(),
    }
}

fn batch(items: impl IntoIterator<Item = u128>) -> Batch {
    Batch {
        id: BatchId::random(),
        name: NAME.into(),
        items: items.into_iter().map(item).collect(),
    }
}

fn verdicts(mut acks: Vec<Ack>) -> Vec<(u128, Verdict)> {
    acks.sort_by_key(|ack| ack.item);
    acks.into_iter()
        .map(|ack| (ack.item.as_u128(), ack.verdict))
        .collect()
}

#[actix_web::test]
async fn a_batch_is_printed_answered_and_forgotten() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    let refuse = json!({ Uuid::from_u128(2).to_string(): "unknown town" });
    world.faults(json!({ "print": { "refuse": refuse } })).await;
    press.write(&batch([2, 1])).await.expect("written");
    world.until("batch_acknowledged", 1).await;
    let rejected = Verdict::Rejected {
        code: "unknown town".into(),
    };
    let expected = [(1, Verdict::Posted), (2, rejected)];
    assert_eq!(verdicts(press.acks().await.expect("read")), expected);
    assert_eq!(
        verdicts(press.acks().await.expect("read")).len(),
        2,
        "until they are forgotten"
    );
    press.forget(NAME).await.expect("forgotten");
    assert!(press.acks().await.expect("read").is_empty());
    assert!(
        !world.folder.join("post/outgoing").join(NAME).exists(),
        "letters do not lie about"
    );
    let window = &world.get("/prints").await[0]["window"];
    assert_eq!(
        *window,
        json!(["Mr Gwyn Test", "1 Sample Street", "HR1 2BN"])
    );
    world.end().await;
}

#[actix_web::test]
async fn a_second_try_finds_the_first_and_prints_nothing_more() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    press.write(&batch([1, 2])).await.expect("written");
    world.until("batch_acknowledged", 1).await;
    press
        .write(&batch([2, 1]))
        .await
        .expect("the same batch, in another order");
    press.forget(NAME).await.expect("forgotten");
    press
        .write(&batch([1, 2]))
        .await
        .expect("a restored database asks again");
    assert_eq!(
        press.acks().await.expect("read").len(),
        2,
        "and is told again"
    );
    assert_eq!(world.journal("printed").await.len(), 2);
    assert!(world.journal("batch_duplicate").await.is_empty());
    world.end().await;
}

#[actix_web::test]
async fn another_batch_of_the_same_name_is_refused_and_nothing_is_overwritten() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    world.faults(json!({ "print": { "closed": true } })).await;
    press.write(&batch([1])).await.expect("written");
    let again = press.write(&batch([1, 2])).await;
    assert!(matches!(again, Err(PortError::Corrupt(_))), "{again:?}");
    world.calm().await;
    world.until("batch_acknowledged", 1).await;
    press.forget(NAME).await.expect("forgotten");
    let again = press.write(&batch([3])).await;
    assert!(
        matches!(again, Err(PortError::Corrupt(_))),
        "not even after it was answered: {again:?}"
    );
    assert_eq!(world.journal("printed").await.len(), 1);
    world.end().await;
}

#[actix_web::test]
async fn a_draft_of_a_killed_process_is_never_printed_and_cleared_away() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    let outgoing = world.folder.join("post/outgoing");
    let draft = outgoing.join(format!(".{NAME}.0123.part"));
    std::fs::create_dir(&draft).expect("a folder");
    std::fs::write(draft.join("READY"), "").expect("a file");
    press.write(&batch([1])).await.expect("written");
    assert!(!draft.exists());
    world.until("batch_acknowledged", 1).await;
    assert!(world.journal("batch_refused").await.is_empty());
    world.end().await;
}

#[actix_web::test]
async fn two_nodes_that_write_at_once_hand_over_one_batch() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    let batch = batch(1..=50);
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (press, batch) = (press.clone(), batch.clone());
            tokio::spawn(async move { press.write(&batch).await })
        })
        .collect();
    for one in tries {
        one.await
            .expect("no panic")
            .expect("each of them is content");
    }
    world.until("batch_acknowledged", 1).await;
    assert_eq!(world.journal("printed").await.len(), 50);
    world.end().await;
}

#[actix_web::test]
async fn what_is_not_what_its_row_says_is_not_printed() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    let mut swapped = batch([1, 2]);
    swapped.items[0].pdf = "%PDF-1.7 another person's letter".into();
    let mut homeless = batch([1]);
    homeless.items[0].address_lines = vec!["HR1 2BN".into()];
    let mut escaping = batch([1]);
    escaping.name = "LB_../elsewhere".into();
    for batch in [swapped, homeless, escaping] {
        let written = press.write(&batch).await;
        assert!(matches!(written, Err(PortError::Corrupt(_))), "{written:?}");
    }
    let left = std::fs::read_dir(world.folder.join("post/outgoing"))
        .expect("a folder")
        .count();
    assert_eq!(left, 0);
    world.end().await;
}

#[actix_web::test]
async fn an_answer_that_makes_no_sense_holds_up_nobody_else() {
    let world = World::new().await;
    let press = world.channels().press().expect("configured");
    press.write(&batch([1])).await.expect("written");
    world.until("batch_acknowledged", 1).await;
    let incoming = world.folder.join("post/incoming");
    let odd = [
        ("LB_RLQ_20261124_2", "not json\n"),
        (
            "LB_RLQ_20261124_3",
            "{\"letter_id\":\"00000000-0000-0000-0000-000000000001\",\"version\":1,\"result\":\"accepted\"}\n",
        ),
        (
            "LB_RLQ_20261124_4",
            "{\"batch\":\"LB_RLQ_20261124_4\",\"count\":1,\"manifest_sha256\":\"0\"}\n",
        ),
        (
            "LB_RLQ_20261124_5",
            "{\"batch\":\"another\",\"count\":0,\"manifest_sha256\":\"0\"}\n",
        ),
    ];
    for (name, text) in odd {
        std::fs::create_dir(incoming.join(name)).expect("a folder");
        std::fs::write(incoming.join(name).join("ack.jsonl"), text).expect("a file");
    }
    assert_eq!(
        verdicts(press.acks().await.expect("read")),
        [(1, Verdict::Posted)]
    );
    world.end().await;
}
