//! `vong-central`: the command line. Bad input ends with status 2 and one line that names the thing and the remedy.

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use vong_central::auth;
use vong_central::config::Config;
use vong_central::domain::{Names, Role, now_ms};
use vong_central::ingest::measure_ingest;
use vong_central::office::Office;
use vong_central::store::StoreAddress;

/// The office of Vọng: collects what the edges publish and serves the operations centre.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until told to stop (SIGINT or SIGTERM).
    Run {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make the database or bring its tables up to date, then end.
    Migrate {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Measure; one JSON object on standard output.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Add a user or change role and password; the password is read from standard input.
    User {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Login name.
        #[arg(long)]
        name: String,
        /// viewer, operator or admin.
        #[arg(long)]
        role: Role,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Events committed a second, beside the fastest plain way of writing the same rows to the same store.
    Ingest {
        /// `sqlite:PATH` or `postgres://user:password@host:5432/database`; what is written is deleted again.
        #[arg(long)]
        store: StoreAddress,
        /// Events a round.
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        events: u32,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = vong_models::cli::parse();
    let filter = EnvFilter::try_from_env("VONG_LOG").unwrap_or_else(|_| EnvFilter::new("info,rumqttd=off,sqlx=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match act(arguments.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let line = format!("{error:#}").replace('\n', " ");
            eprintln!("vong-central: {line}");
            ExitCode::from(2)
        }
    }
}

async fn act(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run { config } => run(&Config::load(&config)?).await,
        Command::Migrate { config } => {
            let config = Config::load(&config)?;
            let address = config.store.address()?;
            address.open().await?.close().await;
            tracing::info!(database = %address, "the tables are up to date");
            Ok(())
        }
        Command::Bench {
            what: Bench::Ingest { store, events },
        } => {
            let figures = measure_ingest(&store, events as usize).await?;
            println!("{}", serde_json::to_string(&figures)?);
            Ok(())
        }
        Command::User { config, name, role } => add_user(&Config::load(&config)?, &name, role).await,
    }
}

async fn run(config: &Config) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let office = Office::start(config).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for SIGINT")?,
    }
    tracing::info!("stopping");
    office.stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn add_user(config: &Config, name: &str, role: Role) -> anyhow::Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if !(1..=64).contains(&name.len()) || !name.chars().all(fits) {
        bail!("`{name}` cannot be a login name; use 1 to 64 letters, digits, '-', '_', '.' and '@' in --name");
    }
    if std::io::stdin().is_terminal() {
        eprintln!("password for {name} (it is shown as you type; better: pipe it in), then Enter:");
    }
    let mut password = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut password)
        .context("cannot read the password from standard input")?;
    let hash = auth::hash(password.trim_end_matches(['\r', '\n']))?;
    let store = config.store.address()?.open().await?;
    store.put_user(name, &Names::of_id(name), role, &hash, now_ms()).await?;
    store.close().await;
    tracing::info!(user = name, %role, "the user can log in");
    Ok(())
}
