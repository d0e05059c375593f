//! The headers of every page: nothing loads from elsewhere, nothing is framed, nothing is kept.
//!
//! A fresh nonce per answer lets exactly our own script run. Never loosened for a single page: an answer that
//! needs another policy (a PDF) sets its own before it gets here.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::identity::Identity;

/// The nonce of this answer's script tags.
#[derive(Clone)]
pub(crate) struct CspNonce(pub(crate) String);

/// Another site to which forms of this page may lead.
struct FormsLeadTo(String);

/// Lets forms of the page that answers `request` lead to `origin`, of the configuration: browsers ask the page's
/// policy also about where a form's answer sends them.
pub(crate) fn forms_may_lead_to(request: &actix_web::HttpRequest, origin: String) {
    request.extensions_mut().insert(FormsLeadTo(origin));
}

/// Headers that every answer carries, whatever it is.
const ALWAYS: [(&str, &str); 8] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "accelerometer=(), autoplay=(), bluetooth=(), browsing-topics=(), camera=(), display-capture=(), \
         encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), \
         local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
         publickey-credentials-create=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
         usb=(), web-share=(), xr-spatial-tracking=()",
    ),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-dns-prefetch-control", "off"),
];

/// One year, as browsers' own lists ask for; only where browsers reach us by https at all.
const HTTPS_ONLY: &str = "max-age=31536000; includeSubDomains";

/// Middleware (`actix_web::middleware::from_fn`) around all pages.
///
/// # Errors
/// Only what the page itself fails with.
pub async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let nonce = STANDARD_NO_PAD.encode(rand::random::<[u8; 18]>());
    request.extensions_mut().insert(CspNonce(nonce.clone()));
    let socket_host = host_of(request.headers());
    let identity = request.app_data::<web::Data<Identity>>();
    let https_only = identity.is_some_and(|identity| identity.origins().is_https());
    let mut answer = next.call(request).await?;
    let forms = answer.request().extensions_mut().remove::<FormsLeadTo>();
    let headers = answer.headers_mut();
    for (name, value) in ALWAYS {
        set_default(
            headers,
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if https_only {
        let year = HeaderValue::from_static(HTTPS_ONLY);
        set_default(headers, header::STRICT_TRANSPORT_SECURITY, year);
    }
    set_default(
        headers,
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    if let Ok(policy) = HeaderValue::from_str(&policy(
        &nonce,
        socket_host.as_deref(),
        forms.as_ref().map(|FormsLeadTo(origin)| origin.as_str()),
    )) {
        set_default(headers, header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(answer)
}

/// The same policy for an answer that holds its own pictures (a letter at a public computer): images may stand in the
/// page itself. Images alone: nothing else is loosened, and no other answer.
pub(crate) fn policy_with_pictures(request: &HttpRequest) -> Option<HeaderValue> {
    let nonce = request.extensions().get::<CspNonce>()?.0.clone();
    let strict = policy(&nonce, host_of(request.headers()).as_deref(), None);
    HeaderValue::from_str(&strict.replacen("img-src 'self'", "img-src 'self' data:", 1)).ok()
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}

/// `connect-src 'self'` covers sockets in today's browsers; Safari before 15.4 wants the address spelt out.
fn policy(nonce: &str, socket_host: Option<&str>, forms: Option<&str>) -> String {
    let forms = forms.map(|origin| format!(" {origin}")).unwrap_or_default();
    let sockets = socket_host
        .map(|host| format!(" ws://{host} wss://{host}"))
        .unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; font-src 'none'; \
         connect-src 'self'{sockets}; form-action 'self'{forms}; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'; report-uri {}",
        super::reports::ADDRESS
    )
}

/// The Host header, if it is nothing but a host: it goes into the policy.
fn host_of(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    (plain && !host.is_empty() && host.len() <= 255).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse};

    use super::*;

    async fn headers_of(path: &str) -> HeaderMap {
        let page = || async { HttpResponse::Ok().body("page") };
        let file = || async {
            HttpResponse::Ok()
                .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox"))
                .body("file")
        };
        let app = App::new()
            .wrap(from_fn(guard))
            .route("/", web::get().to(page))
            .route("/file", web::get().to(file));
        let app = init_service(app).await;
        let request = TestRequest::get()
            .uri(path)
            .insert_header((header::HOST, "margaret.localhost:8080"));
        call_service(&app, request.to_request())
            .await
            .headers()
            .clone()
    }

    fn policy_of(headers: &HeaderMap) -> String {
        headers
            .get(header::CONTENT_SECURITY_POLICY)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    }

    #[actix_web::test]
    async fn r16_1_every_page_forbids_everything_but_its_own_things() {
        let headers = headers_of("/").await;
        let policy = policy_of(&headers);
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
            "report-uri /content-policy-reports",
        ] {
            assert!(policy.contains(part), "{part} is missing in {policy}");
        }
        assert!(policy.contains("wss://margaret.localhost:8080"));
        assert!(!policy.contains("unsafe"));
        for (name, value) in ALWAYS {
            assert_eq!(
                headers.get(name).and_then(|given| given.to_str().ok()),
                Some(value)
            );
        }
        assert_eq!(
            headers
                .get(header::CACHE_CONTROL)
                .and_then(|value| value.to_str().ok()),
            Some("no-store")
        );
    }

    #[actix_web::test]
    async fn two_answers_never_share_a_nonce() {
        assert_ne!(
            policy_of(&headers_of("/").await),
            policy_of(&headers_of("/").await)
        );
    }

    #[actix_web::test]
    async fn a_file_keeps_the_policy_it_set_itself() {
        assert_eq!(policy_of(&headers_of("/file").await), "sandbox");
    }
}
