//! Case 61, for JSON: bodies that are cut, too large, in another alphabet, or no JSON at all. Each is answered with what
//! is wrong, none breaks anything, none is kept, and no log tells what it said. (HL7 comes with its own intake.)

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::hospital::Answer;
use crate::rig::seconds;
use crate::rig::world::Wanted;
use crate::stage::Stage;

/// Stands in every body where a patient's words would; no log may hold it.
const PRIVATE: &str = "Gallenblase-7f3a";
const LETTERS: &str = "/api/v1/letters";
const JSON: &str = "application/json";
/// Mutations of a good body, each with another seed.
const MUTATIONS: u64 = 400;

fn form(stage: &Stage, source_id: &str) -> Value {
    let mut form = stage.hospital.letter(source_id, stage.world.patient(0));
    form["title"] = PRIVATE.into();
    form
}

async fn answer(stage: &Stage, content_type: &str, body: Vec<u8>, what: &str) -> Answer {
    let sent = stage
        .hospital
        .send_bytes(&stage.node, LETTERS, content_type, body);
    sent.await
        .unwrap_or_else(|error| panic!("{what}: no answer: {error}"))
}

async fn rows(stage: &Stage) -> i64 {
    stage
        .world
        .count("SELECT (SELECT count(*) FROM letters) + (SELECT count(*) FROM cases) + (SELECT count(*) FROM history WHERE kind = 'letter.published')")
        .await
}

/// Still serving, without a panic, and silent about what the bodies said.
async fn unharmed(stage: &Stage, expected_rows: i64) {
    assert_eq!(rows(stage).await, expected_rows, "nothing of them was kept");
    assert_eq!(stage.node.answers("/health/ready").await, Some(200));
    assert_eq!(stage.node.figure("letterbox_panics_total", "").await, 0);
    let log = stage.node.log();
    assert!(!log.contains(PRIVATE), "the log repeats a body");
    let good = stage.hospital.letter("good-one", stage.world.patient(0));
    let published = stage
        .hospital
        .publish(&stage.node, &good)
        .await
        .expect("an answer");
    assert!(published.is_published(), "{published:?}");
}

#[tokio::test]
async fn case_61_a_body_that_is_no_letter_is_refused_with_what_is_wrong() {
    let stage = Stage::set(&Wanted::patients(1), &[("telemetry.filter", "debug")]).await;
    let good = form(&stage, "letter-1").to_string();
    let with = |field: &str, value: Value| {
        let mut form = form(&stage, "letter-1");
        form[field] = value;
        form.to_string().into_bytes()
    };
    let latin_1 = good.replace(PRIVATE, "\u{1}").into_bytes();
    let latin_1 = latin_1
        .iter()
        .map(|byte| if *byte == 1 { 0xC4 } else { *byte })
        .collect();
    let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bom = [b"\xEF\xBB\xBF".as_slice(), good.as_bytes()].concat();
    let twice = good
        .replacen('{', &format!("{{\"title\":\"{PRIVATE}\","), 1)
        .into_bytes();
    let table: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("nothing", JSON, Vec::new(), 422, "invalid_json"),
        ("spaces", JSON, b" \r\n\t".to_vec(), 422, "invalid_json"),
        ("a brace", JSON, b"{".to_vec(), 422, "invalid_json"),
        (
            "a list",
            JSON,
            format!("[{good}]").into_bytes(),
            422,
            "invalid_json",
        ),
        (
            "a text",
            JSON,
            json!(PRIVATE).to_string().into_bytes(),
            422,
            "invalid_json",
        ),
        ("null", JSON, b"null".to_vec(), 422, "invalid_json"),
        ("not a number", JSON, b"NaN".to_vec(), 422, "invalid_json"),
        (
            "two letters in a row",
            JSON,
            format!("{good}{good}").into_bytes(),
            422,
            "invalid_json",
        ),
        ("a field twice", JSON, twice, 422, "invalid_json"),
        (
            "an unknown field",
            JSON,
            with("diagnosis", PRIVATE.into()),
            422,
            "unknown_field",
        ),
        (
            "a hundred thousand brackets",
            JSON,
            vec![b'['; 100_000],
            422,
            "invalid_json",
        ),
        ("Latin-1", JSON, latin_1, 422, "invalid_json"),
        ("UTF-16", JSON, utf_16, 422, "invalid_json"),
        ("a byte order mark", JSON, bom, 422, "invalid_json"),
        (
            "half a surrogate",
            JSON,
            good.replace(PRIVATE, "\\ud800").into_bytes(),
            422,
            "invalid_json",
        ),
        (
            "a bad escape",
            JSON,
            good.replace(PRIVATE, "\\x41").into_bytes(),
            422,
            "invalid_json",
        ),
        (
            "NUL in a text",
            JSON,
            good.replace(PRIVATE, "a\\u0000b").into_bytes(),
            422,
            "invalid_field",
        ),
        (
            "NUL in an id",
            JSON,
            with("source_id", "a\u{0}b".into()),
            422,
            "invalid_field",
        ),
        (
            "a line break in a title",
            JSON,
            with("title", "a\r\nb".into()),
            422,
            "invalid_field",
        ),
        (
            "a title of a megabyte",
            JSON,
            with("title", "x".repeat(1 << 20).into()),
            422,
            "invalid_field",
        ),
        (
            "a number for a text",
            JSON,
            with("title", json!(7)),
            422,
            "invalid_json",
        ),
        (
            "a date that is none",
            JSON,
            with("authored_at", "2026-02-30T09:00:00Z".into()),
            422,
            "invalid_json",
        ),
        (
            "a year beyond every calendar",
            JSON,
            with("authored_at", "+999999-01-01T00:00:00Z".into()),
            422,
            "invalid_json",
        ),
        (
            "an HL7 message",
            JSON,
            b"MSH|^~\\&|PAS|RLQ|||20260105||ADT^A08|1|P|2.4\r".to_vec(),
            422,
            "invalid_json",
        ),
        (
            "another content type",
            "text/plain",
            good.clone().into_bytes(),
            415,
            "wrong_content_type",
        ),
        (
            "a form",
            "application/x-www-form-urlencoded",
            b"title=x".to_vec(),
            415,
            "wrong_content_type",
        ),
        (
            "too much",
            JSON,
            with("full_text", "x".repeat(9 << 20).into()),
            413,
            "body_too_large",
        ),
    ];
    for (what, content_type, body, status, code) in table {
        let refused = answer(&stage, content_type, body, what).await;
        assert_eq!(
            (refused.status, refused.code()),
            (status, code),
            "{what}: {refused:?}"
        );
        assert!(
            !refused.body.to_string().contains(PRIVATE),
            "{what}: the answer repeats it"
        );
        let says = refused.body["detail"].as_str().unwrap_or_default();
        assert!(
            says.len() > 20,
            "{what}: it says what is wrong: {refused:?}"
        );
    }
    unharmed(&stage, 0).await;
}

#[tokio::test]
async fn case_61_a_body_cut_anywhere_is_refused_and_one_that_ends_early_leaves_nothing() {
    let stage = Stage::set(&Wanted::patients(1), &[("telemetry.filter", "debug")]).await;
    let good = form(&stage, "letter-1").to_string().into_bytes();
    for length in (0..good.len()).step_by(7) {
        let refused = answer(&stage, JSON, good[..length].to_vec(), "cut").await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "invalid_json"),
            "cut at {length}"
        );
    }
    for promised in [good.len() + 1, 1 << 20] {
        breaks_off(&stage, &good, promised).await;
    }
    unharmed(&stage, 0).await;
}

#[tokio::test]
async fn case_61_an_address_that_nothing_can_have_is_answered_like_a_bad_field() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    for path in ["/api/v1/letters/a%00b", "/api/v1/letters/%00"] {
        let told = stage.hospital.get(&stage.node, path).await;
        let told = told.expect("an answer");
        assert_eq!((told.status, told.code()), (422, "invalid_field"), "{path}");
    }
    unharmed(&stage, 0).await;
}

/// Promises more bytes than come, then hangs up.
async fn breaks_off(stage: &Stage, body: &[u8], promised: usize) {
    let mut line = TcpStream::connect(("127.0.0.1", stage.node.port()))
        .await
        .expect("it listens");
    let head = format!(
        "POST {LETTERS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nContent-Type: {JSON}\r\nContent-Length: {promised}\r\n\r\n",
        stage.world.cast.api_key
    );
    line.write_all(head.as_bytes()).await.expect("it reads");
    line.write_all(body).await.expect("it reads");
    line.shutdown().await.expect("it is open");
    let mut said = Vec::new();
    let heard = tokio::time::timeout(seconds(20), line.read_to_end(&mut said)).await;
    assert!(heard.is_ok(), "it does not wait for what never comes");
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 400"),
        "{said}"
    );
}

/// Bytes changed, dropped, doubled and cut at random, reproducibly: whatever comes out is refused, or is a letter.
#[tokio::test]
async fn case_61_mutilated_bodies_never_break_the_server() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let mut published = 0;
    for seed in 0..MUTATIONS {
        let good = form(&stage, &format!("letter-{seed}"))
            .to_string()
            .into_bytes();
        let broken = mutilated(good, seed);
        let told = answer(&stage, JSON, broken, &format!("seed {seed}")).await;
        assert!(
            told.is_published() || (400..500).contains(&told.status),
            "seed {seed}: {told:?}"
        );
        published += i64::from(told.status == 201);
    }
    assert!(
        published < 200,
        "most are refused; {published} were still letters"
    );
    unharmed(&stage, published * 3).await;
}

fn mutilated(mut body: Vec<u8>, seed: u64) -> Vec<u8> {
    // SplitMix64: the same seed breaks the same bytes for ever.
    let mut state = seed;
    let mut next = |below: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % below.max(1) as u64).expect("it is below a usize")
    };
    for _ in 0..1 + next(4) {
        let at = next(body.len());
        match next(4) {
            0 => body[at] ^= 1 << next(8),
            1 => drop(body.remove(at)),
            2 => body.insert(at, b"\0\"\\{}[],:\xFF"[next(10)]),
            _ => {
                let piece = body[at..(at + next(40)).min(body.len())].to_vec();
                let to = next(body.len());
                body.splice(to..to, piece);
            }
        }
    }
    body
}

/// The same over the batch: one bad item is answered for itself and fails nobody else.
#[tokio::test]
async fn case_61_a_bad_item_of_a_batch_fails_alone() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let titled = |title: &str| {
        let mut form = stage.hospital.letter("letter-3", stage.world.patient(0));
        form["title"] = title.into();
        form
    };
    let bad = [
        json!(PRIVATE),
        json!(null),
        json!([]),
        json!({ "title": PRIVATE }),
        stage.hospital.letter("a\u{0}b", stage.world.patient(0)),
        titled("a\u{0}b"),
    ];
    let mut letters = vec![stage.hospital.letter("letter-1", stage.world.patient(0))];
    letters.extend(bad);
    letters.push(stage.hospital.letter("letter-2", stage.world.patient(0)));
    let batch = json!({ "letters": letters });
    let told = stage
        .hospital
        .post(&stage.node, "/api/v1/letters/batch", &batch)
        .await
        .expect("an answer");
    let statuses: Vec<_> = told.body["results"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["status"].as_u64().unwrap_or_default())
        .collect();
    assert_eq!(
        statuses,
        [201, 422, 422, 422, 422, 422, 422, 201],
        "{told:?}"
    );
    assert!(!told.body.to_string().contains(PRIVATE));
    unharmed(&stage, 6).await;
}
