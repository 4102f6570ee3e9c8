//! Ids. Invariant: an id that exists is well formed, so it can stand in a topic, a file name and a URL unescaped.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} id `{text}` is not allowed: use 1 to 64 of a-z, 0-9, '-', '_' and '.', starting with a letter or digit"
)]
pub struct IdError {
    /// What was to be named: site, device, camera, line, list or entry.
    pub kind: &'static str,
    /// The text that was refused.
    pub text: String,
}

fn well_formed(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && text.as_bytes()[0].is_ascii_alphanumeric()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text; fails if it could not stand unescaped in a topic or a URL.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if well_formed(&text) { Ok(Self(text)) } else { Err(IdError { kind: $kind, text }) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(
    /// A site: an industrial park, a station, a tourist site.
    SiteId, "site"
);
text_id!(
    /// An edge appliance within a site.
    DeviceId, "device"
);
text_id!(
    /// A camera of a device.
    CameraId, "camera"
);
text_id!(
    /// A counting line of a camera.
    LineId, "line"
);
text_id!(
    /// A watchlist.
    ListId, "list"
);
text_id!(
    /// An entry of a watchlist. Names stay in central; the edge knows entries by this id only.
    EntryId, "entry"
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id of version 7: ordered by the time of its making.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// One event or alert, the same however often it is sent: central removes doubles by it.
    EventId
);
uuid_id!(
    /// One start of a device. With the sequence number it orders events where the clock cannot be trusted.
    BootId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        for good in ["a", "dong-nai.amata", "gate_1", "9"] {
            assert_eq!(SiteId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "a/b", "a+b", "#", "-a", "đ", "a b", &"x".repeat(65)] {
            assert!(SiteId::new(bad).is_err(), "{bad:?} was accepted");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<CameraId>(&json).is_err());
        }
    }
}
