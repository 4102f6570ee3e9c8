//! A PostgreSQL of one's own, on a socket in a temporary folder.

use crate::process::{Server, as_servant, hand_over};
use crate::{ServerError, find};
use std::path::{Path, PathBuf};

const NAME: &str = "postgres";

/// A running PostgreSQL; it ends with this value.
#[derive(Debug)]
pub struct Postgres {
    server: Option<Server>,
    binaries: PathBuf,
    settings: Vec<String>,
    folder: tempfile::TempDir,
}

/// Debian keeps each version's programs apart; the newest first.
fn folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .map(|version| {
            (
                version.file_name().to_string_lossy().parse().unwrap_or(0),
                version.path().join("bin"),
            )
        })
        .collect();
    folders.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    folders.into_iter().map(|(_, folder)| folder).collect()
}

impl Postgres {
    /// Starts one that forgets what it committed when the machine loses its power, for it is quicker.
    pub fn quick() -> Result<Self, ServerError> {
        Self::start(&["fsync=off", "full_page_writes=off"])
    }

    /// Starts one with settings of its own, as `shared_buffers=1GB`; a commit is on the disk.
    pub fn start(settings: &[&str]) -> Result<Self, ServerError> {
        let absent = || ServerError::Absent { program: NAME };
        let initdb = find("initdb", folders()).ok_or_else(absent)?;
        let binaries = initdb.parent().ok_or_else(absent)?.to_path_buf();
        let system = |cause| ServerError::System { program: NAME, cause };
        let folder = tempfile::tempdir().map_err(system)?;
        hand_over(folder.path()).map_err(system)?;
        let output = as_servant(&initdb, folder.path())
            .args([
                "--username=vong",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
                "data",
            ])
            .output()
            .map_err(system)?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr).replace('\n', " | ");
            return Err(ServerError::NotReady { program: "initdb", log });
        }
        let mut this = Self {
            server: None,
            binaries,
            settings: settings.iter().map(ToString::to_string).collect(),
            folder,
        };
        this.start_again()?;
        Ok(this)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!(
            "postgres://vong@localhost/postgres?host={}",
            self.folder.path().display()
        )
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// Its folder: data and socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a power cut would; [`Postgres::start_again`] starts it on what it has.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts it on what it has.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        let mut arguments = vec!["-D".to_string(), "data".into()];
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        for setting in ["listen_addresses=", "max_connections=60", &socket]
            .into_iter()
            .chain(self.settings.iter().map(String::as_str))
        {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let ready = "ready to accept connections";
        let program = self.binaries.join("postgres");
        self.server = Some(Server::start(
            NAME,
            &program,
            &arguments,
            self.folder.path(),
            ready,
            "INT",
        )?);
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Before its folder goes.
        self.server.take();
    }
}
