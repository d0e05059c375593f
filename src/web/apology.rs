//! Makes a page of every refusal that has none: what a reader gets always says what to do, the help desk's address and
//! a reference, wherever in the stack it was refused.
//!
//! Never touches what scripts ask for (`.json`, assets) or a page that speaks for itself.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;

use super::failure::Failure;

/// What an answer without a page may say beside its status and has to go on saying.
const KEPT: [HeaderName; 3] = [header::RETRY_AFTER, header::ALLOW, header::WWW_AUTHENTICATE];

/// Middleware around the check of where forms come from, inside the one that sets the pages' headers.
///
/// # Errors
/// Only what the page itself fails with.
pub(super) async fn apologize<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let answer = next.call(request).await?;
    if !is_bare(&answer) {
        return Ok(answer.map_into_left_body());
    }
    let (request, bare) = answer.into_parts();
    let mut page = Failure::Refused(bare.status()).told(&request).await;
    for name in KEPT {
        if let Some(value) = bare.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    Ok(ServiceResponse::new(request, page).map_into_right_body())
}

/// An error for a reader that came without a page.
fn is_bare<B>(answer: &ServiceResponse<B>) -> bool {
    let status = answer.status();
    let path = answer.request().path();
    let for_scripts = path.ends_with(".json") || path.starts_with("/assets/");
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    (status.is_client_error() || status.is_server_error()) && !for_scripts && !is_page
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse, web};

    use super::apologize;
    use crate::web::failure::{Failure, page};
    use crate::web::guard::guard;
    use crate::web::templates::{Site, Templates};

    const DESK: &str = "desk@example.test";

    #[derive(serde::Deserialize)]
    struct Form {
        #[expect(dead_code, reason = "only its length matters here")]
        note: String,
    }

    /// Status and body of what a small site with our error pages answers.
    async fn answer_to(request: TestRequest) -> (StatusCode, String) {
        let templates = Templates::new(Site {
            portal_name: "Portal".to_owned(),
            help_email: DESK.to_owned(),
            quick_exit_url: "https://elsewhere.example/".to_owned(),
            ..Site::default()
        });
        let scope =
            web::scope("")
                .wrap(from_fn(apologize))
                .wrap(from_fn(guard))
                .service(web::resource("/form").route(
                    web::post().to(|_: web::Form<Form>| async { HttpResponse::Ok().finish() }),
                ))
                .route(
                    "/number/{n}",
                    web::get().to(|_: web::Path<u8>| async { HttpResponse::Ok().finish() }),
                )
                .route(
                    "/empty/{status}",
                    web::get().to(|status: web::Path<u16>| async move {
                        let status = StatusCode::from_u16(*status).expect("a status");
                        HttpResponse::build(status)
                            .insert_header(("Retry-After", "7"))
                            .finish()
                    }),
                )
                .route(
                    "/panics",
                    web::get().to(|request: actix_web::HttpRequest| async move {
                        page(&request, async { panic!("a fault of ours") }).await
                    }),
                )
                .route(
                    "/busy",
                    web::get().to(|request: actix_web::HttpRequest| async move {
                        let busy = Failure::Unavailable("the database is down".into());
                        page(&request, async { Err(busy) }).await
                    }),
                )
                .route(
                    "/now.json",
                    web::get().to(|| async { HttpResponse::ServiceUnavailable().finish() }),
                );
        let app = App::new()
            .app_data(web::Data::new(templates))
            .service(scope);
        let app = init_service(app).await;
        let answer = call_service(&app, request.to_request()).await;
        let status = answer.status();
        let body = read_body(answer).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// The reference that a page shows.
    fn reference(html: &str) -> Option<uuid::Uuid> {
        let after = html.split("this reference: <strong>").nth(1)?;
        after.split('<').next()?.parse().ok()
    }

    #[actix_web::test]
    async fn r25_1_every_refusal_is_a_page_with_the_help_desk_and_a_reference() {
        let form = |body: String| {
            TestRequest::post()
                .uri("/form")
                .insert_header(("content-type", "application/x-www-form-urlencoded"))
                .set_payload(body)
        };
        for (request, status) in [
            (TestRequest::get().uri("/number/many"), 404),
            (TestRequest::get().uri("/form"), 405),
            (form("other=1".to_owned()), 400),
            (form(format!("note={}", "x".repeat(200_000))), 413),
            (TestRequest::post().uri("/form").set_payload("{}"), 415),
            (TestRequest::get().uri("/empty/401"), 401),
            (TestRequest::get().uri("/empty/403"), 403),
            (TestRequest::get().uri("/empty/429"), 429),
            (TestRequest::get().uri("/empty/500"), 500),
            (TestRequest::get().uri("/empty/503"), 503),
            (TestRequest::get().uri("/panics"), 500),
            (TestRequest::get().uri("/busy"), 503),
        ] {
            let (given, html) = answer_to(request).await;
            assert!(
                html.contains("<h1") && html.contains(&format!("mailto:{DESK}")),
                "{status} is no page with the help desk: {html}"
            );
            assert!(reference(&html).is_some(), "{status} has no reference");
            // Which of its 4xx the framework chooses is its own business; that it is one is ours.
            let same_kind = given.as_u16() / 100 == status / 100;
            assert!(same_kind, "{given} instead of {status}");
        }
        let (_, once) = answer_to(TestRequest::get().uri("/empty/500")).await;
        let (_, again) = answer_to(TestRequest::get().uri("/empty/500")).await;
        assert_ne!(reference(&once), reference(&again));
    }

    #[actix_web::test]
    async fn what_a_script_asks_for_stays_as_it_is() {
        let (status, body) = answer_to(TestRequest::get().uri("/now.json")).await;
        assert_eq!((status.as_u16(), body.as_str()), (503, ""));
    }

    #[actix_web::test]
    async fn whoever_may_be_signed_in_can_leave_an_error_page_quickly() {
        let with_cookie = TestRequest::get()
            .uri("/busy")
            .cookie(actix_web::cookie::Cookie::new(
                crate::identity::session::COOKIE,
                "x",
            ));
        let (_, html) = answer_to(with_cookie).await;
        assert!(html.contains("Exit quickly") && html.contains("https://elsewhere.example/"));
        let (_, html) = answer_to(TestRequest::get().uri("/busy")).await;
        assert!(
            !html.contains("Exit quickly"),
            "a visitor has nothing to hide"
        );
    }
}
