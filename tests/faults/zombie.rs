//! Case 25: the process is there, its port is open, and nothing in it moves.

use crate::rig::world::Wanted;
use crate::rig::{seconds, until};
use crate::stage::Stage;

/// The thread of the background loops stands still for good, as in a deadlock; requests are still answered.
#[tokio::test]
async fn case_25_a_server_whose_loops_stand_still_says_that_it_is_not_alive() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    assert_eq!(stage.node.answers("/health/live").await, Some(200));
    stage
        .restart(&[("LETTERBOX_HANG_POINT", "case.next_due:3")])
        .await;
    // A loop counts as stuck after a minute.
    until("it says that it is not alive", seconds(180), async || {
        stage.node.answers("/health/live").await == Some(503)
    })
    .await;
    let letter = stage.hospital.letter("letter-1", stage.world.patient(0));
    let answer = stage
        .hospital
        .publish(&stage.node, &letter)
        .await
        .expect("its port is open");
    assert_eq!(
        answer.status, 201,
        "which is why an open port proves nothing"
    );
}
