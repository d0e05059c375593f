//! What an idle session holds of the heap, with its own patient's actor and five letters; clients in a process of their
//! own. Resident memory, with what an allocator keeps, is measured by `make bench-sockets`.
//!
//! `LETTERBOX_WEIGHT_SESSIONS=10000 cargo test --test live weight -- --nocapture` prints the parts.

use std::alloc::System;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use letterbox::identity::ticket::{Ticket, TicketHash};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

use crate::client::{Heard, MASK, Wire, frame};
use crate::world::{ORIGIN, World, alone, nowhere, say_hi};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ADDRESS: &str = "LETTERBOX_WEIGHT_ADDRESS";
const HOLDER: &str = "weight::holds_sockets_for_the_other_process";
const DONE: &str = "order carried out";
/// Sessions opened before anything is measured.
const WARM: usize = 200;
const MAX_MESSAGE: usize = 1_024;
/// The goal.
const MOST_BYTES: usize = 4 * 1_024;
/// What one message may leave behind in its session: nothing that grows with it.
const MOST_KEPT: usize = 64;

/// What this process holds of the heap, in bytes.
fn held() -> usize {
    let so_far = HEAP.stats();
    so_far
        .bytes_allocated
        .saturating_sub(so_far.bytes_deallocated)
}

/// Patients with five letters each, signed in, with a ticket in hand.
async fn crowd(world: &World, count: usize) -> Vec<String> {
    let tickets: Vec<String> = (0..count).map(|_| Ticket::random().reveal()).collect();
    let hashes: Vec<Vec<u8>> = tickets
        .iter()
        .filter_map(|ticket| TicketHash::of(ticket))
        .map(|hash| hash.0.to_vec())
        .collect();
    let fresh = || -> Vec<Uuid> { (0..count).map(|_| Uuid::now_v7()).collect() };
    let (accounts, patients, sessions) = (fresh(), fresh(), fresh());
    let document = world.document;
    let (trust, start) = (world.trust.as_uuid(), 5_000_000_000_i64);
    for (sql, params) in [
        (
            "INSERT INTO accounts (id, kind, display_name) SELECT id, 'person', 'Somebody' FROM unnest($1::uuid[]) id",
            vec![&accounts as &(dyn tokio_postgres::types::ToSql + Sync)],
        ),
        (
            "INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines)
             SELECT id, ($2 + n)::text, 'Ann', 'Example', '1950-01-01', '{}' FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, n)",
            vec![&patients, &start],
        ),
        (
            "INSERT INTO memberships (patient_id, account_id, joined_at) SELECT *, now() FROM unnest($1::uuid[], $2::uuid[])",
            vec![&patients, &accounts],
        ),
        (
            "INSERT INTO sessions (id, token_sha256, account_id, csrf_secret, expires_at)
             SELECT id, hash, account, sha256(hash), now() + interval '8 hours'
             FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS s (id, hash, account)",
            vec![&sessions, &hashes, &accounts],
        ),
        (
            "INSERT INTO live_tickets (ticket_sha256, session_id, account_id, expires_at)
             SELECT *, now() + interval '1 hour' FROM unnest($1::bytea[], $2::uuid[], $3::uuid[])",
            vec![&hashes, &sessions, &accounts],
        ),
        (
            "INSERT INTO letters (id, trust_id, source_id, form_sha256, patient_id, document_id, kind, title, specialty,
                 clinic, contact_phone, authored_at, published_at, state, route, route_reason)
             SELECT gen_random_uuid(), $2, 'w' || n || '-' || p, sha256('x'), id, $3, 'clinic', 'A letter', 'cardiology',
                 'Clinic', '01632 960001', now(), now(), 'published', 'portal', 'member'
             FROM unnest($1::uuid[]) WITH ORDINALITY AS who (id, p), generate_series(1, 5) n",
            vec![&patients, &trust, &document],
        ),
    ] {
        world.rows.execute(sql, &params).await.expect(sql);
    }
    tickets
}

/// A client process that holds sockets for us.
struct Holder {
    _child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    fn start(addr: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args([HOLDER, "--exact", "--ignored", "--nocapture"])
            .env(ADDRESS, addr.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a second process");
        let orders = child.stdin.take().expect("its input");
        let answers = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self {
            _child: child,
            orders,
            answers,
        }
    }

    /// Gives an order and waits until it has been carried out.
    async fn order(&mut self, order: &str) {
        let line = format!("{order}\n");
        let sent = self.orders.write_all(line.as_bytes()).await;
        sent.expect("it listens");
        loop {
            let line = self.answers.next_line().await.expect("it answers");
            if line.expect("it has not ended") == DONE {
                return;
            }
        }
    }
}

#[actix_rt::test]
async fn an_idle_session_weighs_little() {
    alone("weight::idle_sessions").await;
}

#[actix_rt::test]
#[ignore = "run alone by an_idle_session_weighs_little"]
async fn idle_sessions() {
    let count = std::env::var("LETTERBOX_WEIGHT_SESSIONS").ok();
    let count: usize = count.and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let world = World::with(|limits| {
        // The other process answers no pings.
        limits.silence = Duration::from_secs(3_600);
        limits.hello_within = Duration::from_secs(60);
    })
    .await;
    let tickets = crowd(&world, WARM + count).await;
    let (warm, tickets) = tickets.split_at(WARM);
    let mut holder = Holder::start(world.node.addr);
    holder.order(&format!("hi {}", warm.join(" "))).await;
    let empty = held();
    for some in tickets.chunks(500) {
        holder.order(&format!("hi {}", some.join(" "))).await;
    }
    assert_eq!(world.node.live.sessions(), WARM + count);
    assert_eq!(world.node.system.patients(), WARM + count);
    let each = (held() - empty) / count;
    println!("{count} idle sessions: {each} bytes each, with actor and five letters");
    holder.order("long").await;
    let after_long = (held() - empty) / count;
    println!("after one message of the largest size each: {after_long} bytes each");
    assert!(each < MOST_BYTES, "{each} bytes a session");
    let kept = after_long.saturating_sub(each);
    assert!(
        kept < MOST_KEPT,
        "a long message leaves {kept} bytes behind"
    );
}

/// The other process of [`idle_sessions`]: takes orders from its standard input.
#[actix_rt::test]
#[ignore = "started by idle_sessions"]
async fn holds_sockets_for_the_other_process() {
    let Ok(addr) = std::env::var(ADDRESS) else {
        return;
    };
    let addr: SocketAddr = addr.parse().expect("an address");
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let mut wires = Vec::new();
    while let Ok(Some(order)) = orders.next_line().await {
        match order.split_once(' ') {
            Some(("hi", tickets)) => {
                let tickets: Vec<&str> = tickets.split(' ').collect();
                for some in tickets.chunks(25) {
                    let opening = some.iter().map(async |ticket| {
                        let mut wire = Wire::upgrade(addr, ORIGIN).await;
                        say_hi(&mut wire, ticket, &nowhere()).await;
                        wire
                    });
                    wires.extend(futures_util::future::join_all(opening).await);
                }
            }
            _ => {
                let padding = "x".repeat(MAX_MESSAGE - r#"{"t":"wave","x":""}"#.len());
                let longest = format!(r#"{{"t":"wave","x":"{padding}"}}"#);
                for wire in &mut wires {
                    wire.say(&longest).await;
                    // The pong shows that what came before it has been read.
                    wire.send(&frame(0x89, Some(MASK), b"read")).await;
                    while wire.hear().await != Heard::Pong(b"read".to_vec()) {}
                }
            }
        }
        println!("\n{DONE}");
    }
}
