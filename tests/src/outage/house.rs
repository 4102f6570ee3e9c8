//! The processes of a fault test, and how each is killed and started again.

use super::{BadLink, BrokerKind, Database, Dice, Plan};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use vong_servers::{Mosquitto, Postgres, free_port};

const CENTRAL_ANSWERS_WITHIN: Duration = Duration::from_secs(120);
const DRAINED_WITHIN: Duration = Duration::from_secs(330);

/// Totals of the line, as the outbox has them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Truth {
    #[serde(rename = "in")]
    pub(super) entered: u64,
    #[serde(rename = "out")]
    pub(super) left: u64,
}

pub(super) struct House {
    folder: tempfile::TempDir,
    programs: PathBuf,
    central_program: PathBuf,
    broker: Option<Mosquitto>,
    broker_is_dead: bool,
    database: Option<Postgres>,
    database_is_dead: bool,
    central: Option<Child>,
    edge: Option<Child>,
    pub(super) edge_link: BadLink,
    pub(super) central_link: Option<BadLink>,
    pub(super) page: String,
}

impl House {
    pub(super) async fn start(plan: &Plan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let broker = match plan.broker {
            BrokerKind::Inside => None,
            BrokerKind::Mosquitto => Some(Mosquitto::start()?),
        };
        let database = match plan.database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start(&[])?),
        };
        let (http, mqtt) = (free_port()?, free_port()?);
        let broker_port = broker.as_ref().map_or(mqtt, Mosquitto::port);
        let edge_link = BadLink::start(broker_port, Some(Dice::new(plan.seed)))?;
        let central_link = match broker {
            Some(_) => Some(BadLink::start(broker_port, None)?),
            None => None,
        };
        let mut text = format!("[http]\nlisten = \"127.0.0.1:{http}\"\n");
        text += &match &central_link {
            Some(link) => format!("[broker.outside]\nhost = \"127.0.0.1\"\nport = {}\n", link.port()),
            None => format!("[broker.inside]\nlisten = \"127.0.0.1:{mqtt}\"\n"),
        };
        text += &match &database {
            Some(database) => format!("[store]\npostgres = {:?}\n", database.url()),
            None => "[store]\nsqlite = \"store.sqlite\"\n".into(),
        };
        text += "[evidence]\nfolder = \"evidence\"\n";
        std::fs::write(folder.path().join("central.toml"), text)?;
        let mut house = Self {
            folder,
            programs: plan.programs.clone(),
            central_program: plan
                .central
                .clone()
                .unwrap_or_else(|| plan.programs.join("vong-central")),
            broker,
            broker_is_dead: false,
            database,
            database_is_dead: false,
            central: None,
            edge: None,
            edge_link,
            central_link,
            page: format!("http://127.0.0.1:{http}"),
        };
        house.start_what_is_dead().await?;
        house.wait_for_central().await?;
        Ok(house)
    }

    pub(super) async fn kill_edge(&mut self) -> Result<&'static str> {
        kill(&mut self.edge).await?;
        Ok("edge")
    }

    pub(super) async fn kill_central(&mut self) -> Result<&'static str> {
        kill(&mut self.central).await?;
        Ok("central")
    }

    pub(super) fn kill_broker(&mut self) -> Result<&'static str> {
        self.broker.as_mut().context("no broker of its own")?.kill();
        self.broker_is_dead = true;
        Ok("broker")
    }

    pub(super) fn kill_database(&mut self) -> Result<&'static str> {
        self.database.as_mut().context("no database of its own")?.kill();
        self.database_is_dead = true;
        Ok("database")
    }

    /// Starts every part that is dead, whether it was killed or ended by itself for want of another.
    pub(super) async fn start_what_is_dead(&mut self) -> Result<()> {
        if std::mem::take(&mut self.database_is_dead)
            && let Some(database) = &mut self.database
        {
            database.start_again()?;
        }
        if std::mem::take(&mut self.broker_is_dead)
            && let Some(broker) = &mut self.broker
        {
            broker.start_again()?;
        }
        if is_dead(&mut self.central)? {
            let config = self.folder.path().join("central.toml");
            let arguments = ["run".as_ref(), "--config".as_ref(), config.as_os_str()];
            self.central = Some(self.spawn(&self.central_program, &arguments, "central.log")?);
        }
        if is_dead(&mut self.edge)? {
            let port = self.edge_link.port().to_string();
            let folder = self.folder.path().as_os_str();
            let arguments = ["--port".as_ref(), port.as_ref(), "--folder".as_ref(), folder];
            self.edge = Some(self.spawn(&self.programs.join("vong-gate-sim"), &arguments, "edge.log")?);
        }
        Ok(())
    }

    fn spawn(&self, program: &Path, arguments: &[&std::ffi::OsStr], log: &str) -> Result<Child> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join(log))?;
        Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}; build it with `make build`", program.display()))
    }

    /// Ends the deciding and waits until central has acknowledged everything.
    pub(super) async fn drain(&mut self) -> Result<Truth> {
        kill(&mut self.edge).await?;
        self.wait_for_central().await?;
        let port = self.edge_link.port().to_string();
        let folder = self.folder.path().as_os_str();
        let arguments = [
            "--drain".as_ref(),
            "--port".as_ref(),
            port.as_ref(),
            "--folder".as_ref(),
            folder,
        ];
        let drain = self.spawn(&self.programs.join("vong-gate-sim"), &arguments, "edge.log")?;
        let ended = tokio::time::timeout(DRAINED_WITHIN, drain.wait_with_output()).await;
        let output = ended.with_context(|| format!("the outbox was not drained: {}", self.last_words()))??;
        ensure!(
            output.status.success(),
            "the outbox was not drained: {}",
            self.last_words()
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    async fn wait_for_central(&mut self) -> Result<()> {
        let begun = Instant::now();
        let health = format!("{}/healthz", self.page);
        loop {
            if reqwest::get(&health)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            if is_dead(&mut self.central)? {
                self.start_what_is_dead().await?;
            }
            ensure!(
                begun.elapsed() < CENTRAL_ANSWERS_WITHIN,
                "vong-central does not answer: {}",
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(super) fn ledger(&self) -> Result<String> {
        let path = self.folder.path().join("ledger");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn last_words(&self) -> String {
        let last = |name: &str| {
            let log = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(3)..].join(" | ")
        };
        format!("central: {}; edge: {}", last("central.log"), last("edge.log"))
    }
}

async fn kill(child: &mut Option<Child>) -> Result<()> {
    if let Some(mut child) = child.take() {
        child.kill().await?;
    }
    Ok(())
}

fn is_dead(child: &mut Option<Child>) -> Result<bool> {
    Ok(match child {
        None => true,
        Some(child) => child.try_wait()?.is_some(),
    })
}
