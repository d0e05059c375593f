//! Documents: a PDF is inspected by a confined child and stored once, whoever refers to it later.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::wire::DocumentView;
use super::{Api, answer, body};
use crate::commands::TrustSystem;
use crate::commands::put_document::{NewDocument, known_document, put_document};
use crate::problem::Problem;

/// A document that is stored.
pub(super) struct Stored {
    pub(super) sha256: [u8; 32],
    pub(super) pages: u32,
    pub(super) size_bytes: usize,
}

/// Uploads a PDF, for letters to refer to by its hash.
#[utoipa::path(post, path = "/api/v1/documents", tag = "documents",
    request_body(content = Vec<u8>, content_type = "application/pdf"),
    responses((status = 201, description = "Inspected and stored; sent again it changes nothing.", body = DocumentView),
              (status = 422, description = "`document_…`: refused, the problem says what to do.", body = Problem)))]
pub(super) async fn upload(
    request: HttpRequest,
    api: web::Data<Api>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    body::expect_type(&request, "application/pdf")?;
    let pdf = body::read(&mut payload, api.most_pdf_bytes).await?;
    let stored = take_in(&api, &sender, &pdf).await?;
    Ok(HttpResponse::Created().json(DocumentView {
        document: hex::encode(stored.sha256),
        pages: stored.pages,
        size_bytes: stored.size_bytes,
    }))
}

/// Inspects and stores a file, unless the trust sent the very same one before.
///
/// # Errors
/// 422 for a file that may not be shown or printed; 429 and 503 as everywhere.
pub(super) async fn take_in(
    api: &Api,
    sender: &TrustSystem,
    pdf: &Bytes,
) -> Result<Stored, Problem> {
    let sha256: [u8; 32] = Sha256::digest(pdf).into();
    let known = known_document(&api.store, sender, &sha256)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    let pages = match known {
        Some(pages) => pages,
        None => inspect_and_store(api, sender, pdf, sha256).await?,
    };
    Ok(Stored {
        sha256,
        pages,
        size_bytes: pdf.len(),
    })
}

async fn inspect_and_store(
    api: &Api,
    sender: &TrustSystem,
    pdf: &Bytes,
    sha256: [u8; 32],
) -> Result<u32, Problem> {
    let verdict = api
        .inspector
        .inspect(pdf)
        .await
        .map_err(|error| answer::inspection_problem(&error))?;
    let pages = verdict.map_err(answer::bad_file)?.pages;
    let document = NewDocument {
        sha256,
        pages,
        content: pdf.clone(),
    };
    put_document(&api.store, sender, &document)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    Ok(pages)
}
