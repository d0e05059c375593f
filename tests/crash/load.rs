//! The hospital and the patients: letters leave at their times whatever happens to the servers, each is sent until
//! it is acknowledged, and a share of them is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::journal::{Fact, Pen};
use crate::plan::Plan;
use crate::rig::browser::Browser;
use crate::rig::hospital::{Answer, Hospital};
use crate::rig::node::Node;
use crate::rig::world::{Cast, Patient};

/// Letters on their way at once: half a minute's worth, more than any outage here lasts.
const IN_FLIGHT: usize = 2_000;
/// Between two tries of one letter, with full jitter.
const AGAIN: Duration = Duration::from_millis(300);
/// Tries to open one letter; a patient who meets an error tries again, but not for ever.
const VIEWS: u32 = 6;
/// One of so many letters is sent once more after its acknowledgement, as systems do.
const SENT_AGAIN: u64 = 20;
/// A patient opens a letter within this time of its publication, before or after it is printed.
const OPENED_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Load {
    shared: Arc<Shared>,
    ticking: JoinHandle<()>,
}

struct Shared {
    nodes: Vec<Arc<Node>>,
    hospital: Hospital,
    browser: Browser,
    cast: Cast,
    pen: Pen,
    stopping: AtomicBool,
    room: Arc<Semaphore>,
    acknowledged: AtomicU64,
    turned_away: AtomicU64,
    turn: AtomicUsize,
    opened_percent: u32,
    began: Instant,
}

/// What the hospital saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) acknowledged: u64,
    /// Letters that found too many others on their way; they were never sent.
    pub(crate) turned_away: u64,
    pub(crate) took: Duration,
}

impl Load {
    pub(crate) fn start(
        plan: &Plan,
        nodes: &[Arc<Node>],
        hospital: Hospital,
        cast: &Cast,
        pen: Pen,
    ) -> Self {
        let shared = Arc::new(Shared {
            nodes: nodes.to_vec(),
            hospital,
            browser: Browser::stranger(),
            cast: cast.clone(),
            pen,
            stopping: AtomicBool::new(false),
            room: Arc::new(Semaphore::new(IN_FLIGHT)),
            acknowledged: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            opened_percent: plan.opened_percent,
            began: Instant::now(),
        });
        let ticking = tokio::spawn(tick(Arc::clone(&shared), plan.letters_per_second));
        Self { shared, ticking }
    }

    /// Letters acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Publishes nothing new, and waits until everything on its way is acknowledged and opened.
    pub(crate) async fn stop(self) -> Published {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.ticking
            .await
            .expect("the hospital's clock does not break");
        let took = self.shared.began.elapsed();
        let all = u32::try_from(IN_FLIGHT).expect("a small number");
        let _everyone = self
            .shared
            .room
            .acquire_many(all)
            .await
            .expect("it is never closed");
        Published {
            acknowledged: self.shared.acknowledged.load(Ordering::Relaxed),
            turned_away: self.shared.turned_away.load(Ordering::Relaxed),
            took,
        }
    }
}

async fn tick(shared: Arc<Shared>, per_second: u32) {
    let mut due = tokio::time::interval(Duration::from_secs(1) / per_second.max(1));
    let run = Uuid::new_v4().simple().to_string();
    for number in 0_u64.. {
        due.tick().await;
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() else {
            shared.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let (shared, source_id) = (Arc::clone(&shared), format!("{}-{number}", &run[..8]));
        tokio::spawn(async move {
            shared.one_letter(number, &source_id).await;
            drop(permit);
        });
    }
}

impl Shared {
    async fn one_letter(&self, number: u64, source_id: &str) {
        // In turn, so that the first of the patients, who alone can be texted, get few letters each.
        let index = usize::try_from(number).unwrap_or(0) % self.cast.patients.len();
        let patient = &self.cast.patients[index];
        let form = self.hospital.letter(source_id, patient);
        let Some(letter) = self.until_acknowledged(&form, source_id, index).await else {
            return;
        };
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(SENT_AGAIN) {
            self.until_acknowledged(&form, source_id, index).await;
        }
        if rand::random_range(0..100) < self.opened_percent {
            tokio::time::sleep(OPENED_WITHIN.mul_f64(rand::random())).await;
            self.open(patient, letter, source_id).await;
        }
    }

    /// Sends a letter to one node after the other until one has taken it.
    async fn until_acknowledged(
        &self,
        form: &serde_json::Value,
        source_id: &str,
        patient: usize,
    ) -> Option<Uuid> {
        loop {
            match self.hospital.publish(self.some_node(), form).await {
                Ok(answer) if answer.is_published() => {
                    let (letter, status) = (answer.letter_id(), answer.status);
                    let source_id = source_id.to_owned();
                    self.pen
                        .write(Fact::Acknowledged {
                            source_id,
                            letter,
                            status,
                            patient,
                        })
                        .await;
                    return Some(letter);
                }
                Ok(answer) if is_final(&answer) => {
                    let (status, code) = (answer.status, answer.code().to_owned());
                    self.pen
                        .write(Fact::Refused {
                            source_id: source_id.to_owned(),
                            status,
                            code,
                        })
                        .await;
                    return None;
                }
                Ok(_) | Err(_) => tokio::time::sleep(AGAIN.mul_f64(rand::random())).await,
            }
        }
    }

    /// The patient opens it; it counts as opened here only once the hospital hears so, too.
    async fn open(&self, patient: &Patient, letter: Uuid, source_id: &str) {
        let browser = self.browser.now_of(patient);
        for _ in 0..VIEWS {
            let node = self.some_node();
            if browser.open(node, letter).await.is_ok() && self.is_opened(node, source_id).await {
                return self
                    .pen
                    .write(Fact::Opened {
                        source_id: source_id.to_owned(),
                        letter,
                    })
                    .await;
            }
            tokio::time::sleep(AGAIN.mul_f64(rand::random())).await;
        }
    }

    async fn is_opened(&self, node: &Node, source_id: &str) -> bool {
        let answer = self.hospital.ask(node, source_id).await;
        answer.is_ok_and(|answer| answer.body["state"] == "opened")
    }

    fn some_node(&self) -> &Node {
        &self.nodes[self.turn.fetch_add(1, Ordering::Relaxed) % self.nodes.len()]
    }
}

/// Sending it again would change nothing; 408 and 429 say that it was too slow or too much.
const fn is_final(answer: &Answer) -> bool {
    matches!(answer.status, 400..=407 | 409..=428 | 430..=499)
}
