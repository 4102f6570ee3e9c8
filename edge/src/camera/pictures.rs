//! Pictures that leave the camera: the view for the page and the evidence of an alert, both JPEG.

use image::{RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder};
use vong_models::BBoxPx;
use vong_models::picture::Region;

/// Width of a view, px: enough for a tile on the page, a tenth of the bytes of the whole picture.
const VIEW_WIDTH: u32 = 640;
const VIEW_QUALITY: u8 = 70;
const EVIDENCE_QUALITY: u8 = 88;
/// Evidence shows this much around the face or plate, in box sizes.
const AROUND: f32 = 1.0;
/// Longest side of the evidence, px.
const EVIDENCE_SIDE: u32 = 720;

/// The whole picture, small; none if it cannot be coded.
pub(super) fn view(picture: &RgbImage) -> Option<Vec<u8>> {
    if picture.width() <= VIEW_WIDTH {
        return jpeg(picture, VIEW_QUALITY);
    }
    let height = (picture.height() * VIEW_WIDTH / picture.width()).max(1);
    jpeg(&imageops::thumbnail(picture, VIEW_WIDTH, height), VIEW_QUALITY)
}

/// A face or plate with what is around it.
pub(super) fn evidence(picture: &RgbImage, bbox: &BBoxPx) -> Option<Vec<u8>> {
    let margin = bbox.width().max(bbox.height()) * AROUND;
    let wide = BBoxPx::new(bbox.x1 - margin, bbox.y1 - margin, bbox.x2 + margin, bbox.y2 + margin);
    let region = Region::within(picture, &wide)?;
    let crop = imageops::crop_imm(picture, region.x, region.y, region.width, region.height).to_image();
    let longest = crop.width().max(crop.height());
    if longest <= EVIDENCE_SIDE {
        return jpeg(&crop, EVIDENCE_QUALITY);
    }
    let side = |length: u32| (length * EVIDENCE_SIDE / longest).max(1);
    jpeg(
        &imageops::thumbnail(&crop, side(crop.width()), side(crop.height())),
        EVIDENCE_QUALITY,
    )
}

fn jpeg(picture: &RgbImage, quality: u8) -> Option<Vec<u8>> {
    let (width, height) = (picture.width().try_into().ok()?, picture.height().try_into().ok()?);
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, quality)
        .encode(picture, width, height, ColorType::Rgb)
        .ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(jpeg: &[u8]) -> (u32, u32) {
        let picture = image::load_from_memory(jpeg).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn views_are_small_and_evidence_is_cut_out() {
        let picture = RgbImage::new(1280, 720);
        assert_eq!(size(&view(&picture).unwrap()), (640, 360));
        assert_eq!(
            size(&evidence(&picture, &BBoxPx::new(600.0, 300.0, 650.0, 350.0)).unwrap()),
            (150, 150)
        );
        assert_eq!(
            size(&evidence(&picture, &BBoxPx::new(0.0, 0.0, 1280.0, 720.0)).unwrap()),
            (720, 405)
        );
        assert!(evidence(&picture, &BBoxPx::new(-90.0, -90.0, -60.0, -60.0)).is_none());
    }
}
