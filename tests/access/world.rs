//! One patient with everything that can be shared or must not be, and everybody who may ask for it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, RequestBuilder, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Client as Database;
use uuid::Uuid;

use super::rig::hospital::{self, Hospital};
use super::rig::node::Node;
use super::rig::world::{Wanted, World as Installation};

/// Everybody who may stand before a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Person {
    /// Whose letters they are.
    Owner,
    OtherPatient,
    AppointmentsCarer,
    AppointmentLettersCarer,
    ClinicLettersCarer,
    /// Every box ticked.
    EverythingCarer,
    /// Had every box ticked, until a moment ago.
    WithdrawnCarer,
    /// Signed in, with neither mailbox nor grant.
    Stranger,
    Clerk,
    /// Of another trust.
    OtherClerk,
    /// The patient's own browser, signed out meanwhile.
    EndedSession,
    /// The patient's own browser after its time.
    ExpiredSession,
    /// A cookie that never was one.
    MadeUpSession,
    Anonymous,
}

impl Person {
    pub(crate) const ALL: [Self; 14] = [
        Self::Anonymous,
        Self::MadeUpSession,
        Self::ExpiredSession,
        Self::EndedSession,
        Self::Stranger,
        Self::OtherPatient,
        Self::WithdrawnCarer,
        Self::AppointmentsCarer,
        Self::AppointmentLettersCarer,
        Self::ClinicLettersCarer,
        Self::EverythingCarer,
        Self::OtherClerk,
        Self::Clerk,
        Self::Owner,
    ];

    pub(crate) const fn is_signed_in(self) -> bool {
        !matches!(
            self,
            Self::Anonymous | Self::MadeUpSession | Self::ExpiredSession | Self::EndedSession
        )
    }

    pub(crate) const fn has_a_grant(self) -> bool {
        matches!(
            self,
            Self::AppointmentsCarer
                | Self::AppointmentLettersCarer
                | Self::ClinicLettersCarer
                | Self::EverythingCarer
        )
    }

    /// The boxes ticked for them, now or once.
    const fn ticks(self) -> &'static [&'static str] {
        match self {
            Self::AppointmentsCarer => &["appointments"],
            Self::AppointmentLettersCarer => &["appointment_letters"],
            Self::ClinicLettersCarer => &["clinic_letters"],
            Self::EverythingCarer | Self::WithdrawnCarer => &[
                "appointments",
                "appointment_letters",
                "clinic_letters",
                "questionnaires",
                "trackers",
            ],
            _ => &[],
        }
    }
}

/// What a thing is, as far as sharing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Appointment,
    AppointmentLetter,
    ClinicLetter,
    /// A clinic letter that the patient hid from the circle of care.
    Hidden,
    /// An appointment letter of a sensitive specialty.
    Sensitive,
    /// The other patient's.
    Others,
}

/// A letter or an appointment, with a title that stands nowhere else.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    kind: Kind,
}

impl Item {
    pub(crate) fn is_seen_by(&self, person: Person) -> bool {
        match (self.kind, person) {
            (Kind::Others, Person::OtherPatient) | (_, Person::Clerk) => true,
            (Kind::Others, _) => false,
            (_, Person::Owner) => true,
            (Kind::Hidden | Kind::Sensitive, _) => false,
            (Kind::Appointment, Person::AppointmentsCarer)
            | (Kind::AppointmentLetter, Person::AppointmentLettersCarer)
            | (Kind::ClinicLetter, Person::ClinicLettersCarer)
            | (_, Person::EverythingCarer) => true,
            _ => false,
        }
    }
}

/// What somebody was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    location: String,
    pub(crate) body: String,
}

impl Answer {
    /// Not sent away: neither told that there is nothing, nor, where nobody is signed in, to sign in.
    pub(crate) fn is_let_in(&self, person: Person) -> bool {
        let place = self.location.split('?').next().unwrap_or_default();
        let to_the_door =
            ["/", "/login", "/demo/sign-in", "/stage", "/signed-out"].contains(&place);
        !(matches!(self.status, 401 | 403 | 404)
            || self.status == 303 && to_the_door && !person.is_signed_in())
    }
}

struct Session {
    cookie: String,
    csrf: String,
}

pub(crate) struct World {
    node: Node,
    client: Client,
    sessions: HashMap<Person, Session>,
    grants: HashMap<Person, Uuid>,
    task: Uuid,
    pub(crate) items: Vec<Item>,
    pub(crate) other_trusts_key: String,
    // Ends last: the node's database and folder.
    _installation: Installation,
}

impl World {
    pub(crate) async fn new() -> Self {
        let installation = Installation::shared(&Wanted::patients(2)).await;
        let node = installation.running("access", &[]).await;
        let database = installation.superuser().await;
        let items = publish(&installation, &node, &database).await;
        let other_trusts_key = another_trust(&database).await;
        let (mut sessions, mut grants) = (HashMap::new(), HashMap::new());
        for person in Person::ALL {
            let account = account_of(person, &installation, &database).await;
            if !person.ticks().is_empty() {
                grants.insert(
                    person,
                    grant(&database, &installation, account, person).await,
                );
            }
            sessions.insert(person, session(&database, account, person).await);
        }
        Self {
            node,
            client: hospital::client(),
            sessions,
            grants,
            task: Uuid::now_v7(),
            items,
            other_trusts_key,
            _installation: installation,
        }
    }

    /// The addresses that a door's pattern stands for here: every letter, every appointment, every grant.
    pub(crate) fn addresses(&self, pattern: &str) -> Vec<String> {
        let mut addresses = vec![pattern.to_owned()];
        let letters: Vec<String> = self.ids(|kind| kind != Kind::Appointment);
        let appointments = self.ids(|kind| kind == Kind::Appointment);
        let grants: Vec<String> = self.grants.values().map(Uuid::to_string).collect();
        let others = vec![self.task.to_string()];
        for (name, values) in [
            ("{letter}", &letters),
            ("{appointment}", &appointments),
            ("{grant}", &grants),
            ("{task}", &others),
            ("{session}", &others),
            ("{request}", &others),
            ("{invitation}", &others),
            ("{token}", &others),
            ("{button}", &vec!["1".to_owned()]),
            ("{page}", &vec!["1".to_owned()]),
            ("{reason}", &vec!["under-16".to_owned()]),
            ("{question}", &vec!["1".to_owned(), "30".to_owned()]),
            ("{topic}", &vec!["contact".to_owned()]),
        ] {
            if pattern.contains(name) {
                addresses = addresses
                    .iter()
                    .flat_map(|address| values.iter().map(|value| address.replace(name, value)))
                    .collect();
            }
        }
        assert!(
            addresses.iter().all(|address| !address.contains('{')),
            "what stands for the parameters of {pattern}?"
        );
        addresses
    }

    /// The other trust goes live and writes to the owner, all by rows and its own key; answers the letter's title.
    pub(crate) async fn other_trust_writes(&self) -> String {
        let database = self._installation.superuser().await;
        database
            .batch_execute(
                "INSERT INTO rollout (trust_id, specialty, letter_kind, live_from)
                 SELECT id, '*', 'clinic', app_now() - interval '1 day' FROM trusts WHERE ods_code = 'RZZ'",
            )
            .await
            .expect("the other trust is live");
        let owner = self._installation.patient(0);
        let row = database
            .query_one(
                "SELECT given_name, family_name, birth_date::text FROM patients WHERE id = $1",
                &[&owner.mailbox],
            )
            .await
            .expect("the owner");
        let (given, family, born): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let hospital = Hospital::meet(&self.node, &self.other_trusts_key).await;
        let known = json!({
            "source_version": 1, "nhs_number": owner.nhs_number, "birth_date": born,
            "name": { "given": given, "family": family },
        });
        let path = format!("/api/v1/patients/{}", owner.source_id);
        let answer = hospital.put(&self.node, &path, &known).await;
        assert_eq!(answer.expect("an answer").status, 200);
        let mut form = hospital.letter("zebra", owner);
        form["title"] = json!("Zebra clinic letter");
        let published = hospital.publish(&self.node, &form).await;
        let published = published.expect("an answer");
        assert!(published.is_published(), "{published:?}");
        "Zebra clinic letter".to_owned()
    }

    fn ids(&self, wanted: impl Fn(Kind) -> bool) -> Vec<String> {
        let items = self.items.iter().filter(|item| wanted(item.kind));
        items.map(|item| item.id.to_string()).collect()
    }

    /// Whether the address names this person's own letter, although the row speaks of the owner's.
    pub(crate) fn is_own(&self, path: &str, person: Person) -> bool {
        let mut own = self.items.iter().filter(|item| item.kind == Kind::Others);
        person == Person::OtherPatient && own.any(|item| path.contains(&item.id.to_string()))
    }

    /// Whether the address names a grant or an item of somebody else than this person.
    pub(crate) fn is_of_another(&self, path: &str, person: Person) -> bool {
        let of_others = self.grants.iter().filter(|(holder, _)| **holder != person);
        let mut ids = of_others.map(|(_, grant)| grant.to_string());
        ids.any(|id| path.contains(&id))
    }

    /// Asks as a page of ours would; `forged` with another session's token.
    pub(crate) async fn knock(
        &self,
        person: Person,
        method: &str,
        path: &str,
        forged: bool,
    ) -> Answer {
        let request = self
            .request(method, path)
            .header("Sec-Fetch-Site", "same-origin");
        let request = request.header("Origin", self.node.url());
        let asked = match (method, self.sessions.get(&person)) {
            ("POST", Some(session)) => {
                let whose = if forged {
                    &self.sessions[&other_than(person)]
                } else {
                    session
                };
                request.form(&[("csrf", whose.csrf.as_str())])
            }
            _ => request,
        };
        answer(self.with_cookie(asked, person)).await
    }

    /// A form that another site's page sends in this person's browser, with their own token even.
    pub(crate) async fn knock_from_elsewhere(&self, person: Person, path: &str) -> Answer {
        let request = self
            .request("POST", path)
            .header("Sec-Fetch-Site", "cross-site")
            .header("Origin", "https://evil.example")
            .form(&[("csrf", self.sessions[&person].csrf.as_str())]);
        answer(self.with_cookie(request, person)).await
    }

    fn with_cookie(&self, request: RequestBuilder, person: Person) -> RequestBuilder {
        match person {
            Person::Anonymous => request,
            _ => request.header(header::COOKIE, &self.sessions[&person].cookie),
        }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        self.client
            .request(method, format!("{}{path}", self.node.url()))
    }

    pub(crate) fn margaret_cookie(&self) -> &str {
        &self.sessions[&Person::Owner].cookie
    }

    /// Method and address of everything that the served OpenAPI names and that asks for a key.
    pub(crate) async fn api_doors(&self) -> Vec<(String, String)> {
        let text = answer(self.request("GET", "/api/v1/openapi.json"))
            .await
            .body;
        let described: Value = serde_json::from_str(&text).expect("OpenAPI");
        let paths = described["paths"].as_object().expect("paths");
        let mut doors = Vec::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                if operation["security"] != json!([]) && path.starts_with("/api/v1/") {
                    let filled = path.split('/').map(|part| {
                        if part.starts_with('{') {
                            "clinic"
                        } else {
                            part
                        }
                    });
                    doors.push((method.clone(), filled.collect::<Vec<_>>().join("/")));
                }
            }
        }
        doors.retain(|(_, path)| path != "/api/v1/openapi.json" && path != "/api/v1/sandbox");
        assert!(doors.len() > 5, "{doors:?}");
        doors
    }

    pub(crate) async fn call(&self, key: Option<&str>, method: &str, path: &str) -> Answer {
        let request = self.request(&method.to_uppercase(), path);
        answer(match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
        .await
    }
}

/// Somebody else who is signed in.
const fn other_than(person: Person) -> Person {
    match person {
        Person::Stranger => Person::OtherPatient,
        _ => Person::Stranger,
    }
}

async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("the server answers");
    let location = answer.headers().get(header::LOCATION);
    Answer {
        location: location
            .and_then(|place| place.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        status: answer.status().as_u16(),
        body: String::from_utf8_lossy(&answer.bytes().await.expect("a body")).into_owned(),
    }
}

/// Everything through the public API, then the two that need the patient or the trust to say more.
async fn publish(installation: &Installation, node: &Node, database: &Database) -> Vec<Item> {
    let cast = &installation.cast;
    let hospital = Hospital::meet(node, &cast.api_key).await;
    let (owner, other) = (installation.patient(0), installation.patient(1));
    let mut items = Vec::new();
    for (name, kind, patient) in [
        ("appointment", Kind::AppointmentLetter, owner),
        ("clinic", Kind::ClinicLetter, owner),
        ("hidden", Kind::Hidden, owner),
        ("sensitive", Kind::Sensitive, owner),
        ("others", Kind::Others, other),
    ] {
        let mut form = hospital.letter(name, patient);
        let title = format!("Quokka {name} letter");
        form["title"] = json!(title);
        if matches!(kind, Kind::AppointmentLetter | Kind::Sensitive) {
            form["kind"] = json!("appointment");
        }
        let published = hospital.publish(node, &form).await.expect("an answer");
        assert!(published.is_published(), "{published:?}");
        items.push(Item {
            id: published.letter_id(),
            title,
            kind,
        });
    }
    let visit = json!({
        "source_version": 1, "patient": owner.source_id, "nhs_number": owner.nhs_number, "state": "booked",
        "starts_at": "2099-03-04T09:30:00Z", "specialty": "Ophthalmology", "clinic": "Quokka eye clinic",
        "location": "First floor", "contact": { "phone": "01432 000001" },
    });
    let answer = hospital
        .put(node, "/api/v1/appointments/visit", &visit)
        .await
        .expect("an answer");
    assert!(answer.is_published(), "{answer:?}");
    database
        .batch_execute(
            "UPDATE letters SET hidden_at = app_now() WHERE source_id = 'hidden';
             UPDATE letters SET restricted = true WHERE source_id = 'sensitive';
             UPDATE letters SET state = 'opened', opened_at = app_now()",
        )
        .await
        .expect("hidden, sensitive, and open, so that carers may look");
    let row = database
        .query_one("SELECT id FROM appointments WHERE source_id = 'visit'", &[])
        .await
        .expect("the appointment");
    items.push(Item {
        id: row.get(0),
        title: "Quokka eye clinic".to_owned(),
        kind: Kind::Appointment,
    });
    items
}

/// Another hospital, with a key and nothing else; answers the key.
async fn another_trust(database: &Database) -> String {
    let key = format!(
        "lbk_{}",
        URL_SAFE_NO_PAD.encode(Sha256::digest("another trust"))
    );
    database
        .batch_execute(
            "INSERT INTO trusts (id, ods_code, name, short_name, switchboard, policy_version)
             SELECT '00000000-0000-4000-8000-000000000001', 'RZZ', 'Other NHS Trust', 'Other', '01905 000000', policy_version
             FROM trusts LIMIT 1;
             INSERT INTO policies (trust_id, version, body)
             SELECT '00000000-0000-4000-8000-000000000001', version, body FROM policies",
        )
        .await
        .expect("another trust");
    let hash: [u8; 32] = Sha256::digest(&key).into();
    database
        .execute(
            "INSERT INTO trust_api_keys (id, trust_id, label, key_sha256)
             VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000001', 'access', $1)",
            &[&hash.as_slice()],
        )
        .await
        .expect("its key");
    key
}

/// The account of this person, made where the installation has none.
async fn account_of(person: Person, installation: &Installation, database: &Database) -> Uuid {
    let patient = match person {
        Person::Owner | Person::EndedSession | Person::ExpiredSession => Some(0),
        Person::OtherPatient => Some(1),
        _ => None,
    };
    if let Some(index) = patient {
        let mailbox = installation.patient(index).mailbox;
        let sql = "SELECT account_id FROM memberships WHERE patient_id = $1";
        return database
            .query_one(sql, &[&mailbox])
            .await
            .expect("a member")
            .get(0);
    }
    let (id, staff) = (
        Uuid::now_v7(),
        matches!(person, Person::Clerk | Person::OtherClerk),
    );
    let kind = if staff { "staff" } else { "person" };
    database
        .execute(
            "INSERT INTO accounts (id, kind, display_name) VALUES ($1, $2, 'Somebody Else')",
            &[&id, &kind],
        )
        .await
        .expect("an account");
    if staff {
        let other = person == Person::OtherClerk;
        database
            .execute(
                "INSERT INTO staff_roles (account_id, trust_id, role)
                 SELECT $1, id, 'booking_clerk' FROM trusts WHERE (ods_code = 'RZZ') = $2",
                &[&id, &other],
            )
            .await
            .expect("a role");
    }
    id
}

async fn grant(
    database: &Database,
    installation: &Installation,
    carer: Uuid,
    person: Person,
) -> Uuid {
    let id = Uuid::now_v7();
    let withdrawn = person == Person::WithdrawnCarer;
    database
        .execute(
            "INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, version, revoked_at)
             VALUES ($1, $2, $3, 'Friend', $4, 1, CASE WHEN $5 THEN app_now() END)",
            &[&id, &installation.patient(0).mailbox, &carer, &person.ticks(), &withdrawn],
        )
        .await
        .expect("a grant");
    id
}

/// A session as the server would have made it, and the token of its forms.
async fn session(database: &Database, account: Uuid, person: Person) -> Session {
    let secret: [u8; 32] = Sha256::digest(format!("{person:?}")).into();
    let token = URL_SAFE_NO_PAD.encode(secret);
    let hash: [u8; 32] = Sha256::digest(&token).into();
    let (expired, ended) = (
        person == Person::ExpiredSession,
        person == Person::EndedSession,
    );
    if person != Person::MadeUpSession {
        database
            .execute(
                "INSERT INTO sessions (id, token_sha256, account_id, csrf_secret, expires_at, ended_at)
                 VALUES (gen_random_uuid(), $1, $2, $3,
                         app_now() + CASE WHEN $4 THEN interval '-1 minute' ELSE interval '1 hour' END,
                         CASE WHEN $5 THEN app_now() END)",
                &[&hash.as_slice(), &account, &secret.as_slice(), &expired, &ended],
            )
            .await
            .expect("a session");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length");
    mac.update(b"form");
    Session {
        cookie: format!("__Host-letterbox={token}"),
        csrf: URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()),
    }
}
