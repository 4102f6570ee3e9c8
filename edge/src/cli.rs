//! The command line of `vong-edge`. Invariant: bad input ends with status 2 and one line that names the thing and the
//! remedy; results go to standard output, everything else to standard error.

use crate::bench::{self, BenchCommand};
use crate::calibrate::{self, CalibrateArgs};
use crate::config::{Config, ConfigError};
use crate::eval::{self, EvalCommand};
use crate::fit::{self, FitArgs};
use crate::{doctor, pipeline};
use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use vong_models::ModelError;

/// The appliance at the gate.
#[derive(Debug, Parser)]
#[command(
    name = "vong-edge",
    version,
    about = "Vọng edge: cameras to counts, identities and alerts"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the cameras of a configuration until told to stop.
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Play every file once and end when central has committed what was seen.
        #[arg(long)]
        once: bool,
    },
    /// Measure on material with known truth: one JSON object on standard output.
    Eval {
        /// What to measure.
        #[command(subcommand)]
        command: EvalCommand,
    },
    /// Measure what work costs: one JSON object on standard output.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Find the threshold of a list of faces for a rate of false alarms, and write it for the list's seed file.
    Calibrate(CalibrateArgs),
    /// Find how large the pictures must be in which a camera's objects are looked for: one line of JSON for each camera.
    Fit(FitArgs),
    /// Check models, cameras, disk and broker of an appliance; status 2 where something must be mended.
    Doctor {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Say what is wrong with a configuration, and where.
    CheckConfig {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

/// Threads or cameras: from one to as many as a large box has.
///
/// # Errors
/// When it is another number or none.
pub fn few(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=64).contains(number));
    number.ok_or_else(|| "give a number from 1 to 64".into())
}

/// Runs the program; the exit status is 0, 1 for a failure on the way, 2 for bad input.
pub fn main() -> ExitCode {
    let cli: Cli = vong_models::cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,sqlx=warn,ort=warn".into()),
        )
        .init();
    let measures = matches!(
        cli.command,
        Command::Eval { .. } | Command::Bench { .. } | Command::Calibrate(_) | Command::Fit(_)
    );
    match dispatch(cli.command) {
        Ok(status) => status,
        Err(error) => {
            let bad_input = measures
                || error
                    .chain()
                    .any(|cause| cause.is::<ConfigError>() || cause.is::<ModelError>());
            eprintln!("vong-edge: {}", one_line(&error));
            ExitCode::from(if bad_input { 2 } else { 1 })
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run { config, once } => run(Config::load(&config)?, once)?,
        Command::Doctor { config } => {
            let findings = doctor::examine(&Config::load(&config)?);
            print!("{}", doctor::report(&findings));
            if findings.iter().any(|finding| finding.result.is_err()) {
                return Ok(ExitCode::from(2));
            }
        }
        Command::Eval { command } => println!("{}", eval::run(&command)?),
        Command::Bench { command } => println!("{}", bench::run(&command)?),
        Command::Calibrate(args) => calibrate::run(&args)?,
        Command::Fit(args) => fit::run(&args)?,
        Command::CheckConfig { config } => {
            let cameras = Config::load(&config)?.cameras.len();
            println!("{}: {cameras} camera(s), nothing wrong", config.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the appliance; what it did goes to standard output as one JSON object.
fn run(config: Config, once: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()?;
    let summary = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        pipeline::run(config, once, stop).await
    })?;
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}

async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be heard; end the program with SIGKILL, nothing is lost by it");
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
}

/// The chain of causes in one line.
fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
