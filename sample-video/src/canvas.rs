//! Drawing: blending, noise and light. Invariant: no source of chance but a seed.

use image::{Rgb, RgbImage, Rgba, RgbaImage, imageops};

/// A small generator of chance (xorshift, Marsaglia 2003): the same on every machine.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Between -1 and 1.
    pub fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// A vertical run of colour.
pub fn gradient(picture: &mut RgbImage, rows: std::ops::Range<u32>, top: [f32; 3], bottom: [f32; 3]) {
    let height = (rows.end - rows.start).max(1) as f32;
    for y in rows.clone() {
        let share = (y - rows.start) as f32 / height;
        let colour = Rgb(std::array::from_fn(|c| (top[c] + (bottom[c] - top[c]) * share) as u8));
        for x in 0..picture.width() {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// A rectangle with whole pixels, cut at the picture's edge; `alpha` 0 to 1.
pub fn rectangle(picture: &mut RgbImage, left: i64, top: i64, width: u32, height: u32, colour: [u8; 3], alpha: f32) {
    let (w, h) = (i64::from(picture.width()), i64::from(picture.height()));
    for y in top.max(0)..(top + i64::from(height)).min(h) {
        for x in left.max(0)..(left + i64::from(width)).min(w) {
            mix(picture.get_pixel_mut(x as u32, y as u32), colour, alpha);
        }
    }
}

/// A soft dark ellipse, as things cast on the ground.
pub fn shadow(picture: &mut RgbImage, x: f32, y: f32, rx: f32, ry: f32, strength: f32) {
    let (w, h) = (picture.width() as i64, picture.height() as i64);
    for py in ((y - ry) as i64).max(0)..((y + ry) as i64).min(h) {
        for px in ((x - rx) as i64).max(0)..((x + rx) as i64).min(w) {
            let d = ((px as f32 - x) / rx).powi(2) + ((py as f32 - y) / ry).powi(2);
            if d < 1.0 {
                mix(
                    picture.get_pixel_mut(px as u32, py as u32),
                    [10, 10, 12],
                    strength * (1.0 - d),
                );
            }
        }
    }
}

fn mix(pixel: &mut Rgb<u8>, colour: [u8; 3], alpha: f32) {
    for (value, new) in pixel.0.iter_mut().zip(colour) {
        *value = (f32::from(*value) * (1.0 - alpha) + f32::from(new) * alpha + 0.5) as u8;
    }
}

/// Lays a sprite of another size over a picture, with its own transparency.
pub fn lay(picture: &mut RgbImage, sprite: &RgbaImage, left: f32, top: f32, width: f32, height: f32) {
    let (width, height) = ((width.round() as u32).max(1), (height.round() as u32).max(1));
    let scaled = imageops::resize(sprite, width, height, imageops::FilterType::Triangle);
    let (left, top) = (left.round() as i64, top.round() as i64);
    for (x, y, Rgba([r, g, b, a])) in scaled.enumerate_pixels() {
        let (px, py) = (left + i64::from(x), top + i64::from(y));
        if *a > 0 && px >= 0 && py >= 0 && px < i64::from(picture.width()) && py < i64::from(picture.height()) {
            mix(
                picture.get_pixel_mut(px as u32, py as u32),
                [*r, *g, *b],
                f32::from(*a) / 255.0,
            );
        }
    }
}

/// Film of noise over a picture, and a little change of light, different in each frame.
pub struct Film {
    noise: Vec<i8>,
}

impl Film {
    /// Noise of about `strength` grey levels.
    pub fn new(seed: u64, strength: f32) -> Self {
        let mut chance = Chance::new(seed);
        let noise = (0..1 << 20)
            .map(|_| ((chance.unit() + chance.unit()) * strength) as i8)
            .collect();
        Self { noise }
    }

    /// Lays the film over frame number `frame`.
    pub fn lay(&self, picture: &mut RgbImage, frame: u32) {
        let light = 1.0 + 0.02 * (frame as f32 * 0.11).sin();
        let start = frame as usize * 7919;
        for (index, value) in picture.as_mut().iter_mut().enumerate() {
            let noise = f32::from(self.noise[(start + index) % self.noise.len()]);
            *value = (f32::from(*value) * light + noise).clamp(0.0, 255.0) as u8;
        }
    }
}
