//! What patients choose about being reached, and who looked at their records.

use chrono::TimeDelta;
use letterbox_domain::choice::{Print, Way};

use super::print::batches;
use super::world::{Person, Published, World, pairs};
use crate::commands::choose_contact::{Ways, choose_print, choose_ways};
use crate::store::Principal;
use crate::store::pages::{self, LookedBy};

pub(super) const ALL_ON: Ways = Ways {
    email: Way::On,
    text: Way::On,
    post_is_unsafe: false,
};

pub(super) async fn choose(world: &World, person: Person, ways: Ways) -> usize {
    let events = choose_ways(&world.ladder, person.account, ways)
        .await
        .expect("it is kept");
    events.expect("there is a mailbox").len()
}

/// Everything that was sent or queued until the paper's cut-off has passed.
pub(super) async fn until_the_paper(world: &World, letter: Published) -> Vec<(String, String)> {
    for _ in 0..6 {
        world.pass(TimeDelta::seconds(10)).await;
        world.supervise().await;
    }
    world.messages(letter.case).await
}

async fn deadline(world: &World, letter: Published) -> chrono::DateTime<chrono::Utc> {
    world
        .one(
            "SELECT deadline_at FROM cases WHERE id = $1",
            &[&letter.case.as_uuid()],
        )
        .await
}

async fn promised(world: &World, letter: Published) -> Option<chrono::DateTime<chrono::Utc>> {
    world
        .one(
            "SELECT promised_at FROM cases WHERE id = $1",
            &[&letter.case.as_uuid()],
        )
        .await
}

#[tokio::test]
async fn who_wants_no_email_and_no_text_gets_none_and_paper_on_the_same_day() {
    let world = World::new().await;
    let (gwyn, other) = (world.member("Gwyn").await, world.member("Other").await);
    let off = Ways {
        email: Way::Off,
        text: Way::Off,
        ..ALL_ON
    };
    let (quiet, usual) = (
        world.publish(gwyn.patient).await,
        world.publish(other.patient).await,
    );
    let (before, by) = (promised(&world, quiet).await, deadline(&world, quiet).await);
    choose(&world, gwyn, off).await;
    assert_eq!(
        promised(&world, quiet).await,
        before,
        "the paper's day does not move"
    );
    assert_eq!(
        until_the_paper(&world, quiet).await,
        pairs(&[("post", "queued")])
    );
    let told: Vec<_> = until_the_paper(&world, usual)
        .await
        .into_iter()
        .map(|(channel, _)| channel)
        .collect();
    assert!(
        told.contains(&"email".to_owned()) && told.contains(&"post".to_owned()),
        "{told:?}"
    );
    assert_eq!(deadline(&world, quiet).await, by, "nor does its deadline");
}

#[tokio::test]
async fn a_message_that_was_queued_before_the_choice_does_not_leave() {
    use letterbox_actors::ports::DispatchStore;
    use letterbox_domain::dispatch::Channel;
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(15)).await;
    world.supervise().await;
    let lease = super::world::LEASE;
    let claimed = world
        .ladder
        .claim(world.node, Channel::Email, 10, lease)
        .await
        .expect("claims");
    assert_eq!(claimed.len(), 1);
    choose(
        &world,
        gwyn,
        Ways {
            email: Way::Never,
            ..ALL_ON
        },
    )
    .await;
    assert!(
        !world
            .ladder
            .still_wanted(&claimed[0])
            .await
            .expect("answers")
    );
    assert_eq!(world.count("attempts WHERE sent_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn where_nothing_may_be_posted_nothing_is_promised_or_printed_and_a_person_phones() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    let first = promised(&world, letter).await;
    assert!(first.is_some());
    assert_eq!(
        choose(
            &world,
            gwyn,
            Ways {
                post_is_unsafe: true,
                ..ALL_ON
            }
        )
        .await,
        1,
        "the page hears of it"
    );
    assert_eq!(promised(&world, letter).await, None);
    let sent = until_the_paper(&world, letter).await;
    assert!(
        sent.iter().all(|(channel, _)| channel != "post"),
        "{sent:?}"
    );
    assert_eq!(
        world
            .count("tasks WHERE closed_at IS NULL AND kind = 'no_address'")
            .await,
        1
    );
    world.pass(TimeDelta::hours(1)).await;
    assert!(batches(&world).await.is_empty());
    let later = world.publish(gwyn.patient).await;
    choose(&world, gwyn, ALL_ON).await;
    assert_eq!(
        until_the_paper(&world, later)
            .await
            .iter()
            .filter(|(channel, _)| channel == "post")
            .count(),
        1
    );
}

#[tokio::test]
async fn paper_that_was_queued_before_post_became_unsafe_is_not_printed() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    world.pass(TimeDelta::seconds(46)).await;
    world.supervise().await;
    assert!(
        world
            .messages(letter.case)
            .await
            .iter()
            .any(|(channel, _)| channel == "post")
    );
    choose(
        &world,
        gwyn,
        Ways {
            post_is_unsafe: true,
            ..ALL_ON
        },
    )
    .await;
    world.pass(TimeDelta::seconds(16)).await;
    assert!(batches(&world).await.is_empty());
    assert_eq!(
        world.count("tasks WHERE closed_at IS NULL").await,
        1,
        "a person takes over"
    );
}

#[tokio::test]
async fn the_format_that_a_patient_chooses_stands_in_the_print_houses_manifest() {
    for (on_file, chosen, printed) in [
        (None, Some(Print::Braille), Some("braille")),
        (Some("large_print"), None, Some("large_print")),
        (Some("large_print"), Some(Print::Standard), None),
        (Some("large_print"), Some(Print::Audio), Some("audio")),
    ] {
        let world = World::new().await;
        let gwyn = world.member("Gwyn").await;
        world
            .run("UPDATE patients SET format_need = $1", &[&on_file])
            .await;
        assert!(
            choose_print(&world.ladder, gwyn.account, chosen)
                .await
                .expect("it is kept")
        );
        world.publish(gwyn.patient).await;
        world.pass(TimeDelta::seconds(46)).await;
        world.supervise().await;
        world.pass(TimeDelta::seconds(16)).await;
        assert_eq!(batches(&world).await.len(), 1);
        let found: Option<String> = world.one("SELECT format_need FROM print_items", &[]).await;
        assert_eq!(found.as_deref(), printed, "{on_file:?} {chosen:?}");
    }
}

#[tokio::test]
async fn r17_3_the_patient_sees_who_looked_staff_by_role_and_trust_carers_by_name() {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    let carer = world.carer(gwyn.patient, &["clinic_letters"], false).await;
    let clerk = world.clerk().await;
    let other = world.member("Other").await;
    let look = "INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
                VALUES ($1, $2, $3, 'letter.view', 'letter', $4, $5)";
    for (who, whose, allowed) in [
        (gwyn.account, gwyn.patient, true),
        (carer, gwyn.patient, false),
        (clerk, gwyn.patient, true),
        (clerk, other.patient, true),
    ] {
        world
            .run(
                look,
                &[
                    &who.as_uuid(),
                    &world.trust.as_uuid(),
                    &whose.as_uuid(),
                    &letter.letter.as_uuid(),
                    &allowed,
                ],
            )
            .await;
    }
    let tx = world
        .db
        .store()
        .begin_snapshot(&Principal::Account {
            account: gwyn.account,
        })
        .await
        .expect("begins");
    let looks = pages::looks(&tx, gwyn.patient, gwyn.account, i64::MAX, 10)
        .await
        .expect("reads");
    let who: Vec<_> = looks.iter().map(|look| look.who.clone()).collect();
    assert!(
        who == [
            LookedBy::Staff {
                role: "booking_clerk".into(),
                trust: "Test Trust".into()
            },
            LookedBy::Carer {
                name: "Susan Carer".into(),
                relationship: "daughter".into()
            },
            LookedBy::Owner,
        ],
        "newest first, and nobody else's"
    );
    assert_eq!(
        looks.iter().map(|look| look.allowed).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(
        looks
            .iter()
            .all(|look| look.what.as_deref() == Some("Clinic letter"))
    );
    let older = pages::looks(&tx, gwyn.patient, gwyn.account, looks[0].id, 1)
        .await
        .expect("reads");
    assert_eq!(older.len(), 1);
    assert_eq!(older[0].id, looks[1].id, "the next page goes on below");
    let view = pages::account(&tx, gwyn.account).await.expect("reads");
    assert_eq!(
        view.post_hint.as_deref(),
        Some("…HR1 •••"),
        "no more of the address than its owner needs"
    );
}
