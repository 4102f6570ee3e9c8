//! The latest picture of a camera for the operator's page, with its boxes and lines: one message, so that the boxes
//! always belong to the picture. Kept in central's memory only, never stored: unknown faces are not kept.

use crate::{CameraId, Direction, LineId, ObjectClass, UnixMs};
use serde::{Deserialize, Serialize};

/// What stands before the JPEG in a view message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ViewHeader {
    /// The camera.
    pub camera: CameraId,
    /// When the picture was taken.
    pub at_ms: UnixMs,
    /// Tracks in the picture.
    pub boxes: Vec<ViewBox>,
    /// Counting lines, with the totals of the epoch.
    pub lines: Vec<ViewLine>,
}

/// A track, in shares of the picture's width and height.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ViewBox {
    /// Left, top, right, bottom, 0 to 1.
    pub bbox: [f32; 4],
    /// What it is.
    pub class: ObjectClass,
    /// The track.
    pub track: u64,
    /// A hit on a list.
    #[serde(default)]
    pub alert: bool,
    /// What to write beside the box: a plate. Never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A counting line, in shares of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ViewLine {
    /// The line.
    pub line: LineId,
    /// x1, y1, x2, y2.
    pub points: [f32; 4],
    /// Inward since the epoch.
    pub total_in: u64,
    /// Outward since the epoch.
    pub total_out: u64,
    /// The last crossing's way, where it was within the last second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flash: Option<Direction>,
}

/// A picture with its header.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Boxes and lines.
    pub header: ViewHeader,
    /// The picture, JPEG.
    pub jpeg: Vec<u8>,
}

/// Why a view message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Shorter than its own header says.
    #[error("view message of {bytes} bytes is cut short")]
    Short {
        /// Bytes that came.
        bytes: usize,
    },
    /// The header is no JSON of the expected form.
    #[error("view header cannot be read")]
    Header(#[from] serde_json::Error),
}

impl View {
    /// Length of the header as four bytes, most significant first; the header as JSON; the JPEG.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let header = serde_json::to_vec(&self.header)?;
        let mut message = Vec::with_capacity(4 + header.len() + self.jpeg.len());
        message.extend_from_slice(&(header.len() as u32).to_be_bytes());
        message.extend_from_slice(&header);
        message.extend_from_slice(&self.jpeg);
        Ok(message)
    }

    /// The reverse of [`View::encode`].
    pub fn decode(message: &[u8]) -> Result<Self, ViewError> {
        let short = || ViewError::Short { bytes: message.len() };
        let (length, rest) = message.split_first_chunk::<4>().ok_or_else(short)?;
        let (header, jpeg) = rest
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or_else(short)?;
        Ok(Self {
            header: serde_json::from_slice(header)?,
            jpeg: jpeg.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view(jpeg: Vec<u8>) -> View {
        let camera = CameraId::new("walkway").unwrap();
        View {
            header: ViewHeader {
                camera,
                at_ms: 1,
                boxes: vec![],
                lines: vec![],
            },
            jpeg,
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(jpeg in proptest::collection::vec(any::<u8>(), 0..200)) {
            let sent = view(jpeg);
            prop_assert_eq!(View::decode(&sent.encode().unwrap()).unwrap(), sent);
        }

        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = View::decode(&bytes);
        }
    }
}
