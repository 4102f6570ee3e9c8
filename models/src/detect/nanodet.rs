//! NanoDet's outputs: for each stride 8, 16, 32 one tensor [1, cells, 80] of class scores (already sigmoid), or with the
//! classes of a gate alone [1, cells, 6], and one [1, cells, 44] of four sides with eleven bins each; a side's length is the expected bin times the stride
//! (generalized focal loss, Li et al. 2020).

use super::COCO;
use crate::error::ModelError;
use crate::session::{Outputs, Tensor};
use vong_wire::ObjectClass;

const STRIDES: [usize; 3] = [8, 16, 32];
const BINS: usize = 11;
/// COCO's classes.
const ALL: usize = 80;

pub(super) fn decode(
    outputs: &Outputs<'_>,
    size: [usize; 2],
    min_score: f32,
    keep: &mut impl FnMut(f32, f32, f32, f32, f32, ObjectClass),
) -> Result<(), ModelError> {
    for stride in STRIDES {
        let (columns, rows) = (size[0].div_ceil(stride), size[1].div_ceil(stride));
        let of_width = |widths: &[usize]| -> Result<Tensor<'_>, ModelError> {
            for index in 0..2 * STRIDES.len() {
                let tensor = outputs.at(index)?;
                let shapes = widths
                    .iter()
                    .map(|&width| [1, columns * rows, width].map(|side| side as i64));
                if shapes.into_iter().any(|shape| tensor.shape == shape) {
                    return Ok(tensor);
                }
            }
            Err(outputs.fault(format!(
                "no output [1, {}, {}] for stride {stride}; is it a NanoDet of this size?",
                columns * rows,
                widths[0]
            )))
        };
        let (scores, sides) = (of_width(&[ALL, COCO.len()])?, of_width(&[4 * BINS])?);
        let width = scores.shape[2] as usize;
        for (cell, scores) in scores.data.chunks_exact(width).enumerate() {
            let best = COCO
                .iter()
                .enumerate()
                .map(|(place, (number, class))| (scores[if width == ALL { *number } else { place }], *class))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((score, class)) = best.filter(|(score, _)| *score >= min_score) else {
                continue;
            };
            let bins = &sides.data[cell * 4 * BINS..(cell + 1) * 4 * BINS];
            let side = |index: usize| expected(&bins[index * BINS..(index + 1) * BINS]) * stride as f32;
            let centre = |place: usize| (place as f32 + 0.5) * stride as f32;
            let (x, y) = (centre(cell % columns), centre(cell / columns));
            keep(x - side(0), y - side(1), x + side(2), y + side(3), score, class);
        }
    }
    Ok(())
}

/// Expected bin under the softmax of the values.
fn expected(bins: &[f32]) -> f32 {
    let most = bins.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut weight, mut moment) = (0.0, 0.0);
    for (bin, value) in bins.iter().enumerate() {
        let share = (value - most).exp();
        weight += share;
        moment += share * bin as f32;
    }
    moment / weight
}

#[cfg(test)]
mod tests {
    use super::expected;

    #[test]
    fn the_expected_bin() {
        assert!((expected(&[0.0; 11]) - 5.0).abs() < 1e-5);
        let mut sharp = [0.0; 11];
        sharp[3] = 60.0;
        assert!((expected(&sharp) - 3.0).abs() < 1e-5);
    }
}
