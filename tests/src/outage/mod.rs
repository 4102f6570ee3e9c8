//! Fault tests: a gate decides without end while edge, central, broker and database are killed at random moments, links
//! are cut inside packets, and messages come twice and in disorder. At the end every decision must stand in the store
//! exactly once. Everything started here ends with its value; the seed repeats the order of the faults.

mod check;
mod dice;
mod gate;
mod house;
mod proxy;

pub use check::Verdict;
pub use dice::Dice;
pub use gate::{Gate, Step};
pub use proxy::BadLink;

use anyhow::Result;
use house::House;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where central keeps what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file of its own.
    Sqlite,
    /// A PostgreSQL that is killed as well.
    Postgres,
}

/// Which broker stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerKind {
    /// The one inside central: both die together.
    Inside,
    /// A Mosquitto without memory: what it holds is lost with it.
    Mosquitto,
}

/// What is to be done to the house.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Repeats the order of the faults.
    pub seed: u64,
    /// Processes to kill.
    pub kills: u64,
    /// The broker.
    pub broker: BrokerKind,
    /// The store.
    pub database: Database,
    /// Folder of the programs.
    pub programs: PathBuf,
    /// Central, where it is another than that among the programs.
    pub central: Option<PathBuf>,
    /// Most milliseconds from one fault to the next.
    pub pause_ms: u64,
}

/// What was done and what came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Kills, cuts and floods of old messages.
    pub faults: u64,
    /// Processes killed, by name.
    pub kills: BTreeMap<&'static str, u64>,
    /// Connections cut in the middle.
    pub cuts: u64,
    /// Messages sent again by a stranger, in disorder.
    pub replayed: u64,
    /// Messages that overtook another.
    pub swapped: u64,
    /// From the first decision to the last check, s.
    pub seconds: u64,
    /// The store against the ledger.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Runs a plan to its end.
///
/// # Errors
/// When a program cannot be started or the store does not answer at the end: no verdict.
pub async fn run(plan: &Plan) -> Result<Report> {
    let mut dice = Dice::new(plan.seed);
    let mut report = Report {
        seed: plan.seed,
        ..Report::default()
    };
    let begun = Instant::now();
    let mut house = House::start(plan).await?;
    let mut killed = 0;
    while killed < plan.kills {
        tokio::time::sleep(Duration::from_millis(50 + dice.below(plan.pause_ms))).await;
        let fault = dice.below(10);
        let name = match fault {
            0..=2 => house.kill_edge().await?,
            3..=4 => house.kill_central().await?,
            5 if plan.broker == BrokerKind::Mosquitto => house.kill_broker()?,
            6 if plan.database == Database::Postgres => house.kill_database()?,
            7 => {
                report.replayed += house.edge_link.replay(&mut dice, 40);
                report.faults += 1;
                continue;
            }
            _ => {
                let link = if dice.below(3) == 0 {
                    house.central_link.as_ref()
                } else {
                    None
                };
                link.unwrap_or(&house.edge_link).cut_in(dice.below(30_000) as u32);
                continue;
            }
        };
        killed += 1;
        *report.kills.entry(name).or_default() += 1;
        // Dead for a while, perhaps beside another that dies now.
        tokio::time::sleep(Duration::from_millis(dice.below(plan.pause_ms / 4 + 1))).await;
        house.start_what_is_dead().await?;
    }
    let truth = house.drain().await?;
    report.verdict = check::verdict(&house.page, &house.ledger()?, truth).await?;
    let links = [Some(&house.edge_link), house.central_link.as_ref()];
    report.cuts = links.iter().flatten().map(|link| link.cuts()).sum();
    report.swapped = house.edge_link.swapped();
    report.faults += killed + report.cuts;
    report.seconds = begun.elapsed().as_secs();
    Ok(report)
}
