//! A black-box load tester for Letterbox: hospitals publish at a fixed rate, patients hold sockets, and a ledger
//! compares what was acknowledged with what arrived. It shares no code with the server.

mod browser;
mod hospital;
mod ledger;
mod plan;
mod report;
mod target;

use std::process::ExitCode;

use clap::Parser;

use crate::plan::Plan;

#[tokio::main]
async fn main() -> ExitCode {
    let plan = Plan::parse();
    match run(&plan).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// True when everything acknowledged arrived once, in order, within the bar.
async fn run(plan: &Plan) -> anyhow::Result<bool> {
    let cast = plan::Cast::read(&plan.sessions, plan.patients)?;
    let target = target::Target::meet(&plan.url, &cast).await?;
    let ledger = ledger::Ledger::new(cast.patients.len());
    let screen = report::Screen::new(plan, cast.patients.len());

    let crowd = browser::Crowd::connect(&target, &cast, &ledger, plan, &screen).await?;
    if let Some(seconds) = plan.hold {
        tokio::time::sleep(std::time::Duration::from_secs_f64(seconds)).await;
        return Ok(crowd.leave().await.failed == 0);
    }
    let sent = hospital::publish(&target, &cast, &ledger, plan, &screen).await?;
    ledger.settle(plan.settle()).await;
    let browsers = crowd.leave().await;

    let report = report::Report::new(plan, &ledger, &sent, &browsers);
    screen.finish();
    report.print();
    if let Some(path) = &plan.json {
        report.write(path)?;
    }
    Ok(report.passed())
}
