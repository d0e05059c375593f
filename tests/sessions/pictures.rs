//! Letters at a public computer, on a whole server: pictures and never the file, and "opened" means what it always does.

use serde_json::json;
use uuid::Uuid;

use crate::rig::browser::{Browser, letter_path};
use crate::rig::hospital::Hospital;
use crate::rig::node::Node;
use crate::rig::world::{Wanted, World};
use crate::rig::{comes, seconds};

const TEXT: &str = "Dear patient, please come to the clinic.\n\nThe booking office";

/// A patient who has said nothing about the computer, or that it is everybody's, and a letter of theirs.
struct Stage {
    world: World,
    node: Node,
    browser: Browser,
    letter: Uuid,
}

impl Stage {
    async fn new(source_id: &str, settings: &[(&str, &str)], text: Option<&str>) -> Self {
        let world = World::shared(&Wanted::patients(1)).await;
        let public = "UPDATE sessions SET public_computer = true";
        let database = world.superuser().await;
        let changed = database.execute(public, &[]).await;
        assert_eq!(changed.expect("the sessions"), 1);
        let node = world.running("alpha", settings).await;
        let hospital = Hospital::meet(&node, &world.cast.api_key).await;
        let mut form = hospital.letter(source_id, world.patient(0));
        if let Some(text) = text {
            form["full_text"] = json!(text);
        }
        let answer = hospital.publish(&node, &form).await;
        let letter = answer.expect("it is published").letter_id();
        Self {
            browser: Browser::of(world.patient(0)),
            world,
            node,
            letter,
        }
    }

    async fn is_opened(&self) -> bool {
        let sql = "SELECT state = 'opened' FROM letters WHERE id = $1";
        let database = self.world.superuser().await;
        let row = database.query_one(sql, &[&self.letter]).await;
        row.expect("the letter").get(0)
    }

    async fn press_view(&self) -> reqwest::Response {
        let form = self.browser.view_form(&self.node, self.letter).await;
        let form = form.expect("the page").expect("a form");
        let answer = self.browser.press_view(&self.node, &form).send().await;
        answer.expect("an answer")
    }
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().expect("ASCII"))
}

#[tokio::test]
async fn case_88_at_a_public_computer_view_answers_pictures_and_no_door_answers_the_file() {
    let stage = Stage::new("case-88", &[], None).await;
    let answer = stage.press_view().await;
    assert_eq!(answer.status(), 200);
    assert!(header(&answer, "content-type").starts_with("text/html"));
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert!(answer.headers().get("content-disposition").is_none());
    let policy = header(&answer, "content-security-policy").to_owned();
    assert!(policy.contains("img-src 'self' data:;"), "{policy}");
    assert!(policy.contains("default-src 'none'; script-src 'nonce-"));
    let page = answer.text().await.expect("the whole page");
    assert!(page.contains(r#"src="data:image/png;base64,"#));
    assert!(!page.contains("%PDF") && !page.contains("application/pdf"));
    let opened = comes(seconds(10), async || stage.is_opened().await).await;
    assert!(
        opened,
        "pictures that were written out whole are an opening"
    );

    // Whatever is asked for afterwards, and however: pictures again, or the letter's page.
    let at = letter_path(stage.letter);
    let again = stage.browser.get(&stage.node, &format!("{at}/file")).await;
    let again = again.expect("an answer");
    assert!(header(&again, "content-type").starts_with("text/html"));
    let again = again.text().await.expect("the page");
    assert!(again.contains("data:image/png"));
    let kept = stage
        .browser
        .get(&stage.node, &format!("{at}/download"))
        .await;
    assert_eq!(kept.expect("an answer").status(), 303);
    let page = stage.browser.get(&stage.node, &at).await.expect("the page");
    assert!(!header(&page, "content-security-policy").contains("data:"));
    assert!(!page.text().await.expect("the page").contains("/download"));
}

#[tokio::test]
async fn a_letter_that_cannot_be_drawn_is_not_opened_and_the_page_says_what_to_do() {
    let none = [("drawing.max_pages", "0")];
    let stage = Stage::new("undrawn", &none, Some(TEXT)).await;
    let answer = stage.press_view().await;
    assert_eq!(answer.status(), 409);
    let page = answer.text().await.expect("the page");
    for words in [
        "We cannot show this letter on a public computer",
        "on your own phone",
        "Read its words",
        "Post me this one too",
        "01432 000000",
        "We will post this",
    ] {
        assert!(page.contains(words), "{words:?} is missing");
    }
    assert!(!page.contains("please come to the clinic"));
    assert!(!stage.is_opened().await, "nothing of it was shown");
    // And it can still be opened: the form that failed took nothing away.
    let form = stage.browser.view_form(&stage.node, stage.letter).await;
    assert!(form.expect("the page").is_some());
}

#[tokio::test]
async fn whoever_finds_no_turn_is_asked_to_try_again_and_the_letter_stays_unopened() {
    let none = [("drawing.children", "0"), ("drawing.patience", "100ms")];
    let stage = Stage::new("busy", &none, None).await;
    let answer = stage.press_view().await;
    assert_eq!(answer.status(), 503);
    assert_eq!(header(&answer, "retry-after"), "2");
    assert!(!stage.is_opened().await);
}
