//! From what the packages carry to what the sessions run. Invariant: the same bytes in give the same bytes out, so the
//! manifest can pin the result as it pins the source. Knows files in memory only.

pub mod centerface;
pub mod dlib;
pub mod nanodet;
pub mod onnx;
pub mod tfjs;

use serde::Deserialize;

/// How a file of the store is made of the members of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    /// [`centerface::clean`] of one member.
    Centerface,
    /// [`dlib::convert`] of the list of weights and their values.
    DlibResnet,
    /// [`nanodet::convert`] of the graph and its weights.
    Nanodet,
}

impl Conversion {
    /// Makes the file of the members, in the order in which the manifest names them.
    ///
    /// # Errors
    /// When the members are not what the conversion is for; the message says which operation or weight.
    pub fn run(self, members: &[Vec<u8>]) -> anyhow::Result<Vec<u8>> {
        match (self, members) {
            (Self::Centerface, [file]) => centerface::clean(file),
            (Self::DlibResnet, [manifest, bytes]) => dlib::convert(manifest, bytes),
            (Self::Nanodet, [json, bytes]) => nanodet::convert(json, bytes),
            _ => anyhow::bail!("{self:?} is not made of {} members", members.len()),
        }
    }
}
