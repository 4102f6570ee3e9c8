//! What something looks like, roughly: the colours of its upper and lower half. Invariant: looks are unit vectors, so
//! that their product is the Bhattacharyya coefficient of the histograms: 1 for the same colours, 0 for none in common.
//! Enough to tell neighbours apart for some seconds; never enough to know a person again, and never kept.

use image::RgbImage;
use vong_models::BBoxPx;

const LEVELS: usize = 4;
const CELLS: usize = LEVELS * LEVELS * LEVELS;
const HALVES: usize = 2;
/// Places looked at, across and down.
const ACROSS: usize = 12;
const DOWN: usize = 24;
/// Share of the box left out on each side, since corners show the background.
const MARGIN_X: f32 = 0.2;
const MARGIN_Y: f32 = 0.08;

/// The colours of a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Look([f32; CELLS * HALVES]);

impl Look {
    /// Looks at a box; `None` where it lies outside of the picture.
    pub fn of(picture: &RgbImage, bbox: &BBoxPx) -> Option<Self> {
        let (width, height) = picture.dimensions();
        if bbox.clipped(width as f32, height as f32).area() < 1.0 {
            return None;
        }
        let mut columns = [0usize; ACROSS];
        for (n, column) in columns.iter_mut().enumerate() {
            let share = MARGIN_X + (1.0 - 2.0 * MARGIN_X) * (n as f32 + 0.5) / ACROSS as f32;
            *column = ((bbox.x1 + share * bbox.width()).max(0.0) as usize).min(width as usize - 1) * 3;
        }
        let pixels = picture.as_raw();
        let mut cells = [0.0_f32; CELLS * HALVES];
        for n in 0..DOWN {
            let share = MARGIN_Y + (1.0 - 2.0 * MARGIN_Y) * (n as f32 + 0.5) / DOWN as f32;
            let row = ((bbox.y1 + share * bbox.height()).max(0.0) as usize).min(height as usize - 1);
            let half = &mut cells[n * HALVES / DOWN * CELLS..][..CELLS];
            for &column in &columns {
                let at = row * width as usize * 3 + column;
                add(half, &pixels[at..at + 3]);
            }
        }
        let mut look = Self(cells);
        for cell in &mut look.0 {
            *cell = cell.sqrt();
        }
        look.norm();
        Some(look)
    }

    /// Likeness of two looks, 0 to 1.
    pub fn likeness(&self, other: &Self) -> f32 {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(a, b)| a * b)
            .sum::<f32>()
            .clamp(0.0, 1.0)
    }

    /// Takes in a newer look with this weight, 0 to 1.
    pub fn blend(&mut self, newer: &Self, weight: f32) {
        for (cell, new) in self.0.iter_mut().zip(&newer.0) {
            *cell += weight * (new - *cell);
        }
        self.norm();
    }

    fn norm(&mut self) {
        let length = self
            .0
            .iter()
            .map(|cell| cell * cell)
            .sum::<f32>()
            .sqrt()
            .max(f32::MIN_POSITIVE);
        for cell in &mut self.0 {
            *cell /= length;
        }
    }
}

/// Shares a pixel among the eight cells around its colour, so that a slight change of light changes little.
fn add(cells: &mut [f32], pixel: &[u8]) {
    let mut low = [0usize; 3];
    let mut high_share = [0.0_f32; 3];
    for (n, &value) in pixel.iter().enumerate() {
        let place = f32::from(value) * ((LEVELS - 1) as f32 / 255.0);
        low[n] = (place as usize).min(LEVELS - 2);
        high_share[n] = place - low[n] as f32;
    }
    let base = (low[0] * LEVELS + low[1]) * LEVELS + low[2];
    for corner in 0..8 {
        let (r, g, b) = (corner >> 2 & 1, corner >> 1 & 1, corner & 1);
        let side = |channel: usize, high: usize| {
            if high == 1 {
                high_share[channel]
            } else {
                1.0 - high_share[channel]
            }
        };
        cells[base + (r * LEVELS + g) * LEVELS + b] += side(0, r) * side(1, g) * side(2, b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// A picture with two walkers: red over blue, and green over grey.
    fn scene(light: u8) -> RgbImage {
        RgbImage::from_fn(200, 100, |x, y| match (x / 100, y / 50) {
            (0, 0) => Rgb([180 + light, 20 + light, 20 + light]),
            (0, _) => Rgb([20 + light, 20 + light, 180 + light]),
            (_, 0) => Rgb([20 + light, 180 + light, 20 + light]),
            _ => Rgb([90 + light, 90 + light, 90 + light]),
        })
    }

    #[test]
    fn the_same_clothes_are_alike_in_other_light_and_others_are_not() {
        let (red, green) = (
            BBoxPx::new(20.0, 0.0, 60.0, 100.0),
            BBoxPx::new(120.0, 0.0, 160.0, 100.0),
        );
        let now = Look::of(&scene(0), &red).unwrap();
        let later = Look::of(&scene(20), &red).unwrap();
        let other = Look::of(&scene(0), &green).unwrap();
        assert!((now.likeness(&now) - 1.0).abs() < 1e-5);
        assert!(now.likeness(&later) > 0.9, "{}", now.likeness(&later));
        assert!(now.likeness(&other) < 0.5, "{}", now.likeness(&other));
    }

    #[test]
    fn boxes_beyond_the_edge_are_cut_or_refused() {
        let scene = scene(0);
        assert!(Look::of(&scene, &BBoxPx::new(-20.0, -20.0, 30.0, 60.0)).is_some());
        assert!(Look::of(&scene, &BBoxPx::new(190.0, 90.0, 400.0, 400.0)).is_some());
        assert!(Look::of(&scene, &BBoxPx::new(300.0, 0.0, 320.0, 50.0)).is_none());
        assert!(Look::of(&scene, &BBoxPx::default()).is_none());
    }
}
