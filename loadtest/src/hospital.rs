//! The hospital's side: letters leave at their appointed times, whether or not earlier ones were answered.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand::Rng;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::ledger::{Ledger, histogram, micros};
use crate::plan::{Cast, Plan};
use crate::report::Screen;
use crate::target::Target;

/// What publishing looked like from the hospital.
pub(crate) struct Sent {
    pub requests: u64,
    pub took: Duration,
    /// From when a request should have been sent to its answer, microseconds.
    pub due_to_answer: Histogram<u64>,
}

struct Post {
    target: Target,
    ledger: Arc<Ledger>,
    answers: Mutex<Histogram<u64>>,
}

/// One letter of a request: whose it is, and its form.
struct Letter {
    patient: usize,
    form: Value,
}

/// Publishes at the plan's rate until its time is over, then waits for the last answers.
///
/// # Errors
/// When nothing at all was acknowledged.
pub(crate) async fn publish(
    target: &Target,
    cast: &Cast,
    ledger: &Arc<Ledger>,
    plan: &Plan,
    screen: &Screen,
) -> anyhow::Result<Sent> {
    let post = Arc::new(Post {
        target: target.clone(),
        ledger: Arc::clone(ledger),
        answers: Mutex::new(histogram()),
    });
    let room = Arc::new(Semaphore::new(plan.in_flight));
    let run = Uuid::new_v4().simple().to_string();
    let step = Duration::from_secs_f64(plan.batch as f64 / plan.rate);
    let start = Instant::now();
    for number in 0..plan.requests() {
        let due = start + step.mul_f64(number as f64);
        tokio::time::sleep_until(due.into()).await;
        let letters = letters(cast, target, plan.batch, &run, number);
        match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => {
                let post = Arc::clone(&post);
                tokio::spawn(async move {
                    post.send(letters, due).await;
                    drop(permit);
                });
            }
            Err(_) => {
                ledger
                    .counts
                    .overload
                    .fetch_add(letters.len() as u64, Ordering::Relaxed);
            }
        }
        screen.published(ledger);
    }
    let took = start.elapsed();
    let all = u32::try_from(plan.in_flight)?;
    let _everyone = room.acquire_many(all).await?;
    anyhow::ensure!(
        ledger.counts.acknowledged.load(Ordering::Relaxed) > 0,
        "no letter was acknowledged"
    );
    let due_to_answer = post
        .answers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Ok(Sent {
        requests: plan.requests(),
        took,
        due_to_answer,
    })
}

fn letters(cast: &Cast, target: &Target, count: usize, run: &str, number: u64) -> Vec<Letter> {
    let mut rng = rand::rng();
    let mut letter = |place: usize| {
        let patient = rng.random_range(0..cast.patients.len());
        let person = &cast.patients[patient];
        let form = json!({
            "source_id": format!("{run}-{number}-{place}"),
            "patient": person.patient,
            "nhs_number": person.nhs_number,
            "kind": "clinic",
            "title": "Clinic letter",
            "specialty": "General medicine",
            "clinic": "General clinic",
            "contact": { "phone": "01432 000000" },
            "authored_at": "2026-01-05T09:00:00Z",
            "signed": true,
            "document": { "sha256": target.document },
        });
        Letter { patient, form }
    };
    (0..count).map(&mut letter).collect()
}

impl Post {
    async fn send(&self, letters: Vec<Letter>, due: Instant) {
        let sent = Instant::now();
        let answer = if letters.len() == 1 {
            self.single(&letters[0]).await
        } else {
            self.batch(&letters).await
        };
        let took = micros(due.elapsed());
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .saturating_record(took);
        match answer {
            Some(ids) => letters
                .iter()
                .zip(ids)
                .for_each(|(letter, id)| self.book(letter, id, due, sent)),
            None => {
                self.ledger
                    .counts
                    .unanswered
                    .fetch_add(letters.len() as u64, Ordering::Relaxed);
            }
        }
    }

    fn book(&self, letter: &Letter, id: Option<Uuid>, due: Instant, sent: Instant) {
        match id {
            Some(id) => self.ledger.acknowledged(id, letter.patient, due, sent),
            None => {
                self.ledger.counts.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// One id a letter, `None` where it was refused; nothing at all where no answer came.
    async fn single(&self, letter: &Letter) -> Option<Vec<Option<Uuid>>> {
        let body = self.post("/api/v1/letters", &letter.form).await?;
        Some(vec![id_of(&body)])
    }

    async fn batch(&self, letters: &[Letter]) -> Option<Vec<Option<Uuid>>> {
        let forms: Vec<&Value> = letters.iter().map(|letter| &letter.form).collect();
        let body = self
            .post("/api/v1/letters/batch", &json!({ "letters": forms }))
            .await?;
        let results = body["results"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Some(
            (0..letters.len())
                .map(|place| {
                    results
                        .get(place)
                        .and_then(|result| id_of(&result["letter"]))
                })
                .collect(),
        )
    }

    async fn post(&self, path: &str, form: &Value) -> Option<Value> {
        let sent = self
            .target
            .client
            .post(format!("{}{path}", self.target.base));
        sent.bearer_auth(&self.target.api_key)
            .json(form)
            .send()
            .await
            .ok()?
            .json()
            .await
            .ok()
    }
}

fn id_of(letter: &Value) -> Option<Uuid> {
    letter["letter_id"].as_str()?.parse().ok()
}
