//! The processes of one demonstration. Invariant: what was started here is stopped here, by its own process id, also
//! when something fails half way; every server listens on loopback only.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// How long central may take to answer: it embeds the photographs of its lists first.
const CENTRAL_STARTS_WITHIN: Duration = Duration::from_secs(120);
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// Where the parts of a demonstration lie.
#[derive(Debug, Clone)]
pub struct House {
    /// The project's folder.
    pub root: PathBuf,
    /// Folder of the programs.
    pub programs: PathBuf,
    /// Folder for configuration and data of this demonstration.
    pub folder: PathBuf,
    /// Port of the page.
    pub http_port: u16,
    /// Port of the broker.
    pub mqtt_port: u16,
}

/// A running program of ours.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl House {
    /// The address of the page.
    pub fn page(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Deletes what an earlier showing left in the folder; only what showings write.
    pub fn begin_anew(&self) -> Result<()> {
        for part in ["central", "edge"] {
            let folder = self.folder.join(part);
            if folder.exists() {
                std::fs::remove_dir_all(&folder).with_context(|| format!("cannot delete {}", folder.display()))?;
            }
        }
        Ok(())
    }

    /// Writes the configuration of central and of the edge, from the demo's own with other ports and folders. Clips are
    /// played `once` or again and again.
    pub fn write_configurations(&self, once: bool) -> Result<(PathBuf, PathBuf)> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let mut central = self.demo_configuration("central.toml")?;
        set(
            &mut central,
            "http.listen",
            format!("127.0.0.1:{}", self.http_port).into(),
        )?;
        set(
            &mut central,
            "broker.inside.listen",
            format!("127.0.0.1:{}", self.mqtt_port).into(),
        )?;
        set(&mut central, "store.sqlite", self.path("central/vong.sqlite"))?;
        set(&mut central, "evidence.folder", self.path("central/evidence"))?;
        set(
            &mut central,
            "seeds",
            self.root.join("seeds").to_string_lossy().into_owned().into(),
        )?;
        let mut edge = self.demo_configuration("edge.toml")?;
        set(&mut edge, "device.data", self.path("edge"))?;
        set(&mut edge, "broker.port", toml::Value::Integer(self.mqtt_port.into()))?;
        let clips = self.root.join("seeds/demo");
        for camera in edge
            .get_mut("camera")
            .and_then(|cameras| cameras.as_array_mut())
            .context("no camera in edge.toml")?
        {
            if let Some(camera) = camera.as_table_mut().filter(|_| !once) {
                camera.insert("repeat".into(), true.into());
            }
            let file = camera.get_mut("file").context("a demo camera plays a file")?;
            *file = clips
                .join(file.as_str().context("file is a text")?)
                .to_string_lossy()
                .into_owned()
                .into();
        }
        Ok((self.write("central.toml", &central)?, self.write("edge.toml", &edge)?))
    }

    fn demo_configuration(&self, name: &str) -> Result<toml::Table> {
        let path = self.root.join("seeds/demo").join(name);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        text.parse().with_context(|| format!("{} is no TOML", path.display()))
    }

    fn path(&self, below: &str) -> toml::Value {
        self.folder.join(below).to_string_lossy().into_owned().into()
    }

    fn write(&self, name: &str, table: &toml::Table) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, toml::to_string(table)?).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Starts a program; its log goes to a file, its standard output is kept for [`Program::finish`].
    pub fn start(&self, name: &'static str, arguments: &[&str]) -> Result<Program> {
        let log = self.folder.join(format!("{name}.log"));
        let stderr = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let path = self.programs.join(name);
        let child = Command::new(&path)
            .args(arguments)
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}; build it with `make build`", path.display()))?;
        Ok(Program { name, child, log })
    }

    /// Starts central and waits until it answers.
    pub async fn start_central(&self, configuration: &Path) -> Result<Program> {
        let mut central = self.start("vong-central", &["run", "--config", &configuration.to_string_lossy()])?;
        let (start, health) = (Instant::now(), format!("{}/healthz", self.page()));
        loop {
            if let Some(status) = central.child.try_wait()? {
                bail!("vong-central ended at its start ({status}): {}", central.last_words());
            }
            if reqwest::get(&health)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(central);
            }
            ensure!(
                start.elapsed() < CENTRAL_STARTS_WITHIN,
                "vong-central does not answer: {}",
                central.last_words()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Program {
    /// The end of the program's log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }

    /// Waits until the program ends by itself; its standard output.
    pub async fn finish(mut self, within: Duration) -> Result<String> {
        let mut stdout = self.child.stdout.take().context("standard output was taken")?;
        let mut text = String::new();
        let ended = tokio::time::timeout(within, async {
            stdout.read_to_string(&mut text).await?;
            self.child.wait().await
        });
        let Ok(status) = ended.await else {
            bail!("{} did not end within {within:?}: {}", self.name, self.last_words());
        };
        let status = status?;
        ensure!(
            status.success(),
            "{} ended with {status}: {}",
            self.name,
            self.last_words()
        );
        Ok(text)
    }

    /// Asks the program to stop, and waits for it; its standard output.
    pub async fn stop(self) -> Result<String> {
        if let Some(id) = self.child.id() {
            Command::new("kill")
                .args(["-TERM", &id.to_string()])
                .status()
                .await
                .context("cannot signal")?;
        }
        self.finish(STOPS_WITHIN).await
    }

    /// Ends the program as a power cut would.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn set(table: &mut toml::Table, path: &str, value: toml::Value) -> Result<()> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().context("a path has a last key")?;
    let mut place = table;
    for key in keys {
        place = place
            .get_mut(key)
            .and_then(|inner| inner.as_table_mut())
            .with_context(|| format!("no [{key}] for {path}"))?;
    }
    place.insert(last.to_string(), value);
    Ok(())
}

/// A port that nothing listens on at present.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
