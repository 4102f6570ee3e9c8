//! From what the packages carry to what the sessions run. Invariant: the same bytes in give the same bytes out, so the
//! manifest can pin the result as it pins the source. Knows files in memory only.

pub mod centerface;
pub mod dlib;
pub mod faceres;
pub mod nanodet;
pub mod onnx;
pub mod ppocr;
pub mod quantise;
pub mod ranged;
pub mod tfjs;

use crate::detect::COCO;
use serde::Deserialize;

/// How a file of the store is made of the members of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    /// [`centerface::clean`] of one member.
    Centerface,
    /// [`dlib::convert`] of the list of weights and their values.
    DlibResnet,
    /// The same in 8 bits, by ranges that are part of the program.
    DlibResnetU8,
    /// [`faceres::convert`] of the graph and its weights.
    Faceres,
    /// [`nanodet::convert`] of the graph and its weights.
    Nanodet,
    /// The same with the classes of a gate alone and in 8 bits, by ranges that are part of the program.
    NanodetU8,
    /// [`ppocr::prepare`] of one member, in 8 bits, by ranges that are part of the program.
    PpocrDetU8,
}

// Made by `vong-models calibrate`.
const DLIB_RANGES: &str = include_str!("../../calibration/dlib-resnet.txt");
const NANODET_RANGES: &str = include_str!("../../calibration/nanodet-g-416.txt");
const PPOCR_DET_RANGES: &str = include_str!("../../calibration/ppocr-det.txt");

impl Conversion {
    /// Makes the file of the members, in the order in which the manifest names them.
    ///
    /// # Errors
    /// When the members are not what the conversion is for; the message says which operation or weight.
    pub fn run(self, members: &[Vec<u8>]) -> anyhow::Result<Vec<u8>> {
        match (self, members) {
            (Self::Centerface, [file]) => centerface::clean(file),
            (Self::DlibResnet, [manifest, bytes]) => dlib::convert(manifest, bytes),
            (Self::DlibResnetU8, [manifest, bytes]) => {
                quantise::quantise(&dlib::convert(manifest, bytes)?, &quantise::read_ranges(DLIB_RANGES)?)
            }
            (Self::Faceres, [json, bytes]) => faceres::convert(json, bytes),
            (Self::Nanodet, [json, bytes]) => nanodet::convert(json, bytes, None),
            (Self::NanodetU8, [json, bytes]) => {
                let classes = COCO.map(|(number, _)| number);
                let network = nanodet::convert(json, bytes, Some(&classes))?;
                quantise::quantise(&network, &quantise::read_ranges(NANODET_RANGES)?)
            }
            (Self::PpocrDetU8, [file]) => {
                quantise::quantise(&ppocr::prepare(file)?, &quantise::read_ranges(PPOCR_DET_RANGES)?)
            }
            _ => anyhow::bail!("{self:?} is not made of {} members", members.len()),
        }
    }
}
