//! The quick exit stands on every page that shows who is signed in, or nobody finds it when it matters.

use letterbox::web::doors;
use uuid::Uuid;

use crate::rig::browser::Browser;
use crate::rig::hospital::Hospital;
use crate::rig::world::{Wanted, World};

#[tokio::test]
async fn every_page_of_somebody_who_is_signed_in_has_the_quick_exit_and_it_is_a_form() {
    let world = World::shared(&Wanted::patients(1)).await;
    let node = world.running("alpha", &[]).await;
    let hospital = Hospital::meet(&node, &world.cast.api_key).await;
    let form = hospital.letter("exit", world.patient(0));
    let answer = hospital.publish(&node, &form).await.expect("an answer");
    let letter = answer.letter_id().to_string();
    let browser = Browser::of(world.patient(0));
    let mut judged = Vec::new();
    for door in doors().into_iter().filter(|door| door.method == "GET") {
        let mut path = door.path.replace("{letter}", &letter);
        while let Some((before, rest)) = path.split_once('{') {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            path = format!("{before}{}{after}", Uuid::from_u128(7));
        }
        let answer = browser.get(&node, &path).await.expect("an answer");
        let page = answer.text().await.expect("text");
        if page.contains(r#"action="/sign-out""#) {
            let exit = page.contains(r#"method="post" action="/leave" data-exit="https://"#);
            assert!(exit, "{path} has no quick exit");
            judged.push(door.path);
        }
    }
    assert!(judged.len() >= 12, "pages of a patient: {judged:?}");
    assert!(judged.contains(&"/my-health/documents/{letter}"));
}
