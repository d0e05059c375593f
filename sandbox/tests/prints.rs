//! The print house: batches in, paper and answers out.

mod support;

use serde_json::json;
use support::{Sandbox, ack, drop_batch, letter};

const ONE: &str = "LB_RLQ_20261124_1";
const TWO: &str = "LB_RLQ_20261124_2";

#[actix_web::test]
async fn a_batch_is_printed_and_each_item_answered() {
    let sandbox = Sandbox::start();
    let mut wrong = letter("c");
    wrong.1.push(b'!');
    let mut homeless = letter("d");
    homeless.0["postcode"] = json!("");
    let word = (letter("e").0, b"PK a word file".to_vec());
    drop_batch(
        &sandbox.post(),
        ONE,
        &[letter("a"), letter("b"), wrong, homeless, word],
    );
    let told = sandbox.until("batch_acknowledged", 1).await;
    assert_eq!(
        (told[0]["accepted"].as_u64(), told[0]["rejected"].as_u64()),
        (Some(2), Some(3))
    );
    let ack = ack(&sandbox.post(), ONE);
    let results: Vec<_> = ack
        .iter()
        .filter_map(|line| line["result"].as_str())
        .collect();
    assert_eq!(
        results,
        ["accepted", "accepted", "rejected", "rejected", "rejected"]
    );
    assert_eq!(ack[2]["reason"], "the PDF does not match its hash");
    assert_eq!(ack[3]["reason"], "the address is incomplete");
    assert_eq!(ack[4]["reason"], "the file is not a PDF");
    assert_eq!(ack[5]["manifest_sha256"], told[0]["manifest_sha256"]);
    let shown = sandbox.get("/prints").await;
    assert_eq!(
        shown[0]["window"],
        json!(["Mr Gwyn Test", "1 Sample Street", "Hereford", "HR1 2BN"])
    );
}

#[actix_web::test]
async fn unfinished_folders_are_left_alone() {
    let sandbox = Sandbox::start();
    std::fs::create_dir(sandbox.post().join(format!("{TWO}.part"))).expect("a folder");
    std::fs::create_dir(sandbox.post().join(TWO)).expect("a folder that is not READY");
    drop_batch(&sandbox.post(), ONE, &[letter("a")]);
    sandbox.until("batch_acknowledged", 1).await;
    assert!(sandbox.journal("batch_refused").await.is_empty());
}

#[actix_web::test]
async fn a_batch_name_is_printed_once_and_an_item_in_another_batch_again() {
    let sandbox = Sandbox::start();
    drop_batch(&sandbox.post(), ONE, &[letter("a")]);
    sandbox.until("batch_acknowledged", 1).await;
    sandbox.faults(json!({ "print": { "closed": true } })).await;
    std::fs::remove_dir_all(sandbox.post().join(ONE)).expect("it can be removed");
    // The house must see the drop without the batch once before it comes back.
    drop_batch(&sandbox.post(), TWO, &[letter("a")]);
    sandbox.faults(json!({ "print": {} })).await;
    sandbox.until("batch_acknowledged", 2).await;
    drop_batch(&sandbox.post(), ONE, &[letter("a")]);
    let duplicate = sandbox.until("batch_duplicate", 1).await;
    assert_eq!(duplicate[0]["same_manifest"], true);
    let printed = sandbox.journal("printed").await;
    let batches: Vec<_> = printed
        .iter()
        .filter_map(|line| line["batch"].as_str())
        .collect();
    assert_eq!(batches, [ONE, TWO]);
    let shown = sandbox.get("/prints").await;
    assert_eq!(
        (shown[0]["copy"].as_u64(), shown[1]["copy"].as_u64()),
        (Some(2), Some(1))
    );
}

#[actix_web::test]
async fn a_kill_between_printing_and_answering_prints_nothing_twice() {
    let mut sandbox = Sandbox::start();
    sandbox
        .faults(json!({ "print": { "answer_delay_ms": 60_000 } }))
        .await;
    drop_batch(&sandbox.post(), ONE, &[letter("a"), letter("b")]);
    sandbox.until("printed", 2).await;
    sandbox.kill_and_restart();
    sandbox.until("batch_acknowledged", 1).await;
    assert_eq!(sandbox.journal("printed").await.len(), 2);
    assert_eq!(ack(&sandbox.post(), ONE).len(), 3);
}

#[actix_web::test]
async fn answers_can_be_held_items_refused_and_envelopes_come_back() {
    let sandbox = Sandbox::start();
    sandbox
        .faults(json!({ "print": { "hold_acks": true, "refuse": { "b": "unknown town" } } }))
        .await;
    drop_batch(&sandbox.post(), ONE, &[letter("a"), letter("b")]);
    sandbox.until("print_refused", 1).await;
    assert!(!sandbox.post().join("acks").join(ONE).exists());
    sandbox.faults(json!({ "print": {} })).await;
    sandbox.until("batch_acknowledged", 1).await;
    assert_eq!(ack(&sandbox.post(), ONE)[1]["reason"], "unknown town");
    let back = |id: &str| json!({ "batch": ONE, "letter_id": id, "version": 1, "reason": "R01" });
    assert_eq!(
        sandbox.put("/prints/returns", back("b")).await,
        400,
        "it never left"
    );
    assert_eq!(sandbox.put("/prints/returns", back("a")).await, 200);
    let status =
        std::fs::read_to_string(sandbox.post().join("acks").join(ONE).join("status.jsonl"));
    assert!(status.is_ok_and(|text| text.contains("\"R01\"")));
    assert_eq!(sandbox.get("/prints").await[0]["returned"], "R01");
}

#[actix_web::test]
async fn a_damaged_batch_is_refused_whole() {
    let sandbox = Sandbox::start();
    let part = sandbox.post().join("part.part");
    drop_batch(&sandbox.post(), "part", &[letter("a")]);
    std::fs::rename(sandbox.post().join("part"), &part).expect("it can be renamed");
    std::fs::write(part.join("manifest.sha256"), "0000  manifest.jsonl\n").expect("a file");
    std::fs::rename(&part, sandbox.post().join(ONE)).expect("it can be renamed");
    sandbox.until("batch_refused", 1).await;
    assert!(sandbox.journal("printed").await.is_empty());
    assert_eq!(ack(&sandbox.post(), ONE)[0]["count"], 0);
}

#[actix_web::test]
async fn a_reset_forgets_all_but_the_batches_in_the_drop() {
    let mut sandbox = Sandbox::start();
    drop_batch(&sandbox.post(), ONE, &[letter("a")]);
    sandbox.until("batch_acknowledged", 1).await;
    let before = sandbox.get("/health").await["journal"]["newest"].as_u64();
    assert_eq!(sandbox.put("/reset", json!({})).await, 200);
    assert_eq!(sandbox.get("/prints").await, json!([]));
    assert!(
        sandbox.get("/health").await["journal"]["newest"].as_u64() > before,
        "numbers go on rising"
    );
    sandbox.kill_and_restart();
    drop_batch(&sandbox.post(), TWO, &[letter("b")]);
    let printed = sandbox.until("printed", 1).await;
    assert_eq!(printed[0]["batch"], TWO);
}

#[actix_web::test]
async fn a_torn_last_line_is_cut_off_and_the_journal_goes_on() {
    let mut sandbox = Sandbox::start();
    drop_batch(&sandbox.post(), ONE, &[letter("a")]);
    let kept = sandbox.until("batch_acknowledged", 1).await;
    sandbox.kill();
    let path = sandbox.folder.join("journal.jsonl");
    let mut text = std::fs::read_to_string(&path).expect("the journal is there");
    text += "{\"n\":99,\"at\":\"2026-";
    std::fs::write(&path, text).expect("it can be written");
    sandbox.restart();
    assert_eq!(sandbox.journal("batch_acknowledged").await, kept);
    let started = sandbox.journal("started").await;
    assert_eq!(
        started[1]["n"].as_u64(),
        kept[0]["n"].as_u64().map(|n| n + 1)
    );
}
