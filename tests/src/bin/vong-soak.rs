//! `make soak`: hundreds of faults, and a verdict. One line of JSON on standard output; status 1 where anything is lost,
//! doubled or does not add up.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use vong_tests::outage::{self, BrokerKind, Database, Plan};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BrokerChoice {
    /// The one inside central.
    Inside,
    /// A Mosquitto of this machine.
    Mosquitto,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StoreChoice {
    /// A file.
    Sqlite,
    /// A PostgreSQL of this machine.
    Postgres,
}

#[derive(Debug, Parser)]
#[command(
    name = "vong-soak",
    about = "Kill everything again and again; nothing may be lost or stored twice"
)]
struct Arguments {
    /// Processes to kill.
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// Repeats the order of the faults; by the clock where not said.
    #[arg(long)]
    seed: Option<u64>,
    /// The broker.
    #[arg(long, value_enum, default_value = "mosquitto")]
    broker: BrokerChoice,
    /// The store.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: StoreChoice,
    /// Another vong-central than the one beside this program.
    #[arg(long)]
    central: Option<PathBuf>,
    /// Most milliseconds from one fault to the next.
    #[arg(long, default_value_t = 3_000)]
    pause_ms: u64,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let this = std::env::current_exe()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let plan = Plan {
        seed: arguments.seed.unwrap_or(now.as_secs()),
        kills: arguments.kills,
        broker: match arguments.broker {
            BrokerChoice::Inside => BrokerKind::Inside,
            BrokerChoice::Mosquitto => BrokerKind::Mosquitto,
        },
        database: match arguments.store {
            StoreChoice::Sqlite => Database::Sqlite,
            StoreChoice::Postgres => Database::Postgres,
        },
        programs: this.parent().context("a program lies in a folder")?.to_path_buf(),
        central: arguments.central,
        pause_ms: arguments.pause_ms,
    };
    eprintln!("seed {}; again with `vong-soak --seed {}`", plan.seed, plan.seed);
    let report = outage::run(&plan).await?;
    println!("{}", serde_json::to_string(&report)?);
    let verdict = report.verdict;
    let whole = verdict.lost == 0 && verdict.doubled == 0 && verdict.totals_agree;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
