//! Serves style sheet, script and images below `/assets/` under names that carry their hash.
//!
//! Never serves anything that a person or a letter has put there.

use std::collections::HashMap;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` has written; read from disk in debug builds, embedded in release builds.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
pub(crate) struct Built;

/// A name with a hash in it never changes its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Logical name → hashed file name, as written by `web/build.mjs`.
#[derive(Debug)]
pub(crate) struct Manifest(HashMap<String, String>);

impl Manifest {
    /// Reads the manifest of this build; empty where the assets have not been built.
    pub(crate) fn load() -> Self {
        let names =
            Built::get("manifest.json").and_then(|file| serde_json::from_slice(&file.data).ok());
        Self(names.unwrap_or_default())
    }

    /// Address of an asset. An unknown name keeps its own name and answers 404: visible, and harmless.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("/assets/{}", self.0.get(name).map_or(name, String::as_str))
    }
}

/// Registers `GET` and `HEAD /assets/{file}`.
pub(crate) fn routes(service: &mut web::ServiceConfig) {
    service.service(
        web::resource("/assets/{file}")
            .route(web::get().to(serve))
            .route(web::head().to(serve)),
    );
}

async fn serve(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let Some((body, coding)) = choose(&file, request.headers()) else {
        return HttpResponse::NotFound().finish();
    };
    let tag = format!("\"{}\"", hex::encode(&body.metadata.sha256_hash()[..16]));
    let fresh = listed(request.headers(), &header::IF_NONE_MATCH).any(|known| known == tag);
    let mut answer = if fresh {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, FOR_EVER))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::CONTENT_TYPE, content_type(&file)));
    if let Some(coding) = coding {
        answer.insert_header((header::CONTENT_ENCODING, coding));
    }
    if fresh {
        answer.finish()
    } else {
        answer.body(body.data)
    }
}

/// The smallest form that the browser takes. Compressed at build, so no secret ever shares a compressor with it.
fn choose(file: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    if file.contains(['/', '\\']) {
        return None;
    }
    let name = format!("assets/{file}");
    for (coding, suffix) in [("br", "br"), ("gzip", "gz")] {
        if listed(headers, &header::ACCEPT_ENCODING).any(|accepted| accepted == coding)
            && let Some(small) = Built::get(&format!("{name}.{suffix}"))
        {
            return Some((small, Some(coding)));
        }
    }
    Some((Built::get(&name)?, None))
}

/// The members of a comma-separated header. One with parameters (`br;q=0`) matches nothing, which is always safe here.
fn listed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, web};

    use super::*;

    fn built(name: &str) -> String {
        let url = Manifest::load().url(name);
        assert_ne!(
            url,
            format!("/assets/{name}"),
            "the assets are not built: run `make tools` first"
        );
        url
    }

    #[actix_web::test]
    async fn an_asset_is_kept_for_ever_and_asked_for_by_its_hash() {
        let app = init_service(App::new().configure(routes)).await;
        let request = TestRequest::get()
            .uri(&built("app.css"))
            .insert_header(("Accept-Encoding", "gzip, br"));
        let answer = call_service(&app, request.to_request()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let header = |name| answer.headers().get(name).cloned().expect("the header");
        assert_eq!(header(header::CACHE_CONTROL), FOR_EVER);
        assert_eq!(header(header::CONTENT_ENCODING), "br");
        let tag = header(header::ETAG);
        let again = TestRequest::get()
            .uri(&built("app.css"))
            .insert_header(("Accept-Encoding", "br"))
            .insert_header((header::IF_NONE_MATCH, tag));
        assert_eq!(
            call_service(&app, again.to_request()).await.status(),
            StatusCode::NOT_MODIFIED
        );
    }

    #[actix_web::test]
    async fn nothing_outside_the_folder_is_served() {
        let app = init_service(
            App::new()
                .route("/else", web::get().to(|| async { "else" }))
                .configure(routes),
        )
        .await;
        for path in [
            "/assets/..%2fmanifest.json",
            "/assets/unknown.css",
            "/assets/%2e%2e%2f%2e%2e%2fpackage.json",
        ] {
            let answer = call_service(&app, TestRequest::get().uri(path).to_request()).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
