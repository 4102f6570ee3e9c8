//! The ground colour of a plate, from its own pixels.
//!
//! Invariant: only the plate's ground votes, not its characters: the brighter half of a light plate, the darker or more
//! coloured part of a coloured one. Where light is too poor to tell, the answer is `Unknown`.

use super::crop::cut;
use super::rowbox::RowBox;
use image::RgbImage;
use vong_wire::PlateColour;

/// Side lengths of the cut that is looked at, px.
const WIDTH: usize = 40;
const HEIGHT: usize = 20;

/// Ground colour of the plate in a tilted box.
pub fn ground_colour(picture: &RgbImage, plate: &RowBox) -> PlateColour {
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT);
    cut(picture, plate, WIDTH, HEIGHT, |_, rgb| pixels.push(rgb));
    // Saturation is relative to the pixel's own brightness: a gate at night is dark, not grey.
    let described: Vec<(f32, f32, f32)> = pixels.iter().map(|&rgb| hue_saturation_value(rgb)).collect();
    let brightest = described.iter().map(|p| p.2).fold(0.0, f32::max);
    if brightest < 25.0 {
        return PlateColour::Unknown;
    }
    let (mut yellow, mut blue, mut red, mut coloured) = (0u32, 0u32, 0u32, 0u32);
    for &(hue, saturation, value) in &described {
        // Black characters have any hue.
        if value < 0.22 * brightest || saturation < 0.38 {
            continue;
        }
        coloured += 1;
        match hue {
            25.0..70.0 => yellow += 1,
            185.0..265.0 => blue += 1,
            _ if !(18.0..335.0).contains(&hue) => red += 1,
            _ => {}
        }
    }
    let enough = (described.len() * 2 / 5) as u32;
    if coloured < enough {
        return PlateColour::White;
    }
    let (count, colour) = [
        (yellow, PlateColour::Yellow),
        (blue, PlateColour::Blue),
        (red, PlateColour::Red),
    ]
    .into_iter()
    .max_by_key(|c| c.0)
    .expect("three colours are compared");
    if count >= enough { colour } else { PlateColour::Unknown }
}

/// Hue in degrees, saturation 0 to 1, value 0 to 255.
fn hue_saturation_value([r, g, b]: [f32; 3]) -> (f32, f32, f32) {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let spread = high - low;
    if spread < 1e-3 {
        return (0.0, 0.0, high);
    }
    let hue = if high == r {
        60.0 * ((g - b) / spread)
    } else if high == g {
        60.0 * ((b - r) / spread) + 120.0
    } else {
        60.0 * ((r - g) / spread) + 240.0
    };
    ((hue + 360.0) % 360.0, spread / high, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PointPx;
    use image::Rgb;

    fn check(ground: [u8; 3], ink: [u8; 3], colour: PlateColour) {
        // Strokes on a third of the plate.
        let picture = RgbImage::from_fn(120, 60, |x, _| Rgb(if x % 12 < 4 { ink } else { ground }));
        let plate = RowBox {
            centre: PointPx { x: 60.0, y: 30.0 },
            length: 110.0,
            height: 52.0,
            angle: 0.0,
            score: 1.0,
        };
        assert_eq!(ground_colour(&picture, &plate), colour, "{ground:?} with {ink:?}");
    }

    #[test]
    fn grounds_are_told() {
        check([235, 235, 230], [20, 20, 25], PlateColour::White);
        check([120, 118, 125], [15, 12, 15], PlateColour::White);
        check([240, 190, 30], [20, 20, 20], PlateColour::Yellow);
        check([100, 75, 10], [10, 10, 10], PlateColour::Yellow);
        check([20, 60, 170], [230, 230, 235], PlateColour::Blue);
        check([170, 20, 25], [240, 235, 235], PlateColour::Red);
        check([8, 6, 9], [2, 2, 2], PlateColour::Unknown);
    }
}
