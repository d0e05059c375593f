//! A node on a database of its own, and the people who use it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, web};
use letterbox::identity::Identity;
use letterbox::identity::origin::Origins;
use letterbox::live::cursor::Cursors;
use letterbox::live::door::{self, DoorSettings};
use letterbox::live::limits::Limits;
use letterbox::live::{Live, Parts, ticket};
use letterbox::relay::{LocalBus, Relay};
use letterbox::store::events::{self, NewEvent};
use letterbox::store::{Principal, Store};
use letterbox::testing::TestDb;
use letterbox_actors::clock::SystemClock;
use letterbox_actors::ports::NodeId;
use letterbox_actors::settings::Settings;
use letterbox_actors::system::{Ports, System};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::event::{Event, EventKind, ItemRef};
use letterbox_domain::id::{AccountId, GrantId, LetterId, PatientId, TrustId};
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::client::{Answer, PATIENCE, Wire};
use crate::idle::NothingDue;

pub(crate) const ORIGIN: &str = "http://localhost:8080";
const SECRET: [u8; 32] = [9; 32];

/// One server process, as far as sockets are concerned.
pub(crate) struct Node {
    pub live: Arc<Live>,
    pub relay: Relay,
    pub system: System,
    pub addr: SocketAddr,
}

pub(crate) struct World {
    pub db: TestDb,
    pub rows: Client,
    pub node: Node,
    pub trust: TrustId,
    pub document: Uuid,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub account: AccountId,
    pub cookie: String,
}

/// A patient who is signed in, with one letter to talk about.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    pub person: Person,
    pub id: PatientId,
    pub letter: LetterId,
}

impl Node {
    pub(crate) async fn start(
        store: &Store,
        db: &TestDb,
        adjust: impl FnOnce(&mut Limits),
    ) -> Self {
        let settings = db.settings();
        let mut limits = Limits::new(&settings.live, &settings.server);
        limits.spare_descriptors = 0;
        limits.tickets_per_minute = 100_000;
        limits.tickets_per_second = 100_000;
        adjust(&mut limits);
        let relay = Relay::new(Arc::new(LocalBus));
        let ports = Ports {
            mailboxes: Arc::new(store.clone()),
            cases: Arc::new(NothingDue),
            dispatches: Arc::new(NothingDue),
            outlets: Vec::new(),
            account_mails: Vec::new(),
            print: None,
            boards: Arc::new(store.clone()),
            chores: Vec::new(),
            doorbell: Arc::new(relay.clone()),
        };
        let system = System::start(
            ports,
            Settings {
                node: NodeId::random(),
                ..Settings::default()
            },
            Arc::new(SystemClock::default()),
        )
        .expect("the actors start");
        let origins = Origins::of(ORIGIN).expect("an origin");
        let identity = Identity::new(store.clone(), &settings.sessions, origins.clone());
        let live = Live::start(Parts {
            limits,
            origins,
            idle: identity.idle().clone(),
            store: store.clone(),
            system: system.clone(),
            cursors: Cursors::new(&SECRET).expect("a long secret"),
        });
        relay.connect(system.clone(), Arc::clone(&live), store.clone());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let (for_app, data) = (identity.clone(), ticket::data(&live));
        let settings = DoorSettings {
            workers: 2,
            ..DoorSettings::default()
        };
        let server = door::serve(listener, &live, settings, move || {
            App::new()
                .app_data(web::Data::new(for_app.clone()))
                .app_data(data.clone())
                .configure(ticket::routes)
                .route("/hello", web::get().to(|| async { "hello" }))
                .route("/test/sign-in/{account}", web::post().to(sign_in))
                .route("/test/sign-out", web::post().to(sign_out))
        })
        .expect("the node serves");
        actix_rt::spawn(server);
        Self {
            live,
            relay,
            system,
            addr,
        }
    }

    /// Any request over a connection of its own.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut wire = Wire::connect(self.addr).await;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" {
            head.push_str("Content-Length: 0\r\n");
        }
        head.push_str("\r\n");
        wire.send(head.as_bytes()).await;
        wire.answer().await
    }

    /// Asks for a ticket as our page does.
    pub(crate) async fn ask_ticket(&self, person: &Person) -> Answer {
        let cookie = format!("__Host-letterbox={}", person.cookie);
        let headers = [("Cookie", cookie.as_str()), ("Origin", ORIGIN)];
        self.request("POST", "/live/ticket", &headers).await
    }

    pub(crate) async fn ticket(&self, person: &Person) -> String {
        let answer = self.ask_ticket(person).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let ticket = answer.json()["ticket"].as_str().map(str::to_owned);
        ticket.expect("a ticket")
    }

    /// A connected and identified browser, and what it was told.
    pub(crate) async fn browse(&self, person: &Person, positions: &Value) -> (Wire, Value) {
        let ticket = self.ticket(person).await;
        let mut wire = Wire::upgrade(self.addr, ORIGIN).await;
        let ok = say_hi(&mut wire, &ticket, positions).await;
        (wire, ok)
    }
}

/// Says `hi` on a fresh socket and answers what came back.
pub(crate) async fn say_hi(wire: &mut Wire, ticket: &str, positions: &Value) -> Value {
    wire.say(&hi(ticket, positions)).await;
    let ok = wire.json().await;
    assert_eq!(ok["t"], "ok", "{ok}");
    ok
}

pub(crate) fn hi(ticket: &str, positions: &Value) -> String {
    serde_json::json!({"t": "hi", "ticket": ticket, "pos": positions}).to_string()
}

/// No position at all.
pub(crate) fn nowhere() -> Value {
    serde_json::json!({})
}

async fn sign_in(
    request: HttpRequest,
    path: web::Path<Uuid>,
    identity: web::Data<Identity>,
    live: web::Data<Live>,
) -> HttpResponse {
    let account = AccountId::from(path.into_inner());
    let (cookie, ended) = identity
        .sign_in(&request, account, false)
        .await
        .expect("the store answers");
    for (account, session) in ended {
        live.end_session(account, session);
    }
    HttpResponse::Ok().cookie(cookie).finish()
}

async fn sign_out(
    signed_in: letterbox::identity::session::SignedIn,
    identity: web::Data<Identity>,
    live: web::Data<Live>,
) -> HttpResponse {
    let (cookie, ended) = identity
        .sign_out(&signed_in)
        .await
        .expect("the store answers");
    for (account, session) in ended {
        live.end_session(account, session);
    }
    HttpResponse::Ok().cookie(cookie).finish()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Limits)) -> Self {
        Self::with_settings(&[], adjust).await
    }

    pub(crate) async fn with_settings(
        settings: &[(&str, &str)],
        adjust: impl FnOnce(&mut Limits),
    ) -> Self {
        let db = TestDb::with(settings).await;
        let rows = db.superuser().await;
        let node = Node::start(db.store(), &db, adjust).await;
        let (trust, document) = (Uuid::now_v7(), Uuid::now_v7());
        rows.execute(
            "INSERT INTO trusts (id, ods_code, name, short_name, switchboard, policy_version)
             VALUES ($1, 'RLQ', 'A trust', 'Trust', '01632 960000', 1)",
            &[&trust],
        )
        .await
        .expect("a trust");
        rows.execute(
            "INSERT INTO documents (id, trust_id, sha256, pages, size_bytes, content)
             VALUES ($1, $2, sha256('x'), 1, 1, 'x')",
            &[&document, &trust],
        )
        .await
        .expect("a document");
        Self {
            db,
            rows,
            node,
            trust: trust.into(),
            document,
        }
    }

    /// Another process on the same database.
    pub(crate) async fn another_node(&self) -> Node {
        let store = Store::connect(&self.db.settings().database, self.db.settings().mode).await;
        Node::start(&store.expect("a second connection"), &self.db, |_| ()).await
    }

    pub(crate) async fn person(&self, kind: &str) -> Person {
        let account = Uuid::now_v7();
        self.rows
            .execute(
                "INSERT INTO accounts (id, kind, display_name) VALUES ($1, $2, 'Somebody')",
                &[&account, &kind],
            )
            .await
            .expect("an account");
        let path = format!("/test/sign-in/{account}");
        let answer = self.node.request("POST", &path, &[]).await;
        let cookie = answer.header("set-cookie").expect("a cookie");
        let value = cookie.split(['=', ';']).nth(1).expect("its value");
        Person {
            account: account.into(),
            cookie: value.to_owned(),
        }
    }

    pub(crate) async fn patient(&self) -> Patient {
        let person = self.person("person").await;
        let (id, letter) = (Uuid::now_v7(), Uuid::now_v7());
        let number = format!("{:010}", id.as_u128() % 10_000_000_000);
        self.rows
            .execute(
                "INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines)
                 VALUES ($1, $2, 'Ann', 'Example', '1950-01-01', '{}')",
                &[&id, &number],
            )
            .await
            .expect("a patient");
        self.rows
            .execute(
                "INSERT INTO memberships (patient_id, account_id, joined_at) VALUES ($1, $2, now())",
                &[&id, &person.account.as_uuid()],
            )
            .await
            .expect("a membership");
        self.rows
            .execute(
                "INSERT INTO letters (id, trust_id, source_id, form_sha256, patient_id, document_id, kind, title,
                     specialty, clinic, contact_phone, authored_at, published_at, state, route, route_reason)
                 VALUES ($1, $2, $3, sha256('x'), $4, $5, 'clinic', 'A letter', 'cardiology', 'Clinic',
                     '01632 960001', now(), now(), 'published', 'portal', 'member')",
                &[
                    &letter,
                    &self.trust.as_uuid(),
                    &letter.to_string(),
                    &id,
                    &self.document,
                ],
            )
            .await
            .expect("a letter");
        Patient {
            person,
            id: id.into(),
            letter: letter.into(),
        }
    }

    /// Somebody who may see `ticks` of the patient's mailbox.
    pub(crate) async fn carer(&self, patient: &Patient, ticks: &[&str]) -> (Person, GrantId) {
        let (person, grant) = (self.person("person").await, Uuid::now_v7());
        self.rows
            .execute(
                "WITH raised AS (UPDATE patients SET grants_version = grants_version + 1 WHERE id = $2
                                 RETURNING grants_version)
                 INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, version)
                 SELECT $1, $2, $3, 'daughter', $4, grants_version FROM raised",
                &[
                    &grant,
                    &patient.id.as_uuid(),
                    &person.account.as_uuid(),
                    &ticks,
                ],
            )
            .await
            .expect("a grant");
        (person, grant.into())
    }

    /// Withdraws a grant and tells nobody.
    pub(crate) async fn withdraw(&self, patient: &Patient, grant: GrantId) -> i64 {
        let row = self
            .rows
            .query_one(
                "WITH raised AS (UPDATE patients SET grants_version = grants_version + 1 WHERE id = $2
                                 RETURNING grants_version)
                 UPDATE grants SET revoked_at = now(), version = (SELECT grants_version FROM raised)
                 WHERE id = $1 RETURNING version",
                &[&grant.as_uuid(), &patient.id.as_uuid()],
            )
            .await;
        row.expect("a grant to withdraw").get(0)
    }

    /// Commits `count` events in one mailbox and tells nobody.
    pub(crate) async fn commit(
        &self,
        patient: &Patient,
        count: usize,
        share: ShareKind,
    ) -> Vec<Event> {
        let new = NewEvent {
            patient: patient.id,
            kind: EventKind::LetterPublished,
            item: ItemRef::Letter(patient.letter),
            share,
            restricted: false,
            due: None,
        };
        let tx = self.db.store().begin(&Principal::SERVER).await;
        let tx = tx.expect("a transaction");
        let events = events::append(&tx, &vec![new; count]).await;
        tx.commit().await.expect("a commit");
        events.expect("events")
    }

    /// Commits and rings.
    pub(crate) async fn publish(&self, patient: &Patient, count: usize) -> Vec<Event> {
        let events = self.commit(patient, count, ShareKind::ClinicLetters).await;
        self.node.relay.poke(&events);
        events
    }

    /// A browser that shows its own mailbox up to date.
    pub(crate) async fn at_home(&self, patient: &Patient) -> Wire {
        self.node.browse(&patient.person, &nowhere()).await.0
    }
}

/// Waits until `fact` holds.
pub(crate) async fn until(what: &str, fact: impl AsyncFn() -> bool) {
    let waiting = async {
        while !fact().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let held = tokio::time::timeout(PATIENCE * 2, waiting).await;
    assert!(held.is_ok(), "in vain: {what}");
}

/// Runs an ignored test of this binary in a process of its own: the memory of a process is everybody's.
pub(crate) async fn alone(test: &str) {
    let output = tokio::process::Command::new(std::env::current_exe().expect("this binary"))
        .args([test, "--exact", "--ignored", "--nocapture"])
        .kill_on_drop(true)
        .output()
        .await
        .expect("a process of its own");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} failed"
    );
}

/// The resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse::<usize>().ok());
    pages.expect("a number") * 4_096
}

/// Reads `count` events and answers their ids; asserts that they are numbered without a gap from `from`.
pub(crate) async fn events_of(wire: &mut Wire, count: usize, from: u64) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let event = wire.json().await;
        assert_eq!(event["t"], "ev", "{event}");
        assert_eq!(event["n"], from + ids.len() as u64, "{event}");
        ids.push(event["e"]["id"].as_str().expect("an id").to_owned());
    }
    ids
}

/// The ids of events as they stand in frames.
pub(crate) fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}
