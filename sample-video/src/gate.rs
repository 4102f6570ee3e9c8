//! The gate: two portraits walk up to a turnstile, one after the other. The cut-outs are ellipses with a soft edge; the
//! scene is drawn here.

use crate::canvas::{Film, gradient, lay, rectangle, shadow};
use crate::encode::Clip;
use crate::truth::{Gate, Person};
use crate::{FPS, SIZE};
use anyhow::{Context, Result};
use image::{RgbImage, Rgba, RgbaImage};
use std::path::Path;

/// Top of the desk that hides where a portrait ends, px.
const DESK: f32 = 600.0;

/// How a portrait is cut out: ellipses for head and body (centre x, y, radius x, y), px of the portrait.
struct Cut {
    head: [f32; 4],
    body: [f32; 4],
    /// Height of the portrait in the picture where it stands nearest, px.
    near: f32,
}

fn cut_of(portrait: &str) -> Result<Cut> {
    match portrait {
        "astronaut.png" => Ok(Cut {
            head: [226.0, 112.0, 92.0, 112.0],
            body: [225.0, 430.0, 215.0, 265.0],
            near: 620.0,
        }),
        "grace_hopper.jpg" => Ok(Cut {
            head: [262.0, 200.0, 150.0, 205.0],
            body: [256.0, 590.0, 285.0, 270.0],
            near: 600.0,
        }),
        other => anyhow::bail!("there is no cut for the portrait `{other}`"),
    }
}

/// Composes the clip; `progress` hears of every frame.
pub fn compose(truth: &Gate, store: &Path, path: &Path, mut progress: impl FnMut(u32, u32)) -> Result<()> {
    let background = background();
    let walkers = truth
        .persons
        .iter()
        .map(|person| Walker::new(person, store))
        .collect::<Result<Vec<_>>>()?;
    let (film, frames) = (Film::new(11, 2.5), (truth.seconds * f64::from(FPS)) as u32);
    let mut clip = Clip::create(path, SIZE, FPS)?;
    for frame in 0..frames {
        clip.frame(&picture(&background, &walkers, &film, frame))?;
        progress(frame + 1, frames);
    }
    clip.finish()
}

/// One frame of the clip.
fn picture(background: &RgbImage, walkers: &[Walker], film: &Film, frame: u32) -> RgbImage {
    let at_s = f64::from(frame) / f64::from(FPS);
    let mut picture = background.clone();
    for walker in walkers {
        walker.draw(&mut picture, at_s);
    }
    desk(&mut picture);
    film.lay(&mut picture, frame);
    picture
}

struct Walker {
    sprite: RgbaImage,
    near: f32,
    from_s: f64,
    to_s: f64,
}

impl Walker {
    fn new(person: &Person, store: &Path) -> Result<Self> {
        let path = store.join(&person.portrait);
        let missing = || format!("cannot read the portrait `{}`; run `vong-models fetch`", path.display());
        let portrait = image::open(&path).with_context(missing)?.to_rgb8();
        let cut = cut_of(&person.portrait)?;
        let sprite = RgbaImage::from_fn(portrait.width(), portrait.height(), |x, y| {
            let [r, g, b] = portrait.get_pixel(x, y).0;
            let alpha = inside(&cut.head, x, y).max(inside(&cut.body, x, y));
            Rgba([r, g, b, (alpha * 255.0) as u8])
        });
        Ok(Self {
            sprite,
            near: cut.near,
            from_s: person.from_s,
            to_s: person.to_s,
        })
    }

    /// Comes in from the left, walks up to the desk, stands, and leaves to the right.
    fn draw(&self, picture: &mut RgbImage, at_s: f64) {
        if !(self.from_s..self.to_s).contains(&at_s) {
            return;
        }
        let share = ((at_s - self.from_s) / (self.to_s - self.from_s)) as f32;
        let ease = |s: f32| s * s * (3.0 - 2.0 * s);
        let nearness = 0.62 + 0.38 * ease((share / 0.55).min(1.0));
        let x = match share {
            s if s < 0.35 => -0.15 + 0.60 * ease(s / 0.35),
            s if s < 0.75 => 0.45 + 0.07 * ease((s - 0.35) / 0.40),
            s => 0.52 + 0.75 * ((s - 0.75) / 0.25).powf(1.4),
        };
        let height = self.near * nearness;
        let width = height * self.sprite.width() as f32 / self.sprite.height() as f32;
        // A step every half second lifts the whole person a little.
        let step = (at_s as f32 * std::f32::consts::TAU).sin().abs() * 5.0;
        let (left, top) = (x * SIZE.0 as f32 - width / 2.0, DESK + 25.0 - height - step);
        lay(picture, &self.sprite, left, top, width, height);
    }
}

/// 1 within an ellipse, 0 outside, soft over its last eighth.
fn inside(ellipse: &[f32; 4], x: u32, y: u32) -> f32 {
    let [cx, cy, rx, ry] = ellipse;
    let distance = (((x as f32 - cx) / rx).powi(2) + ((y as f32 - cy) / ry).powi(2)).sqrt();
    ((1.0 - distance) * 12.0).clamp(0.0, 1.0)
}

fn background() -> RgbImage {
    let mut picture = RgbImage::new(SIZE.0, SIZE.1);
    gradient(&mut picture, 0..520, [186.0, 192.0, 196.0], [164.0, 168.0, 170.0]);
    gradient(&mut picture, 520..720, [112.0, 110.0, 106.0], [88.0, 86.0, 82.0]);
    // Wall panels, a dado and a doorway of glass.
    for panel in 0..9 {
        rectangle(&mut picture, panel * 160 - 40, 0, 3, 520, [140, 146, 150], 0.6);
    }
    rectangle(&mut picture, 0, 400, SIZE.0, 6, [120, 126, 130], 0.8);
    rectangle(&mut picture, 70, 90, 250, 430, [120, 136, 146], 1.0);
    rectangle(&mut picture, 82, 102, 110, 418, [168, 190, 202], 1.0);
    rectangle(&mut picture, 200, 102, 108, 418, [160, 184, 198], 1.0);
    // A notice board and lamps.
    rectangle(&mut picture, 980, 110, 210, 130, [36, 84, 140], 1.0);
    rectangle(&mut picture, 995, 125, 180, 18, [230, 236, 240], 0.9);
    for line in 0..4 {
        rectangle(
            &mut picture,
            995,
            158 + line * 19,
            180 - 30 * (line as u32 % 2),
            8,
            [200, 214, 230],
            0.8,
        );
    }
    for lamp in 0..4 {
        rectangle(&mut picture, 130 + lamp * 300, 14, 150, 12, [250, 250, 240], 0.9);
    }
    shadow(&mut picture, 640.0, 640.0, 620.0, 90.0, 0.35);
    picture
}

fn desk(picture: &mut RgbImage) {
    let top = DESK as i64;
    rectangle(picture, 0, top, SIZE.0, 120, [66, 72, 78], 1.0);
    rectangle(picture, 0, top, SIZE.0, 8, [150, 156, 160], 1.0);
    for post in 0..5 {
        let x = 90 + post * 270;
        rectangle(picture, x, top - 60, 26, 180, [92, 98, 104], 1.0);
        rectangle(picture, x + 6, top - 52, 14, 10, [40, 200, 110], 1.0);
        rectangle(picture, x + 26, top - 18, 120, 9, [186, 190, 194], 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scene_is_the_same_every_time_and_changes_from_frame_to_frame() {
        let walker = || {
            let sprite = RgbaImage::from_pixel(50, 60, Rgba([200, 150, 120, 255]));
            vec![Walker {
                sprite,
                near: 600.0,
                from_s: 0.0,
                to_s: 2.0,
            }]
        };
        let (background, film) = (background(), Film::new(11, 2.5));
        let frame = |number| picture(&background, &walker(), &film, number);
        assert_eq!(frame(7), frame(7));
        assert_ne!(frame(7), frame(8));
        // Nobody is in the empty place.
        let empty = picture(&background, &walker(), &Film::new(11, 0.0), 30);
        let mut bare = background.clone();
        desk(&mut bare);
        let differs = empty
            .pixels()
            .zip(bare.pixels())
            .filter(|(a, b)| (0..3).any(|c| a.0[c].abs_diff(b.0[c]) > 6))
            .count();
        assert_eq!(differs, 0);
    }
}
