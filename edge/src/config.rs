//! The appliance's configuration file. Invariant: a [`Config`] that exists has been checked, so that no later stage
//! has to refuse what it says. Unknown keys are errors: a typing mistake must not switch a watchlist off in silence.

mod region;

pub use region::Region;

use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vong_models::plate::PlateModels;
use vong_tls::TlsFiles;
use vong_wire::{CameraId, DeviceId, LineId, SiteId};

/// Everything in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this box is.
    pub device: DeviceConfig,
    /// Where central listens.
    pub broker: BrokerConfig,
    /// Which models; the built-in defaults where not said.
    #[serde(default)]
    pub models: ModelsConfig,
    /// The cameras, at least one.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<CameraConfig>,
}

/// `[device]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The site, as central knows it.
    pub site: SiteId,
    /// This device.
    pub id: DeviceId,
    /// Folder for the outbox and what the device remembers.
    pub data: PathBuf,
    /// Inference threads; as many as cores where not said.
    pub workers: Option<usize>,
    /// Seconds between health messages.
    #[serde(default = "default_health_s")]
    pub health_s: u64,
    /// What waits for central may take so much, MiB; beyond it pictures go first, alerts last.
    #[serde(default = "default_outbox_mib")]
    pub outbox_mib: u64,
}

/// `[broker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_broker_port")]
    pub port: u16,
    /// Files for TLS; without them the link is open, which is for one machine alone.
    pub tls: Option<TlsFiles>,
}

/// `[models]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelsConfig {
    /// A site's own manifest, beside the built-in one.
    pub manifest: Option<PathBuf>,
    /// Model id for persons and vehicles.
    pub objects: Option<String>,
    /// Model id for finding faces.
    pub faces: Option<String>,
    /// Model id for face embeddings.
    pub embedding: Option<String>,
    /// Model id for finding rows of text, where plates may be.
    pub plate_rows: Option<String>,
    /// Model id for reading a plate.
    pub plate_reader: Option<String>,
}

impl ModelsConfig {
    /// The models that read plates.
    pub fn plates(&self) -> PlateModels<'_> {
        PlateModels {
            rows: self.plate_rows.as_deref(),
            reader: self.plate_reader.as_deref(),
        }
    }
}

const UNSEEN: &str = "lies outside the camera's region; nothing of it would be seen";

/// `[[camera]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// The camera, unique within the device.
    pub id: CameraId,
    /// A video file.
    pub file: Option<PathBuf>,
    /// An RTSP address.
    pub rtsp: Option<String>,
    /// Number of a USB camera.
    pub usb: Option<u32>,
    /// Play a file again from its start when it ends.
    #[serde(default)]
    pub repeat: bool,
    /// Frames a second to take at most.
    #[serde(default = "default_max_fps")]
    pub max_fps: f64,
    /// The part of the picture that is looked at, in full detail: for large pictures of which the gate fills a part.
    /// In the file, lines and the plates' region are shares of the whole picture; here, of this part.
    pub region: Option<Region>,
    /// Longest side of the picture that objects are looked for in, px; the detector's own where not said. Less where all
    /// who count are near, more where they are far off; `vong-edge fit` finds it. The work grows with its square.
    pub look_px: Option<u32>,
    /// What this camera is worth, 0 to 9, when the box has more to do than it can: the least gives up frames first.
    #[serde(default = "default_priority")]
    pub priority: u8,
    /// Look for objects in every frame, whether anything moves or not: several times the work.
    #[serde(default)]
    pub every_frame: bool,
    /// Counting lines.
    #[serde(default, rename = "line")]
    pub lines: Vec<LineConfig>,
    /// Look for listed faces.
    pub faces: Option<FacesConfig>,
    /// Read plates.
    pub plates: Option<PlatesConfig>,
}

/// Which objects a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedClass {
    /// Persons.
    #[default]
    Person,
    /// Vehicles of any kind.
    Vehicle,
}

/// `[[camera.line]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// The line, unique within the camera.
    pub id: LineId,
    /// x1, y1, x2, y2 in shares of the picture.
    pub points: [f32; 4],
    /// What it counts.
    #[serde(default)]
    pub class: CountedClass,
}

/// `[camera.faces]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesConfig {
    /// Persons lower than this are not searched for a face, px.
    #[serde(default = "default_min_person_px")]
    pub min_person_px: f32,
}

/// `[camera.plates]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatesConfig {
    /// The lane where plates are read: left, top, right, bottom in shares of the picture. Where not said, plates are
    /// read inside vehicles.
    pub region: Option<Region>,
    /// Readings a second at most.
    #[serde(default = "default_plate_reads_per_s")]
    pub reads_per_s: f64,
}

/// Sides that a detector may be given, px, and what they are multiples of: its coarsest cells.
const LOOKS: std::ops::RangeInclusive<u32> = 128..=1280;
const LOOK_STEP: u32 = 32;

/// Why no detector looks at pictures with this longest side.
fn look_fault(side: u32) -> Option<&'static str> {
    let fits = LOOKS.contains(&side) && side.is_multiple_of(LOOK_STEP);
    (!fits).then_some("must be a multiple of 32 from 128 to 1280")
}

/// Reads a longest side.
///
/// # Errors
/// When it is none that a detector may be given.
pub fn look_px(text: &str) -> Result<u32, String> {
    let side = text.parse().ok().filter(|side| look_fault(*side).is_none());
    side.ok_or_else(|| "give a multiple of 32 from 128 to 1280".into())
}

fn default_outbox_mib() -> u64 {
    crate::outbox::DEFAULT_LIMIT_BYTES >> 20
}

fn default_health_s() -> u64 {
    10
}
fn default_broker_port() -> u16 {
    1883
}
fn default_max_fps() -> f64 {
    25.0
}
fn default_priority() -> u8 {
    5
}
fn default_min_person_px() -> f32 {
    90.0
}
fn default_plate_reads_per_s() -> f64 {
    4.0
}

/// Where a camera's frames come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraSource {
    /// A video file.
    File(PathBuf),
    /// An RTSP address, perhaps with a password: never to be logged.
    Rtsp(String),
    /// A USB camera.
    Usb(u32),
}

impl CameraConfig {
    /// Largest sides of the pictures that this camera needs, where the detector was made for such: faces and plates are
    /// read in full pictures, for counting what the detector looks at is enough.
    pub fn picture_within(&self, detector: Option<[usize; 2]>) -> Option<(u32, u32)> {
        let [width, height] = detector.filter(|_| self.faces.is_none() && self.plates.is_none())?;
        Some(self.look_px.map_or((width as u32, height as u32), |side| (side, side)))
    }

    /// The one source that is set; a checked configuration has exactly one.
    pub fn source(&self) -> Option<CameraSource> {
        match (&self.file, &self.rtsp, self.usb) {
            (Some(file), None, None) => Some(CameraSource::File(file.clone())),
            (None, Some(url), None) => Some(CameraSource::Rtsp(url.clone())),
            (None, None, Some(number)) => Some(CameraSource::Usb(number)),
            _ => None,
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
    #[error("configuration `{path}`, line {line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// Well formed, but it cannot work.
    #[error("configuration `{path}`, {place}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Section and key.
        place: String,
        /// What is wrong and what to write instead.
        message: String,
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
        absolute(&mut config.device.data);
        config.broker.tls.iter_mut().for_each(|tls| tls.within(folder));
        config.models.manifest.iter_mut().for_each(absolute);
        config
            .cameras
            .iter_mut()
            .filter_map(|camera| camera.file.as_mut())
            .for_each(absolute);
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
            None => Ok(config.within_regions()),
            Some((place, message)) => Err(ConfigError::Value {
                path: path.to_path_buf(),
                place,
                message,
            }),
        }
    }

    /// Lines and lanes in shares of what their camera looks at.
    fn within_regions(mut self) -> Self {
        for camera in &mut self.cameras {
            let Some(region) = camera.region else { continue };
            for line in &mut camera.lines {
                line.points = region.line(&line.points);
            }
            if let Some(plates) = &mut camera.plates {
                plates.region = plates.region.and_then(|lane| region.part(&lane));
            }
        }
        self
    }

    fn first_fault(&self) -> Option<(String, String)> {
        if self.cameras.is_empty() {
            return Some(("[[camera]]".into(), "no camera is configured; add at least one".into()));
        }
        if self.device.workers == Some(0) {
            return Some(("[device] workers".into(), "must be at least 1".into()));
        }
        if !(1..=1 << 20).contains(&self.device.outbox_mib) {
            return Some(("[device] outbox_mib".into(), "must be from 1 to 1048576".into()));
        }
        if self.broker.tls.as_ref().is_some_and(TlsFiles::is_half) {
            return Some((
                "[broker.tls]".into(),
                "name both certificate and key, or neither".into(),
            ));
        }
        if self.device.health_s == 0 {
            return Some(("[device] health_s".into(), "must be at least 1".into()));
        }
        let mut seen = BTreeSet::new();
        for camera in &self.cameras {
            if !seen.insert(&camera.id) {
                return Some((
                    format!("camera `{}`", camera.id),
                    "is there twice; give each camera its own id".into(),
                ));
            }
            if let Some((place, message)) = camera.first_fault() {
                return Some((format!("camera `{}` {place}", camera.id), message));
            }
        }
        None
    }
}

impl CameraConfig {
    fn first_fault(&self) -> Option<(String, String)> {
        let fault = |place: &str, message: &str| Some((place.to_string(), message.to_string()));
        if self.source().is_none() {
            return fault("source", "write exactly one of file, rtsp or usb");
        }
        if self
            .rtsp
            .as_ref()
            .is_some_and(|url| !url.starts_with("rtsp://") && !url.starts_with("rtsps://"))
        {
            return fault("rtsp", "must begin with rtsp:// or rtsps://");
        }
        if !(self.max_fps > 0.0 && self.max_fps <= 120.0) {
            return fault("max_fps", "must be above 0 and at most 120");
        }
        if let Some(message) = self.look_px.and_then(look_fault) {
            return fault("look_px", message);
        }
        if self.priority > 9 {
            return fault(
                "priority",
                "must be from 0, the first to give up frames, to 9, the last",
            );
        }
        let mut seen = BTreeSet::new();
        for line in &self.lines {
            let place = format!("line `{}`", line.id);
            if !seen.insert(&line.id) {
                return fault(&place, "is there twice; give each line of a camera its own id");
            }
            if !line.points.iter().all(|v| (0.0..=1.0).contains(v)) {
                return fault(&place, "points must be four shares of the picture between 0 and 1");
            }
            if line.points[..2] == line.points[2..] {
                return fault(&place, "both ends are the same point; a line needs a length");
            }
            if self.region.is_some_and(|region| !region.is_met_by(&line.points)) {
                return fault(&place, UNSEEN);
            }
        }
        let lane = self.plates.as_ref().and_then(|plates| plates.region);
        if let (Some(region), Some(lane)) = (&self.region, &lane)
            && region.part(lane).is_none()
        {
            return fault("plates.region", UNSEEN);
        }
        if self
            .plates
            .as_ref()
            .is_some_and(|plates| !(plates.reads_per_s > 0.0 && plates.reads_per_s <= 30.0))
        {
            return fault("plates.reads_per_s", "must be above 0 and at most 30");
        }
        None
    }
}

#[cfg(test)]
mod tests;
