//! The server under test: its addresses, and the proof that it is a sandbox.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::plan::Cast;

/// A whole request may take so long before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where to send what.
#[derive(Clone)]
pub(crate) struct Target {
    pub client: Client,
    pub base: String,
    /// Host and port, for the socket's Host header.
    pub host: String,
    pub address: SocketAddr,
    pub origin: String,
    pub api_key: String,
    /// A document uploaded before, so that letters are measured and not the reading of PDF files.
    pub document: String,
}

#[derive(Deserialize)]
struct Declared {
    sandbox: bool,
}

impl Target {
    /// Finds the server, makes sure it may be loaded, and uploads one document.
    ///
    /// # Errors
    /// When nobody answers, it is not a sandbox, or it is not on this machine.
    pub(crate) async fn meet(url: &str, cast: &Cast) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("--url")?;
        let host = url.host_str().context("--url names no host")?;
        let port = url.port_or_known_default().context("--url names no port")?;
        let address = tokio::net::lookup_host((host, port))
            .await?
            .find(SocketAddr::is_ipv4);
        let address = address.context("--url does not resolve")?;
        ensure!(
            address.ip().is_loopback(),
            "only a server on this machine is loaded, not {}",
            address.ip()
        );
        let client = Client::builder()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1_024)
            .build()?;
        let base = format!("http://{address}");
        let declared = client
            .get(format!("{base}/api/v1/sandbox"))
            .send()
            .await
            .context("nobody answers at --url")?;
        if !declared
            .json::<Declared>()
            .await
            .is_ok_and(|declared| declared.sandbox)
        {
            bail!(
                "the server at --url does not declare itself a sandbox: real patients are never load-tested"
            );
        }
        let mut target = Self {
            client,
            base,
            host: format!("{host}:{port}"),
            address,
            origin: cast.origin.clone(),
            api_key: cast.api_key.clone(),
            document: String::new(),
        };
        target.document = target.upload(&one_page()).await?;
        Ok(target)
    }

    async fn upload(&self, pdf: &[u8]) -> anyhow::Result<String> {
        let sent = self
            .client
            .post(format!("{}/api/v1/documents", self.base))
            .bearer_auth(&self.api_key);
        let answer = sent
            .header("Content-Type", "application/pdf")
            .body(pdf.to_vec())
            .send()
            .await?;
        let status = answer.status();
        let body: Value = answer
            .json()
            .await
            .context("the answer to the document is no JSON")?;
        let sha = body["document"].as_str().map(str::to_owned);
        sha.with_context(|| format!("the document was refused with {status}: {}", body["code"]))
    }
}

/// The smallest honest PDF: one empty A4 page.
fn one_page() -> Vec<u8> {
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
