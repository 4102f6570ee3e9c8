//! Ranges of the values inside a detector, measured on pictures: what a network of 8 bits is made by. Invariant: the
//! pictures are scaled and normalised as the detector does it.

use crate::convert::ppocr;
use crate::convert::quantise::{self, Ranges};
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

/// Measures a detector of objects, or of rows of text, on the pictures of a folder.
///
/// # Errors
/// When the model or a picture cannot be read, or there is none.
pub fn measure(store: &Store, manifest: &Manifest, id: Option<&str>, folder: &Path) -> Result<Measured> {
    let named = manifest.models().find(|model| Some(model.id.as_str()) == id);
    let job = match named {
        Some(model) if model.job == Job::PlateRows => Job::PlateRows,
        _ => Job::Objects,
    };
    let model = manifest.model(job, id)?;
    let path = manifest.checked_file(store, model)?;
    let mut file = std::fs::read(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    let names = if model.family == Family::PpocrDet {
        file = ppocr::prepare(&file)?;
        ppocr::measured(&file)?
    } else {
        quantise::measured(&file)?
    };
    let open = quantise::with_outputs(&file, &names)?;
    let mut ranges = Ranges::new();
    let pictures = pictures(folder)?;
    let mut session = Session::open_bytes(store, &model.id, &open, SessionOptions { threads: 1 })?;
    let (mut scaler, normalise) = (Scaler::default(), Normalise::of(model));
    for path in &pictures {
        let picture = open_picture(path)?;
        let (to, size) = seen(model, &picture);
        let mut extent = (f32::INFINITY, f32::NEG_INFINITY);
        let outputs = session.run(&[1, 3, size.1, size.0], |tensor| {
            scaler.place(&picture, Region::whole(&picture), to, size, &normalise, tensor);
            extent = extremes(tensor);
        })?;
        for name in &names {
            // The input comes first where it is measured; it is no output.
            let extent = match outputs.named(name) {
                Ok(values) => extremes(values.data),
                Err(_) if *name == names[0] => extent,
                Err(error) => return Err(error.into()),
            };
            widen(&mut ranges, name, extent);
        }
    }
    Ok(Measured {
        model: model.id.clone(),
        pictures: pictures.len(),
        eight_bit: quantise::quantise(&file, &ranges)?,
        ranges,
    })
}

/// Width and height to which the detector scales a picture, and those of the tensor.
fn seen(model: &Model, picture: &RgbImage) -> ((usize, usize), (usize, usize)) {
    if model.family == Family::PpocrDet {
        let options = PlateReaderOptions::default();
        let size = seen_size(Region::whole(picture), options.finder_side, options.most_enlarged);
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
