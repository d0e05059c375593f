//! One visit, one browser, one use.

use std::collections::HashMap;
use std::time::Duration;

use super::*;

fn asked(begun: &Begun) -> HashMap<String, String> {
    let url: reqwest::Url = begun.url.parse().expect("an address");
    url.query_pairs().into_owned().collect()
}

fn home(state: &str, code: &str) -> Callback {
    Callback {
        state: state.to_owned(),
        code: Some(code.to_owned()),
        ..Callback::default()
    }
}

#[actix_web::test]
async fn what_is_asked_is_what_nhs_login_documents() {
    let world = World::new().await;
    let begun = world.begin().await;
    let asked = asked(&begun);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "https://portal.example/login/nhs/callback"),
        ("vtr", r#"["P9.Cp.Cd","P9.Cp.Ck","P9.Cm"]"#),
        (
            "scope",
            "openid profile profile_extended email phone gp_registration_details",
        ),
    ] {
        assert_eq!(asked.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!((asked["state"].len(), asked["nonce"].len()), (43, 43));
    assert!(!asked.contains_key("prompt") && !asked.contains_key("code_challenge"));
    let other = super::visits::asked(&world.begin().await);
    assert!(other["state"] != asked["state"] && other["nonce"] != asked["nonce"]);
    let cookie = begun.cookie.to_string();
    for part in [
        "__Host-letterbox-visit=",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=600",
    ] {
        assert!(cookie.contains(part), "{cookie} lacks {part}");
    }
    let kept = world.db.superuser().await;
    let rows = kept
        .query_one("SELECT string_agg(sign_ins::text, ' ') FROM sign_ins", &[])
        .await
        .expect("rows");
    let rows: String = rows.get(0);
    for secret in [
        &asked["state"],
        &asked["nonce"],
        &begun.cookie.value().to_owned(),
    ] {
        assert!(!rows.contains(secret.as_str()), "only hashes are kept");
    }
}

#[actix_web::test]
async fn whoever_must_confirm_is_asked_for_the_password_again() {
    let world = World::new().await;
    let account = letterbox_domain::id::AccountId::random();
    world
        .db
        .superuser()
        .await
        .execute(
            "INSERT INTO accounts (id, kind, display_name) VALUES ($1, 'person', 'Test Person')",
            &[&account.as_uuid()],
        )
        .await
        .expect("an account");
    let begun = world
        .login
        .begin(
            world.db.store(),
            Purpose::Confirm,
            Some(account),
            false,
            "/account",
        )
        .await
        .expect("begins");
    assert_eq!(asked(&begun)["prompt"], "login");
    let (state, code) = world.idp.agree(&begun.url);
    let (_, visit) = world
        .finish(&home(&state, &code), begun.cookie.value())
        .await
        .expect("let in");
    let expected = Visit {
        purpose: Purpose::Confirm,
        account: Some(account),
        public_computer: false,
        next: "/account".to_owned(),
    };
    assert_eq!(visit, expected);
}

#[actix_web::test]
async fn case_89_a_visit_ends_in_the_browser_that_began_it_once_and_in_time() {
    let world = World::new().await;
    let (mine, other) = (world.begin().await, world.begin().await);
    let (state, code) = world.idp.agree(&mine.url);
    let (other_state, _) = world.idp.agree(&other.url);
    let good = home(&state, &code);
    let made_up = "A".repeat(43);
    let tries = [
        ("no cookie", None, good.clone(), "cookie_missing"),
        (
            "a cookie that is none",
            Some("x"),
            good.clone(),
            "cookie_wrong",
        ),
        (
            "another browser",
            Some(other.cookie.value()),
            good.clone(),
            "state_unknown",
        ),
        (
            "a made-up cookie",
            Some(made_up.as_str()),
            good.clone(),
            "state_unknown",
        ),
        (
            "no state",
            Some(mine.cookie.value()),
            home("", &code),
            "state_wrong",
        ),
        (
            "a made-up state",
            Some(mine.cookie.value()),
            home(&made_up, &code),
            "state_unknown",
        ),
        (
            "the other visit's state",
            Some(mine.cookie.value()),
            home(&other_state, &code),
            "state_unknown",
        ),
    ];
    for (case, cookie, callback, why) in tries {
        let came = world
            .login
            .finish(world.db.store(), &callback, cookie)
            .await;
        let error = came.err().unwrap_or_else(|| panic!("{case}: let in"));
        assert_eq!(error.label(), why, "{case}");
    }
    world
        .finish(&good, mine.cookie.value())
        .await
        .expect("none of that has used it up");
    let again = world.finish(&good, mine.cookie.value()).await;
    assert_eq!(again.expect_err("used").label(), "state_unknown");

    let late = world.begin().await;
    let (state, code) = world.idp.agree(&late.url);
    world.db.pass(Duration::from_secs(601)).await;
    let came = world
        .finish(&home(&state, &code), late.cookie.value())
        .await;
    assert_eq!(came.expect_err("too late").label(), "state_unknown");
}

#[actix_web::test]
async fn case_89_of_many_at_once_with_one_visit_exactly_one_comes_home() {
    let world = World::new().await;
    let begun = world.begin().await;
    let (state, code) = world.idp.agree(&begun.url);
    let callback = home(&state, &code);
    let all = (0..12).map(|_| world.finish(&callback, begun.cookie.value()));
    let came = futures_util::future::join_all(all).await;
    assert_eq!(came.iter().filter(|one| one.is_ok()).count(), 1);
}

#[actix_web::test]
async fn case_89_a_code_or_a_token_of_an_earlier_visit_is_worth_nothing() {
    let world = World::new().await;
    let first = world.begin().await;
    let (state, code) = world.idp.agree(&first.url);
    world
        .finish(&home(&state, &code), first.cookie.value())
        .await
        .expect("the first time");
    let second = world.begin().await;
    let (state, _) = world.idp.agree(&second.url);
    let came = world
        .finish(&home(&state, &code), second.cookie.value())
        .await;
    assert_eq!(came.expect_err("a used code").label(), "code_refused");

    // The provider hands out a token that was made for another visit: its nonce is that one's.
    let (victim, thief) = (world.begin().await, world.begin().await);
    let (_, stolen) = world.idp.agree(&victim.url);
    let (state, _) = world.idp.agree(&thief.url);
    let came = world
        .finish(&home(&state, &stolen), thief.cookie.value())
        .await;
    assert_eq!(came.expect_err("another's code").label(), "nonce");
}

#[actix_web::test]
async fn case_89_what_comes_back_without_a_code_says_why_and_lets_nobody_in() {
    let world = World::new().await;
    let ours = world.idp.url.clone();
    let told = |error: &str| Callback {
        code: None,
        error: Some(error.to_owned()),
        ..Callback::default()
    };
    let from = |iss: &str| Callback {
        code: Some("code".to_owned()),
        iss: Some(iss.to_owned()),
        ..Callback::default()
    };
    let empty = Callback {
        code: Some(String::new()),
        ..Callback::default()
    };
    let slash = format!("{ours}/");
    for (callback, why) in [
        (told("access_denied"), "not_shared"),
        (told("consent_required"), "not_shared"),
        (told("temporarily_unavailable"), "error"),
        (told("login_required"), "error_returned"),
        (told("<script>"), "error_returned"),
        (Callback::default(), "code_missing"),
        (empty, "code_missing"),
        (from("https://evil.example"), "issuer_mixed_up"),
        (from(&slash), "issuer_mixed_up"),
        (from(""), "issuer_mixed_up"),
    ] {
        let begun = world.begin().await;
        let callback = Callback {
            state: asked(&begun)["state"].clone(),
            ..callback
        };
        let came = world.finish(&callback, begun.cookie.value()).await;
        assert_eq!(came.expect_err("refused").label(), why);
    }
    let begun = world.begin().await;
    let (state, code) = world.idp.agree(&begun.url);
    let right = Callback {
        iss: Some(ours),
        ..home(&state, &code)
    };
    world
        .finish(&right, begun.cookie.value())
        .await
        .expect("the right issuer may say who it is");
}

#[actix_web::test]
async fn case_89_where_the_provider_speaks_pkce_the_code_is_bound_to_the_browser() {
    let world = World::with(|settings| settings.pkce = true).await;
    world
        .visit(Lies::default())
        .await
        .expect("with its verifier");
    let (mine, other) = (world.begin().await, world.begin().await);
    assert_eq!(asked(&mine)["code_challenge_method"], "S256");
    assert_ne!(
        asked(&mine)["code_challenge"],
        asked(&other)["code_challenge"]
    );
    let (_, stolen) = world.idp.agree(&mine.url);
    let (state, _) = world.idp.agree(&other.url);
    let came = world
        .finish(&home(&state, &stolen), other.cookie.value())
        .await;
    assert_eq!(
        came.expect_err("another's verifier").label(),
        "code_refused"
    );
}

#[actix_web::test]
async fn nobody_begins_more_visits_than_the_valve_lets_through() {
    let world = World::with(|settings| settings.begins_per_second = 3).await;
    let mut busy = 0;
    for _ in 0..12 {
        let begun = world
            .login
            .begin(world.db.store(), Purpose::SignIn, None, true, "/")
            .await;
        busy += usize::from(matches!(begun, Err(LoginError::Busy)));
    }
    assert!(busy > 0, "all of them were let through");
    let rows = world.db.superuser().await;
    let rows = rows.query_one("SELECT count(*) FROM sign_ins", &[]).await;
    assert_eq!(rows.expect("counts").get::<_, i64>(0), 12 - busy as i64);
}

#[actix_web::test]
async fn visits_that_nobody_finished_are_swept() {
    let world = World::new().await;
    for _ in 0..5 {
        world.begin().await;
    }
    world.db.pass(Duration::from_secs(2 * 3600)).await;
    world.begin().await;
    let rows = world.db.superuser().await;
    let rows = rows.query_one("SELECT count(*) FROM sign_ins", &[]).await;
    assert_eq!(rows.expect("counts").get::<_, i64>(0), 1);
}
