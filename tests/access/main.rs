//! The access matrix: every door that the router knows × everybody who may stand before it, on a real server.
//!
//! A door without a row fails the test, a person who gets in without being named in the row fails it, and whatever
//! any of them is answered must not hold a title or an id that is not theirs to see.

#[path = "../rig/mod.rs"]
mod rig;
mod rows;
mod trusts;
mod world;

use std::collections::BTreeSet;

use letterbox::web::doors::Door;

use rows::{Rule, rule};
use world::{Answer, Person, World};

/// Every door with its row.
///
/// # Panics
/// With the doors that have none, and with the rows that have no door.
fn matrix() -> Vec<(Door, Rule)> {
    let doors = letterbox::web::doors();
    let missing: Vec<_> = doors.iter().filter(|door| rule(door).is_none()).collect();
    assert!(
        missing.is_empty(),
        "doors without a row in tests/access/rows.rs: {missing:#?}"
    );
    let known: BTreeSet<_> = doors.iter().map(|door| (door.method, door.path)).collect();
    let stale: Vec<_> = rows::ROWS
        .iter()
        .filter(|(method, path, _)| !known.contains(&(*method, *path)))
        .collect();
    assert!(stale.is_empty(), "rows without a door: {stale:#?}");
    doors
        .into_iter()
        .filter_map(|door| rule(&door).map(|rule| (door, rule)))
        .collect()
}

#[tokio::test]
async fn r17_1_r2_2_case_81_nobody_comes_in_by_a_door_that_is_not_theirs_or_reads_what_is_not_theirs()
 {
    let world = World::new().await;
    let matrix = matrix();
    let mut wrong = Vec::new();
    // Whoever must be kept out first: what they do changes nothing, so everything is still there to be leaked.
    for (door, rule) in &matrix {
        for person in Person::ALL
            .into_iter()
            .filter(|person| !rule.lets_in(*person))
        {
            for path in world.addresses(door.path) {
                let answer = world.knock(person, door.method, &path, false).await;
                if answer.is_let_in(person) && !world.is_own(&path, person) {
                    wrong.push(format!(
                        "{person:?} gets in: {} {path}: {}",
                        door.method, answer.status
                    ));
                }
                wrong.extend(leaks(&world, person, door, &path, &answer));
            }
        }
    }
    // Then those who may come in: what they are shown is theirs. Forms are left alone, they would change it.
    for (door, rule) in matrix.iter().filter(|(door, _)| door.method == "GET") {
        for person in Person::ALL
            .into_iter()
            .filter(|person| rule.lets_in(*person))
        {
            for path in world.addresses(door.path) {
                let answer = world.knock(person, door.method, &path, false).await;
                if rule.is_certain()
                    && !answer.is_let_in(person)
                    && !world.is_of_another(&path, person)
                {
                    wrong.push(format!(
                        "{person:?} is kept out: {} {path}: {}",
                        door.method, answer.status
                    ));
                }
                wrong.extend(leaks(&world, person, door, &path, &answer));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} findings:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What the answer tells this person that they may not know.
fn leaks(world: &World, person: Person, door: &Door, path: &str, answer: &Answer) -> Vec<String> {
    world
        .items
        .iter()
        .filter(|item| !item.is_seen_by(person))
        .flat_map(|item| [item.title.clone(), item.id.to_string()])
        // Whoever asks for an id knows it; only being told about it is a leak.
        .filter(|secret| !path.contains(secret.as_str()) && answer.body.contains(secret.as_str()))
        .map(|secret| format!("{person:?} reads {secret} at {} {path}", door.method))
        .collect()
}

#[tokio::test]
async fn case_75_no_form_works_without_its_token_with_another_sessions_or_from_another_site() {
    let world = World::new().await;
    for (door, rule) in matrix()
        .into_iter()
        .filter(|(door, _)| door.method == "POST")
    {
        let Some(person) = Person::ALL.into_iter().find(|person| rule.lets_in(*person)) else {
            continue;
        };
        if rule == Rule::Report {
            // A browser says where it comes from or not, as it likes: it is taken from anywhere, and nothing follows.
            let foreign = world.knock_from_elsewhere(person, door.path).await;
            assert_eq!(foreign.status, 204, "{}", door.path);
            assert!(foreign.body.is_empty());
            continue;
        }
        for path in world.addresses(door.path) {
            let foreign = world.knock_from_elsewhere(person, &path).await;
            assert_eq!(foreign.status, 403, "from another site: {path}");
            if rule.needs_a_token() {
                let forged = world.knock(person, "POST", &path, true).await;
                assert!(
                    matches!(forged.status, 403 | 404),
                    "with another session's token: {path}: {}",
                    forged.status
                );
            }
        }
    }
}

#[tokio::test]
async fn the_trust_api_answers_nobody_without_a_key_and_no_trust_about_anothers_letters() {
    let world = World::new().await;
    for (method, path) in world.api_doors().await {
        for key in [None, Some("not-a-key"), Some(world.margaret_cookie())] {
            let answer = world.call(key, &method, &path).await;
            assert_eq!(answer.status, 401, "{method} {path} with {key:?}");
        }
        if method == "get" {
            let answer = world
                .call(Some(&world.other_trusts_key), &method, &path)
                .await;
            for item in &world.items {
                assert!(
                    !answer.body.contains(&item.title),
                    "{path} tells another trust of {}",
                    item.title
                );
                assert!(
                    !answer.body.contains(&item.id.to_string()),
                    "{path} tells another trust of {}",
                    item.id
                );
            }
        }
    }
}
