//! YOLOX's output: one tensor [1, cells of strides 8, 16, 32, 5 + classes]: centre and logarithmic size in cells, then
//! objectness and class scores, already sigmoid (Ge et al. 2021).

use super::COCO;
use crate::error::ModelError;
use crate::session::Outputs;
use vong_wire::ObjectClass;

const STRIDES: [usize; 3] = [8, 16, 32];

pub(super) fn decode(
    outputs: &Outputs<'_>,
    size: [usize; 2],
    min_score: f32,
    keep: &mut impl FnMut(f32, f32, f32, f32, f32, ObjectClass),
) -> Result<(), ModelError> {
    let tensor = outputs.at(0)?;
    let cells: usize = STRIDES
        .iter()
        .map(|stride| (size[0] / stride) * (size[1] / stride))
        .sum();
    let [1, found, width] = *tensor.shape else {
        return Err(outputs.fault(format!("its output has shape {:?}, not [1, {cells}, 85]", tensor.shape)));
    };
    if found as usize != cells || width < 13 {
        return Err(outputs.fault(format!("its output has shape {:?}, not [1, {cells}, 85]", tensor.shape)));
    }
    let mut rows = tensor.data.chunks_exact(width as usize);
    for stride in STRIDES {
        let columns = size[0] / stride;
        for cell in 0..columns * (size[1] / stride) {
            let row = rows.next().expect("there are as many rows as cells");
            let best = COCO
                .iter()
                .map(|(number, class)| (row[4] * row[5 + number], *class))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((score, class)) = best.filter(|(score, _)| *score >= min_score) else {
                continue;
            };
            let stride = stride as f32;
            let (x, y) = (
                (row[0] + (cell % columns) as f32) * stride,
                (row[1] + (cell / columns) as f32) * stride,
            );
            let (half_w, half_h) = (row[2].exp() * stride / 2.0, row[3].exp() * stride / 2.0);
            keep(x - half_w, y - half_h, x + half_w, y + half_h, score, class);
        }
    }
    Ok(())
}
