//! Pictures from files, as they are meant to be seen: turned by their EXIF orientation, what is transparent on white, in
//! RGB.
//!
//! Invariant: bytes that are no whole picture are refused with their reason, whatever they hold; nothing panics, and what
//! is unpacked never takes more memory than [`MOST_PIXELS`] allow.

use crate::ModelError;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// Most pixels of a picture: 64 million and a little, what the largest sensors of phones deliver; 200 MB of RGB.
pub const MOST_PIXELS: u64 = 8192 * 8192;
/// Most bytes of a file.
const MOST_FILE_BYTES: u64 = 128 * 1024 * 1024;
/// Most bytes that a decoder may unpack: pixels of four bytes; with deeper ones there may be fewer.
const MOST_UNPACKED_BYTES: u64 = MOST_PIXELS * 4;

/// Why bytes are no picture; each says what the file is, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PictureFault {
    /// Nothing in it.
    #[error("is empty; copy it again")]
    Empty,
    /// Too much in it, in bytes.
    #[error("has {0} bytes, more than {MOST_FILE_BYTES}; make it smaller")]
    Heavy(u64),
    /// Another format, or none.
    #[error("is {0}, no JPEG, PNG, BMP or WebP; save it as one of these")]
    Format(&'static str),
    /// Too many pixels.
    #[error("is {0} x {1} px, more than {MOST_PIXELS} pixels; make it smaller")]
    Large(u32, u32),
    /// Pixels that are too deep for their number.
    #[error("unpacks to {0} bytes, more than {MOST_UNPACKED_BYTES}; save it with 8 bits a colour")]
    Deep(u64),
    /// It ends before the picture does.
    #[error("is cut short: its end is missing; copy it again")]
    Cut,
    /// The decoder gave up.
    #[error("cannot be decoded ({0}); export it again")]
    Broken(String),
}

/// Reads a JPEG, PNG, BMP or WebP file, recognised by what it holds and not by its name.
pub fn open_picture(path: &Path) -> Result<RgbImage, ModelError> {
    let refused = |fault: PictureFault| ModelError::Picture {
        path: path.to_path_buf(),
        message: fault.to_string(),
    };
    let unreadable = |cause| ModelError::Unreadable {
        path: path.to_path_buf(),
        cause,
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MOST_FILE_BYTES {
        return Err(refused(PictureFault::Heavy(length)));
    }
    decode_picture(&std::fs::read(path).map_err(unreadable)?).map_err(refused)
}

/// The picture that bytes hold.
pub fn decode_picture(bytes: &[u8]) -> Result<RgbImage, PictureFault> {
    if bytes.is_empty() {
        return Err(PictureFault::Empty);
    }
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(PictureFault::Heavy(bytes.len() as u64));
    }
    let format = readable_format(bytes)?;
    let broken = |cause: image::ImageError| match cause {
        image::ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => PictureFault::Cut,
        cause => PictureFault::Broken(cause.to_string().replace('\n', " ")),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // For what a decoder keeps beside the pixels, such as packed profiles and texts.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_UNPACKED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PictureFault::Large(width, height));
    }
    if decoder.total_bytes() > MOST_UNPACKED_BYTES {
        return Err(PictureFault::Deep(decoder.total_bytes()));
    }
    // The decoder of JPEG fills up with grey what is missing.
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(PictureFault::Cut);
    }
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(on_white(picture))
}

/// The format by content, if it is one of ours.
fn readable_format(bytes: &[u8]) -> Result<ImageFormat, PictureFault> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Bmp | ImageFormat::WebP)) => {
            return Ok(format);
        }
        Ok(format) => format,
        Err(_) => return Err(PictureFault::Format("no picture that is known here")),
    };
    Err(PictureFault::Format(match format {
        ImageFormat::Gif => "a GIF",
        ImageFormat::Tiff => "a TIFF",
        ImageFormat::Avif => "an AVIF",
        ImageFormat::Ico => "an icon",
        _ => "a picture of another format",
    }))
}

/// Whether a JPEG's last scan is followed by the mark of its end.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let (mut at, mut scans) = (0, 0);
    while at + 1 < bytes.len() {
        let (mark, next) = (bytes[at], bytes[at + 1]);
        // Pixels, fill bytes, a 0xff that pixels hold, marks between parts of a scan.
        if mark != 0xff || matches!(next, 0x00 | 0x01 | 0xd0..=0xd7 | 0xff) {
            at += 1;
            continue;
        }
        match next {
            START => at += 2,
            END if scans > 0 => return true,
            END => return false,
            _ => {
                scans += usize::from(next == SCAN);
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
        }
    }
    false
}

/// Transparent pixels as every viewer shows them, not as whatever colour lies hidden below.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let seen = picture.into_rgba8();
    let mut plain = RgbImage::new(seen.width(), seen.height());
    for (to, from) in plain.pixels_mut().zip(seen.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u32::from);
        to.0 = [red, green, blue].map(|colour| ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8);
    }
    plain
}
