//! A panic in any handler costs a resync and nothing else.
//!
//! `actix::Supervisor` does not survive a panic: tokio catches it at the task's edge and drops the task, and the
//! supervisor with it. The first test shows that; the others show what replaces it.

use std::time::Duration;

use actix::{Actor, Context, Handler, Message, Supervised, Supervisor};
use letterbox_actors::{
    messages::{AttachError, Continuity},
    ports::ResetReason,
    testing::{Heard, RecordingSession, World, eventually},
};
use letterbox_domain::{id::Seq, policy::Policy};

const MORNING: &str = "2026-03-02T09:00:00Z";

struct Fragile;
impl Actor for Fragile {
    type Context = Context<Self>;
}
impl Supervised for Fragile {}
#[derive(Message)]
#[rtype(result = "()")]
struct Break;
impl Handler<Break> for Fragile {
    type Result = ();
    fn handle(&mut self, _: Break, _: &mut Context<Self>) {
        panic!("a test asked this actor to panic");
    }
}

#[actix::test]
async fn a_panic_ends_an_actor_and_its_actix_supervisor_but_not_its_neighbours() {
    let supervised = Supervisor::start(|_| Fragile);
    let neighbour = Fragile.start();
    assert!(supervised.send(Break).await.is_err());
    eventually("the supervisor has gone too", || !supervised.connected()).await;
    assert!(neighbour.connected());
}

#[actix::test]
async fn case_21_a_panic_in_a_patients_actor_costs_its_sessions_a_resync_and_nobody_else_anything()
{
    let world = World::at(MORNING).start();
    let (bad, good) = (world.hospital.patient(), world.hospital.patient());
    let (tab, neighbour) = (RecordingSession::open(), RecordingSession::open());
    let held = world
        .tab(bad, Some(Seq::START), &tab)
        .await
        .expect("attached");
    let _neighbour = world
        .tab(good, Some(Seq::START), &neighbour)
        .await
        .expect("attached");
    assert!(world.system.explode_patient(bad));
    eventually("the tab is told", || {
        tab.heard() == [Heard::Reset(ResetReason::Restarted)]
    })
    .await;
    assert!(held.attachment.is_over());
    world.publish(bad);
    world.publish(good);
    let back = world
        .tab(bad, Some(Seq::START), &RecordingSession::open())
        .await
        .expect("attached");
    assert!(
        matches!(back.from, Continuity::CatchUp(missed) if missed.len() == 1),
        "nothing is lost"
    );
    eventually("the neighbour on the same thread hears", || {
        neighbour.seqs() == [Seq(1)]
    })
    .await;
    assert_eq!(neighbour.heard().len(), 1);
    world.end().await;
}

#[actix::test]
async fn messages_that_were_waiting_behind_the_panic_are_made_up_for() {
    let world = World::at(MORNING).start();
    let patient = world.hospital.patient();
    let tab = RecordingSession::open();
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    assert!(world.system.explode_patient(patient));
    world.publish(patient);
    let back = loop {
        match world
            .tab(patient, Some(Seq::START), &RecordingSession::open())
            .await
        {
            Ok(back) => break back,
            Err(why) => assert_eq!(
                why,
                AttachError::Unavailable,
                "the message was lost with the actor"
            ),
        }
    };
    assert_eq!(back.head, Seq(1));
    world.end().await;
}

#[actix::test]
async fn case_22_a_mailbox_that_panics_three_times_is_set_aside_and_the_others_are_served() {
    let world = World::at(MORNING).start();
    let (bad, good) = (world.hospital.patient(), world.hospital.patient());
    for _ in 0..3 {
        let tab = RecordingSession::open();
        let _held = world.tab(bad, None, &tab).await.expect("attached");
        assert!(world.system.explode_patient(bad));
        eventually("the tab is told", || {
            tab.has_heard(&Heard::Reset(ResetReason::Restarted))
        })
        .await;
    }
    let refused = world.tab(bad, None, &RecordingSession::open()).await;
    assert_eq!(refused.err(), Some(AttachError::SetAside));
    assert!(
        world
            .tab(good, None, &RecordingSession::open())
            .await
            .is_ok()
    );
    world.clock.pass(Duration::from_secs(601));
    assert!(
        world
            .tab(bad, None, &RecordingSession::open())
            .await
            .is_ok(),
        "it gets another chance"
    );
    world.end().await;
}

#[actix::test]
async fn case_21_every_background_actor_is_replaced_after_a_panic_and_goes_on_with_its_work() {
    let world = World::at(MORNING)
        .with_policy(Policy {
            nudge_hours: None,
            ..Policy::standard()
        })
        .start();
    world
        .hospital
        .print_from("2026-03-02T17:30:00Z".parse().expect("an instant"));
    let patient = world.hospital.patient();
    let (tab, staff) = (RecordingSession::open(), RecordingSession::open());
    let _held = world
        .tab(patient, Some(Seq::START), &tab)
        .await
        .expect("attached");
    let _seat = world
        .system
        .attach_board(world.trust, staff.clone())
        .expect("seated");
    let supervisor = format!("supervisor:{}", world.trust);
    eventually("the supervisor works", || {
        world
            .system
            .health()
            .loops()
            .iter()
            .any(|each| each.name == supervisor)
    })
    .await;
    let everybody: Vec<_> = world
        .system
        .health()
        .loops()
        .into_iter()
        .map(|each| each.name)
        .collect();
    let expected = [
        "board",
        "directory",
        "dispatcher:email",
        "dispatcher:text",
        "trusts",
        "press",
        "caretaker",
    ];
    assert!(
        expected
            .iter()
            .all(|name| everybody.iter().any(|each| each == name)),
        "{everybody:?}"
    );
    for name in &everybody {
        eventually("it is there to be hit", || world.system.explode(name)).await;
    }
    for name in &everybody {
        // A message is taken again: somebody else holds the post.
        eventually("a successor took the post and died too", || {
            world.system.explode(name)
        })
        .await;
    }
    world.cut_the_bell();
    world.publish(patient);
    eventually("the directory compares again", || tab.seqs() == [Seq(1)]).await;
    let boards = staff.heard().len();
    world.clock.pass(Duration::from_secs(5 * 24 * 3_600));
    eventually("paper is printed", || {
        world.system.poke_cases(world.trust);
        world.hospital.is_quiet() && !world.hospital.dispatches_to(patient).is_empty()
    })
    .await;
    world.pass(chrono::TimeDelta::days(1)).await;
    eventually("the folder stands", || world.press.folders().len() == 1).await;
    eventually("the board is told", || staff.heard().len() > boards).await;
    world.end().await;
}
