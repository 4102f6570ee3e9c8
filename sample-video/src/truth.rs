//! What is true of each clip.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;

/// Of *walkway*.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walkway {
    /// The camera in the demo.
    pub camera: String,
    /// Its lines.
    #[serde(rename = "line")]
    pub lines: Vec<Line>,
}

/// Crossings of a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The line.
    pub id: String,
    /// Inward.
    #[serde(rename = "in")]
    pub entered: u64,
    /// Outward.
    #[serde(rename = "out")]
    pub left: u64,
}

/// Of *gate*.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The camera in the demo.
    pub camera: String,
    /// Length of the clip.
    pub seconds: f64,
    /// Who passes.
    #[serde(rename = "person")]
    pub persons: Vec<Person>,
    /// When nobody passes, since there is no third portrait.
    pub stranger_left_out: Vec<Span>,
}

/// A passage of a listed person.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Entry of the demo's watchlist.
    pub entry: String,
    /// File in the models' store.
    pub portrait: String,
    /// First second in the picture.
    pub from_s: f64,
    /// Last second.
    pub to_s: f64,
}

/// A span of time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First second.
    pub from_s: f64,
    /// Last second.
    pub to_s: f64,
}

/// Of *barrier*.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// The camera in the demo.
    pub camera: String,
    /// Length of the clip.
    pub seconds: f64,
    /// What passes.
    #[serde(rename = "vehicle")]
    pub vehicles: Vec<Vehicle>,
}

/// A passage of a vehicle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vehicle {
    /// Normal form.
    pub plate: String,
    /// As it stands on the plate, rows parted by `/`.
    pub printed: String,
    /// What carries it.
    pub kind: Kind,
    /// Ground colour.
    pub colour: Colour,
    /// How far it leans, degrees.
    pub tilt_deg: f32,
    /// First second in the picture.
    pub from_s: f64,
    /// On the demo's list of banned plates.
    #[serde(default)]
    pub banned: bool,
}

impl Vehicle {
    /// Rows of the plate.
    pub fn rows(&self) -> Vec<&str> {
        self.printed.split('/').collect()
    }
}

/// What a vehicle is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// From the front.
    Car,
    /// From the front.
    Truck,
    /// From behind.
    Motorcycle,
}

/// Ground colour of a plate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Black letters; red ones for diplomats.
    White,
    /// Black letters.
    Yellow,
    /// White letters.
    Blue,
}

/// Truth of all clips.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The street.
    pub walkway: Walkway,
    /// The gate with the two portraits.
    pub gate: Gate,
    /// The barrier with the plates.
    pub barrier: Barrier,
}

impl Truth {
    /// Reads the truth files of a folder.
    pub fn load(folder: &Path) -> Result<Self> {
        Ok(Self {
            walkway: read(&folder.join("walkway.toml"))?,
            gate: read(&folder.join("gate.toml"))?,
            barrier: read(&folder.join("barrier.toml"))?,
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the truth `{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("the truth `{}` cannot be understood", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_models::plate::grammar::{Grammar, normal_form};

    fn truth() -> Truth {
        Truth::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("truth")).unwrap()
    }

    #[test]
    fn every_plate_is_what_is_printed_and_passes_the_grammar() {
        let barrier = truth().barrier;
        assert_eq!(barrier.vehicles.len(), 8);
        for vehicle in &barrier.vehicles {
            assert_eq!(normal_form(&vehicle.printed), vehicle.plate);
            assert!(
                Grammar::vietnam().parse(&vehicle.rows()).is_some(),
                "{}",
                vehicle.printed
            );
            assert!(vehicle.from_s + crate::barrier::PASSAGE_S <= barrier.seconds);
        }
        assert_eq!(barrier.vehicles.iter().filter(|vehicle| vehicle.banned).count(), 1);
    }

    #[test]
    fn nobody_passes_in_the_strangers_place() {
        let gate = truth().gate;
        for empty in &gate.stranger_left_out {
            assert!(
                gate.persons
                    .iter()
                    .all(|person| person.to_s <= empty.from_s || person.from_s >= empty.to_s)
            );
        }
        assert!(gate.persons.iter().all(|person| person.to_s <= gate.seconds));
    }
}
