//! Who works here. A user without a password hash cannot log in: seeds bring names and roles, never passwords.

use super::Names;
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees counts, no personal data.
    Viewer,
    /// Sees and handles alerts.
    Operator,
    /// Looks after lists, devices and users.
    Admin,
}

impl Role {
    /// As it is kept and written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            "admin" => Ok(Self::Admin),
            other => Err(format!("`{other}` is no role; write viewer, operator or admin")),
        }
    }
}

/// A user as a seed file writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name.
    pub id: String,
    /// How the user is shown.
    pub name: Names,
    /// What the user may do.
    pub role: Role,
}
