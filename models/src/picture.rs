//! From pixels to tensors: scaling with a margin, and warping by a similarity. Colour order and normalisation happen in
//! the same pass that writes the tensor; buffers are kept between calls.

use crate::geometry::{BBoxPx, PointPx};
use crate::manifest::{Model, Order};
use fast_image_resize as fr;
use image::RgbImage;

/// Values of a pixel as a model wants them: planes, then mean and deviation.
#[derive(Debug, Clone)]
pub struct Normalise {
    swap: bool,
    mean: [f32; 3],
    scale: [f32; 3],
    pad: [f32; 3],
    /// What each of the 256 values becomes, by plane: a look into a table costs less than the arithmetic.
    table: Box<[[f32; 256]; 3]>,
}

impl Normalise {
    /// By the manifest.
    pub fn of(model: &Model) -> Self {
        let scale = model.std.map(|std| 1.0 / std);
        let pad = std::array::from_fn(|plane| (model.pad[plane] - model.mean[plane]) * scale[plane]);
        Self::new(model.order == Order::Bgr, model.mean, scale, pad)
    }

    fn new(swap: bool, mean: [f32; 3], scale: [f32; 3], pad: [f32; 3]) -> Self {
        let mut table = Box::new([[0.0; 256]; 3]);
        for (plane, values) in table.iter_mut().enumerate() {
            for (value, entry) in values.iter_mut().enumerate() {
                *entry = (value as f32 - mean[plane]) * scale[plane];
            }
        }
        Self {
            swap,
            mean,
            scale,
            pad,
            table,
        }
    }

    fn channel(&self, plane: usize) -> usize {
        if self.swap { 2 - plane } else { plane }
    }
}

/// How a picture lies in a tensor: its pixel (x, y) is at (x * scale + dx, y * scale + dy).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Tensor pixels per picture pixel.
    pub scale_x: f32,
    /// Likewise downward; differs by rounding only.
    pub scale_y: f32,
    /// Left edge of the region that was placed, px of the picture.
    pub left: f32,
    /// Its top edge.
    pub top: f32,
}

impl Placement {
    /// From the tensor back to the picture.
    pub fn point(&self, x: f32, y: f32) -> PointPx {
        PointPx {
            x: x / self.scale_x + self.left,
            y: y / self.scale_y + self.top,
        }
    }

    /// Likewise a box.
    pub fn bbox(&self, x1: f32, y1: f32, x2: f32, y2: f32) -> BBoxPx {
        let (a, b) = (self.point(x1, y1), self.point(x2, y2));
        BBoxPx::new(a.x, a.y, b.x, b.y)
    }
}

/// A part of a picture in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

impl Region {
    /// The whole picture.
    pub fn whole(picture: &RgbImage) -> Self {
        Self {
            x: 0,
            y: 0,
            width: picture.width(),
            height: picture.height(),
        }
    }

    /// The part of a box that lies in the picture; none if that is empty.
    pub fn within(picture: &RgbImage, bbox: &BBoxPx) -> Option<Self> {
        let clipped = bbox.clipped(picture.width() as f32, picture.height() as f32);
        let (x, y) = (clipped.x1.floor().max(0.0) as u32, clipped.y1.floor().max(0.0) as u32);
        let (right, bottom) = (clipped.x2.ceil() as u32, clipped.y2.ceil() as u32);
        let (right, bottom) = (right.min(picture.width()), bottom.min(picture.height()));
        (right > x && bottom > y).then(|| Self {
            x,
            y,
            width: right - x,
            height: bottom - y,
        })
    }
}

/// Scales pictures into tensors.
#[derive(Debug, Default)]
pub struct Scaler {
    resizer: fr::Resizer,
    scaled: Vec<u8>,
}

impl Scaler {
    /// Scales a region to `to` (width, height) and writes it into the top left corner of a planar tensor of `tensor`
    /// (width, height) with three planes; the margin gets the model's padding.
    ///
    /// Half-pixel centres, as OpenCV's linear resize; when shrinking to less than half, with the pre-filter that OpenCV
    /// leaves out.
    pub fn place(
        &mut self,
        picture: &RgbImage,
        region: Region,
        to: (usize, usize),
        tensor: (usize, usize),
        normalise: &Normalise,
        out: &mut [f32],
    ) -> Placement {
        let (width, height) = to;
        assert!(
            width <= tensor.0 && height <= tensor.1 && out.len() == tensor.0 * tensor.1 * 3,
            "the tensor holds it"
        );
        let placement = Placement {
            scale_x: width as f32 / region.width as f32,
            scale_y: height as f32 / region.height as f32,
            left: region.x as f32,
            top: region.y as f32,
        };
        if to == (region.width as usize, region.height as usize) {
            // It has the size already: a camera that is only counted delivers it so.
            let stride = picture.width() as usize * 3;
            let first = region.y as usize * stride + region.x as usize * 3;
            write_planes(&picture.as_raw()[first..], stride, to, tensor, normalise, out);
            return placement;
        }
        self.scaled.resize(width * height * 3, 0);
        let shrink = (region.width as f32 / width as f32).max(region.height as f32 / height as f32);
        let algorithm = if shrink > 2.0 {
            fr::ResizeAlg::Convolution(fr::FilterType::Bilinear)
        } else {
            fr::ResizeAlg::Interpolation(fr::FilterType::Bilinear)
        };
        let source =
            fr::images::ImageRef::new(picture.width(), picture.height(), picture.as_raw(), fr::PixelType::U8x3)
                .expect("an RgbImage holds three bytes a pixel");
        let mut target =
            fr::images::Image::from_slice_u8(width as u32, height as u32, &mut self.scaled, fr::PixelType::U8x3)
                .expect("the buffer was sized above");
        let options = fr::ResizeOptions::new().resize_alg(algorithm).crop(
            region.x.into(),
            region.y.into(),
            region.width.into(),
            region.height.into(),
        );
        self.resizer
            .resize(&source, &mut target, &options)
            .expect("the region lies in the picture");
        write_planes(&self.scaled, width * 3, to, tensor, normalise, out);
        placement
    }
}

/// Colour order, normalisation, planes and margin in one pass over the pixels; `stride` is the bytes of a row.
fn write_planes(
    pixels: &[u8],
    stride: usize,
    from: (usize, usize),
    tensor: (usize, usize),
    normalise: &Normalise,
    out: &mut [f32],
) {
    let (width, height) = from;
    let (first, rest) = out.split_at_mut(tensor.0 * tensor.1);
    let (second, third) = rest.split_at_mut(tensor.0 * tensor.1);
    let mut planes = [first, second, third];
    if normalise.swap {
        planes.reverse();
    }
    // By channel of the picture, red first.
    let plane_of = |channel: usize| if normalise.swap { 2 - channel } else { channel };
    let [red, green, blue] = [0, 1, 2].map(|channel| &normalise.table[plane_of(channel)]);
    let pads = [0, 1, 2].map(|channel| normalise.pad[plane_of(channel)]);
    let [reds, greens, blues] = planes;
    let rows = reds
        .chunks_exact_mut(tensor.0)
        .zip(greens.chunks_exact_mut(tensor.0))
        .zip(blues.chunks_exact_mut(tensor.0));
    for (y, ((reds, greens), blues)) in rows.enumerate() {
        let inside = if y < height { width } else { 0 };
        if inside > 0 {
            let (source, _) = pixels[y * stride..y * stride + width * 3].as_chunks::<3>();
            let values = reds.iter_mut().zip(greens.iter_mut()).zip(blues.iter_mut());
            for (((r, g), b), pixel) in values.zip(source) {
                *r = red[usize::from(pixel[0])];
                *g = green[usize::from(pixel[1])];
                *b = blue[usize::from(pixel[2])];
            }
        }
        for (row, pad) in [reds, greens, blues].into_iter().zip(pads) {
            row[inside..].fill(pad);
        }
    }
}

/// A turn, a scale and a shift: (x, y) goes to (a x - b y + tx, b x + a y + ty).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    a: f32,
    b: f32,
    tx: f32,
    ty: f32,
}

impl Similarity {
    /// The best one by least squares (Umeyama 1991, in the plane, without mirroring); none if all points coincide.
    pub fn fit(from: &[PointPx; 5], to: &[[f32; 2]; 5]) -> Option<Self> {
        let mean = |values: &mut dyn Iterator<Item = f32>| values.sum::<f32>() / 5.0;
        let (fx, fy) = (mean(&mut from.iter().map(|p| p.x)), mean(&mut from.iter().map(|p| p.y)));
        let (gx, gy) = (mean(&mut to.iter().map(|p| p[0])), mean(&mut to.iter().map(|p| p[1])));
        let (mut dot, mut cross, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py, qx, qy) = (p.x - fx, p.y - fy, q[0] - gx, q[1] - gy);
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
            spread += px * px + py * py;
        }
        if !(spread.is_finite() && spread > 1e-3) {
            return None;
        }
        let (a, b) = (dot / spread, cross / spread);
        Some(Self {
            a,
            b,
            tx: gx - a * fx + b * fy,
            ty: gy - b * fx - a * fy,
        })
    }

    /// Target pixels per source pixel.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// Warps a picture into a planar tensor of `width` x `height`; outside the picture the nearest edge is repeated.
    /// Where the picture is shrunk, several samples a pixel are averaged. `mirror` flips the result left to right.
    pub fn warp(
        &self,
        picture: &RgbImage,
        width: usize,
        height: usize,
        mirror: bool,
        normalise: &Normalise,
        out: &mut [f32],
    ) {
        let determinant = self.a * self.a + self.b * self.b;
        let (ia, ib) = (self.a / determinant, self.b / determinant);
        let samples = (1.0 / self.scale()).ceil().clamp(1.0, 4.0) as usize;
        let share = 1.0 / (samples * samples) as f32;
        let plane_size = width * height;
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0_f32; 3];
                for sub in 0..samples * samples {
                    let offset = |index: usize| (index as f32 + 0.5) / samples as f32 - 0.5;
                    let u = x as f32 + offset(sub % samples) - self.tx;
                    let v = y as f32 + offset(sub / samples) - self.ty;
                    let pixel = bilinear(picture, ia * u + ib * v, ia * v - ib * u);
                    for (total, value) in sum.iter_mut().zip(pixel) {
                        *total += value * share;
                    }
                }
                let place = y * width + if mirror { width - 1 - x } else { x };
                for plane in 0..3 {
                    let value = sum[normalise.channel(plane)];
                    out[plane * plane_size + place] = (value - normalise.mean[plane]) * normalise.scale[plane];
                }
            }
        }
    }
}

/// The colour at a point between pixels, whose centres have whole coordinates.
fn bilinear(picture: &RgbImage, x: f32, y: f32) -> [f32; 3] {
    let (last_x, last_y) = (picture.width() as f32 - 1.0, picture.height() as f32 - 1.0);
    let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
    let (x0, y0) = (x as u32, y as u32);
    let (x1, y1) = ((x0 + 1).min(picture.width() - 1), (y0 + 1).min(picture.height() - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x, y| picture.get_pixel(x, y).0;
    let (p00, p10, p01, p11) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
    std::array::from_fn(|c| {
        let top = f32::from(p00[c]) * (1.0 - fx) + f32::from(p10[c]) * fx;
        let bottom = f32::from(p01[c]) * (1.0 - fx) + f32::from(p11[c]) * fx;
        top * (1.0 - fy) + bottom * fy
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(swap: bool) -> Normalise {
        Normalise::new(swap, [0.0; 3], [1.0; 3], [7.0; 3])
    }

    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 9]))
    }

    #[test]
    fn a_region_lies_top_left_and_the_margin_is_padded() {
        let (mut scaler, mut out) = (Scaler::default(), vec![0.0; 8 * 6 * 3]);
        let region = Region {
            x: 10,
            y: 20,
            width: 4,
            height: 4,
        };
        let placement = scaler.place(&ramp(64, 64), region, (4, 4), (8, 6), &plain(false), &mut out);
        assert_eq!((out[0], out[3], out[4]), (10.0, 13.0, 7.0));
        assert_eq!((out[48], out[48 + 8 * 3], out[48 + 8 * 4]), (20.0, 23.0, 7.0));
        assert_eq!(placement.point(2.0, 1.0), PointPx { x: 12.0, y: 21.0 });
        scaler.place(&ramp(64, 64), region, (4, 4), (8, 6), &plain(true), &mut out);
        assert_eq!((out[0], out[96]), (9.0, 10.0));
    }

    #[test]
    fn a_similarity_is_found_again_and_warps_onto_its_template() {
        let to = [[45.0, 44.0], [78.0, 44.0], [74.0, 76.0], [48.0, 105.0], [99.0, 105.0]];
        let truth = Similarity {
            a: 0.8,
            b: 0.3,
            tx: 5.0,
            ty: -4.0,
        };
        let from = to.map(|[x, y]| {
            let d = truth.a * truth.a + truth.b * truth.b;
            let (u, v) = (x - truth.tx, y - truth.ty);
            PointPx {
                x: (truth.a * u + truth.b * v) / d,
                y: (truth.a * v - truth.b * u) / d,
            }
        });
        let found = Similarity::fit(&from, &to).unwrap();
        for (a, b) in [
            (found.a, truth.a),
            (found.b, truth.b),
            (found.tx, truth.tx),
            (found.ty, truth.ty),
        ] {
            assert!((a - b).abs() < 1e-3, "{found:?}");
        }
        assert!(Similarity::fit(&[PointPx { x: 1.0, y: 1.0 }; 5], &to).is_none());
    }

    #[test]
    fn mirroring_turns_left_and_right() {
        let still = Similarity {
            a: 1.0,
            b: 0.0,
            tx: 0.0,
            ty: 0.0,
        };
        let mut out = vec![0.0; 4 * 2 * 3];
        still.warp(&ramp(4, 2), 4, 2, true, &plain(false), &mut out);
        assert_eq!(out[..4], [3.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn a_box_outside_the_picture_is_no_region() {
        let picture = ramp(10, 10);
        assert_eq!(Region::within(&picture, &BBoxPx::new(-5.0, -5.0, -1.0, 3.0)), None);
        assert_eq!(
            Region::within(&picture, &BBoxPx::new(8.5, 8.5, 99.0, 99.0)),
            Some(Region {
                x: 8,
                y: 8,
                width: 2,
                height: 2
            })
        );
        assert_eq!(
            Region::within(&picture, &BBoxPx::new(f32::NAN, 0.0, 5.0, 5.0)).map(|r| r.height),
            Some(5)
        );
    }
}
