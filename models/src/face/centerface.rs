//! CenterFace's outputs at stride 4 (Xu et al. 2019): heat [1,1,h,w]; scale [1,2,h,w], exp times 4 gives height and
//! width; offset [1,2,h,w] (y, x); landmarks [1,10,h,w], y and x of five points in shares of the box.

use crate::error::ModelError;
use crate::session::Outputs;

const STRIDE: f32 = 4.0;

pub(super) fn decode(
    outputs: &Outputs<'_>,
    min_score: f32,
    keep: &mut impl FnMut([f32; 4], f32, [[f32; 2]; 5]),
) -> Result<(), ModelError> {
    let (heat, scale, offset, landmarks) = (outputs.at(0)?, outputs.at(1)?, outputs.at(2)?, outputs.at(3)?);
    let [1, 1, height, width] = *heat.shape else {
        return Err(outputs.fault(format!("its heat map has shape {:?}, not [1, 1, h, w]", heat.shape)));
    };
    let cells = (height * width) as usize;
    if [scale.data.len(), offset.data.len(), landmarks.data.len()] != [2 * cells, 2 * cells, 10 * cells] {
        return Err(outputs.fault("its maps do not have one size; is it a CenterFace?".into()));
    }
    for (cell, &score) in heat.data.iter().enumerate() {
        if score < min_score {
            continue;
        }
        let (row, column) = ((cell / width as usize) as f32, (cell % width as usize) as f32);
        let (box_h, box_w) = (scale.data[cell].exp() * STRIDE, scale.data[cells + cell].exp() * STRIDE);
        let x1 = (column + offset.data[cells + cell] + 0.5) * STRIDE - box_w / 2.0;
        let y1 = (row + offset.data[cell] + 0.5) * STRIDE - box_h / 2.0;
        let points = std::array::from_fn(|point| {
            let at = |plane: usize| landmarks.data[plane * cells + cell];
            [at(2 * point + 1) * box_w + x1, at(2 * point) * box_h + y1]
        });
        keep([x1, y1, x1 + box_w, y1 + box_h], score, points);
    }
    Ok(())
}
