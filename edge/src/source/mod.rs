//! Pictures from cameras and files. Invariant: frames come in the order in which they were taken, with rising sequence
//! numbers and times; a source that has ended delivers nothing more. Knows nothing of what is looked for in them.
//!
//! Files and network cameras are decoded by a child process, so that a broken stream can never take the appliance down.

mod child;
#[cfg(test)]
mod fault_tests;
mod file;
mod rtsp;
mod stderr;
mod still;
#[cfg(test)]
mod tests;
#[cfg(feature = "usb")]
mod usb;
mod yuv;

pub use file::{FileOptions, FileSource, Pace};
pub use rtsp::RtspSource;
pub use still::{FROZEN_AFTER, Stillness};
#[cfg(feature = "usb")]
pub use usb::UsbSource;
pub use yuv::{Coding, Grey, GreyLine, Planes};

use crate::clock::Clock;
use crate::config::{CameraSource, Region};
use image::RgbImage;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vong_wire::{Trouble, UnixMs};

/// One picture. Kept by the caller and filled again and again: its memory is reused.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The pixels; where [`SourceOptions::raw`] was asked for, only after [`Frame::develop`].
    pub image: RgbImage,
    /// The pixels as the decoder had them; empty where they are in `image`.
    pub planes: Planes,
    /// When it was taken: of a file its start plus the place in it, of a camera the time of arrival.
    pub at_ms: UnixMs,
    /// The same in seconds since the first frame of this source: what trackers are given.
    pub at_s: f64,
    /// Counts the frames of this source from 0.
    pub seq: u64,
}

impl Frame {
    /// Width and height, px.
    pub fn size(&self) -> (u32, u32) {
        if self.planes.is_empty() {
            return self.image.dimensions();
        }
        let grey = self.planes.grey();
        (grey.width as u32, grey.height as u32)
    }

    /// Its brightness.
    pub fn grey(&self) -> Grey<'_> {
        if self.planes.is_empty() {
            Grey::of(&self.image)
        } else {
            self.planes.grey()
        }
    }

    /// Makes the picture, unless it is there: most frames are never looked at in colours.
    pub fn develop(&mut self) {
        if !self.planes.is_empty() {
            self.planes.picture(&mut self.image);
            self.planes.clear();
        }
    }
}

/// What came of waiting for a frame.
#[derive(Debug)]
pub enum Next {
    /// A frame is in the buffer.
    Frame,
    /// The next frame does not continue the ones before: a file begins again, a camera was found again.
    Cut,
    /// The camera is lost; asking again waits a while and connects anew.
    Lost(SourceError),
    /// Nothing more will come.
    Ended,
}

/// Something that delivers pictures, to the thread that opened it: a USB camera cannot be handed to another.
pub trait Source {
    /// Waits for the next frame.
    ///
    /// # Errors
    /// When no frame will ever come: a file that is missing, corrupt or cut short, a programme that is not installed.
    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError>;
}

/// How a source is to be read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The part that is handed over; the whole picture where none is named.
    pub region: Option<Region>,
    /// Size to scale to, px.
    pub size: Option<(u32, u32)>,
    /// Largest sides, px: a larger picture is made smaller, its shape kept.
    pub within: Option<(u32, u32)>,
    /// Hand the pixels over as the decoder has them; [`Frame::develop`] makes the picture.
    pub raw: bool,
    /// Frames a second at most.
    pub max_fps: Option<f64>,
    /// Ends the source at once.
    pub stop: CancellationToken,
}

/// Opens the source of a camera. `name` is the camera's id, for error texts.
///
/// # Errors
/// When the source can never work; a network camera that does not answer is not an error but [`Next::Lost`].
pub fn open(
    name: &str,
    source: &CameraSource,
    repeat: bool,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Source>, SourceError> {
    match source {
        CameraSource::File(path) => {
            let file = FileOptions {
                pace: Pace::OwnSpeed,
                repeat,
                start_ms: clock.now_ms(),
                source: options,
            };
            Ok(Box::new(FileSource::open(path, file)?))
        }
        CameraSource::Rtsp(url) => Ok(Box::new(RtspSource::new(name, url, options, clock))),
        #[cfg(feature = "usb")]
        CameraSource::Usb(number) => Ok(Box::new(UsbSource::new(name, *number, options, clock))),
        #[cfg(not(feature = "usb"))]
        CameraSource::Usb(_) => Err(SourceError::NoUsb {
            camera: name.to_owned(),
        }),
    }
}

/// Why pictures do not come.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such file.
    #[error("video `{path}` does not exist; name an existing file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A folder, or a file without content.
    #[error("video `{path}` is {what}; name a video file")]
    NoVideo {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// Nothing in it can be decoded.
    #[error("cannot read video `{path}`: {reason}; give a file that ffmpeg can play")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What ffmpeg said.
        reason: String,
    },
    /// It stops before its end.
    #[error("video `{path}` is cut short: {frames} of {announced} frames could be read; copy it again")]
    Short {
        /// The file.
        path: PathBuf,
        /// Frames that came.
        frames: u64,
        /// Frames that its header promises.
        announced: u64,
    },
    /// The decoder cannot be started.
    #[error("cannot start `{program}`: {cause}; install the package ffmpeg")]
    NoDecoder {
        /// The programme.
        program: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A camera does not deliver.
    #[error("cannot read camera `{camera}`: {trouble}")]
    Lost {
        /// The camera.
        camera: String,
        /// What is wrong. What the decoder said stays here: it names the address.
        trouble: Trouble,
    },
    /// Built without USB cameras.
    #[error("camera `{camera}` is a USB camera, but this program was built without them; build with --features usb")]
    NoUsb {
        /// The camera.
        camera: String,
    },
}

impl SourceError {
    /// What is wrong, for others: without addresses and names of files.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Missing { .. } | Self::NoVideo { .. } | Self::Unreadable { .. } | Self::Short { .. } => {
                Trouble::BadFile
            }
            Self::NoDecoder { .. } => Trouble::NoDecoder,
            Self::Lost { trouble, .. } => trouble.clone(),
            Self::NoUsb { .. } => Trouble::NoUsb,
        }
    }
}
