//! Filling the store: packages are fetched by the ordinary clients, members are taken out and compared, converted,
//! compared again, and only then put into the store, whole. What is there and right is skipped, so an interrupted
//! fetch goes on where it stopped.

mod cache;
mod client;
pub mod package;
mod unpack;

pub use cache::{Cache, write_whole};
pub use package::{Client, Member, Package, StoreFile};

use crate::hash::{sha256_of, sha256_of_bytes};
use crate::manifest::Manifest;
use crate::store::Store;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a fetch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fetched {
    /// Files that were made.
    pub made: usize,
    /// Files that were there and right.
    pub kept: usize,
}

/// Whether a file of the store is as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It is.
    Right,
    /// It is not there.
    Missing,
    /// It is another file, of this hash.
    Wrong(String),
}

/// Looks at a file of the store.
///
/// # Errors
/// When it is there but cannot be read.
pub fn condition(store: &Store, file: &StoreFile) -> Result<Condition> {
    let path = store.root().join(&file.to);
    if !path.exists() {
        return Ok(Condition::Missing);
    }
    let found = sha256_of(&path)?;
    Ok(if found == file.sha256 {
        Condition::Right
    } else {
        Condition::Wrong(found)
    })
}

/// Brings the store to what the manifest says.
///
/// # Errors
/// One line that names the package, the file, what was expected and what came.
pub fn fetch(store: &Store, manifest: &Manifest) -> Result<Fetched> {
    let arch = std::env::consts::ARCH;
    let cache = Cache::locate(store.root());
    let mut todo: Vec<(&Package, Vec<&StoreFile>)> = Vec::new();
    let mut fetched = Fetched::default();
    for package in manifest.packages() {
        let mut files = Vec::new();
        for file in package.files.iter().filter(|file| file.is_for(arch)) {
            match condition(store, file)? {
                Condition::Right => fetched.kept += 1,
                Condition::Missing | Condition::Wrong(_) => files.push(file),
            }
        }
        if !files.is_empty() {
            todo.push((package, files));
        }
    }
    let progress = Progress::new(todo.iter().map(|(package, _)| u64::from(package.mib)).sum());
    for (package, files) in todo {
        let members = members(package, &files, arch, &cache, &progress).with_context(|| package.to_string())?;
        for file in files {
            make(store, file, &members).with_context(|| package.to_string())?;
            progress.say(&format!("{}: made", file.to.display()));
            fetched.made += 1;
        }
        progress.end(package);
    }
    Ok(fetched)
}

/// The members that the files need: out of the cache, or out of the package.
fn members(
    package: &Package,
    files: &[&StoreFile],
    arch: &str,
    cache: &Cache,
    progress: &Progress,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let wanted: Vec<&Member> = files.iter().flat_map(|file| &file.members).collect();
    let cached: Option<BTreeMap<_, _>> = wanted
        .iter()
        .map(|member| Some((member.path.clone(), cache.get(&member.sha256)?)))
        .collect();
    if let Some(cached) = cached {
        return Ok(cached);
    }
    progress.begin(package);
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let archive = client::download(package, arch, folder.path())?;
    let paths: Vec<&str> = wanted.iter().map(|member| member.path.as_str()).collect();
    let found = unpack::members(&archive, &paths)?;
    for member in wanted {
        let bytes = &found[&member.path];
        compare(&member.path, &member.sha256, bytes)?;
        cache.put(&member.sha256, bytes)?;
    }
    Ok(found)
}

/// Makes one file of the store.
fn make(store: &Store, file: &StoreFile, members: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let own: Vec<Vec<u8>> = file
        .members
        .iter()
        .map(|member| members[&member.path].clone())
        .collect();
    let bytes = match (file.convert, own.as_slice()) {
        (Some(conversion), own) => conversion
            .run(own)
            .with_context(|| format!("`{}` cannot be converted", file.to.display()))?,
        (None, [bytes]) => bytes.clone(),
        (None, own) => anyhow::bail!(
            "`{}` is made of {} members without a conversion",
            file.to.display(),
            own.len()
        ),
    };
    compare(&file.to.to_string_lossy(), &file.sha256, &bytes)?;
    write_whole(&store.root().join(&file.to), &bytes)
}

fn compare(name: &str, expected: &str, bytes: &[u8]) -> Result<()> {
    let found = sha256_of_bytes(bytes);
    ensure!(
        found == expected,
        "`{name}`: expected sha256 {expected}, came {found}; nothing of it is kept"
    );
    Ok(())
}

/// A bar in MiB where somebody looks, lines where the output is kept.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(mib: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(mib), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} [{bar:30}] {pos}/{len} MiB {elapsed} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    fn begin(&self, package: &Package) {
        let what = format!("{package} ({} MiB)", package.mib);
        if self.bar.is_hidden() {
            eprintln!("fetching {what}");
        }
        self.bar.set_message(what);
    }

    fn say(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("  {text}");
        } else {
            self.bar.println(text);
        }
    }

    fn end(&self, package: &Package) {
        self.bar.inc(u64::from(package.mib));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
