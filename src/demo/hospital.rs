//! The hospital of the demonstration: sends letters and cancels clinics over the public API, and keeps trying.

use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// As long as a hospital's system would try before it tells somebody; the server is back within seconds.
const KEEP_TRYING: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

/// A trust's system with its API key.
pub(super) struct Hospital {
    client: Client,
    api: String,
    key: SecretString,
}

/// What the hospital puts into one letter.
pub(super) struct Outgoing<'a> {
    pub source_id: String,
    pub patient: &'a str,
    pub nhs_number: &'a str,
    pub title: &'a str,
    pub full_text: String,
    pub pdf: Vec<u8>,
    pub authored_at: DateTime<Utc>,
}

impl Hospital {
    pub(super) fn new(client: Client, base_url: &str, key: SecretString) -> Self {
        Self {
            client,
            api: format!("{base_url}/api/v1"),
            key,
        }
    }

    /// Publishes a letter; safe to repeat, so it is repeated until it is acknowledged.
    ///
    /// # Errors
    /// When it is refused, or nobody answers for a minute.
    pub(super) async fn publish(&self, letter: &Outgoing<'_>) -> anyhow::Result<()> {
        let form = json!({
            "source_id": letter.source_id,
            "patient": letter.patient,
            "nhs_number": letter.nhs_number,
            "kind": "appointment",
            "title": letter.title,
            "specialty": "Ophthalmology",
            "clinic": "Eye clinic",
            "contact": { "phone": "01432 000000", "hours": "Monday to Friday, 9am to 5pm" },
            "authored_at": letter.authored_at,
            "signed": true,
            "full_text": letter.full_text,
            "document": { "pdf_base64": STANDARD.encode(&letter.pdf) },
        });
        self.post("/letters", &form).await.map(drop)
    }

    /// Cancels a whole session of a clinic; answers how many appointments that cancelled.
    ///
    /// # Errors
    /// As [`Hospital::publish`].
    pub(super) async fn cancel_clinic(
        &self,
        code: &str,
        day: NaiveDate,
        reason: &str,
    ) -> anyhow::Result<u64> {
        let answer = self
            .post(
                &format!("/clinics/{code}/cancel"),
                &json!({ "day": day, "reason": reason }),
            )
            .await?;
        answer["cancelled"]
            .as_u64()
            .context("the answer tells no count")
    }

    async fn post(&self, path: &str, form: &Value) -> anyhow::Result<Value> {
        let tried = tokio::time::timeout(KEEP_TRYING, async {
            loop {
                if let Some(settled) = self.once(path, form).await {
                    return settled;
                }
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
        });
        tried
            .await
            .with_context(|| format!("nobody acknowledged {path}"))?
    }

    /// `None`: no answer, or one that asks to come back.
    async fn once(&self, path: &str, form: &Value) -> Option<anyhow::Result<Value>> {
        let sent = self
            .client
            .post(format!("{}{path}", self.api))
            .bearer_auth(self.key.expose_secret())
            .json(form);
        let answer = sent.send().await.ok()?;
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        let body: Value = answer.json().await.ok()?;
        Some(if status.is_success() {
            Ok(body)
        } else {
            refused(status, &body)
        })
    }
}

fn refused(status: StatusCode, body: &Value) -> anyhow::Result<Value> {
    bail!(
        "refused with {status}: {}",
        body["code"].as_str().unwrap_or("no code")
    )
}
