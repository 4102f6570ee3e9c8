//! Cutting a tilted box out of a picture and bringing it to a reader's size, upright, grey or in colour.
//!
//! Invariant: shrinking averages over every pixel that falls into one of the result's (no pixel is skipped), enlarging
//! is bilinear; outside the picture the nearest edge pixel is repeated.

use super::rowbox::RowBox;
use image::RgbImage;

/// Luma weights of ITU-R BT.601, as the readers' training used.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Calls `put(pixel index, [r, g, b] in 0..255)` for each pixel of a `width` x `height` cut of the box.
pub fn cut(picture: &RgbImage, cutout: &RowBox, width: usize, height: usize, mut put: impl FnMut(usize, [f32; 3])) {
    let (sin, cos) = cutout.angle.sin_cos();
    let (step_u, step_v) = (cutout.length / width as f32, cutout.height / height as f32);
    // Samples a pixel, each way: enough that neighbouring samples are at most a pixel apart; at most 8 for huge pictures.
    let samples = |step: f32| (step.ceil() as usize).clamp(1, 8);
    let (nu, nv) = (samples(step_u), samples(step_v));
    let share = 1.0 / (nu * nv) as f32;
    // Where a pixel of the result covers many of the picture, the mean of whole pixels is as good as interpolation.
    let whole_pixels = nu.min(nv) > 2;
    let (last_x, last_y) = (
        (picture.width().max(1) - 1) as f32,
        (picture.height().max(1) - 1) as f32,
    );
    let (stride, raw) = (picture.width() as usize * 3, picture.as_raw());
    // Along the cut and across it, each sample's part of its place in the picture.
    let along: Vec<(f32, f32)> = (0..width * nu)
        .map(|k| {
            let u = ((k / nu) as f32 + ((k % nu) as f32 + 0.5) / nu as f32) * step_u - cutout.length / 2.0;
            (cutout.centre.x + u * cos, cutout.centre.y + u * sin)
        })
        .collect();
    let across: Vec<(f32, f32)> = (0..height * nv)
        .map(|k| {
            let v = ((k / nv) as f32 + ((k % nv) as f32 + 0.5) / nv as f32) * step_v - cutout.height / 2.0;
            (v * sin, v * cos)
        })
        .collect();
    if whole_pixels && sin == 0.0 {
        let columns = along
            .iter()
            .map(|(x, _)| ((x - 0.5).clamp(0.0, last_x) + 0.5) as usize * 3);
        let columns: Vec<usize> = columns.collect();
        let y_of = |vc: f32| ((cutout.centre.y + vc - 0.5).clamp(0.0, last_y) + 0.5) as usize;
        let lines: Vec<usize> = across.iter().map(|&(_, vc)| y_of(vc) * stride).collect();
        let rows = (columns.as_slice(), lines.as_slice());
        return upright(raw, rows, (nu, nv), |at, sum| put(at, sum.map(|s| s as f32 * share)));
    }
    for (row, across) in across.chunks_exact(nv).enumerate() {
        for (column, along) in along.chunks_exact(nu).enumerate() {
            let (mut sum, mut whole) = ([0.0; 3], [0u32; 3]);
            for &(vs, vc) in across {
                for &(ux, uy) in along {
                    let x = (ux - vs - 0.5).clamp(0.0, last_x);
                    let y = (uy + vc - 0.5).clamp(0.0, last_y);
                    if whole_pixels {
                        let at = (y + 0.5) as usize * stride + (x + 0.5) as usize * 3;
                        let pixel = &raw[at..at + 3];
                        whole.iter_mut().zip(pixel).for_each(|(s, &v)| *s += u32::from(v));
                        continue;
                    }
                    let (x0, y0) = (x as usize, y as usize);
                    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
                    let (right, down) = (if fx > 0.0 { 3 } else { 0 }, if fy > 0.0 { stride } else { 0 });
                    let at = y0 * stride + x0 * 3;
                    for (c, value) in sum.iter_mut().enumerate() {
                        let p = |o: usize| f32::from(raw[at + o + c]);
                        let top = p(0) + (p(right) - p(0)) * fx;
                        let bottom = p(down) + (p(down + right) - p(down)) * fx;
                        *value += top + (bottom - top) * fy;
                    }
                }
            }
            if whole_pixels {
                sum = whole.map(|s| s as f32);
            }
            put(row * width + column, sum.map(|s| s * share));
        }
    }
}

/// The sums of whole pixels of an upright cut: `nv` rows of the picture are added up first, many bytes in one step, then
/// `nu` columns of those sums. `columns` and `lines` are the samples' offsets, in bytes.
fn upright(
    raw: &[u8],
    (columns, lines): (&[usize], &[usize]),
    (nu, nv): (usize, usize),
    mut put: impl FnMut(usize, [u32; 3]),
) {
    let (Some(&from), Some(&last)) = (columns.first(), columns.last()) else {
        return;
    };
    let width = columns.len() / nu;
    let mut sums = vec![0u16; last + 3 - from];
    for (row, lines) in lines.chunks_exact(nv).enumerate() {
        sums.fill(0);
        for line in lines {
            let bytes = &raw[line + from..line + last + 3];
            // Eight times 255 at most. Checked additions would be made one by one.
            sums.iter_mut()
                .zip(bytes)
                .for_each(|(s, &v)| *s = s.wrapping_add(u16::from(v)));
        }
        for (column, places) in columns.chunks_exact(nu).enumerate() {
            let mut sum = [0u32; 3];
            for at in places {
                let pixel = &sums[at - from..at - from + 3];
                sum.iter_mut().zip(pixel).for_each(|(s, &v)| *s += u32::from(v));
            }
            put(row * width + column, sum);
        }
    }
}

/// A grey cut brought to mean 0 and deviation 1 (the deviation not below 8 of 255, so that flat ground stays flat).
pub fn cut_grey_standard(picture: &RgbImage, cutout: &RowBox, width: usize, height: usize, out: &mut [f32]) {
    cut(picture, cutout, width, height, |at, rgb| {
        out[at] = rgb.iter().zip(LUMA).map(|(v, w)| v * w).sum()
    });
    let n = out.len() as f32;
    let mean = out.iter().sum::<f32>() / n;
    let deviation = (out.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n)
        .sqrt()
        .max(8.0);
    out.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PointPx;
    use image::Rgb;

    fn boxed(x: f32, y: f32, length: f32, height: f32, degrees: f32) -> RowBox {
        RowBox {
            centre: PointPx { x, y },
            length,
            height,
            angle: degrees.to_radians(),
            score: 1.0,
        }
    }

    fn red(picture: &RgbImage, cutout: RowBox, width: usize, height: usize) -> Vec<f32> {
        let mut out = vec![0.0; width * height];
        cut(picture, &cutout, width, height, |at, rgb| out[at] = rgb[0]);
        out
    }

    fn check_upright(cutout: RowBox, width: usize, height: usize) {
        let noise = |x: u32, y: u32| (x * 131 + y * 71 + x * y * 29) as u8;
        let picture = RgbImage::from_fn(211, 173, |x, y| Rgb([noise(x, y), 0, noise(y, x)]));
        let upright = red(&picture, cutout, width, height);
        // So small a tilt moves no sample to another pixel, and is cut the general way.
        let angle = 1e-9;
        let tilted = red(&picture, RowBox { angle, ..cutout }, width, height);
        assert_eq!(upright, tilted, "{cutout:?}");
        assert!(upright.iter().any(|&v| v != upright[0]));
    }

    #[test]
    fn an_upright_cut_is_the_same_by_its_shorter_way() {
        check_upright(boxed(104.3, 88.1, 190.7, 150.2, 0.0), 40, 20);
        check_upright(boxed(104.3, 88.1, 190.7, 150.2, 0.0), 60, 7);
        // Beyond every edge.
        check_upright(boxed(100.2, 80.6, 400.0, 300.0, 0.0), 50, 30);
    }

    #[test]
    fn cuts_show_what_lies_under_them() {
        let ramp = RgbImage::from_fn(40, 20, |x, y| Rgb([(x * 4 + y) as u8, 0, 0]));
        // Whole and upright: the picture itself.
        let whole = red(&ramp, boxed(20.0, 10.0, 40.0, 20.0, 0.0), 40, 20);
        assert!((0..800).all(|i| (whole[i] - ((i % 40) * 4 + i / 40) as f32).abs() < 0.01));
        // A quarter turn: what was down is now to the right.
        let turned = red(&ramp, boxed(20.0, 10.0, 20.0, 40.0, 90.0), 20, 40);
        assert!(
            (turned[0] - 39.0 * 4.0).abs() < 0.6 && (turned[19] - (39.0 * 4.0 + 19.0)).abs() < 0.6,
            "{:?}",
            &turned[..20]
        );
        // Half the size: the mean of four.
        let half = red(&ramp, boxed(20.0, 10.0, 40.0, 20.0, 0.0), 20, 10);
        assert!((half[0] - 2.5).abs() < 0.01);
        // Beyond the edge: repeated.
        assert!(
            red(&ramp, boxed(-10.0, -10.0, 8.0, 8.0, 0.0), 8, 8)
                .iter()
                .all(|&v| v == 0.0)
        );
    }
}
