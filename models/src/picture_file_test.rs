//! Pictures of every kind that people hand over, made here: each is opened upright and in its colours, or refused with
//! its reason.

use crate::picture_file::{PictureFault, decode_picture, open_picture};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba};

/// A CMYK JPEG of 16 x 8 px with Adobe's mark, one colour: red 200, green 60, blue 31.
const CMYK: &str = "\
    ffd8ffee000e41646f626500640000000000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17\
    202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc000140800080010\
    044311004d11005911004b1100ffc400160001010100000000000000000000000000000607ffc4001410010000000000\
    0000000000000000000000ffda000e0443004d0059004b00003f00ac4aa0da7003ffd9\
";

fn check(name: &str, bytes: &[u8], expected: Result<(u32, u32), &str>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    match (open_picture(&path), expected) {
        (Ok(picture), Ok(size)) => assert_eq!(picture.dimensions(), size, "{name}"),
        (Err(error), Err(part)) => {
            let text = error.to_string();
            let whole = text.contains(part) && text.contains(name) && text.contains("; ");
            assert!(whole && !text.contains('\n'), "{name}: {text}");
        }
        (got, want) => panic!("{name}: {:?} where {want:?} was expected", got.map(|p| p.dimensions())),
    }
}

fn check_colour(name: &str, bytes: &[u8], expected: [u8; 3]) {
    let picture = decode_picture(bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let got = picture.get_pixel(2, 2).0;
    assert!(near(got, expected), "{name}: {got:?} where {expected:?} was expected");
}

/// As near as JPEG keeps a colour.
fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 8)
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

#[test]
fn pictures_are_opened_or_refused_by_name() {
    let plain = RgbImage::from_fn(64, 40, |x, y| Rgb([(x * 4) as u8, (y * 6) as u8, (x * y) as u8]));
    let png = encoded(plain.clone(), ImageFormat::Png);
    let jpeg = encoded(plain.clone(), ImageFormat::Jpeg);
    let bmp = encoded(plain.clone(), ImageFormat::Bmp);
    let webp = encoded(plain, ImageFormat::WebP);
    for (name, bytes) in [
        ("plain.png", &png),
        ("named-wrongly.jpg", &png),
        ("plain.jpg", &jpeg),
        ("plain.bmp", &bmp),
        ("plain.webp", &webp),
    ] {
        check(name, bytes, Ok((64, 40)));
    }
    // Wherever they end: a part is never taken for the whole.
    for (name, whole) in [
        ("cut.png", &png),
        ("cut.jpg", &jpeg),
        ("cut.bmp", &bmp),
        ("cut.webp", &webp),
    ] {
        for share in [4, 10, 50, 90, 99] {
            check(name, &whole[..whole.len() * share / 100], Err("picture"));
        }
    }
    check("cut.jpg", &jpeg[..jpeg.len() - 2], Err("is cut short"));
    check("empty.jpg", b"", Err("is empty"));
    check("text.jpg", b"not a picture at all", Err("no picture that is known"));
    check("moving.gif", b"GIF89a\x01\0\x01\0\0\0\0;", Err("is a GIF"));
    check("scan.tif", b"II*\0\x08\0\0\0\0\0\0\0", Err("is a TIFF"));
}

#[test]
fn the_end_of_a_picture_inside_another_is_not_its_own() {
    // A small JPEG in a segment, as cameras put it there, ends before the large one does.
    let small = encoded(RgbImage::new(8, 8), ImageFormat::Jpeg);
    let large = encoded(RgbImage::new(64, 64), ImageFormat::Jpeg);
    let mut both = large[..2].to_vec();
    both.extend([0xff, 0xe2]);
    both.extend((small.len() as u16 + 2).to_be_bytes());
    both.extend(&small);
    both.extend(&large[2..]);
    check("both.jpg", &both, Ok((64, 64)));
    check("both-cut.jpg", &both[..both.len() - 10], Err("is cut short"));
    both.extend(b"more behind the end");
    check("both-and-more.jpg", &both, Ok((64, 64)));
}

#[test]
fn large_pictures_are_refused_before_they_are_unpacked() {
    let mut bomb = Vec::new();
    PngEncoder::new_with_quality(&mut bomb, CompressionType::Fast, FilterType::NoFilter)
        .write_image(&vec![0; 100_000_000], 10_000, 10_000, image::ExtendedColorType::L8)
        .unwrap();
    check("bomb.png", &bomb, Err("is 10000 x 10000 px"));
    check("promised.bmp", &huge_bmp(), Err("is 40000 x 40000 px"));
    let mut jpeg = encoded(RgbImage::new(16, 16), ImageFormat::Jpeg);
    let size = jpeg.windows(2).position(|mark| mark == [0xff, 0xc0]).unwrap() + 5;
    jpeg[size..size + 4].copy_from_slice(&[0x27, 0x10, 0x27, 0x10]);
    check("promised.jpg", &jpeg, Err("is 10000 x 10000 px"));
    // Few enough pixels, but eight bytes each.
    let mut deep = encoded(image::DynamicImage::new_rgba16(4, 4), ImageFormat::Png);
    deep[16..24].copy_from_slice(&[0, 0, 0x1f, 0x40, 0, 0, 0x1f, 0x40]);
    let header = crc_of(&deep[12..29]);
    deep[29..33].copy_from_slice(&header.to_be_bytes());
    check("deep.png", &deep, Err("8 bits a colour"));
    assert!(matches!(decode_picture(&[]), Err(PictureFault::Empty)));
}

#[test]
fn every_coding_shows_its_colours() {
    let colour = [200, 60, 31];
    let grey = image::GrayImage::from_pixel(8, 8, image::Luma([77]));
    check_colour("grey.png", &encoded(grey.clone(), ImageFormat::Png), [77; 3]);
    check_colour("grey.jpg", &encoded(grey, ImageFormat::Jpeg), [77; 3]);
    let deep = image::ImageBuffer::from_pixel(8, 8, Rgb(colour.map(|value| u16::from(value) * 257)));
    check_colour(
        "deep.png",
        &encoded(DynamicImage::ImageRgb16(deep), ImageFormat::Png),
        colour,
    );
    let with_alpha = |alpha| {
        let [red, green, blue] = colour;
        encoded(
            image::RgbaImage::from_pixel(8, 8, Rgba([red, green, blue, alpha])),
            ImageFormat::Png,
        )
    };
    check_colour("opaque.png", &with_alpha(255), colour);
    check_colour("half.png", &with_alpha(128), [227, 157, 143]);
    check_colour("clear.png", &with_alpha(0), [255; 3]);
    let clear_grey = image::GrayAlphaImage::from_pixel(8, 8, image::LumaA([9, 0]));
    check_colour("clear-grey.png", &encoded(clear_grey, ImageFormat::Png), [255; 3]);
    check_colour("printer.jpg", &bytes_of(CMYK), colour);
}

/// Where the pixel that is seen at (x, y) of a picture of `w` x `h` is stored, by what the EXIF standard says of row 0
/// and column 0.
fn stored_at(orientation: u8, (x, y): (u32, u32), (w, h): (u32, u32)) -> (u32, u32) {
    let (right, bottom) = (w - 1 - x, h - 1 - y);
    match orientation {
        2 => (right, y),
        3 => (right, bottom),
        4 => (x, bottom),
        5 => (y, x),
        6 => (y, right),
        7 => (bottom, right),
        8 => (bottom, x),
        _ => (x, y),
    }
}

#[test]
fn pictures_stand_upright_however_the_camera_was_held() {
    let size = (48, 32);
    let upright = RgbImage::from_fn(size.0, size.1, |x, y| {
        // Six fields of 16 x 16, all different.
        Rgb([(x / 16) as u8 * 100 + 20, (y / 16) as u8 * 150 + 50, 90])
    });
    for orientation in 0..=9_u8 {
        let turned = (5..=8).contains(&orientation);
        let (w, h) = if turned { (size.1, size.0) } else { size };
        let mut stored = RgbImage::new(w, h);
        for (x, y, pixel) in upright.enumerate_pixels() {
            let (to_x, to_y) = stored_at(orientation, (x, y), size);
            stored.put_pixel(to_x, to_y, *pixel);
        }
        let exif = [
            &b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..],
            &[orientation, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let jpeg = encoded(stored.clone(), ImageFormat::Jpeg);
        let segment = [&b"Exif\0\0"[..], &exif].concat();
        let head = [0xff, 0xe1, 0, segment.len() as u8 + 2];
        let jpeg = [&jpeg[..2], &head, &segment, &jpeg[2..]].concat();
        let png = encoded(stored, ImageFormat::Png);
        let chunk = [&b"eXIf"[..], &exif].concat();
        let (length, check) = ((exif.len() as u32).to_be_bytes(), crc_of(&chunk).to_be_bytes());
        let png = [&png[..33], &length, &chunk, &check, &png[33..]].concat();
        for (name, bytes) in [("jpeg", jpeg), ("png", png)] {
            let picture = decode_picture(&bytes).unwrap();
            assert_eq!(picture.dimensions(), size, "{name}, orientation {orientation}");
            for (x, y) in [(8, 8), (24, 8), (40, 8), (8, 24), (24, 24), (40, 24)] {
                let (got, want) = (picture.get_pixel(x, y).0, upright.get_pixel(x, y).0);
                assert!(
                    near(got, want),
                    "{name}, orientation {orientation}, {x},{y}: {got:?} not {want:?}"
                );
            }
        }
    }
}

/// The checksum of a PNG's chunk, over its name and what it holds.
fn crc_of(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| bit(crc))
    })
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
