//! Pixels as decoders have them: brightness in full, two colour planes of half the size (YUV 4:2:0). Invariant: a picture
//! is made of them only when somebody looks at it; whether something moves is seen in the brightness alone.

use image::RgbImage;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

/// The planes of one frame. Their memory is kept.
#[derive(Debug, Clone, Default)]
pub struct Planes {
    bytes: Vec<u8>,
    width: usize,
    height: usize,
    coding: Coding,
}

/// How brightness and colours are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coding {
    /// Brightness from 0 to 255 instead of 16 to 235.
    pub full: bool,
    /// The colours of high definition (BT.709) instead of those before it (BT.601).
    pub hd: bool,
}

/// Brightness of a picture, whatever its pixels are.
#[derive(Debug, Clone, Copy)]
pub struct Grey<'p> {
    /// Bytes of the pixels.
    pub bytes: &'p [u8],
    /// Bytes a pixel: 1 for brightness itself, 3 for red, green, blue.
    pub pixel: usize,
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
}

impl Planes {
    /// Makes room for a frame and hands out the bytes to be filled: brightness, then the two colour planes.
    pub fn room(&mut self, width: u32, height: u32, coding: Coding) -> &mut [u8] {
        (self.width, self.height, self.coding) = (width as usize, height as usize, coding);
        let colours = self.width.div_ceil(2) * self.height.div_ceil(2);
        self.bytes.resize(self.width * self.height + 2 * colours, 0);
        &mut self.bytes
    }

    /// Nothing is in it.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The brightness.
    pub fn grey(&self) -> Grey<'_> {
        Grey {
            bytes: &self.bytes[..self.width * self.height],
            pixel: 1,
            width: self.width,
            height: self.height,
        }
    }

    /// Makes the picture.
    pub fn picture(&self, picture: &mut RgbImage) {
        let (width, height) = (self.width, self.height);
        if picture.dimensions() != (width as u32, height as u32) {
            *picture = RgbImage::new(width as u32, height as u32);
        }
        if width == 0 || height == 0 {
            return;
        }
        let half = width.div_ceil(2);
        let (y_plane, colours) = self.bytes.split_at(width * height);
        let (u_plane, v_plane) = colours.split_at(half * height.div_ceil(2));
        let planes = YuvPlanarImage {
            y_plane,
            y_stride: width as u32,
            u_plane,
            u_stride: half as u32,
            v_plane,
            v_stride: half as u32,
            width: width as u32,
            height: height as u32,
        };
        let Coding { full, hd } = self.coding;
        let range = if full { YuvRange::Full } else { YuvRange::Limited };
        let matrix = if hd {
            YuvStandardMatrix::Bt709
        } else {
            YuvStandardMatrix::Bt601
        };
        if let Err(error) = yuv420_to_rgb(&planes, picture, width as u32 * 3, range, matrix) {
            unreachable!("planes of {width}x{height} that `room` made have no such size: {error}");
        }
    }
}

impl<'p> Grey<'p> {
    /// Of a picture in colours.
    pub fn of(picture: &'p RgbImage) -> Self {
        Self {
            bytes: picture.as_raw(),
            pixel: 3,
            width: picture.width() as usize,
            height: picture.height() as usize,
        }
    }

    /// What 1 of [`GreyLine::add`] is in grey levels from 0 to 255.
    pub fn unit(&self) -> f32 {
        // From 16 to 235, as most decoders have it, to the range of colours.
        if self.pixel == 1 { 298.0 / 256.0 } else { 1.0 / 256.0 }
    }

    /// A line of pixels.
    pub fn line(&self, y: usize) -> GreyLine<'p> {
        let length = self.width * self.pixel;
        GreyLine {
            bytes: &self.bytes[y * length..(y + 1) * length],
            pixel: self.pixel,
        }
    }
}

/// One line of a [`Grey`].
#[derive(Debug, Clone, Copy)]
pub struct GreyLine<'p> {
    bytes: &'p [u8],
    pixel: usize,
}

impl GreyLine<'_> {
    /// Sums of the brightness of each pixel of some lines, in units that [`Grey::unit`] tells.
    pub fn add<const N: usize>(lines: [Self; N], sums: &mut [u32]) {
        sums.fill(0);
        for line in lines {
            if line.pixel == 1 {
                for (sum, grey) in sums.iter_mut().zip(line.bytes) {
                    *sum = sum.wrapping_add(u32::from(*grey));
                }
            } else {
                for (sum, pixel) in sums.iter_mut().zip(line.bytes.as_chunks::<3>().0) {
                    let [r, g, b] = pixel.map(u32::from);
                    *sum = sum.wrapping_add(77 * r + 150 * g + 29 * b);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(grey: u8, blue: u8, red: u8, coding: Coding) -> [u8; 3] {
        let mut planes = Planes::default();
        let room = planes.room(3, 3, coding);
        room[..9].fill(grey);
        room[9..13].fill(blue);
        room[13..].fill(red);
        let mut picture = RgbImage::default();
        planes.picture(&mut picture);
        assert_eq!(
            picture.get_pixel(0, 0),
            picture.get_pixel(2, 2),
            "odd sides have their last pixels"
        );
        picture.get_pixel(2, 1).0
    }

    #[test]
    fn known_colours() {
        let (sd, full, hd) = (
            Coding::default(),
            Coding { full: true, hd: false },
            Coding { full: false, hd: true },
        );
        assert_eq!(one(16, 128, 128, sd), [0, 0, 0]);
        assert_eq!(one(235, 128, 128, hd), [255, 255, 255]);
        assert_eq!(one(200, 128, 128, full), [200, 200, 200]);
        // Pure red by the books: BT.601 81 90 240, BT.709 63 102 240.
        for found in [one(81, 90, 240, sd), one(63, 102, 240, hd)] {
            assert!(found[0] >= 253 && found[1] <= 2 && found[2] <= 2, "{found:?}");
        }
    }

    #[test]
    fn every_pixel_is_what_its_own_three_values_say() {
        for (width, height) in [(1, 1), (5, 3), (31, 2), (32, 2), (33, 3), (63, 4), (97, 5)] {
            let mut planes = Planes::default();
            let coding = Coding { full: false, hd: true };
            let room = planes.room(width, height, coding);
            room.iter_mut()
                .enumerate()
                .for_each(|(n, byte)| *byte = (n * n * 31 + n * 7) as u8);
            let mut picture = RgbImage::default();
            planes.picture(&mut picture);
            let (greys, colours) = planes.bytes.split_at((width * height) as usize);
            let (blues, reds) = colours.split_at(colours.len() / 2);
            for (x, y, pixel) in picture.enumerate_pixels() {
                let colour = (y / 2 * width.div_ceil(2) + x / 2) as usize;
                let alone = one(greys[(y * width + x) as usize], blues[colour], reds[colour], coding);
                assert_eq!(pixel.0, alone, "{x} {y} of {width} x {height}");
            }
        }
    }

    #[test]
    fn room_is_exact_and_brightness_is_first() {
        let mut planes = Planes::default();
        assert!(planes.is_empty());
        assert_eq!(planes.room(5, 3, Coding::default()).len(), 15 + 2 * 6);
        planes.room(5, 3, Coding::default())[7] = 99;
        let mut sums = [0; 5];
        GreyLine::add([planes.grey().line(1); 2], &mut sums);
        assert_eq!(sums[2], 198);
        planes.clear();
        assert!(planes.is_empty());
    }
}
