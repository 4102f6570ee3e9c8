//! Whose picture it is: of the faces of a photograph, the one that it was taken of.

use super::Face;

/// The face of the person that a photograph shows: large and near the middle. None without faces.
pub fn subject(faces: &[Face], width: u32, height: u32) -> Option<&Face> {
    let weight = |face: &Face| {
        let (centre, half) = (face.bbox.centre(), (width as f32 / 2.0, height as f32 / 2.0));
        let away = ((centre.x - half.0) / half.0.max(1.0)).hypot((centre.y - half.1) / half.1.max(1.0));
        // At the edge's middle a face counts half: bystanders stand there, and are cut off.
        face.bbox.height() * (1.0 - 0.5 * away.min(1.0))
    };
    faces.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{BBoxPx, PointPx};

    fn face(x: f32, y: f32, side: f32) -> Face {
        let bbox = BBoxPx::new(x - side / 2.0, y - side / 2.0, x + side / 2.0, y + side / 2.0);
        Face {
            bbox,
            score: 0.9,
            points: [PointPx { x, y }; 5],
        }
    }

    #[test]
    fn large_and_central_wins() {
        let middle = |faces: &[Face]| subject(faces, 250, 250).map(|face| face.bbox.centre().x);
        assert_eq!(middle(&[]), None);
        assert_eq!(
            middle(&[face(125.0, 125.0, 80.0), face(230.0, 125.0, 100.0)]),
            Some(125.0)
        );
        assert_eq!(
            middle(&[face(125.0, 125.0, 30.0), face(200.0, 125.0, 100.0)]),
            Some(200.0)
        );
    }
}
