//! Where the store is: a SQLite file or a PostgreSQL server. An address of a server may hold a password, so it is never
//! shown whole.

use super::{PostgresStore, SqliteStore, Store, StoreError};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Where the store is.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// A file.
    Sqlite(PathBuf),
    /// `postgres://user:password@host:5432/database`.
    Postgres(String),
}

impl StoreAddress {
    /// Opens the store and brings its tables up to date.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
            Self::Postgres(url) => Arc::new(PostgresStore::open(url).await?),
        })
    }
}

/// Shows no password.
impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => write!(f, "postgres://{}", url.rsplit(['@', '/']).next().unwrap_or_default()),
        }
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no address of a store.
#[derive(Debug, thiserror::Error)]
#[error("no store has this address; write sqlite:PATH or postgres://user:password@host:5432/database")]
pub struct StoreAddressError;

impl FromStr for StoreAddress {
    type Err = StoreAddressError;
    fn from_str(text: &str) -> Result<Self, StoreAddressError> {
        if let Some(path) = text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"))
            && !path.is_empty()
        {
            // sqlite:///a and sqlite:/a are the same file.
            let absolute = text.starts_with("sqlite:/");
            let path = if absolute && !path.starts_with('/') {
                format!("/{path}")
            } else {
                path.into()
            };
            return Ok(Self::Sqlite(path.into()));
        }
        match ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            true => Ok(Self::Postgres(text.into())),
            false => Err(StoreAddressError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_shown_with_a_password() {
        for (text, expected) in [
            ("sqlite:var/a.sqlite", "sqlite:var/a.sqlite"),
            ("sqlite:/var/a.sqlite", "sqlite:/var/a.sqlite"),
            ("sqlite:///var/a.sqlite", "sqlite:/var/a.sqlite"),
            ("postgres://u:secret@host/vong", "postgres://vong"),
            ("postgres://u:secret@host", "postgres://host"),
        ] {
            let address: StoreAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), expected);
            assert!(!format!("{address:?}").contains("secret"));
        }
        for text in ["", "sqlite:", "mysql://a", "a.sqlite"] {
            assert!(text.parse::<StoreAddress>().is_err(), "{text:?} was taken");
        }
    }
}
