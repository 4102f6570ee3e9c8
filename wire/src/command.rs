//! What central sends to a device: acknowledgements and commands.

use crate::{EventId, WatchlistBundle};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// On `ack`: what is committed in central's store. Only then does the outbox forget it. With no items: an office has begun to
/// listen; what the broker handed on before may have reached nobody, and the device sends it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ack {
    /// What is committed, in any order.
    pub items: Vec<AckItem>,
}

/// One committed message. The id guards against a device whose outbox was replaced and counts from one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AckItem {
    /// Number in the device's outbox.
    pub seq: u64,
    /// Of an event, alert or piece of evidence: its id. Of a count: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
}

/// On `command`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// Names the command in logs and answers.
    pub id: Uuid,
    /// What to do.
    #[serde(flatten)]
    pub body: CommandBody,
}

/// The kinds of commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum CommandBody {
    /// Replace all watchlists.
    Watchlists(WatchlistBundle),
}
