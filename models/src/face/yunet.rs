//! YuNet's outputs at strides 8, 16, 32 (Wu et al. 2023), named `cls_8`, `obj_8`, `bbox_8`, `kps_8` and so on: score is
//! the root of class times objectness; the box is centre offset and logarithmic size in cells, points are offsets.

use crate::error::ModelError;
use crate::session::Outputs;

pub(super) fn decode(
    outputs: &Outputs<'_>,
    size: (usize, usize),
    min_score: f32,
    keep: &mut impl FnMut([f32; 4], f32, [[f32; 2]; 5]),
) -> Result<(), ModelError> {
    for stride in [8_usize, 16, 32] {
        let named = |name: &str| outputs.named(&format!("{name}_{stride}"));
        let (class, object, bbox, points) = (named("cls")?, named("obj")?, named("bbox")?, named("kps")?);
        let columns = size.0 / stride;
        let cells = columns * (size.1 / stride);
        if [class.data.len(), object.data.len(), bbox.data.len(), points.data.len()]
            != [cells, cells, 4 * cells, 10 * cells]
        {
            return Err(outputs.fault(format!(
                "its outputs of stride {stride} do not have {cells} cells; is it a YuNet?"
            )));
        }
        let stride = stride as f32;
        for cell in 0..cells {
            let score = (class.data[cell].clamp(0.0, 1.0) * object.data[cell].clamp(0.0, 1.0)).sqrt();
            if score < min_score {
                continue;
            }
            let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
            let b = &bbox.data[cell * 4..cell * 4 + 4];
            let (x, y) = ((column + b[0]) * stride, (row + b[1]) * stride);
            let (half_w, half_h) = (b[2].exp() * stride / 2.0, b[3].exp() * stride / 2.0);
            let k = &points.data[cell * 10..cell * 10 + 10];
            let found =
                std::array::from_fn(|point| [(column + k[2 * point]) * stride, (row + k[2 * point + 1]) * stride]);
            keep([x - half_w, y - half_h, x + half_w, y + half_h], score, found);
        }
    }
    Ok(())
}
