//! Calling the ordinary clients of the registries. Invariant: no address is known here; each client asks whom it is set
//! up to ask. A client's own words are told only where it failed.

use super::package::{Client, Package};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Wheels that any supported gate box can take; a wheel's tag must be named exactly.
const GLIBC: [&str; 4] = ["2_28", "2_27", "2_24", "2_17"];
/// The Python that the wheels are for; only files are taken out of them, none is installed.
const PYTHON: &str = "3.11";
/// Lines of a failed client's output that are told.
const TOLD_LINES: usize = 3;

/// Downloads the package into an empty folder and returns the archive.
///
/// # Errors
/// When the client is missing or failed; the message ends with its own last words.
pub fn download(package: &Package, arch: &str, folder: &Path) -> Result<PathBuf> {
    match package.client {
        Client::Pip => run(
            Command::new("python3")
                .args(pip(package, arch))
                .arg(folder)
                .arg(pinned(package, "==")),
            folder,
        )
        .context("install python3-pip")?,
        Client::Npm => run(
            Command::new("npm")
                .args(["pack", "--silent", "--ignore-scripts", "--pack-destination", "."])
                .arg(pinned(package, "@")),
            folder,
        )
        .context("install npm")?,
        Client::Apt => apt(package, folder)?,
    }
    let mut archives = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    ensure!(
        archives.len() == 1,
        "the client left {} files, not one archive",
        archives.len()
    );
    Ok(archives.remove(0).path())
}

fn pinned(package: &Package, sign: &str) -> String {
    format!("{}{sign}{}", package.name, package.version)
}

fn pip(package: &Package, arch: &str) -> Vec<String> {
    let mut words: Vec<String> = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    .map(String::from)
    .to_vec();
    words.extend(
        [
            "--only-binary=:all:",
            "--implementation",
            "cp",
            "--python-version",
            PYTHON,
        ]
        .map(String::from),
    );
    for glibc in GLIBC {
        words.extend(["--platform".to_string(), format!("manylinux_{glibc}_{arch}")]);
    }
    if arch == "x86_64" {
        words.extend(["--platform", "manylinux2014_x86_64"].map(String::from));
    }
    tracing::debug!(%package, "asking pip");
    words.push("--dest".into());
    words
}

/// Debian's client needs its lists once; a new machine may not have them.
fn apt(package: &Package, folder: &Path) -> Result<()> {
    let get = || {
        run(
            Command::new("apt-get")
                .args(["download", "--quiet"])
                .arg(pinned(package, "=")),
            folder,
        )
    };
    if get().is_ok() {
        return Ok(());
    }
    let updated = run(Command::new("apt-get").args(["update", "--quiet"]), folder);
    get().map_err(|error| match updated {
        Ok(()) => error,
        Err(_) => error.context("run `apt-get update` as root and try again"),
    })
}

fn run(command: &mut Command, folder: &Path) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{program}` cannot be started"))?;
    if done.status.success() {
        return Ok(());
    }
    let words = [done.stderr, done.stdout].concat();
    let words = String::from_utf8_lossy(&words);
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(TOLD_LINES)..].join("; ");
    bail!("`{program}` failed: {last}")
}
