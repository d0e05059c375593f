//! Case 75: whatever changes something is refused unless one of our own pages, in this very session, asked for it.

use letterbox::web::doors;
use uuid::Uuid;

use crate::rig::browser::Browser;
use crate::rig::hospital::Hospital;
use crate::rig::node::Node;
use crate::rig::world::{Wanted, World};

/// Doors that act for nobody who is signed in: what they check instead is their own (a login under way, a persona), or
/// they change nothing (what browsers report by themselves).
const NO_SESSION: [&str; 4] = ["/demo/", "/stage", "/login", "/content-policy-reports"];

/// The address of a door, with a letter that is there and ids that are not.
fn address(path: &str, letter: Uuid) -> String {
    let mut filled = path.replace("{letter}", &letter.to_string());
    while let Some((before, rest)) = filled.split_once('{') {
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        filled = format!("{before}{}{after}", Uuid::from_u128(7));
    }
    filled
}

async fn csrf_of(browser: &Browser, node: &Node) -> String {
    let page = browser.get(node, "/account/sessions").await;
    let page = page.expect("the page").text().await.expect("the page");
    let (_, rest) = page
        .split_once(r#"name="csrf" value=""#)
        .expect("a form with a token");
    rest.split('"').next().expect("the token").to_owned()
}

async fn is_signed_in(browser: &Browser, node: &Node) -> bool {
    let answer = browser.get(node, "/account/sessions/left.json").await;
    answer.expect("an answer").status() == 200
}

#[tokio::test]
async fn case_75_every_form_needs_this_sessions_token_and_our_own_page() {
    let world = World::shared(&Wanted::patients(2)).await;
    let node = world.running("alpha", &[]).await;
    let (patient, other) = (world.patient(0), world.patient(1));
    let hospital = Hospital::meet(&node, &world.cast.api_key).await;
    let form = hospital.letter("case-75", patient);
    let published = hospital
        .publish(&node, &form)
        .await
        .expect("it is published");
    let letter = published.letter_id();
    let (browser, stranger) = (Browser::of(patient), Browser::of(other));
    let own = csrf_of(&browser, &node).await;
    let theirs = csrf_of(&stranger, &node).await;
    assert_ne!(own, theirs);

    let mut judged = 0;
    for door in doors() {
        if door.method != "POST" || NO_SESSION.iter().any(|free| door.path.starts_with(free)) {
            continue;
        }
        let path = address(door.path, letter);
        for (what, token) in [
            ("no token", ""),
            ("another's token", theirs.as_str()),
            ("rubbish", "x"),
        ] {
            let answer = browser
                .request("POST", &node, &path)
                .header("Origin", node.url())
                .form(&[("csrf", token)])
                .send()
                .await
                .expect("an answer");
            let status = answer.status().as_u16();
            assert!(
                matches!(status, 400 | 403 | 404),
                "{} with {what}: {status}",
                door.path
            );
            assert!(
                answer.headers().get("set-cookie").is_none(),
                "{}",
                door.path
            );
        }
        for (site, origin) in [
            ("cross-site", "https://evil.example"),
            ("same-site", "http://evil.localhost"),
            ("cross-site", "null"),
            ("same-origin", "https://evil.example"),
        ] {
            let answer = browser
                .form_from(site, origin, &node, &path)
                .form(&[("csrf", &own)])
                .send()
                .await
                .expect("an answer");
            let status = answer.status().as_u16();
            assert_eq!(status, 403, "{} from {origin} ({site})", door.path);
        }
        judged += 1;
    }
    assert!(judged > 15, "only {judged} doors: the list is broken");
    assert!(is_signed_in(&browser, &node).await, "nobody was signed out");
    let unread = browser.view_form(&node, letter).await.expect("the page");
    assert!(unread.is_some(), "nothing was opened");

    // The same forms with what they need do what they say: the refusals above were not for some other reason.
    let leave = |token: String| {
        browser
            .request("POST", &node, "/sign-out")
            .header("Origin", node.url())
            .form(&[("csrf", token)])
    };
    let answer = leave(own).send().await.expect("an answer");
    assert_eq!(answer.status(), 303);
    assert!(!is_signed_in(&browser, &node).await);
}

#[tokio::test]
async fn case_87_a_session_that_was_ended_is_worth_nothing_and_another_accounts_cannot_be_ended() {
    let world = World::shared(&Wanted::patients(2)).await;
    let node = world.running("alpha", &[]).await;
    let (browser, other) = (Browser::of(world.patient(0)), Browser::of(world.patient(1)));
    let database = world.superuser().await;
    let sql =
        "SELECT s.id FROM sessions s JOIN memberships m USING (account_id) WHERE m.patient_id = $1";
    let row = database
        .query_one(sql, &[&world.patient(1).mailbox])
        .await
        .expect("the other's session");
    let theirs: Uuid = row.get(0);
    let csrf = csrf_of(&browser, &node).await;
    let answer = browser
        .request("POST", &node, &format!("/account/sessions/{theirs}/end"))
        .header("Origin", node.url())
        .form(&[("csrf", &csrf)])
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 303, "as for one that does not exist");
    assert!(is_signed_in(&other, &node).await, "it still stands");

    let answer = browser
        .request("POST", &node, "/sign-out")
        .header("Origin", node.url())
        .form(&[("csrf", &csrf)])
        .send()
        .await
        .expect("an answer");
    let header = |name: &str| {
        let value = answer
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    assert_eq!(header("location"), "/signed-out");
    assert!(header("clear-site-data").contains("storage"));
    assert!(header("set-cookie").contains("Max-Age=0"));
    // The browser object goes on sending the old cookie, as a thief would.
    assert!(!is_signed_in(&browser, &node).await);
    for path in ["/", "/my-health/documents", "/account/sessions"] {
        let page = browser.get(&node, path).await.expect("an answer");
        let text = page.text().await.expect("text");
        assert!(!text.contains("/sign-out"), "{path} knows nobody");
    }
}
