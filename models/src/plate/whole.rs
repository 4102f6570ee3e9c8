//! Our own reader of whole plates: one or two rows at once, from a small grey cut. Trained on drawn plates alone (see
//! `models/weights/README.md`).
//!
//! Invariant: what it returns is a lattice, never a decision; whether that is a plate is for the grammar to say.

use super::crop::cut_grey_standard;
use super::grammar::symbol;
use super::lattice::{BLANK, Lattice, Step};
use super::rowbox::RowBox;
use crate::hash::check_bytes;
use crate::manifest::{Job, Manifest};
use crate::session::{Session, SessionOptions};
use crate::{ModelError, Store};
use image::RgbImage;

/// The models that are part of this program: `file` of their entries in the manifest, and their bytes.
const BUILT_IN: [(&str, &[u8]); 2] = [
    (
        "built-in/plate-reader.onnx",
        include_bytes!("../../weights/plate-reader.onnx"),
    ),
    (
        "built-in/plate-reader-u8.onnx",
        include_bytes!("../../weights/plate-reader-u8.onnx"),
    ),
];

/// Width of the cut, px.
const WIDTH: usize = 160;
/// Height of the cut, px.
const HEIGHT: usize = 64;
/// Classes of the network after blank, in order.
const ALPHABET: &str = "0123456789ABCDEFGHKLMNPQRSTUVXYZĐ";
/// Log-probability of what the network does not know.
const NEVER: f32 = -30.0;

/// The reader (family `plate-ctc`). Input 1x1x64x160, grey, mean 0 and deviation 1; output 1x80x34 log-probabilities: 40 steps of the upper
/// row (or of the only one), 40 of the lower; class 0 is blank.
pub struct WholeReader {
    session: Session,
    places: Vec<usize>,
}

impl WholeReader {
    /// Opens the model with this id, or the default one. The built-in ones are part of the program.
    pub fn open(store: &Store, manifest: &Manifest, id: Option<&str>, threads: usize) -> Result<Self, ModelError> {
        let model = manifest.model(Job::PlateReader, id)?;
        let options = SessionOptions { threads };
        let built_in = BUILT_IN.iter().find(|(file, _)| model.file.as_os_str() == *file);
        let session = match built_in {
            Some((file, bytes)) => {
                check_bytes(file, bytes, &model.sha256)?;
                Session::open_bytes(store, file, bytes, options)?
            }
            None => Session::open(store, &manifest.checked_file(store, model)?, options)?,
        };
        let known = ALPHABET.chars().filter_map(symbol).map(usize::from);
        Ok(Self {
            session,
            places: std::iter::once(BLANK).chain(known).collect(),
        })
    }

    /// What stands in a tilted box of the picture.
    pub fn read(&mut self, picture: &RgbImage, cutout: &RowBox) -> Result<Lattice, ModelError> {
        let places = &self.places;
        let outputs = self.session.run(&[1, 1, HEIGHT, WIDTH], |input| {
            cut_grey_standard(picture, cutout, WIDTH, HEIGHT, input)
        })?;
        let steps: Vec<Step> = outputs
            .at(0)?
            .data
            .chunks_exact(places.len())
            .map(|seen| {
                let mut step = [NEVER; BLANK + 1];
                seen.iter().zip(places).for_each(|(&p, &place)| step[place] = p);
                step
            })
            .collect();
        let (upper, lower) = steps.split_at(steps.len() / 2);
        Ok(Lattice {
            rows: vec![upper.to_vec(), lower.to_vec()],
        })
    }
}
