//! The plate reader: rows of text, cuts that may hold a plate, the reader of whole plates, the grammar.
//!
//! Invariant: a reading fits the grammar, no two readings share a place, and what is unsure is read again at other cuts
//! before it is reported or refused.

use super::assemble::{Candidate, candidates};
use super::colour::ground_colour;
use super::grammar::Grammar;
use super::rowbox::RowBox;
use super::rows::RowsFinder;
use super::whole::WholeReader;
use crate::{BBoxPx, Manifest, ModelError, PointPx, Store};
use image::RgbImage;
use vong_wire::PlateColour;

/// A plate that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct PlateReading {
    /// Upright box around it, px of the picture.
    pub bbox: BBoxPx,
    /// Normal form.
    pub plate: String,
    /// The reader's own best string, rows joined by a blank, before the grammar.
    pub raw: String,
    /// Class by the grammar.
    pub class: &'static str,
    /// Ground colour.
    pub colour: PlateColour,
    /// Rows: 1 or 2.
    pub lines: u8,
    /// Probability that the whole string is right, as far as the reader can tell, 0 to 1.
    pub confidence: f32,
    /// Other plates it may be, likeliest first, with their probabilities.
    pub alternatives: Vec<(String, f32)>,
}

/// How hard the reader looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlateReaderOptions {
    /// Longer side of what the rows finder sees, px. Its cost grows with the square.
    pub finder_side: f32,
    /// Small pictures are enlarged at most so many times for the finder.
    pub most_enlarged: f32,
    /// Confidence from which a first look settles it.
    pub settled: f32,
    /// Confidence from which a reading is reported.
    pub report_from: f32,
    /// Most cuts that are read in one picture.
    pub most_cuts: usize,
}

impl Default for PlateReaderOptions {
    fn default() -> Self {
        Self {
            finder_side: 640.0,
            most_enlarged: 2.0,
            settled: 0.9,
            report_from: 0.3,
            most_cuts: 40,
        }
    }
}

/// Margins of the first look and of the further ones, in row heights, and tilts in degrees against the finder's.
const FIRST_LOOK: f32 = -0.04;
const FURTHER_LOOKS: [(f32, f32); 4] = [(-0.10, 0.0), (0.03, 0.0), (-0.05, -3.0), (-0.05, 3.0)];

/// Finds and reads the plates of a picture. One a thread.
pub struct PlateReader {
    finder: RowsFinder,
    whole: WholeReader,
    options: PlateReaderOptions,
    rows: Vec<RowBox>,
    cuts: Vec<Candidate>,
}

/// What the looks at one candidate came to.
struct Verdict {
    plates: Vec<(String, f32)>,
    class: &'static str,
    lines: u8,
    raw: String,
    confidence: f32,
}

impl PlateReader {
    /// Opens the models.
    pub fn open(
        store: &Store,
        manifest: &Manifest,
        threads: usize,
        options: PlateReaderOptions,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            finder: RowsFinder::open(store, manifest, None, threads)?,
            whole: WholeReader::open(store, manifest, None, threads)?,
            options,
            rows: Vec::new(),
            cuts: Vec::new(),
        })
    }

    /// Plates in a picture, or in a part of it, surest first. A part may be a vehicle or a plate itself.
    pub fn read(
        &mut self,
        picture: &RgbImage,
        region: Option<BBoxPx>,
        out: &mut Vec<PlateReading>,
    ) -> Result<(), ModelError> {
        out.clear();
        let all = BBoxPx::new(0.0, 0.0, picture.width() as f32, picture.height() as f32);
        let part = region.map_or(all, |r| r.clipped(all.x2, all.y2));
        if part.width() < 8.0 || part.height() < 8.0 {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        let mut cuts = std::mem::take(&mut self.cuts);
        let outcome = self.read_part(picture, part, &mut rows, &mut cuts, out);
        (self.rows, self.cuts) = (rows, cuts);
        out.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        outcome
    }

    fn read_part(
        &mut self,
        picture: &RgbImage,
        part: BBoxPx,
        rows: &mut Vec<RowBox>,
        cuts: &mut Vec<Candidate>,
        out: &mut Vec<PlateReading>,
    ) -> Result<(), ModelError> {
        self.finder.find(
            picture,
            part,
            self.options.finder_side,
            self.options.most_enlarged,
            rows,
        )?;
        candidates(rows, cuts);
        let mut left = self.options.most_cuts;
        for candidate in cuts.iter() {
            if left == 0 {
                break;
            }
            if taken(out, &candidate.cut) {
                continue;
            }
            left -= 1;
            self.consider(picture, candidate, out)?;
        }
        // A plate of which the finder saw one row.
        for candidate in cuts
            .iter()
            .filter(|c| (1.3..5.0).contains(&(c.cut.length / c.cut.height)) && c.rows == 1)
        {
            for side in [-1.0, 1.0] {
                if left == 0 || taken(out, &candidate.cut) {
                    break;
                }
                left -= 1;
                self.consider(picture, &candidate.with_row_beside(side), out)?;
            }
        }
        if out.is_empty() && (0.9..8.0).contains(&(part.width() / part.height())) {
            self.consider(picture, &itself(part), out)?;
        }
        Ok(())
    }

    fn consider(
        &mut self,
        picture: &RgbImage,
        candidate: &Candidate,
        out: &mut Vec<PlateReading>,
    ) -> Result<(), ModelError> {
        let Some(verdict) = self.look(picture, candidate)? else {
            return Ok(());
        };
        if verdict.confidence < self.options.report_from {
            return Ok(());
        }
        let bbox = candidate
            .cut
            .bounds()
            .clipped(picture.width() as f32, picture.height() as f32);
        let mut plates = verdict.plates.into_iter();
        let Some((plate, _)) = plates.next() else { return Ok(()) };
        let reading = PlateReading {
            bbox,
            plate,
            raw: verdict.raw,
            class: verdict.class,
            colour: ground_colour(picture, &candidate.cut),
            lines: verdict.lines,
            confidence: verdict.confidence,
            alternatives: plates.collect(),
        };
        // The surer of two readings of one place stays.
        if let Some(other) = out.iter().position(|o| o.bbox.iou(&bbox) > 0.25) {
            if out[other].confidence >= reading.confidence {
                return Ok(());
            }
            out.swap_remove(other);
        }
        out.push(reading);
        Ok(())
    }

    /// Looks at a candidate, again and again with other margins and tilts while it is unsure.
    fn look(&mut self, picture: &RgbImage, candidate: &Candidate) -> Result<Option<Verdict>, ModelError> {
        let grammar = Grammar::vietnam();
        let first = self.whole.read(picture, &candidate.grown(FIRST_LOOK))?;
        let decoded = grammar.decode(&first, 4);
        let Some(best) = decoded.first() else { return Ok(None) };
        let raw = first.best_string();
        let mut plates: Vec<(String, f32)> = decoded
            .iter()
            .map(|d| (d.plate.clone(), d.log_prob.exp().min(1.0)))
            .collect();
        let mut kinds: Vec<(String, &'static str, u8)> =
            decoded.iter().map(|d| (d.plate.clone(), d.class, d.lines)).collect();
        let mut looks = 1.0;
        // Nonsense is not worth a second look.
        if plates[0].1 < self.options.settled && best.log_prob > -14.0 {
            for (margin, tilt) in FURTHER_LOOKS {
                let mut cut = candidate.grown(margin);
                cut.angle += tilt.to_radians();
                let lattice = self.whole.read(picture, &cut)?;
                looks += 1.0;
                for d in grammar.decode(&lattice, 4) {
                    let p = d.log_prob.exp().min(1.0);
                    match plates.iter_mut().find(|(plate, _)| *plate == d.plate) {
                        Some((_, sum)) => *sum += p,
                        None => {
                            kinds.push((d.plate.clone(), d.class, d.lines));
                            plates.push((d.plate, p));
                        }
                    }
                }
            }
        }
        plates.iter_mut().for_each(|(_, sum)| *sum /= looks);
        plates.sort_by(|a, b| b.1.total_cmp(&a.1));
        plates.truncate(4);
        let (_, class, lines) = kinds
            .iter()
            .find(|k| k.0 == plates[0].0)
            .expect("every plate came with its kind");
        Ok(Some(Verdict {
            class,
            lines: *lines,
            raw,
            confidence: plates[0].1,
            plates,
        }))
    }
}

/// Whether a surer reading already covers the middle of a cut.
fn taken(out: &[PlateReading], cut: &RowBox) -> bool {
    out.iter().any(|reading| reading.bbox.contains(cut.centre))
}

/// The part itself as a plate that fills it.
fn itself(part: BBoxPx) -> Candidate {
    let centre = part.centre();
    let rows = if part.width() < 2.6 * part.height() { 2 } else { 1 };
    let cut = RowBox {
        centre: PointPx {
            x: centre.x,
            y: centre.y,
        },
        length: part.width() * 0.96,
        height: part.height() * 0.94,
        angle: 0.0,
        score: 0.5,
    };
    Candidate {
        cut,
        rows,
        unit: cut.height / f32::from(rows),
    }
}
