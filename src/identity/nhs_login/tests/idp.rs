//! An identity provider that lies on demand: honest until a case changes exactly one thing.

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair,
    UnparsedPublicKey,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use letterbox_actors::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

pub(super) const CLIENT: &str = "letterbox-test";

/// Made once per process: keys take a while.
pub(super) fn keys() -> &'static [RsaKeyPair; 3] {
    static KEYS: OnceLock<[RsaKeyPair; 3]> = OnceLock::new();
    KEYS.get_or_init(|| {
        std::array::from_fn(|_| RsaKeyPair::generate(rsa::KeySize::Rsa2048).expect("a key"))
    })
}

/// The client's own key, as its PEM file.
pub(super) fn client_pem() -> String {
    let der: Pkcs8V1Der<'_> = keys()[2].as_der().expect("DER");
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// With what a token is signed.
#[derive(Clone)]
pub(super) enum Signer {
    Rs512(usize),
    Rs256(usize),
    Hmac(Vec<u8>),
    Nothing,
}

/// An ID token before it is signed.
pub(super) struct Token {
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) signer: Signer,
}

impl Token {
    fn text(&self) -> String {
        let body = format!(
            "{}.{}",
            B64.encode(self.header.to_string()),
            B64.encode(self.claims.to_string())
        );
        let rsa = |key: usize, how| {
            let mut signature = vec![0; keys()[key].public_modulus_len()];
            let random = SystemRandom::new();
            keys()[key]
                .sign(how, &random, body.as_bytes(), &mut signature)
                .expect("signs");
            signature
        };
        let signature = match &self.signer {
            Signer::Rs512(key) => rsa(*key, &RSA_PKCS1_SHA512),
            Signer::Rs256(key) => rsa(*key, &RSA_PKCS1_SHA256),
            Signer::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, body.as_bytes()).as_ref().to_vec()
            }
            Signer::Nothing => Vec::new(),
        };
        format!("{body}.{}", B64.encode(signature))
    }
}

type Change<T> = Box<dyn Fn(&mut T) + Send>;

/// What is changed for a case; nothing by default.
#[derive(Default)]
pub(super) struct Lies {
    pub(super) token: Option<Change<Token>>,
    pub(super) answer: Option<Change<Value>>,
    pub(super) userinfo: Option<Change<Value>>,
    pub(super) discovery: Option<Change<Value>>,
    /// Path → status and body.
    pub(super) instead: HashMap<&'static str, (u16, String)>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) lies: Lies,
    /// Which keys are published, by number; kid `k0`, `k1` …
    pub(super) published: Vec<usize>,
    pub(super) key_fetches: usize,
    /// Unused code → nonce and PKCE challenge.
    codes: HashMap<String, (Option<String>, Option<String>)>,
    assertions: HashSet<String>,
    next: usize,
}

/// A running provider.
pub(super) struct Idp {
    pub(super) url: String,
    pub(super) state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

impl Idp {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State {
            published: vec![0],
            ..State::default()
        }));
        let data = web::Data::new((url.clone(), Arc::clone(&state)));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::to(answer))
        });
        let server = server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .expect("listens")
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url, state, handle }
    }

    pub(super) fn lie(&self, lies: Lies) {
        self.state.lock().expect("state").lies = lies;
    }

    /// The person says yes: a code for what the portal asked.
    pub(super) fn agree(&self, url: &str) -> (String, String) {
        let url: reqwest::Url = url.parse().expect("an address");
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let mut state = self.state.lock().expect("state");
        state.next += 1;
        let code = format!("code-{}", state.next);
        let kept = (
            asked.get("nonce").cloned(),
            asked.get("code_challenge").cloned(),
        );
        state.codes.insert(code.clone(), kept);
        (asked["state"].clone(), code)
    }

    pub(super) async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

pub(super) fn userinfo() -> Value {
    json!({
        "sub": "sub-1", "given_name": "Nadia", "family_name": "Rahman", "birthdate": "1968-05-14",
        "nhs_number": "9990000204", "email": "nadia@example.test", "email_verified": true,
        "phone_number": "+447700900204", "phone_number_verified": true,
        "gp_registration_details": { "gp_ods_code": "Z00001" }
    })
}

async fn answer(
    request: HttpRequest,
    body: web::Bytes,
    data: web::Data<(String, Arc<Mutex<State>>)>,
) -> HttpResponse {
    let (url, state) = data.get_ref();
    let mut state = state.lock().expect("state");
    let path = request.path();
    if path == "/jwks" {
        state.key_fetches += 1;
    }
    if let Some((status, body)) = state.lies.instead.get(path) {
        let status = actix_web::http::StatusCode::from_u16(*status).expect("a status");
        let mut instead = HttpResponse::build(status);
        if status.is_redirection() {
            instead.insert_header(("location", body.clone()));
        }
        return instead.content_type("application/json").body(body.clone());
    }
    match path {
        "/.well-known/openid-configuration" => {
            let mut told = discovery(url);
            if let Some(change) = &state.lies.discovery {
                change(&mut told);
            }
            HttpResponse::Ok().json(told)
        }
        "/jwks" => {
            let keys: Vec<Value> = state.published.iter().map(|key| jwk(*key)).collect();
            HttpResponse::Ok().json(json!({ "keys": keys }))
        }
        "/token" => token(url, &mut state, &body),
        "/userinfo" => {
            let mut told = userinfo();
            if let Some(change) = &state.lies.userinfo {
                change(&mut told);
            }
            HttpResponse::Ok().json(told)
        }
        _ => HttpResponse::NotFound().finish(),
    }
}

fn discovery(url: &str) -> Value {
    json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"], "id_token_signing_alg_values_supported": ["RS512"]
    })
}

/// The public half: DER of a 2,048-bit key has its modulus at a fixed place.
fn jwk(key: usize) -> Value {
    let modulus = B64.encode(modulus(key));
    json!({ "kty": "RSA", "use": "sig", "alg": "RS512", "kid": format!("k{key}"), "n": modulus, "e": "AQAB" })
}

pub(super) fn modulus(key: usize) -> Vec<u8> {
    let der = keys()[key].public_key().as_ref();
    assert_eq!(&der[4..9], [0x02, 0x82, 0x01, 0x01, 0x00]);
    der[9..265].to_vec()
}

fn token(url: &str, state: &mut State, body: &[u8]) -> HttpResponse {
    let refused = |why: &str| HttpResponse::BadRequest().json(json!({ "error": why }));
    let form: HashMap<String, String> =
        serde_urlencoded(std::str::from_utf8(body).expect("a form"));
    if !knows_client(url, state, &form) {
        return refused("invalid_client");
    }
    let Some((nonce, challenge)) = state.codes.remove(&form["code"]) else {
        return refused("invalid_grant");
    };
    if let Some(challenge) = challenge {
        let verifier = form.get("code_verifier").cloned().unwrap_or_default();
        if B64.encode(sha2::Sha256::digest(verifier)) != challenge {
            return refused("invalid_grant");
        }
    }
    let now = SystemClock::new().now().timestamp();
    let hash = Sha512::digest("access");
    let mut token = Token {
        header: json!({ "alg": "RS512", "typ": "JWT", "kid": "k0" }),
        claims: json!({
            "iss": url, "sub": "sub-1", "aud": CLIENT, "iat": now, "exp": now + 3600, "jti": form["code"],
            "nonce": nonce, "vot": "P9.Cp.Cd", "vtm": format!("{url}/trustmark"), "nhs_number": "9990000204",
            "birthdate": "1968-05-14", "family_name": "Rahman", "identity_proofing_level": "P9",
            "at_hash": B64.encode(&hash[..32])
        }),
        signer: Signer::Rs512(0),
    };
    if let Some(change) = &state.lies.token {
        change(&mut token);
    }
    let mut told = json!({
        "access_token": "access", "token_type": "bearer", "expires_in": 300, "id_token": token.text(),
        "scope": "openid profile"
    });
    if let Some(change) = &state.lies.answer {
        change(&mut told);
    }
    HttpResponse::Ok().json(told)
}

/// Judges the client's assertion as the real one does: its key, its audience, once.
fn knows_client(url: &str, state: &mut State, form: &HashMap<String, String>) -> bool {
    let assertion = form.get("client_assertion").cloned().unwrap_or_default();
    let Some((signed, signature)) = assertion.rsplit_once('.') else {
        return false;
    };
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, keys()[2].public_key().as_ref());
    let signature = B64.decode(signature).unwrap_or_default();
    let parts: Vec<Value> = signed
        .split('.')
        .map(|part| {
            serde_json::from_slice(&B64.decode(part).unwrap_or_default()).unwrap_or_default()
        })
        .collect();
    let now = SystemClock::new().now().timestamp();
    let fresh = parts[1]["exp"]
        .as_i64()
        .is_some_and(|exp| exp > now && exp <= now + 300);
    key.verify(signed.as_bytes(), &signature).is_ok()
        && parts[0]["alg"] == "RS512"
        && parts[1]["iss"] == CLIENT
        && parts[1]["sub"] == CLIENT
        && parts[1]["aud"] == format!("{url}/token")
        && fresh
        && state.assertions.insert(parts[1]["jti"].to_string())
        && form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        && form["redirect_uri"] == "https://portal.example/login/nhs/callback"
        && form["client_id"] == CLIENT
        && !form.contains_key("client_secret")
}

fn serde_urlencoded(text: &str) -> HashMap<String, String> {
    let url: reqwest::Url = format!("http://x/?{text}").parse().expect("an address");
    url.query_pairs().into_owned().collect()
}
