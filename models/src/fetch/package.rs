//! What is fetched: packages of the registries, the members taken out of them and the files of the store made of these.

use crate::convert::Conversion;
use serde::Deserialize;
use std::path::PathBuf;

/// The ordinary client that gets a package by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// Python's.
    Pip,
    /// Node's.
    Npm,
    /// Debian's.
    Apt,
}

/// A package in one version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Who gets it.
    pub client: Client,
    /// Its name there.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Size of the download, MiB; told while people wait.
    pub mib: u32,
    /// Licence of what is taken from it.
    pub licence: String,
    /// Files of the store that are made of it.
    #[serde(rename = "file")]
    pub files: Vec<StoreFile>,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreFile {
    /// Its name in the store.
    pub to: PathBuf,
    /// SHA-256 of the finished file.
    pub sha256: String,
    /// How it is made of the members; as the one member is, where nothing is said.
    #[serde(default)]
    pub convert: Option<Conversion>,
    /// Only for this kind of processor (`x86_64`, `aarch64`); for all, where nothing is said.
    #[serde(default)]
    pub arch: Option<String>,
    /// What is taken out of the package.
    #[serde(rename = "member")]
    pub members: Vec<Member>,
}

/// A file within a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its path within the package.
    pub path: String,
    /// Its SHA-256.
    pub sha256: String,
}

impl StoreFile {
    /// Whether this machine needs it.
    pub fn is_for(&self, arch: &str) -> bool {
        self.arch.as_deref().is_none_or(|own| own == arch)
    }
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let client = match self.client {
            Client::Pip => "pip",
            Client::Npm => "npm",
            Client::Apt => "apt",
        };
        write!(f, "{client} {} {}", self.name, self.version)
    }
}
