//! Pictures from files, as they are meant to be seen: turned by their EXIF orientation, in RGB.
//!
//! Invariant: a file that is no usable picture is refused with its reason, whatever it holds; nothing panics, and no
//! picture takes more memory than [`MOST_PIXELS`] allow.

use crate::ModelError;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};
use std::io::BufReader;
use std::path::Path;

/// Most pixels of a picture: 120 million, 360 MB of RGB.
pub const MOST_PIXELS: u64 = 120_000_000;

/// Reads a JPEG, PNG, BMP or WebP file, recognised by what it holds and not by its name.
pub fn open_picture(path: &Path) -> Result<RgbImage, ModelError> {
    let refused = |message: String| ModelError::Picture {
        path: path.to_path_buf(),
        message,
    };
    let unreadable = |cause| ModelError::Unreadable {
        path: path.to_path_buf(),
        cause,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // By content alone: a name says nothing.
    let reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(unreadable)?;
    if reader.format().is_none() {
        return Err(refused("is no JPEG, PNG, BMP or WebP; save it as one of these".into()));
    }
    let mut reader = reader;
    // Our own limit on pixels stands below, where it can be named.
    reader.no_limits();
    let mut decoder = reader
        .into_decoder()
        .map_err(|cause| refused(format!("cannot be decoded ({cause}); export it again")))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(refused(format!(
            "is {width} x {height} px, above {MOST_PIXELS} pixels; make it smaller"
        )));
    }
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)
        .map_err(|cause| refused(format!("cannot be decoded ({cause}); export it again")))?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, Rgba};

    fn check(name: &str, bytes: &[u8], expected: Result<(u32, u32), &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        match (open_picture(&path), expected) {
            (Ok(picture), Ok(size)) => assert_eq!(picture.dimensions(), size, "{name}"),
            (Err(error), Err(part)) => {
                let text = error.to_string();
                assert!(
                    text.contains(part) && text.contains(name) && !text.contains('\n'),
                    "{name}: {text}"
                );
            }
            (got, want) => panic!("{name}: {:?} where {want:?} was expected", got.map(|p| p.dimensions())),
        }
    }

    fn encoded(picture: impl Into<DynamicImage>, format: image::ImageFormat) -> Vec<u8> {
        let mut out = std::io::Cursor::new(Vec::new());
        picture.into().write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    #[test]
    fn pictures_are_opened_or_refused_by_name() {
        let plain = RgbImage::from_pixel(30, 20, Rgb([9, 8, 7]));
        let png = encoded(plain.clone(), image::ImageFormat::Png);
        check("plain.png", &png, Ok((30, 20)));
        check("named-wrongly.jpg", &png, Ok((30, 20)));
        check("plain.jpg", &encoded(plain, image::ImageFormat::Jpeg), Ok((30, 20)));
        check(
            "grey.png",
            &encoded(image::GrayImage::new(7, 5), image::ImageFormat::Png),
            Ok((7, 5)),
        );
        check(
            "alpha.png",
            &encoded(
                image::RgbaImage::from_pixel(7, 5, Rgba([1, 2, 3, 0])),
                image::ImageFormat::Png,
            ),
            Ok((7, 5)),
        );
        check("cut.png", &png[..png.len() / 2], Err("cannot be decoded"));
        check("empty.jpg", b"", Err("is no JPEG"));
        check("text.jpg", b"not a picture at all", Err("is no JPEG"));
        check("bomb.bmp", &huge_bmp(), Err("make it smaller"));
    }

    #[test]
    fn a_turned_picture_stands_upright() {
        // A JPEG with an APP1 segment that says: turn by a quarter (orientation 6).
        let jpeg = encoded(RgbImage::from_pixel(30, 20, Rgb([9, 8, 7])), image::ImageFormat::Jpeg);
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut turned = jpeg[..2].to_vec();
        turned.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
        turned.extend(exif);
        turned.extend(&jpeg[2..]);
        check("turned.jpg", &turned, Ok((20, 30)));
    }

    /// A header that promises 40,000 x 40,000 pixels and brings none.
    fn huge_bmp() -> Vec<u8> {
        let mut out = b"BM".to_vec();
        out.extend(1000u32.to_le_bytes());
        out.extend([0; 4]);
        out.extend(54u32.to_le_bytes());
        out.extend(40u32.to_le_bytes());
        out.extend(40_000i32.to_le_bytes());
        out.extend(40_000i32.to_le_bytes());
        out.extend(1u16.to_le_bytes());
        out.extend(24u16.to_le_bytes());
        out.extend([0; 24]);
        out
    }
}
