//! Ranges of the values inside a network, measured on pictures: what a network of 8 bits is made by. Invariant: the
//! pictures go in as they do at the gate.

use crate::convert::ppocr;
use crate::convert::quantise::{self, Ranges};
use crate::convert::ranged;
use crate::face::{FaceDetector, looks, subject};
use crate::manifest::{Family, Job, Manifest, Model};
use crate::picture::{Normalise, Region, Scaler};
use crate::picture_file::open_picture;
use crate::plate::PlateReaderOptions;
use crate::plate::rows::seen_size;
use crate::session::{Session, SessionOptions};
use crate::store::Store;
use anyhow::{Context, Result, ensure};
use image::RgbImage;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A face less sure than this is none to measure by.
const LEAST_SCORE: f32 = 0.5;

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// Id of the model.
    pub model: String,
    /// Pictures that were looked at.
    pub pictures: usize,
    /// Least and greatest value by tensor.
    pub ranges: Ranges,
    /// The network of 8 bits that these ranges make.
    pub eight_bit: Vec<u8>,
}

/// Measures a detector of objects, of rows of text, or an embedding on the pictures of a folder.
///
/// # Errors
/// When the model or a picture cannot be read, or there is none.
pub fn measure(store: &Store, manifest: &Manifest, id: Option<&str>, folder: &Path) -> Result<Measured> {
    let named = manifest.models().find(|model| Some(model.id.as_str()) == id);
    let model = manifest.model(named.map_or(Job::Objects, |model| model.job), id)?;
    let path = manifest.checked_file(store, model)?;
    let mut file = std::fs::read(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let names = match model.family {
        Family::PpocrDet => {
            file = ppocr::prepare(&file)?;
            ranged::with_relus(&file)?
        }
        Family::DlibResnet => ranged::with_relus(&file)?,
        _ => ranged::leaky(&file)?,
    };
    let pictures = pictures(folder)?;
    let mut probe = Probe {
        session: Session::open_bytes(
            store,
            &model.id,
            &quantise::with_outputs(&file, &names)?,
            SessionOptions { threads: 1 },
        )?,
        names,
        ranges: Ranges::new(),
    };
    let (mut scaler, normalise) = (Scaler::default(), Normalise::of(model));
    let mut faces = match model.job {
        Job::Embedding => Some(FaceDetector::open(store, manifest, None, 1)?),
        _ => None,
    };
    for path in &pictures {
        let picture = open_picture(path)?;
        let Some(faces) = &mut faces else {
            let (to, size) = seen(model, &picture);
            probe.look(size, |tensor| {
                scaler.place(&picture, Region::whole(&picture), to, size, &normalise, tensor);
            })?;
            continue;
        };
        let mut found = Vec::new();
        faces.detect(&picture, LEAST_SCORE, &mut found)?;
        let face = subject(&found, picture.width(), picture.height())
            .with_context(|| format!("`{}` shows no face; take it out of the folder", path.display()))?;
        let [width, height] = model.size;
        for (chip, mirror) in looks(model, &faces.points(&picture, face)?) {
            probe.look((width, height), |tensor| {
                chip.warp(&picture, width, height, mirror, &normalise, tensor);
            })?;
        }
    }
    Ok(Measured {
        model: model.id.clone(),
        pictures: pictures.len(),
        eight_bit: quantise::quantise(&file, &probe.ranges)?,
        ranges: probe.ranges,
    })
}

/// A network whose inner values come out.
struct Probe {
    session: Session,
    names: Vec<String>,
    ranges: Ranges,
}

impl Probe {
    /// Runs it once on what `fill` makes of a tensor of this width and height.
    fn look(&mut self, (width, height): (usize, usize), fill: impl FnOnce(&mut [f32])) -> Result<()> {
        let mut put_in = (f32::INFINITY, f32::NEG_INFINITY);
        let outputs = self.session.run(&[1, 3, height, width], |tensor| {
            fill(tensor);
            put_in = extremes(tensor);
        })?;
        for name in &self.names {
            // The input comes first where it is measured; it is no output.
            let extent = match outputs.named(name) {
                Ok(values) => extremes(values.data),
                Err(_) if *name == self.names[0] => put_in,
                Err(error) => return Err(error.into()),
            };
            widen(&mut self.ranges, name, extent);
        }
        Ok(())
    }
}

/// Width and height to which the detector scales a picture, and those of the tensor.
fn seen(model: &Model, picture: &RgbImage) -> ((usize, usize), (usize, usize)) {
    if model.family == Family::PpocrDet {
        let size = seen_size(Region::whole(picture), PlateReaderOptions::default().close_sight);
        return (size, size);
    }
    let [width, height] = model.size;
    let scale = (width as f32 / picture.width() as f32).min(height as f32 / picture.height() as f32);
    let side = |length: u32, most: usize| ((length as f32 * scale) as usize).clamp(1, most);
    let to = (side(picture.width(), width), side(picture.height(), height));
    (to, (width, height))
}

/// Writes ranges as `quantise::read_ranges` reads them.
///
/// # Errors
/// When the file cannot be written.
pub fn write(measured: &Measured, out: &Path) -> Result<()> {
    let mut text = format!(
        "# Least and greatest values inside `{}`, over {} pictures; made by `vong-models calibrate`.\n",
        measured.model, measured.pictures
    );
    for (name, (least, most)) in &measured.ranges {
        writeln!(text, "{name} {least} {most}")?;
    }
    std::fs::write(out, text).with_context(|| format!("`{}` cannot be written", out.display()))
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("`{}` cannot be read", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_picture = |path: &PathBuf| {
        let kind = path.extension().map(|kind| kind.to_ascii_lowercase());
        kind.is_some_and(|kind| kind == "jpg" || kind == "png")
    };
    let mut found: Vec<PathBuf> = paths.into_iter().filter(is_picture).collect();
    found.sort();
    ensure!(
        !found.is_empty(),
        "`{}` holds no .jpg or .png; name a folder of pictures",
        folder.display()
    );
    Ok(found)
}

fn extremes(values: &[f32]) -> (f32, f32) {
    let first = (f32::INFINITY, f32::NEG_INFINITY);
    values
        .iter()
        .fold(first, |(least, most), value| (least.min(*value), most.max(*value)))
}

fn widen(ranges: &mut Ranges, name: &str, (least, most): (f32, f32)) {
    let range = ranges.entry(name.to_string()).or_insert((least, most));
    *range = (range.0.min(least), range.1.max(most));
}
