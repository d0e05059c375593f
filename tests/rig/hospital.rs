//! A hospital's system: speaks the public API and nothing else.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::node::Node;
use super::world::Patient;

/// Longer than any answer takes while everything is well; a killed or stopped node answers nothing at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client of its own pool. One per test: its connections belong to the test's runtime.
pub(crate) fn client() -> Client {
    Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

#[derive(Clone)]
pub(crate) struct Hospital {
    client: Client,
    api_key: String,
    /// SHA-256 of a document that has been uploaded.
    document: String,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn letter_id(&self) -> Uuid {
        let id = self.body["letter_id"]
            .as_str()
            .and_then(|id| id.parse().ok());
        id.unwrap_or_else(|| panic!("no letter in {self:?}"))
    }

    /// The problem's stable code; empty when it is none.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_published(&self) -> bool {
        matches!(self.status, 200 | 201)
    }
}

impl Hospital {
    /// Uploads one document, which all letters carry.
    ///
    /// # Panics
    /// When the node refuses it.
    pub(crate) async fn meet(node: &Node, api_key: &str) -> Self {
        let mut hospital = Self {
            client: client(),
            api_key: api_key.to_owned(),
            document: String::new(),
        };
        let sent = hospital
            .client
            .post(format!("{}/api/v1/documents", node.url()));
        let sent = sent
            .header("Content-Type", "application/pdf")
            .body(one_page());
        // The first file waits for the inspector's child to start.
        let answer = hospital
            .send(sent.timeout(PATIENCE * 6))
            .await
            .expect("the node answers");
        assert!(answer.is_published(), "the document is refused: {answer:?}");
        hospital.document = answer.body["document"]
            .as_str()
            .expect("its hash")
            .to_owned();
        hospital
    }

    /// The form of a clinic letter.
    pub(crate) fn letter(&self, source_id: &str, patient: &Patient) -> Value {
        json!({
            "source_id": source_id,
            "patient": patient.source_id,
            "nhs_number": patient.nhs_number,
            "kind": "clinic",
            "title": "Clinic letter",
            "specialty": "General medicine",
            "clinic": "General clinic",
            "contact": { "phone": "01432 000000" },
            "authored_at": "2026-01-05T09:00:00Z",
            "signed": true,
            "document": { "sha256": self.document },
        })
    }

    /// Publishes; `Err` when no answer came, and nobody knows whether it is published.
    pub(crate) async fn publish(&self, node: &Node, form: &Value) -> reqwest::Result<Answer> {
        self.post(node, "/api/v1/letters", form).await
    }

    pub(crate) async fn post(
        &self,
        node: &Node,
        path: &str,
        form: &Value,
    ) -> reqwest::Result<Answer> {
        self.send(self.client.post(format!("{}{path}", node.url())).json(form))
            .await
    }

    /// Sends bytes as they are, whatever they are.
    pub(crate) async fn send_bytes(
        &self,
        node: &Node,
        path: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> reqwest::Result<Answer> {
        let sent = self.client.post(format!("{}{path}", node.url()));
        self.send(sent.header("Content-Type", content_type).body(bytes))
            .await
    }

    pub(crate) async fn put(
        &self,
        node: &Node,
        path: &str,
        form: &Value,
    ) -> reqwest::Result<Answer> {
        self.send(self.client.put(format!("{}{path}", node.url())).json(form))
            .await
    }

    pub(crate) async fn get(&self, node: &Node, path: &str) -> reqwest::Result<Answer> {
        self.send(self.client.get(format!("{}{path}", node.url())))
            .await
    }

    /// How a letter stands.
    pub(crate) async fn ask(&self, node: &Node, source_id: &str) -> reqwest::Result<Answer> {
        self.get(node, &format!("/api/v1/letters/{source_id}"))
            .await
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let answer = request.bearer_auth(&self.api_key).send().await?;
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let text = answer.text().await?;
        Ok(Answer {
            status,
            retry_after,
            body: serde_json::from_str(&text).unwrap_or_default(),
        })
    }
}

/// The smallest honest PDF: one empty A4 page.
pub(crate) fn one_page() -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let start = pdf.len();
    pdf.push_str("xref\n0 4\n0000000000 65535 f \n");
    for offset in offsets {
        pdf.push_str(&format!("{offset:010} 00000 n \n"));
    }
    pdf.push_str(&format!(
        "trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    pdf.into_bytes()
}
