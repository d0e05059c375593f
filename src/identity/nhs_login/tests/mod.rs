//! The client against a provider that lies: each case changes one thing of a sign-in that otherwise works, and must be
//! refused for exactly that thing. Take a check out, and its case signs somebody in.

mod idp;
mod visits;

use std::sync::atomic::{AtomicU32, Ordering};

use letterbox_domain::joining::Proofing;
use serde_json::{Value, json};

use super::*;
use crate::testing::TestDb;
use idp::{CLIENT, Idp, Lies, Signer, Token, client_pem, modulus};

/// A portal, its database, and the provider.
struct World {
    db: TestDb,
    idp: Idp,
    login: NhsLogin,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut NhsLoginSettings)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let db = TestDb::new().await;
        let idp = Idp::start().await;
        let key = std::env::temp_dir().join(format!(
            "letterbox-nhs-{}-{}.pem",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::write(&key, client_pem()).expect("a key file");
        let mut settings = db.settings().nhs_login.clone();
        settings.issuer = Some(idp.url.clone());
        settings.client_id = CLIENT.to_owned();
        settings.key_file = Some(key.clone());
        change(&mut settings);
        let login = NhsLogin::of(&settings, "https://portal.example/");
        std::fs::remove_file(&key).expect("removed");
        let login = login.expect("set up").expect("configured");
        Self { db, idp, login }
    }

    async fn begin(&self) -> Begun {
        self.login
            .begin(self.db.store(), Purpose::SignIn, None, true, "/")
            .await
            .expect("begins")
    }

    async fn finish(
        &self,
        callback: &Callback,
        browser: &str,
    ) -> Result<(Verified, Visit), LoginError> {
        self.login
            .finish(self.db.store(), callback, Some(browser))
            .await
    }

    /// A whole visit, under these lies.
    async fn visit(&self, lies: Lies) -> Result<(Verified, Visit), LoginError> {
        self.idp.lie(lies);
        let begun = self.begin().await;
        let (state, code) = self.idp.agree(&begun.url);
        let callback = Callback {
            state,
            code: Some(code),
            ..Callback::default()
        };
        self.finish(&callback, begun.cookie.value()).await
    }

    /// The visit must fail, and for this reason.
    async fn refused(&self, case: &str, why: &str, lies: Lies) {
        match self.visit(lies).await {
            Ok(_) => panic!("case 89, {case}: somebody was let in"),
            Err(error) => assert_eq!(error.label(), why, "case 89, {case}"),
        }
    }
}

fn token(change: impl Fn(&mut Token) + Send + 'static) -> Lies {
    Lies {
        token: Some(Box::new(change)),
        ..Lies::default()
    }
}

fn claim(name: &'static str, value: Value) -> Lies {
    token(move |token| token.claims[name] = value.clone())
}

fn without(name: &'static str) -> Lies {
    token(move |token| {
        token.claims.as_object_mut().expect("claims").remove(name);
    })
}

fn header(name: &'static str, value: Value) -> Lies {
    token(move |token| token.header[name] = value.clone())
}

fn instead(path: &'static str, status: u16, body: &str) -> Lies {
    Lies {
        instead: [(path, (status, body.to_owned()))].into(),
        ..Lies::default()
    }
}

fn userinfo(change: impl Fn(&mut Value) + Send + 'static) -> Lies {
    Lies {
        userinfo: Some(Box::new(change)),
        ..Lies::default()
    }
}

#[actix_web::test]
async fn an_honest_visit_brings_home_exactly_what_was_verified() {
    let world = World::new().await;
    let (who, visit) = world.visit(Lies::default()).await.expect("let in");
    assert_eq!(
        (who.issuer.as_str(), who.subject.as_str()),
        (world.idp.url.as_str(), "sub-1"),
        "the key of the identity"
    );
    assert_eq!(who.proofing, Proofing::P9);
    assert_eq!(who.name.as_ref().expect("a name").full(), "Nadia Rahman");
    assert_eq!(who.nhs_number.as_deref(), Some("9990000204"));
    assert_eq!(
        who.email.as_ref().expect("mail").expose(),
        "nadia@example.test"
    );
    assert_eq!(
        who.mobile.as_ref().expect("mobile").expose(),
        "+447700900204"
    );
    assert_eq!(who.practice_code.as_deref(), Some("Z00001"));
    assert_eq!(
        (visit.purpose, visit.public_computer, visit.next.as_str()),
        (Purpose::SignIn, true, "/")
    );
    assert!(!format!("{who:?} {visit:?}").contains("Rahman"));
}

#[actix_web::test]
async fn case_89_a_token_with_a_wrong_signature_lets_nobody_in() {
    // The portal has just learnt the keys, so an unknown one is not asked for again within the minute.
    let world = World::new().await;
    let none = |kid: bool| {
        token(move |token| {
            token.header = if kid {
                json!({ "alg": "none", "kid": "k0" })
            } else {
                json!({ "alg": "none" })
            };
            token.signer = Signer::Nothing;
        })
    };
    let hmac = |alg: &'static str, secret: Vec<u8>| {
        token(move |token| {
            token.header["alg"] = json!(alg);
            token.signer = Signer::Hmac(secret.clone());
        })
    };
    let cases = [
        ("alg none", "unsigned", none(true)),
        ("alg none without a key's name", "kid_missing", none(false)),
        (
            "HS256 with our public name as secret",
            "algorithm",
            hmac("HS256", CLIENT.into()),
        ),
        (
            "HS256 with the public key as secret",
            "algorithm",
            hmac("HS256", modulus(0)),
        ),
        ("HS512", "algorithm", hmac("HS512", modulus(0))),
        (
            "RS256, well signed",
            "algorithm",
            token(|token| {
                token.header["alg"] = json!("RS256");
                token.signer = Signer::Rs256(0);
            }),
        ),
        (
            "RS256, called RS512",
            "signature",
            token(|token| token.signer = Signer::Rs256(0)),
        ),
        (
            "another key under the same name",
            "signature",
            token(|token| token.signer = Signer::Rs512(1)),
        ),
        (
            "no signature",
            "signature",
            token(|token| token.signer = Signer::Nothing),
        ),
        (
            "a key nobody knows",
            "kid_unknown",
            token(|token| {
                token.header["kid"] = json!("k1");
                token.signer = Signer::Rs512(1);
            }),
        ),
        (
            "a key without a name",
            "kid_missing",
            token(|token| token.header = json!({ "alg": "RS512" })),
        ),
        ("an empty key name", "kid_missing", header("kid", json!(""))),
        (
            "a header that must be understood",
            "token",
            header("crit", json!(["b64"])),
        ),
        (
            "another kind of JWT",
            "token",
            header("typ", json!("logout+jwt")),
        ),
    ];
    for (case, why, lies) in cases {
        world.refused(case, why, lies).await;
    }
    world
        .visit(Lies::default())
        .await
        .expect("the honest one is let in");
}

#[actix_web::test]
async fn case_89_a_token_that_says_something_wrong_lets_nobody_in() {
    let world = World::new().await;
    let now = letterbox_actors::clock::Clock::now(&SystemClock::new()).timestamp();
    let slash = format!("{}/", world.idp.url);
    let cases = [
        (
            "another issuer",
            "issuer",
            claim("iss", json!("https://evil.example")),
        ),
        (
            "our issuer with a slash",
            "issuer",
            claim("iss", json!(slash)),
        ),
        ("no issuer", "token_unreadable", without("iss")),
        (
            "for another client",
            "audience",
            claim("aud", json!("somebody-else")),
        ),
        (
            "for us and another",
            "audience",
            claim("aud", json!([CLIENT, "somebody-else"])),
        ),
        ("for nobody", "audience", claim("aud", json!([]))),
        ("no audience", "audience", without("aud")),
        ("expired", "expired", claim("exp", json!(now - 1))),
        ("without an end", "token_unreadable", without("exp")),
        (
            "made tomorrow",
            "expired",
            claim("iat", json!(now + 86_400)),
        ),
        (
            "made an hour ago",
            "expired",
            claim("iat", json!(now - 3600)),
        ),
        ("no nonce", "nonce", without("nonce")),
        ("null nonce", "nonce", claim("nonce", Value::Null)),
        (
            "another nonce",
            "nonce",
            claim("nonce", json!("A".repeat(43))),
        ),
        ("no subject", "token_unreadable", without("sub")),
        ("no vector of trust", "vot_missing", without("vot")),
        (
            "a vector not asked for",
            "vot_not_asked_for",
            claim("vot", json!("P9.Cx")),
        ),
        (
            "an unknown vector",
            "vot_unknown",
            claim("vot", json!("P99.Cp")),
        ),
        (
            "for another access token",
            "at_hash",
            claim("at_hash", json!("AAAA")),
        ),
        (
            "another NHS number than userinfo",
            "nhs_number_contradiction",
            claim("nhs_number", json!("9990000018")),
        ),
    ];
    for (case, why, lies) in cases {
        world.refused(case, why, lies).await;
    }
}

#[actix_web::test]
async fn case_89_an_answer_that_is_none_lets_nobody_in() {
    let world = World::new().await;
    let answer = |change: fn(&mut Value)| Lies {
        answer: Some(Box::new(change)),
        ..Lies::default()
    };
    let huge = format!("{{\"access_token\": \"{}\"}}", "x".repeat(300_000));
    let elsewhere = "http://127.0.0.1:9/token";
    let cases = [
        (
            "no ID token",
            "id_token_missing",
            answer(|told| told["id_token"] = Value::Null),
        ),
        (
            "no JWT",
            "token_unreadable",
            answer(|told| told["id_token"] = json!("rubbish")),
        ),
        (
            "no access token",
            "token_unreadable",
            answer(|told| told["access_token"] = Value::Null),
        ),
        (
            "a refused code",
            "code_refused",
            instead("/token", 400, r#"{"error":"invalid_grant"}"#),
        ),
        (
            "a refused client",
            "code_refused",
            instead("/token", 401, r#"{"error":"invalid_client"}"#),
        ),
        (
            "a page",
            "token_unreadable",
            instead("/token", 200, "<html>"),
        ),
        (
            "a redirect",
            "token_unreadable",
            instead("/token", 307, elsewhere),
        ),
        ("an endless answer", "token", instead("/token", 200, &huge)),
        ("token endpoint down", "token", instead("/token", 503, "")),
        ("userinfo down", "userinfo", instead("/userinfo", 500, "")),
        (
            "userinfo refuses",
            "userinfo_unreadable",
            instead("/userinfo", 401, "{}"),
        ),
        (
            "userinfo is a page",
            "userinfo_unreadable",
            instead("/userinfo", 200, "<html>"),
        ),
        (
            "userinfo of another",
            "userinfo_subject",
            userinfo(|told| told["sub"] = json!("sub-2")),
        ),
        (
            "userinfo of nobody",
            "userinfo_unreadable",
            userinfo(|told| told["sub"] = Value::Null),
        ),
    ];
    for (case, why, lies) in cases {
        world.refused(case, why, lies).await;
    }
}

#[actix_web::test]
async fn case_89_addresses_of_another_host_are_never_asked() {
    for (case, name) in [
        ("authorization", "authorization_endpoint"),
        ("token", "token_endpoint"),
        ("userinfo", "userinfo_endpoint"),
        ("keys", "jwks_uri"),
        ("issuer", "issuer"),
    ] {
        let world = World::new().await;
        world.idp.lie(Lies {
            discovery: Some(Box::new(move |told| {
                told[name] = json!("http://127.0.0.1:9/elsewhere");
            })),
            ..Lies::default()
        });
        let begun = world
            .login
            .begin(world.db.store(), Purpose::SignIn, None, true, "/")
            .await;
        assert!(
            matches!(begun, Err(LoginError::Down(_))),
            "{case}: {begun:?}"
        );
    }
}

#[actix_web::test]
async fn r9_2_a_lower_proof_of_identity_is_told_apart_and_never_raised() {
    let world = World::new().await;
    for (vot, level, reached) in [
        ("P9.Cp.Cd", json!("P9"), Proofing::P9),
        ("P9.Cm", json!("P9"), Proofing::P9),
        ("P9.Cp.Cd", json!("P5"), Proofing::P5),
        ("P9.Cp.Cd", Value::Null, Proofing::P0),
        ("P5.Cp.Cd", json!("P9"), Proofing::P5),
        ("P0.Cp", json!("P0"), Proofing::P0),
    ] {
        let said = level.clone();
        let lies = token(move |token| {
            token.claims["vot"] = json!(vot);
            token.claims["identity_proofing_level"] = said.clone();
        });
        let (who, _) = world.visit(lies).await.expect("an authentic person");
        assert_eq!(who.proofing, reached, "{vot} {level}");
    }
}

#[actix_web::test]
async fn only_contacts_that_nhs_login_verified_count() {
    let world = World::new().await;
    for (email, phone) in [(json!(false), json!(false)), (Value::Null, Value::Null)] {
        let lies = userinfo(move |told| {
            told["email_verified"] = email.clone();
            told["phone_number_verified"] = phone.clone();
        });
        let (who, _) = world.visit(lies).await.expect("let in");
        assert!(who.email.is_none() && who.mobile.is_none());
    }
    let odd = userinfo(|told| {
        told["email"] = json!("no address");
        told["phone_number"] = json!("+33612345678");
    });
    let (who, _) = world.visit(odd).await.expect("let in");
    assert!(who.email.is_none() && who.mobile.is_none());
}

#[actix_web::test]
async fn case_89_a_new_key_is_fetched_when_it_is_used_and_not_more_often_than_allowed() {
    let with_k1 = || {
        token(|token| {
            token.header["kid"] = json!("k1");
            token.signer = Signer::Rs512(1);
        })
    };
    let world = World::with(|settings| settings.keys_interval = std::time::Duration::ZERO).await;
    world
        .visit(Lies::default())
        .await
        .expect("with the first key");
    world.idp.state.lock().expect("state").published = vec![1];
    world.visit(with_k1()).await.expect("the new key is found");
    world
        .refused("a key that was withdrawn", "kid_unknown", Lies::default())
        .await;

    let patient = World::new().await;
    patient
        .visit(Lies::default())
        .await
        .expect("with the first key");
    patient.idp.state.lock().expect("state").published = vec![0, 1];
    for _ in 0..20 {
        patient
            .refused("within the minute", "kid_unknown", with_k1())
            .await;
    }
    assert_eq!(
        patient.idp.state.lock().expect("state").key_fetches,
        1,
        "nobody makes us hammer the provider"
    );
}

#[actix_web::test]
async fn case_89_while_nhs_login_is_down_nobody_is_sent_out_and_afterwards_it_works_again() {
    let world = World::new().await;
    world
        .idp
        .lie(instead("/.well-known/openid-configuration", 503, ""));
    let begun = world
        .login
        .begin(world.db.store(), Purpose::SignIn, None, true, "/")
        .await;
    assert!(
        matches!(begun, Err(LoginError::Down("discovery"))),
        "{begun:?}"
    );
    world.visit(Lies::default()).await.expect("it is back");
    world.idp.stop().await;
    let begun = world.begin().await;
    assert!(
        begun.url.starts_with(&world.idp.url),
        "what is known is used"
    );
}
