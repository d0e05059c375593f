//! Whether a request that changes something was made by one of our own pages, in this session.
//!
//! Two checks, both needed: where the browser says the request comes from, and a token that only our pages hold.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Identity;
use super::origin::{ForeignOrigin, Origins};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A session's secret; tokens and nonces are derived from it.
#[derive(Clone)]
pub(super) struct CsrfSecret(pub(super) [u8; 32]);

impl CsrfSecret {
    fn mac(&self, purpose: &str) -> Hmac<Sha256> {
        // HMAC takes keys of any length, so this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(purpose.as_bytes());
        mac
    }

    pub(super) fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.mac("form").finalize().into_bytes())
    }

    pub(super) fn verify(&self, token: &str) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        self.mac("form").verify_slice(&token).is_ok()
    }

    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(&format!("derived:{purpose}"))
            .finalize()
            .into_bytes()
            .into()
    }
}

impl std::fmt::Debug for CsrfSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CsrfSecret")
    }
}

/// Judges what a script of ours sent: its `Origin` must be ours.
///
/// # Errors
/// [`ForeignOrigin`] otherwise.
pub fn judge_origin(request: &HttpRequest, ours: &Origins) -> Result<(), ForeignOrigin> {
    let headers = request.headers();
    if headers.get_all(header::ORIGIN).count() > 1 {
        return Err(ForeignOrigin::Other);
    }
    let origin = headers.get(header::ORIGIN).map(|value| value.as_bytes());
    let site = headers.get(FETCH_SITE).map(|value| value.as_bytes());
    ours.judge(origin, site)
}

/// Judges what a form of ours sent. Our pages send no referrer, and browsers then say `Origin: null` with a form;
/// `Sec-Fetch-Site: same-origin` speaks for it instead, which no page can set and a sandboxed frame never gets.
///
/// # Errors
/// [`ForeignOrigin`] otherwise.
pub fn judge_form(request: &HttpRequest, ours: &Origins) -> Result<(), ForeignOrigin> {
    let site = request.headers().get(FETCH_SITE);
    let same = site.is_some_and(|site| site.as_bytes() == b"same-origin");
    match judge_origin(request, ours) {
        Err(ForeignOrigin::Null | ForeignOrigin::Missing) if same => Ok(()),
        verdict => verdict,
    }
}

/// Middleware for everything a browser's cookie authorizes: 403 unless a changing request comes from our own pages.
///
/// Not for calls that carry their own proof (API keys, signed callbacks).
///
/// # Errors
/// What the inner service says.
pub async fn only_our_pages<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let identity = request.app_data::<web::Data<Identity>>().cloned();
    let verdict = match identity {
        _ if safe => Ok(()),
        Some(identity) => judge_form(request.request(), identity.origins()),
        None => Err(ForeignOrigin::Other),
    };
    if let Err(why) = verdict {
        tracing::warn!(security = true, reason = why.label(), "request.foreign");
        metrics::counter!("letterbox_foreign_requests_total", "reason" => why.label()).increment(1);
        let refusal = HttpResponse::Forbidden()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish();
        return Ok(request.into_response(refusal).map_into_right_body());
    }
    next.call(request)
        .await
        .map(ServiceResponse::map_into_left_body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn ours() -> Origins {
        Origins::of("https://portal.example").expect("a plain address")
    }

    fn request(headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let mut request = TestRequest::post();
        for header in headers {
            request = request.append_header(*header);
        }
        request.to_http_request()
    }

    #[test]
    fn a_token_belongs_to_its_session() {
        let (mine, other) = (CsrfSecret([1; 32]), CsrfSecret([2; 32]));
        assert!(mine.verify(&mine.token()));
        assert!(!mine.verify(&other.token()));
        for made_up in ["", "x", "null", &mine.token()[1..]] {
            assert!(!mine.verify(made_up), "{made_up}");
        }
    }

    #[test]
    fn derived_secrets_differ_by_purpose_and_are_not_the_token() {
        let secret = CsrfSecret([1; 32]);
        assert_ne!(secret.derive("view"), secret.derive("undo"));
        assert_ne!(
            URL_SAFE_NO_PAD.encode(secret.derive("form")),
            secret.token()
        );
    }

    #[test]
    fn a_form_without_referrer_passes_only_when_the_browser_vouches_for_it() {
        let vouched = request(&[("origin", "null"), ("sec-fetch-site", "same-origin")]);
        assert_eq!(judge_form(&vouched, &ours()), Ok(()));
        for foreign in [
            request(&[("origin", "null")]),
            request(&[]),
            request(&[("origin", "null"), ("sec-fetch-site", "cross-site")]),
            request(&[
                ("origin", "https://evil.test"),
                ("sec-fetch-site", "same-origin"),
            ]),
            request(&[
                ("origin", "https://portal.example"),
                ("sec-fetch-site", "cross-site"),
            ]),
        ] {
            assert!(judge_form(&foreign, &ours()).is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn a_script_must_name_our_origin() {
        let vouched = request(&[("origin", "null"), ("sec-fetch-site", "same-origin")]);
        assert_eq!(judge_origin(&vouched, &ours()), Err(ForeignOrigin::Null));
        let good = request(&[("origin", "https://portal.example")]);
        assert_eq!(judge_origin(&good, &ours()), Ok(()));
    }
}
