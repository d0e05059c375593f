//! Many sockets: no descriptor left for another one, and a server that is told to stop.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use crate::rig::browser::Browser;
use crate::rig::node::Node;
use crate::rig::process::Signal;
use crate::rig::socket::{Heard, Page, Positions, Refused};
use crate::rig::world::{Patient, Wanted};
use crate::rig::{comes, hospital::Hospital, seconds, world::World};
use crate::stage::Stage;

/// Sockets of one account, below the default limit.
const TABS: usize = 4;

/// Case 23.
#[tokio::test]
async fn case_23_without_descriptors_new_sockets_are_turned_away_and_old_ones_stay() {
    let world = World::shared(&Wanted::patients(60)).await;
    // Of 600 descriptors 256 are kept and half of the rest is for pages; 172 are left for sockets.
    let node = world.node(
        "node-a",
        &[
            ("database.web_connections", "4"),
            ("server.max_connections", "1000"),
        ],
    );
    node.launch(node.command_with_files(600));
    node.until_ready().await;
    let hospital = Hospital::meet(&node, &world.cast.api_key).await;
    let (mut pages, mut refused) = (Vec::new(), None);
    'full: for patient in &world.cast.patients {
        let browser = Browser::of(patient);
        for _ in 0..TABS {
            match Page::open(&browser, &node, &Positions::new()).await {
                Ok(page) => pages.push(page),
                Err(why) => {
                    refused = Some(why);
                    break 'full;
                }
            }
        }
    }
    assert_eq!(refused, Some(Refused(503)), "after {} sockets", pages.len());
    assert!(pages.len() > 10, "some found room: {}", pages.len());
    let form = hospital.letter("letter-1", world.patient(0));
    let letter = hospital
        .publish(&node, &form)
        .await
        .expect("the API has descriptors of its own")
        .letter_id();
    for page in pages.iter_mut().take(TABS) {
        assert!(
            matches!(page.hear(seconds(20)).await, Heard::Event { item, .. } if item == letter)
        );
    }
    assert!(node.ended().is_none());
    pages.clear();
    let browser = Browser::of(world.patient(59));
    let room = comes(seconds(60), async || {
        Page::open(&browser, &node, &Positions::new()).await.is_ok()
    })
    .await;
    assert!(room, "whoever comes after the others have left finds room");
}

/// Case 24. `FAULTS_SOCKETS` sets how many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_24_a_server_told_to_stop_lets_its_sockets_go_one_by_one_and_none_misses_a_letter() {
    let sockets: usize =
        std::env::var("FAULTS_SOCKETS").map_or(200, |count| count.parse().expect("a number"));
    let patients = sockets.div_ceil(TABS);
    let stage = Stage::set(&Wanted::patients(patients), &[("server.drain", "12s")]).await;
    let other = std::sync::Arc::new(stage.world.running("node-b", &[]).await);
    let mut tabs = Vec::new();
    for index in 0..sockets {
        let patient = stage.world.patient(index % patients).clone();
        let page = Page::open(&Browser::of(&patient), &stage.node, &Positions::new())
            .await
            .expect("a socket");
        tabs.push(tokio::spawn(stay(
            patient,
            page,
            std::sync::Arc::clone(&other),
        )));
    }
    stage.node.signal(Signal::TERM);
    // Published on the server that stays, while the other lets its sockets go.
    let mut letters = Vec::new();
    for index in 0..patients {
        letters.push(
            stage
                .until_published(&other, &format!("letter-{index}"), index)
                .await
                .letter_id(),
        );
    }
    let mut slots = Vec::new();
    for (index, tab) in tabs.into_iter().enumerate() {
        let stayed = tab.await.expect("a tab does not break");
        let expected = BTreeSet::from([letters[index % patients]]);
        assert_eq!(stayed.letters, expected, "tab {index} has seen its letter");
        slots.push(stayed.slot.expect("it was told when to leave"));
    }
    spread(&mut slots);
    let ended = stage
        .node
        .end(seconds(60))
        .await
        .expect("it ends by itself");
    assert!(ended.success(), "and in order: {ended}");
}

/// What one tab went through.
struct Stayed {
    slot: Option<Duration>,
    letters: BTreeSet<Uuid>,
}

/// A tab that listens, leaves when told to, comes back to the other server by its cursor, and hears of its letter.
async fn stay(patient: Patient, mut page: Page, other: std::sync::Arc<Node>) -> Stayed {
    let mut stayed = Stayed {
        slot: None,
        letters: BTreeSet::new(),
    };
    loop {
        match page.hear(seconds(60)).await {
            Heard::Event { kind, item, .. } => stayed.heard(&kind, item),
            Heard::Drain { after } => stayed.slot = Some(after),
            Heard::Closed { code } => {
                assert_eq!(code, 4101, "come back, to another server");
                break;
            }
            Heard::Broken => break,
            unexpected @ (Heard::Reset | Heard::Nothing) => {
                panic!("while draining: {unexpected:?}")
            }
        }
    }
    let mut page = Page::open(&Browser::of(&patient), &other, &page.positions)
        .await
        .expect("the other takes it");
    while stayed.letters.is_empty() {
        match page.hear(seconds(60)).await {
            Heard::Event { kind, item, .. } => stayed.heard(&kind, item),
            unexpected => panic!("after coming back: {unexpected:?}"),
        }
    }
    stayed
}

impl Stayed {
    fn heard(&mut self, kind: &str, item: Uuid) {
        if kind == "letter.published" {
            assert!(self.letters.insert(item), "nobody hears twice of a letter");
        }
    }
}

/// No herd: however the slots are cut into tenths of the whole time, none holds a fifth of the sockets.
fn spread(slots: &mut [Duration]) {
    slots.sort_unstable();
    let whole = *slots.last().expect("there are sockets");
    assert!(whole >= seconds(5), "spread over {whole:?}");
    let window = whole / 10;
    for (index, start) in slots.iter().enumerate() {
        let together = slots[index..]
            .iter()
            .take_while(|slot| **slot < *start + window)
            .count();
        assert!(
            together * 5 <= slots.len(),
            "{together} of {} leave within {window:?}",
            slots.len()
        );
    }
}
