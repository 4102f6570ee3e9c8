//! What there is: sites with their gates and devices, devices with their cameras and lines, and the lists. The same
//! types are read from seed files and kept in the store. Invariant: a line names only a gate of its own site.

use serde::{Deserialize, Serialize};
use std::fmt;
use vong_wire::{CameraId, DeviceId, EntryId, IdError, LineId, ListId, PlateColour, Severity, SiteId};

/// A name in both languages of the page, Vietnamese first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Names {
    /// For what nobody has named: its id.
    pub fn of_id(id: impl fmt::Display) -> Self {
        Self {
            vi: id.to_string(),
            en: id.to_string(),
        }
    }
}

/// A gate of a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GateId(String);

impl GateId {
    /// Checks the text by the rules of all ids.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        LineId::new(text)
            .map(|id| Self(id.into()))
            .map_err(|error| IdError { kind: "gate", ..error })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for GateId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<GateId> for String {
    fn from(id: GateId) -> String {
        id.0
    }
}

/// A province; its department runs the operations centre.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Province {
    /// As `dong-nai`.
    pub id: SiteId,
    /// Its name.
    pub name: Names,
}

/// An industrial park, a station, a tourist site.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// As devices name it in their topics.
    pub id: SiteId,
    /// The province it lies in.
    pub province: Option<SiteId>,
    /// Its name.
    pub name: Names,
    /// Its gates.
    #[serde(default, rename = "gate")]
    pub gates: Vec<Gate>,
    /// Its devices.
    #[serde(default, rename = "device")]
    pub devices: Vec<Device>,
}

/// Where people and vehicles go in and out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Unique within the site.
    pub id: GateId,
    /// Its name.
    pub name: Names,
}

/// An edge appliance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Unique within the site.
    pub id: DeviceId,
    /// Its name.
    pub name: Names,
    /// Somebody entered it; otherwise it announced itself and is shown as unknown.
    #[serde(skip, default = "yes")]
    pub known: bool,
    /// Its cameras.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<Camera>,
}

/// A camera of a device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Unique within the device.
    pub id: CameraId,
    /// Its name.
    pub name: Names,
    /// Its counting lines.
    #[serde(default, rename = "line")]
    pub lines: Vec<Line>,
}

/// A counting line; its geometry is the device's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Unique within the camera.
    pub id: LineId,
    /// Its name.
    pub name: Names,
    /// The gate whose headcount it makes.
    pub gate: Option<GateId>,
}

/// A watchlist.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The list.
    pub id: ListId,
    /// Its name.
    pub name: Names,
    /// How urgent a hit is.
    pub severity: Severity,
    /// Hits are shown as an exercise.
    #[serde(default)]
    pub exercise: bool,
    /// Faces or plates.
    pub kind: ListContent,
    /// Cosine similarity from which a face matches; the model's default where not said.
    pub threshold: Option<f32>,
    /// What it holds.
    #[serde(default, rename = "entry")]
    pub entries: Vec<Entry>,
}

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListContent {
    /// Photographs of persons.
    Faces,
    /// Plates of vehicles.
    Plates,
}

/// A person or a vehicle of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Unique within the list.
    pub id: EntryId,
    /// What an operator reads.
    pub label: Names,
    /// Photographs: files of the seed folder, or `models:FILE` for one of the models' store; `not:` before
    /// either where somebody else is on it, who looks alike and was confirmed not to be the entry.
    #[serde(default)]
    pub photographs: Vec<String>,
    /// Plate in normal form.
    pub plate: Option<String>,
    /// Ground colour of the plate, where known.
    pub colour: Option<PlateColour>,
}

/// A line of a camera of a device of a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineKey {
    /// The site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// The camera.
    pub camera: CameraId,
    /// The line.
    pub line: LineId,
}

fn yes() -> bool {
    true
}

/// Everything there is, as it stood when it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directory {
    /// The sites.
    pub sites: Vec<Site>,
    /// The lists.
    pub lists: Vec<List>,
}

impl Directory {
    /// A site by its id.
    pub fn site(&self, id: &SiteId) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == *id)
    }

    /// A device by its site and id.
    pub fn device(&self, site: &SiteId, id: &DeviceId) -> Option<&Device> {
        self.site(site)?.devices.iter().find(|device| device.id == *id)
    }

    /// A camera by its site, device and id.
    pub fn camera(&self, site: &SiteId, device: &DeviceId, id: &CameraId) -> Option<&Camera> {
        self.device(site, device)?
            .cameras
            .iter()
            .find(|camera| camera.id == *id)
    }

    /// The gate whose headcount a line makes.
    pub fn gate_of(&self, key: &LineKey) -> Option<&GateId> {
        let camera = self.camera(&key.site, &key.device, &key.camera)?;
        camera.lines.iter().find(|line| line.id == key.line)?.gate.as_ref()
    }

    /// Every line that makes a gate's headcount.
    pub fn lines_of<'a>(&'a self, site: &'a Site, gate: &'a GateId) -> impl Iterator<Item = LineKey> + 'a {
        site.devices.iter().flat_map(move |device| {
            device.cameras.iter().flat_map(move |camera| {
                let counted = camera.lines.iter().filter(move |line| line.gate.as_ref() == Some(gate));
                counted.map(move |line| LineKey {
                    site: site.id.clone(),
                    device: device.id.clone(),
                    camera: camera.id.clone(),
                    line: line.id.clone(),
                })
            })
        })
    }

    /// A list by its id.
    pub fn list(&self, id: &ListId) -> Option<&List> {
        self.lists.iter().find(|list| list.id == *id)
    }

    /// An entry by its list and id.
    pub fn entry(&self, list: &ListId, id: &EntryId) -> Option<&Entry> {
        self.list(list)?.entries.iter().find(|entry| entry.id == *id)
    }
}
