//! The servers of a province for tests and measurements: the machine's own PostgreSQL and Mosquitto, each in a temporary
//! folder, on loopback or a socket. Invariant: what was started here ends with its value, or with the thread that started
//! it, by its own process id; nothing of the machine's own services is touched.

mod authority;
mod mosquitto;
mod postgres;
mod process;

pub use authority::Authority;
pub use mosquitto::Mosquitto;
pub use postgres::Postgres;
pub use process::free_port;

use std::path::PathBuf;

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its programs are not on this machine.
    #[error("{program} is not on this machine; run deploy/prepare-debian.sh")]
    Absent {
        /// The program.
        program: &'static str,
    },
    /// A program could not be run or a folder not be made.
    #[error("cannot start {program}: {cause}")]
    System {
        /// The program.
        program: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It ended or did not become ready.
    #[error("{program} did not become ready: {log}")]
    NotReady {
        /// The program.
        program: &'static str,
        /// The end of its log.
        log: String,
    },
}

/// The server, or none and said so where its programs are not on this machine. In CI everything must be there.
///
/// # Panics
/// When the server is there and does not start, and in CI when it is not there.
pub fn or_skip<T>(started: Result<T, ServerError>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(absent @ ServerError::Absent { .. }) => {
            println!("skipped: {absent}");
            assert!(
                std::env::var_os("CI").is_none(),
                "in CI everything must be there: {absent}"
            );
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The newest program of this name in the usual folders of servers.
fn find(program: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let all = folders.into_iter().chain(on_path.unwrap_or_default());
    all.map(|folder| folder.join(program)).find(|path| path.is_file())
}
