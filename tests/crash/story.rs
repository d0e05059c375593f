//! One run from the first letter to the verdict: what is done to whom, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use letterbox_domain::policy::Policy;
use letterbox_domain::time::Wait;

use crate::journal::Journal;
use crate::judges::{self, Case, Verdict};
use crate::keeper::{self, kill_in_all_windows};
use crate::load::{Load, Published};
use crate::plan::Plan;
use crate::records::Records;
use crate::rig::hospital::Hospital;
use crate::rig::node::Node;
use crate::rig::process::Signal;
use crate::rig::until;
use crate::rig::world::{Contacts, Wanted, World, hurried};
use crate::tally::{IMMEDIATE, POSTMASTER, STALLS, Tally};

/// Anything that must happen within a run; a machine that is busy with other tests takes its time.
const SOON: Duration = Duration::from_secs(120);
/// Points at which a node is stopped: while it holds cases, and while it holds messages.
const STALL_POINTS: [&str; 2] = ["dispatch.claimed:1", "case.claimed:1"];

pub(crate) struct Story {
    world: World,
    nodes: Vec<Arc<Node>>,
    load: Load,
    journal: Journal,
    tally: Arc<Tally>,
    plan: Plan,
    /// Environment of every start.
    always: Vec<(String, String)>,
    began: Instant,
}

impl Story {
    /// Two nodes on one database, and a hospital that publishes at the plan's rate.
    pub(crate) async fn begin(plan: &Plan, always: &[(&str, &str)]) -> Self {
        let began = Instant::now();
        let contacts = Contacts::First(plan.with_contacts);
        let wanted = Wanted::patients(plan.patients)
            .contacts(contacts)
            .policy(policy(plan));
        let world = World::own(&wanted, "").await;
        let lease = format!("{}s", plan.lease_seconds);
        let settings = [
            ("deadline.lease", lease.as_str()),
            ("deadline.poll", "200ms"),
            ("dispatch.lease", &lease),
            ("dispatch.poll", "200ms"),
            ("dispatch.timeout", "1s"),
            ("dispatch.retry_after", "500ms,1s,2s,2s"),
        ];
        let nodes = ["node-a", "node-b"].map(|name| Arc::new(world.node(name, &settings)));
        let always: Vec<_> = always
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for node in &nodes {
            keeper::start(node, &always, None).await;
            node.until_ready().await;
        }
        let hospital = Hospital::meet(&nodes[0], &world.cast.api_key).await;
        let journal = Journal::create(world.folder());
        let load = Load::start(plan, &nodes, hospital, &world.cast, journal.pen());
        let tally = Arc::new(Tally::default());
        Self {
            world,
            nodes: nodes.to_vec(),
            load,
            journal,
            tally,
            plan: plan.clone(),
            always,
            began,
        }
    }

    /// Every window so often as planned, on both nodes at once; then kills anywhere.
    pub(crate) async fn kill_servers(&self, plan: &Plan) {
        for node in &self.nodes {
            node.kill_if_running().await;
        }
        let keepers = self.nodes.iter().map(|node| {
            kill_in_all_windows(
                Arc::clone(node),
                plan.clone(),
                Arc::clone(&self.tally),
                self.always.clone(),
            )
        });
        futures_util::future::join_all(keepers).await;
        self.start_all().await;
        for number in 0..plan.random_kills {
            self.after_some_load("a random kill").await;
            let node = &self.nodes[number as usize % self.nodes.len()];
            node.kill().await;
            self.tally.add(crate::tally::RANDOM);
            keeper::start(node, &self.always, None).await;
        }
        self.say("servers killed");
    }

    /// Stops a node in the middle of its work, lets its leases run out, lets the other finish, and sends it on.
    pub(crate) async fn stop_a_server_past_its_lease(&self, plan: &Plan) {
        for number in 0..plan.stalls {
            let node = &self.nodes[number as usize % self.nodes.len()];
            node.kill_if_running().await;
            let point = STALL_POINTS[number as usize % STALL_POINTS.len()];
            let mut extra: Vec<(&str, &str)> = vec![("LETTERBOX_STALL_POINT", point)];
            extra.extend(
                self.always
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
            node.launch(node.command(&extra));
            until("a node stops in the middle of its work", SOON, async || {
                node.is_stopped()
            })
            .await;
            let held = self.held().await;
            // The database's clock decides when a lease has run out; this is the shortest way there.
            self.world.pass(plan.lease_seconds + 1).await;
            until("the other node takes its work over", SOON, async || {
                self.taken_over(&held).await
            })
            .await;
            node.signal(Signal::CONT);
            node.until_ready().await;
            // Time in which it could still do what it had in hand.
            for _ in 0..2 {
                self.after_some_load("a stopped server has gone on").await;
            }
            self.tally.add(STALLS);
        }
        self.start_all().await;
        self.say("servers stopped and sent on");
    }

    /// What somebody holds just now: the stopped node's work is among it. Rows of messages and of cases.
    async fn held(&self) -> Vec<(uuid::Uuid, i64)> {
        let sql = "SELECT id, attempt::bigint FROM dispatches WHERE state = 'claimed'
                   UNION ALL SELECT id, fence FROM cases WHERE ended_at IS NULL AND lease_until IS NOT NULL";
        let rows = self
            .world
            .superuser()
            .await
            .query(sql, &[])
            .await
            .expect("they can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// What was held is done by somebody, or held by nobody.
    async fn taken_over(&self, held: &[(uuid::Uuid, i64)]) -> bool {
        let sql = "SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS h(id, fence) WHERE
                   EXISTS (SELECT FROM dispatches d WHERE d.id = h.id AND d.state = 'claimed')
                   OR EXISTS (SELECT FROM cases c WHERE c.id = h.id AND c.ended_at IS NULL AND c.fence = h.fence
                              AND c.lease_until IS NOT NULL)";
        let (ids, fences): (Vec<uuid::Uuid>, Vec<i64>) = held.iter().copied().unzip();
        let row = self
            .world
            .superuser()
            .await
            .query_one(sql, &[&ids, &fences])
            .await
            .expect("they can be read");
        row.get::<_, i64>(0) == 0
    }

    /// The postmaster dies again and again under load, and so do all its backends.
    pub(crate) async fn kill_postgres(&self, plan: &Plan) {
        let postgres = self.world.postgres();
        for _ in 0..plan.postmaster_kills {
            self.after_some_load("the next kill of PostgreSQL").await;
            postgres.kill().await;
            postgres.start().await;
            self.tally.add(POSTMASTER);
        }
        for _ in 0..plan.immediate_stops {
            self.after_some_load("the next stop of PostgreSQL").await;
            postgres.stop_immediately().await;
            postgres.start().await;
            self.tally.add(IMMEDIATE);
        }
        self.say("PostgreSQL killed");
    }

    /// A second's worth of letters has been acknowledged since now: the system works again.
    async fn after_some_load(&self, what: &str) {
        let enough = self.load.acknowledged() + u64::from(self.plan.letters_per_second);
        until(
            &format!("letters are acknowledged before {what}"),
            SOON,
            async || self.load.acknowledged() >= enough,
        )
        .await;
    }

    /// Both nodes run, without traps.
    async fn start_all(&self) {
        for node in &self.nodes {
            node.kill_if_running().await;
            keeper::start(node, &self.always, None).await;
            node.until_ready().await;
        }
    }

    /// Quiet, then the verdict: what the judges object to.
    pub(crate) async fn end(self) -> Vec<String> {
        let published = tokio::time::timeout(SOON, self.load.stop())
            .await
            .expect("every letter is acknowledged in the end");
        // Under a patient policy the deadlines of all of them are still to come.
        self.world.pass(self.plan.deadline_seconds).await;
        let waiting = "SELECT count(*) FROM cases WHERE ended_at IS NULL";
        // Not a judgement yet: what is still open then must have a next step.
        crate::rig::comes(SOON, async || self.world.count(waiting).await == 0).await;
        let clients = self.journal.close();
        let outside = self.world.outside.journal();
        let records = Records::read(&self.world.superuser().await).await;
        let case = Case {
            clients: &clients,
            outside: &outside,
            records: &records,
            cast: &self.world.cast,
        };
        let mut verdict = judges::judge(&case);
        verdict.objections.extend(self.tally.shortfalls(&self.plan));
        report(&verdict, &published, &self.tally, self.began.elapsed());
        // In the counter-test they are what is hoped for.
        if !verdict.objections.is_empty() && self.always.is_empty() {
            self.world.leave_behind();
        }
        verdict.objections
    }

    fn say(&self, what: &str) {
        println!(
            "{:>5.0?}: {what}; {} letters acknowledged",
            self.began.elapsed(),
            self.load.acknowledged()
        );
    }
}

/// A nudge after a second, another after two, and paper after the plan's deadline.
fn policy(plan: &Plan) -> Policy {
    let deadline = Wait::seconds(plan.deadline_seconds);
    Policy {
        deadline_appointment: deadline,
        deadline_clinic: deadline,
        ..hurried()
    }
}

fn report(verdict: &Verdict, published: &Published, tally: &Tally, took: Duration) {
    let rate = published.acknowledged as f64 / published.took.as_secs_f64();
    println!("\n{}", tally.table());
    for (name, count) in &verdict.figures {
        println!("  {name:<55}{count:>8}");
    }
    println!(
        "  {:<55}{rate:>8.1}",
        "letters acknowledged a second, outages included"
    );
    println!(
        "  {:<55}{:>8}",
        "letters that found no room", published.turned_away
    );
    println!("  {:<55}{:>7.0?}", "took", took);
    println!("  {:<55}{:>8}", "objections", verdict.objections.len());
}
