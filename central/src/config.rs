//! The office's configuration file. Invariant: a [`Config`] that exists has been checked, so that no later stage has to
//! refuse what it says. Unknown keys are errors: a typing mistake must not move the evidence in silence.

use crate::store::StoreAddress;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use vong_tls::TlsFiles;

/// Everything in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the seed files: what a first start knows.
    pub seeds: Option<PathBuf>,
    /// The page and the API.
    #[serde(default)]
    pub http: HttpConfig,
    /// The broker, inside this process or outside.
    #[serde(default)]
    pub broker: BrokerConfig,
    /// Where everything is kept.
    pub store: StoreConfig,
    /// Where the pictures of alerts are kept.
    pub evidence: EvidenceConfig,
    /// The models that embed the photographs of lists.
    #[serde(default)]
    pub models: ModelsConfig,
    /// When an alert is too old to be an alarm.
    #[serde(default)]
    pub alarm: AlarmConfig,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port of the page.
    #[serde(default = "default_http")]
    pub listen: SocketAddr,
}

/// `[broker]`: exactly one of the two; neither written means inside with its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// A broker within this process.
    pub inside: Option<InsideConfig>,
    /// A broker that runs elsewhere.
    pub outside: Option<OutsideConfig>,
}

/// `[broker.inside]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InsideConfig {
    /// Address and port for the devices.
    #[serde(default = "default_mqtt")]
    pub listen: SocketAddr,
}

/// `[broker.outside]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_mqtt_port")]
    pub port: u16,
    /// Name of this office at the broker; unique among its clients. A new one each start where not said.
    pub client: Option<String>,
    /// Offices of the same group share the messages of the devices between them; empty: this one takes them all.
    #[serde(default = "default_share")]
    pub share: String,
    /// User at the broker.
    pub user: Option<String>,
    /// File that holds the password alone.
    pub password_file: Option<PathBuf>,
    /// Files for TLS; without them the link is open, which is for one machine or a network of the offices alone.
    pub tls: Option<TlsFiles>,
}

/// `[store]`: exactly one of the three.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// A SQLite file; its folder is made where it is missing.
    pub sqlite: Option<PathBuf>,
    /// A PostgreSQL database, as `postgres://user:password@host:5432/database`.
    pub postgres: Option<String>,
    /// A file that holds that address alone, so that the password is not written here.
    pub postgres_file: Option<PathBuf>,
}

impl StoreConfig {
    /// Where the store is.
    ///
    /// # Errors
    /// When `postgres_file` cannot be read or holds no address.
    pub fn address(&self) -> Result<StoreAddress, ConfigError> {
        if let Some(path) = &self.sqlite {
            return Ok(StoreAddress::Sqlite(path.clone()));
        }
        let url = match (&self.postgres, &self.postgres_file) {
            (Some(url), _) => url.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|cause| ConfigError::Secret {
                path: path.clone(),
                cause,
            })?,
            (None, None) => String::new(),
        };
        url.trim().parse().map_err(|_| ConfigError::Value {
            path: self.postgres_file.clone().unwrap_or_default(),
            place: "[store] postgres",
            message: "is no address; write it as postgres://user:password@host:5432/database",
        })
    }
}

/// `[evidence]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceConfig {
    /// Folder for the pictures.
    pub folder: PathBuf,
    /// Days after which a picture is deleted.
    #[serde(default = "default_keep_days")]
    pub keep_days: u32,
}

/// `[models]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelsConfig {
    /// Folder of the fetched models; `VONG_STORE` or `models/store` where not said.
    pub store: Option<PathBuf>,
    /// A site's own manifest, beside the built-in one.
    pub manifest: Option<PathBuf>,
    /// Model id for finding faces.
    pub faces: Option<String>,
    /// Model id for face embeddings.
    pub embedding: Option<String>,
}

/// `[alarm]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmConfig {
    /// Seconds after which a replayed alert is shown, but raises no alarm.
    #[serde(default = "default_time_limit_s")]
    pub time_limit_s: u32,
}

fn default_http() -> SocketAddr {
    ([127, 0, 0, 1], 8080).into()
}
fn default_mqtt_port() -> u16 {
    1883
}
fn default_mqtt() -> SocketAddr {
    ([127, 0, 0, 1], default_mqtt_port()).into()
}
fn default_share() -> String {
    "vong".into()
}
fn default_keep_days() -> u32 {
    30
}
fn default_time_limit_s() -> u32 {
    300
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: default_http() }
    }
}

impl Default for AlarmConfig {
    fn default() -> Self {
        Self {
            time_limit_s: default_time_limit_s(),
        }
    }
}

/// Which broker a checked configuration asks for.
#[derive(Debug, Clone)]
pub enum Broker {
    /// Within this process.
    Inside(InsideConfig),
    /// Elsewhere.
    Outside(OutsideConfig),
}

impl BrokerConfig {
    /// The one that is meant.
    pub fn chosen(&self) -> Broker {
        match &self.outside {
            Some(outside) => Broker::Outside(outside.clone()),
            None => Broker::Inside(self.inside.clone().unwrap_or(InsideConfig { listen: default_mqtt() })),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("cannot read configuration `{path}`: {cause}; name an existing file with --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// No TOML, or a key that is unknown, missing or of the wrong kind.
    #[error("configuration `{path}`, line {line}: {message}; correct that line")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A file beside the configuration cannot be read.
    #[error("cannot read [store] postgres_file `{path}`: {cause}; write the address alone into it")]
    Secret {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Well formed, but it cannot work.
    #[error("configuration `{path}`, {place}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Section and key.
        place: &'static str,
        /// What is wrong and what to write instead.
        message: &'static str,
    },
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to the file's folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |cause| ConfigError::Unreadable {
            path: path.to_path_buf(),
            cause,
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let mut config = Self::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let absolute = |file: &mut PathBuf| *file = folder.join(&file);
        config.store.sqlite.iter_mut().for_each(absolute);
        config.store.postgres_file.iter_mut().for_each(absolute);
        absolute(&mut config.evidence.folder);
        config.seeds.iter_mut().for_each(absolute);
        config.models.store.iter_mut().for_each(absolute);
        config.models.manifest.iter_mut().for_each(absolute);
        if let Some(outside) = &mut config.broker.outside {
            outside.password_file.iter_mut().for_each(absolute);
            outside.tls.iter_mut().for_each(|tls| tls.within(folder));
        }
        Ok(config)
    }

    /// Reads and checks a text; `path` is for messages only.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = 1 + text.as_bytes()[..start].iter().filter(|&&b| b == b'\n').count();
            ConfigError::Syntax {
                path: path.to_path_buf(),
                line,
                message: error.message().replace('\n', ", "),
            }
        })?;
        match config.first_fault() {
            None => Ok(config),
            Some((place, message)) => Err(ConfigError::Value {
                path: path.to_path_buf(),
                place,
                message,
            }),
        }
    }

    fn first_fault(&self) -> Option<(&'static str, &'static str)> {
        if self.broker.inside.is_some() && self.broker.outside.is_some() {
            return Some(("[broker]", "write either [broker.inside] or [broker.outside], not both"));
        }
        if let Some(outside) = &self.broker.outside {
            if outside.host.trim().is_empty() {
                return Some(("[broker.outside] host", "is empty; write the broker's name or address"));
            }
            if outside.tls.as_ref().is_some_and(TlsFiles::is_half) {
                return Some(("[broker.outside.tls]", "name both certificate and key, or neither"));
            }
            if outside.share.contains(['/', '+', '#']) {
                return Some((
                    "[broker.outside] share",
                    "may not hold '/', '+' or '#'; write a word, or nothing to share nothing",
                ));
            }
            if outside.user.is_some() != outside.password_file.is_some() {
                return Some(("[broker.outside]", "write both user and password_file, or neither"));
            }
        }
        let StoreConfig {
            sqlite,
            postgres,
            postgres_file,
        } = &self.store;
        match (sqlite, postgres, postgres_file) {
            (Some(path), None, None) if path.as_os_str().is_empty() => {
                return Some(("[store] sqlite", "is empty; write the path of the database file"));
            }
            (Some(_), None, None) | (None, None, Some(_)) => {}
            (None, Some(url), None) => match url.parse() {
                Ok(StoreAddress::Postgres(_)) => {}
                _ => {
                    return Some((
                        "[store] postgres",
                        "is no address; write it as postgres://user:password@host:5432/database",
                    ));
                }
            },
            _ => {
                return Some((
                    "[store]",
                    "needs exactly one of sqlite (a file), postgres (an address) and postgres_file (a file that holds it)",
                ));
            }
        }
        if self.evidence.folder.as_os_str().is_empty() {
            return Some((
                "[evidence] folder",
                "is empty; write the folder for the pictures of alerts",
            ));
        }
        if !(1..=3650).contains(&self.evidence.keep_days) {
            return Some(("[evidence] keep_days", "must be 1 to 3650"));
        }
        if !(1..=86_400).contains(&self.alarm.time_limit_s) {
            return Some(("[alarm] time_limit_s", "must be 1 to 86400"));
        }
        None
    }
}

#[cfg(test)]
mod tests;
