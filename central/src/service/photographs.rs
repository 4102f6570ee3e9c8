//! Photographs of lists: finding and reading them. A photograph is never copied into the store; what is kept of it is
//! what the model made of it.

use image::{DynamicImage, RgbImage};
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

/// Larger files are not read.
const MOST_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Before the name of a photograph of somebody who was confirmed not to be the entry.
pub(super) const NOT_THIS: &str = "not:";

/// Folders that photographs of lists lie in.
#[derive(Debug, Clone)]
pub struct PhotographFolders {
    /// Of the seed files.
    pub seeds: Option<PathBuf>,
    /// Of the models.
    pub models: PathBuf,
}

impl PhotographFolders {
    /// Where a photograph lies; none for a name that leads out of its folder.
    pub fn path(&self, source: &str) -> Option<PathBuf> {
        let source = source.strip_prefix(NOT_THIS).unwrap_or(source);
        let (folder, file) = match source.strip_prefix("models:") {
            Some(file) => (&self.models, file),
            None => (self.seeds.as_ref()?, source),
        };
        let inside = |part| matches!(part, Component::Normal(_));
        let stays = !file.is_empty() && Path::new(file).components().all(inside);
        stays.then(|| folder.join(file))
    }
}

/// Why a photograph cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PhotographFault {
    /// Its name leads out of the folder, or there is no seed folder.
    #[error("the name leads out of its folder; write a file of the seed folder or models:FILE")]
    Outside,
    /// The file cannot be read.
    #[error("cannot read the file: {0}; put it there or correct its name")]
    Unreadable(#[from] std::io::Error),
    /// Too large a file.
    #[error("the file has {0} bytes, more than {MOST_FILE_BYTES}; use a smaller one")]
    TooLarge(u64),
    /// No picture, cut short, or too many pixels.
    #[error("the file {0}")]
    NoPicture(#[from] vong_models::PictureFault),
    /// Nobody is on it.
    #[error("no face was found; use a sharp photograph from the front")]
    NoFace,
    /// Several are on it, none clearly in front.
    #[error("{0} faces were found and none is clearly in front; cut the photograph to one person")]
    SeveralFaces(usize),
    /// The model failed.
    #[error("the face model failed: {0}")]
    Model(String),
}

/// Bytes of a photograph.
pub fn read_photograph(path: &Path) -> Result<Vec<u8>, PhotographFault> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > MOST_FILE_BYTES {
        return Err(PhotographFault::TooLarge(bytes));
    }
    Ok(std::fs::read(path)?)
}

/// The picture, upright as its camera was held; bounded in size before it is unpacked.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, PhotographFault> {
    Ok(vong_models::decode_picture(bytes)?)
}

/// A photograph as a JPEG of at most `side_px` a side; none if it cannot be read.
pub fn small_jpeg(path: &Path, side_px: u32) -> Option<Vec<u8>> {
    let picture = DynamicImage::ImageRgb8(decode(&read_photograph(path).ok()?).ok()?);
    let small = match picture.width().max(picture.height()) > side_px {
        true => picture.thumbnail(side_px, side_px),
        false => picture,
    };
    let mut bytes = Vec::new();
    small
        .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg)
        .ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        let folders = PhotographFolders {
            seeds: Some("seeds".into()),
            models: "store".into(),
        };
        let path = |source| folders.path(source);
        assert_eq!(path("models:a.png"), Some("store/a.png".into()));
        assert_eq!(path("faces/a.png"), Some("seeds/faces/a.png".into()));
        assert_eq!(path("not:models:a.png"), Some("store/a.png".into()));
        assert_eq!(path("not:../a.png"), None);
        for source in [
            "",
            "models:",
            "../a.png",
            "models:../a",
            "/etc/passwd",
            "models:/etc/passwd",
            "a/../../b",
        ] {
            assert_eq!(path(source), None, "{source:?}");
        }
    }

    #[test]
    fn pictures_are_read_or_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let picture = RgbImage::from_pixel(900, 300, image::Rgb([1, 2, 3]));
        let mut png = Vec::new();
        picture
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        let good = write("good.png", &png);
        let small = image::load_from_memory(&small_jpeg(&good, 300).unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (300, 100));
        for (name, bytes, part) in [
            ("empty.jpg", &b""[..], "is empty"),
            ("text.jpg", b"hello", "no JPEG"),
            ("cut.png", &png[..png.len() / 2], "the file"),
        ] {
            let path = write(name, bytes);
            let read = read_photograph(&path).unwrap();
            let fault = decode(&read).unwrap_err();
            assert!(fault.to_string().contains(part), "{name}: {fault}");
            assert_eq!(small_jpeg(&path, 300), None);
        }
        assert!(matches!(
            read_photograph(&folder.path().join("gone.png")),
            Err(PhotographFault::Unreadable(_))
        ));
    }
}
