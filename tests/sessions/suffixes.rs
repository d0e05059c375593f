//! Case 79: an address with something behind it is no page, so that no cache between can be talked into keeping one.

use letterbox::web::doors;
use uuid::Uuid;

use crate::rig::browser::Browser;
use crate::rig::world::{Wanted, World};

fn address(path: &str) -> String {
    let mut filled = path.to_owned();
    while let Some((before, rest)) = filled.split_once('{') {
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        filled = format!("{before}{}{after}", Uuid::from_u128(7));
    }
    filled
}

#[tokio::test]
async fn case_79_what_stands_behind_a_pages_address_makes_it_no_page_and_nothing_may_be_kept() {
    let world = World::shared(&Wanted::patients(1)).await;
    let node = world.running("alpha", &[]).await;
    let browser = Browser::of(world.patient(0));
    let mut judged = 0;
    for door in doors() {
        if door.method != "GET" {
            continue;
        }
        let plain = browser
            .get(&node, &address(door.path))
            .await
            .expect("an answer");
        let kept = plain
            .headers()
            .get("cache-control")
            .map(|value| value.to_str().expect("ASCII"));
        assert_eq!(kept, Some("no-store"), "{}", door.path);
        for suffix in ["/x.css", ".css", ";x.css", "%2fx.css", "/x.js?v=1"] {
            let path = format!("{}{suffix}", address(door.path));
            if path.starts_with("//") || path == "/.css" {
                continue;
            }
            let answer = browser.get(&node, &path).await.expect("an answer");
            // What follows a token makes another token: one that nobody was given, and whose page knows nothing.
            let other_token = door.path.ends_with("{token}") && !suffix.contains('/');
            let wanted = if other_token { 200 } else { 404 };
            assert_eq!(answer.status(), wanted, "{path}");
            let kept = answer.headers().get("cache-control");
            assert_eq!(
                kept.map(|value| value.as_bytes()),
                Some(&b"no-store"[..]),
                "{path}"
            );
        }
        judged += 1;
    }
    assert!(judged > 20, "only {judged} doors: the list is broken");
}
