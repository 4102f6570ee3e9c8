//! Licence plates as pictures: sizes, rows, colours and borders by Circular 79/2024/TT-BCA, letters of a free font drawn
//! narrower than they are. Good enough to be read; not a likeness of the official stamp.

use crate::truth::{Colour, Kind, Vehicle};
use ab_glyph::{Font, FontVec, PxScale, ScaleFont};
use anyhow::{Context, Result};
use image::{Rgba, RgbaImage};
use std::path::Path;

/// Pixels a millimetre of a drawn plate.
pub const PX_PER_MM: f32 = 2.0;

const FONTS: [&str; 3] = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf",
    "/usr/share/fonts/truetype/freefont/FreeSansBold.ttf",
];

/// The first of the free fonts that the machine has.
pub fn font() -> Result<FontVec> {
    let path = FONTS.iter().find(|path| Path::new(path).is_file());
    let path = path.context("no bold font is installed; run `apt-get install fonts-dejavu-core`")?;
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the font {path}"))?;
    FontVec::try_from_vec(bytes).with_context(|| format!("the font {path} cannot be used"))
}

/// Width and height of a vehicle's plate, mm.
pub fn size_mm(vehicle: &Vehicle) -> (f32, f32) {
    match (vehicle.kind, vehicle.rows().len()) {
        (Kind::Motorcycle, _) => (190.0, 140.0),
        (_, 1) => (520.0, 110.0),
        _ => (330.0, 165.0),
    }
}

/// Draws a vehicle's plate.
pub fn draw(vehicle: &Vehicle, font: &FontVec) -> RgbaImage {
    let (width, height) = size_mm(vehicle);
    let (ground, ink) = match vehicle.colour {
        Colour::White if vehicle.plate.contains("NG") => ([238, 240, 238], [190, 24, 30]),
        Colour::White => ([238, 240, 238], [18, 18, 20]),
        Colour::Yellow => ([246, 196, 36], [18, 18, 20]),
        Colour::Blue => ([24, 72, 168], [244, 246, 250]),
    };
    let (w, h) = ((width * PX_PER_MM) as u32, (height * PX_PER_MM) as u32);
    let radius = 9.0 * PX_PER_MM;
    let mut plate = RgbaImage::from_fn(w, h, |x, y| {
        let inside = rounded(x as f32, y as f32, w as f32, h as f32, radius);
        let border = !rounded_inset(x as f32, y as f32, w as f32, h as f32, radius, 3.0 * PX_PER_MM)
            && rounded_inset(x as f32, y as f32, w as f32, h as f32, radius, 1.2 * PX_PER_MM);
        match (inside, border) {
            (false, _) => Rgba([0, 0, 0, 0]),
            (true, true) => Rgba([ink[0], ink[1], ink[2], 255]),
            (true, false) => Rgba([ground[0], ground[1], ground[2], 255]),
        }
    });
    let rows = vehicle.rows();
    let row_height = h as f32 / rows.len() as f32;
    for (index, row) in rows.iter().enumerate() {
        // The upper row of two is a little lower than the other one.
        let letter = row_height * if rows.len() == 1 { 0.72 } else { 0.70 };
        let middle = row_height * (index as f32 + 0.5)
            + if rows.len() == 2 {
                row_height * (0.03 - 0.06 * index as f32)
            } else {
                0.0
            };
        write_row(&mut plate, font, row, middle, letter, ink);
    }
    plate
}

fn rounded(x: f32, y: f32, w: f32, h: f32, radius: f32) -> bool {
    rounded_inset(x, y, w, h, radius, 0.0)
}

fn rounded_inset(x: f32, y: f32, w: f32, h: f32, radius: f32, inset: f32) -> bool {
    let (x, y) = (x + 0.5, y + 0.5);
    let radius = (radius - inset).max(1.0);
    let dx = (inset + radius - x).max(x - (w - inset - radius)).max(0.0);
    let dy = (inset + radius - y).max(y - (h - inset - radius)).max(0.0);
    dx.hypot(dy) <= radius
}

/// Writes a row around a middle line, in letters `height` px high and as wide as the row allows.
fn write_row(plate: &mut RgbaImage, font: &FontVec, text: &str, middle: f32, height: f32, ink: [u8; 3]) {
    // Capitals of these fonts are about 0.73 of the font's size.
    let size = height / 0.73;
    let natural = font.as_scaled(PxScale::from(size));
    let gap = size * 0.05;
    let advance = |c: char| natural.h_advance(natural.glyph_id(c)) * if is_mark(c) { 0.75 } else { 1.0 };
    let wide: f32 = text.chars().map(advance).sum();
    let gaps = gap * (text.chars().count() - 1) as f32;
    let room = plate.width() as f32 * 0.92;
    let squeeze = ((room - gaps) / wide).min(0.80);
    let scale = PxScale {
        x: size * squeeze,
        y: size,
    };
    let scaled = font.as_scaled(scale);
    let mut x = (plate.width() as f32 - wide * squeeze - gaps) / 2.0;
    let baseline = middle + height / 2.0;
    for c in text.chars() {
        let width = advance(c) * squeeze;
        let own = scaled.h_advance(scaled.glyph_id(c));
        let left = x + (width - own) / 2.0;
        // Dots and dashes stand at half height between the digits.
        let lift = match c {
            '.' => height * 0.34,
            _ => 0.0,
        };
        let glyph = scaled
            .glyph_id(c)
            .with_scale_and_position(scale, ab_glyph::point(left, baseline - lift));
        if let Some(outline) = font.outline_glyph(glyph) {
            let bounds = outline.px_bounds();
            outline.draw(|gx, gy, cover| {
                let (px, py) = (bounds.min.x as i64 + i64::from(gx), bounds.min.y as i64 + i64::from(gy));
                if px >= 0 && py >= 0 && px < i64::from(plate.width()) && py < i64::from(plate.height()) {
                    let pixel = plate.get_pixel_mut(px as u32, py as u32);
                    for (value, new) in pixel.0.iter_mut().zip(ink) {
                        *value = (f32::from(*value) * (1.0 - cover) + f32::from(new) * cover) as u8;
                    }
                }
            });
        }
        x += width + gap;
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '-' | '.')
}
