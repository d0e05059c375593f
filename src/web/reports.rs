//! Where browsers report that a page broke its own content policy: an attack, an extension, or a mistake of ours.
//!
//! Anybody may send anything here, without a cookie or a token: nothing is changed by it, and of what is sent only the
//! name of the directive is looked at. Addresses, samples and browsers are neither kept nor logged.

use std::num::NonZeroU32;

use actix_web::http::header;
use actix_web::web::{self, Bytes, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use governor::clock::DefaultClock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde_json::Value;

use super::doors::Door;

/// Stands in every page's policy (`report-uri`).
pub(crate) const ADDRESS: &str = "/content-policy-reports";

/// The door, for whatever judges every door: it lies beside the check of where forms come from.
pub(super) const DOOR: Door = Door {
    method: "POST",
    path: ADDRESS,
};

/// A report is below 2 KB, but may quote a long address.
const MOST_BYTES: usize = 16 * 1_024;

/// Reports looked at per second and thread: one broken page that many people have open would send thousands, and the
/// first few say as much.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// What our policy is made of; anything else is `other`, so that nobody can make up figures.
const DIRECTIVES: [&str; 11] = [
    "default-src",
    "script-src",
    "style-src",
    "img-src",
    "font-src",
    "connect-src",
    "form-action",
    "frame-ancestors",
    "base-uri",
    "require-trusted-types-for",
    "trusted-types",
];

type Pace = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;

/// Registers the door.
pub(super) fn routes(service: &mut ServiceConfig) {
    let pace = web::Data::new(Pace::direct(Quota::per_second(PER_SECOND)));
    service.service(
        web::resource(ADDRESS)
            .app_data(PayloadConfig::new(MOST_BYTES))
            .app_data(pace)
            .route(web::post().to(take)),
    );
}

/// 204 whatever it is: a browser does nothing with the answer, and nobody else is owed one.
async fn take(request: HttpRequest, pace: web::Data<Pace>, body: Bytes) -> HttpResponse {
    let directive = if pace.check().is_err() {
        "dropped"
    } else if !is_report(&request) {
        "unreadable"
    } else {
        directive(&body)
    };
    metrics::counter!("letterbox_content_policy_reports_total", "directive" => directive)
        .increment(1);
    if !["dropped", "unreadable"].contains(&directive) {
        // Anybody may send these: the figure counts, the log only helps to look closer.
        tracing::info!(directive, "page.policy_broken");
    }
    HttpResponse::NoContent()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// The two types in which browsers send them.
fn is_report(request: &HttpRequest) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/csp-report", "application/reports+json"].contains(&kind)
}

/// The directive that the report names, if it is one of ours.
fn directive(body: &[u8]) -> &'static str {
    let Ok(report) = serde_json::from_slice::<Value>(body) else {
        return "unreadable";
    };
    let old = &report["csp-report"];
    let new = &report[0]["body"];
    let named = [
        &old["effective-directive"],
        &old["violated-directive"],
        &new["effectiveDirective"],
    ];
    let Some(named) = named.into_iter().find_map(Value::as_str) else {
        return "unreadable";
    };
    // `script-src-elem` is a part of `script-src`, and older browsers quote the sources too.
    let name = named.split(' ').next().unwrap_or_default();
    let name = name
        .strip_suffix("-elem")
        .or_else(|| name.strip_suffix("-attr"))
        .unwrap_or(name);
    let known = DIRECTIVES.into_iter().find(|known| *known == name);
    known.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;

    #[test]
    fn only_the_directive_is_read_and_only_ours_have_names() {
        for (report, name) in [
            (
                r#"{"csp-report":{"effective-directive":"img-src","document-uri":"https://x/"}}"#,
                "img-src",
            ),
            (
                r#"{"csp-report":{"violated-directive":"script-src-elem 'nonce-x'"}}"#,
                "script-src",
            ),
            (
                r#"[{"type":"csp-violation","body":{"effectiveDirective":"style-src-attr"}}]"#,
                "style-src",
            ),
            (
                r#"{"csp-report":{"effective-directive":"made-up-by-an-attacker"}}"#,
                "other",
            ),
            (r#"{"csp-report":{"effective-directive":7}}"#, "unreadable"),
            ("[]", "unreadable"),
            ("{", "unreadable"),
            ("", "unreadable"),
        ] {
            assert_eq!(directive(report.as_bytes()), name, "{report}");
        }
    }

    #[actix_web::test]
    async fn a_report_needs_no_cookie_and_a_long_one_is_refused() {
        let app = init_service(App::new().configure(routes)).await;
        let report = |body: String| {
            TestRequest::post()
                .uri(ADDRESS)
                .insert_header(("content-type", "application/csp-report"))
                .set_payload(body)
                .to_request()
        };
        let short = r#"{"csp-report":{"effective-directive":"img-src"}}"#;
        for _ in 0..50 {
            let answer = call_service(&app, report(short.to_owned())).await;
            assert_eq!(answer.status(), 204, "also when there are too many");
        }
        let long = call_service(&app, report("x".repeat(MOST_BYTES + 1))).await;
        assert_eq!(long.status(), 413);
        let read = TestRequest::get().uri(ADDRESS).to_request();
        assert_ne!(call_service(&app, read).await.status(), 200);
    }
}
