//! Places of a picture that may show a plate, with what was seen there.
//!
//! Invariant: of two sights of one plate the surer one stands, whole; they are never mixed. Knows no network.

use super::evidence::Evidence;
use super::rowbox::RowBox;
use crate::BBoxPx;

/// A place that may show a plate.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Upright box around it, px of the picture.
    pub bbox: BBoxPx,
    /// The cut that gave the box.
    pub cut: RowBox,
    /// Confidence of that cut.
    pub confidence: f32,
    /// All looks at it.
    pub evidence: Evidence,
}

impl Place {
    /// Whether it holds the middle of a box, or a box holds its middle.
    pub fn is_at(&self, bbox: &BBoxPx) -> bool {
        self.bbox.contains(bbox.centre()) || bbox.contains(self.bbox.centre())
    }
}

/// What stands once a doubtful place was looked at again: the places of that look where they are surer of it, else those
/// from before.
pub fn surer(doubt: &Place, before: Vec<Place>, again: Vec<Place>) -> Vec<Place> {
    let is_surer = |p: &Place| p.is_at(&doubt.bbox) && p.evidence.confidence() > doubt.evidence.confidence();
    if again.iter().any(is_surer) { again } else { before }
}

/// A box with as much again on every side, in the part where it was looked for.
pub fn around(plate: &BBoxPx, part: &BBoxPx) -> BBoxPx {
    let margin = plate.width().max(plate.height());
    BBoxPx::new(
        (plate.x1 - margin).max(part.x1),
        (plate.y1 - margin).max(part.y1),
        (plate.x2 + margin).min(part.x2),
        (plate.y2 + margin).min(part.y2),
    )
}

#[cfg(test)]
mod tests {
    use super::super::lattice::Decoded;
    use super::*;

    /// A place `x` px from the left where this plate was seen with this probability.
    fn place(x: f32, plate: &str, probability: f32) -> Place {
        let bbox = BBoxPx::new(x, 100.0, x + 80.0, 120.0);
        let mut evidence = Evidence::default();
        let seen = Decoded {
            plate: plate.into(),
            class: "car",
            lines: 1,
            log_prob: probability.ln(),
            rarity: 0.0,
            cost: 0.0,
        };
        evidence.add(&[seen], plate.into());
        let cut = RowBox {
            centre: bbox.centre(),
            length: bbox.width(),
            height: bbox.height(),
            angle: 0.0,
            score: 1.0,
        };
        Place {
            bbox,
            cut,
            confidence: probability,
            evidence,
        }
    }

    #[test]
    fn the_surer_of_two_sights_stands() {
        let doubt = place(100.0, "30A33978", 0.5);
        let elsewhere = place(400.0, "51G12345", 0.9);
        let before = vec![doubt.clone(), elsewhere.clone()];
        for (again, stands) in [
            (vec![elsewhere.clone(), place(104.0, "30A33918", 0.6)], true),
            (vec![elsewhere.clone(), place(104.0, "30A33918", 0.5)], false),
            (vec![elsewhere.clone(), place(104.0, "30A33918", 0.2)], false),
            // Nothing was seen there, or something surer elsewhere.
            (vec![elsewhere.clone()], false),
            (vec![elsewhere, place(250.0, "30A33918", 0.8)], false),
        ] {
            let expected = if stands { &again } else { &before };
            assert_eq!(&surer(&doubt, before.clone(), again.clone()), expected);
        }
    }

    #[test]
    fn what_lies_around_a_plate_stays_in_the_part() {
        let part = BBoxPx::new(50.0, 60.0, 210.0, 400.0);
        let plate = place(100.0, "30A33978", 0.5).bbox;
        assert_eq!(around(&plate, &part), BBoxPx::new(50.0, 60.0, 210.0, 200.0));
    }
}
