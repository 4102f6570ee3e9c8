//! The plate reader: rows of text, cuts that may hold a plate, the reader of whole plates, the grammar.
//!
//! Invariant: a reading fits the grammar, no two readings share a place, and what is unsure is read again at other cuts
//! before it is reported or refused.

use super::assemble::{Candidate, candidates};
use super::colour::ground_colour;
use super::evidence::{Evidence, REMEMBERED};
use super::grammar::Grammar;
use super::place::{Place, around, surer};
use super::rowbox::RowBox;
use super::rows::{RowsFinder, Sight};
use super::whole::WholeReader;
use crate::manifest::Job;
use crate::{BBoxPx, Manifest, ModelError, Store};
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
    /// What the rows finder sees at first, where a finer one stands beside it.
    pub first_sight: Sight,
    /// What the finer one sees, and one that is alone.
    pub close_sight: Sight,
    /// What the first one sees of the surroundings of a doubtful plate.
    pub doubt_sight: Sight,
    /// Confidence from which a first look settles it.
    pub settled: f32,
    /// Confidence from which a reading is reported, for a common class.
    pub report_from: f32,
    /// Most cuts that are read in one picture.
    pub most_cuts: usize,
}

impl Default for PlateReaderOptions {
    fn default() -> Self {
        Self {
            first_sight: Sight {
                side: 544.0,
                most_enlarged: 1.25,
            },
            close_sight: Sight {
                side: 640.0,
                most_enlarged: 1.5,
            },
            doubt_sight: Sight {
                side: 320.0,
                most_enlarged: 1.5,
            },
            settled: 0.9,
            report_from: 0.1,
            most_cuts: 40,
        }
    }
}

/// Margins of the first look and of the further ones, in row heights, and tilts in degrees against the finder's.
const FIRST_LOOK: f32 = -0.04;
const FURTHER_LOOKS: [(f32, f32); 5] = [(0.03, 0.0), (-0.10, 0.0), (0.12, 0.0), (-0.05, -3.0), (-0.05, 3.0)];
/// A cut around rows that were found.
const FOUND: Patience = Patience {
    worth_more: 1e-6,
    least_looks: 1,
};
/// A whole picture seldom is a plate, and where it is one its edge may be cut off: no single look settles it.
const WHOLE: Patience = Patience {
    worth_more: 0.01,
    least_looks: 3,
};
/// Characters that a reader must have seen for the grammar to be asked.
const LEAST_CHARACTERS: usize = 5;
/// So much more confidence is asked for each nat that a class is rarer than the common ones: what looks like a rare plate
/// is more often none.
const CONFIDENCE_PER_RARITY: f32 = 0.1;
/// So much more for each letter where the province stands: a word before a price is read as digits when it must be a plate.
const CONFIDENCE_PER_LETTER: f32 = 0.4;
/// A doubtful plate is looked for again where that shows it so many times larger.
const CLOSER_BY: f32 = 1.25;
/// Doubtful plates of one picture that are looked for again.
const CLOSE_LOOKS: usize = 3;
/// Boxes that overlap so far are one place.
const SAME_PLACE_IOU: f32 = 0.25;

/// Finds and reads the plates of a picture. One a thread.
pub struct PlateReader {
    /// Ids of the finder of rows and of the reader.
    ids: [String; 2],
    finder: RowsFinder,
    /// The model of 32-bit floats that the finder was made of, where it is one of 8 bits.
    finer: Option<RowsFinder>,
    whole: WholeReader,
    options: PlateReaderOptions,
    scratch: Scratch,
    places: Vec<Place>,
}

/// What the finder saw at its last look, kept for its room.
#[derive(Default)]
struct Scratch {
    rows: Vec<RowBox>,
    cuts: Vec<Candidate>,
}

/// Ids of the models that read plates; the default one where none is named.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlateModels<'a> {
    /// Finds rows of text.
    pub rows: Option<&'a str>,
    /// Reads a cut.
    pub reader: Option<&'a str>,
}

/// How long a cut is looked at.
#[derive(Clone, Copy)]
struct Patience {
    /// Below this probability of its best plate the first look was at nonsense, which is not worth a second one.
    worth_more: f32,
    /// Looks before it may be settled.
    least_looks: usize,
}

/// Which finder looks, and how closely.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// The finder of 8 bits, at first sight. One that is alone looks closely at once.
    First,
    /// The same, at what lies around a doubtful plate.
    Doubt,
    /// The one of floats that it was made of, closely.
    Finer,
}

impl PlateReader {
    /// Opens the models.
    ///
    /// # Errors
    /// When the manifest does not know one, or it cannot be loaded.
    pub fn open(
        store: &Store,
        manifest: &Manifest,
        models: PlateModels<'_>,
        threads: usize,
        options: PlateReaderOptions,
    ) -> Result<Self, ModelError> {
        let rows = manifest.model(Job::PlateRows, models.rows)?;
        let reader = manifest.model(Job::PlateReader, models.reader)?;
        let finer = rows
            .eight_bit_of
            .as_deref()
            .map(|id| RowsFinder::open(store, manifest, Some(id), threads));
        Ok(Self {
            ids: [rows.id.clone(), reader.id.clone()],
            finder: RowsFinder::open(store, manifest, models.rows, threads)?,
            finer: finer.transpose()?,
            whole: WholeReader::open(store, manifest, models.reader, threads)?,
            options,
            scratch: Scratch::default(),
            places: Vec::new(),
        })
    }

    /// The models that it opened.
    pub fn models(&self) -> PlateModels<'_> {
        let [rows, reader] = self.ids.each_ref().map(|id| Some(id.as_str()));
        PlateModels { rows, reader }
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
        self.places.clear();
        let outcome = self.read_part(picture, part);
        let places = self.places.iter().filter(|place| self.is_reported(&place.evidence));
        out.extend(places.filter_map(|place| reading(picture, place)));
        out.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        outcome
    }

    fn read_part(&mut self, picture: &RgbImage, part: BBoxPx) -> Result<(), ModelError> {
        if (0.9..8.0).contains(&(part.width() / part.height())) {
            self.consider(picture, &Candidate::filling(&part), WHOLE)?;
            // A plate that fills the picture needs no finder.
            if self
                .places
                .iter()
                .any(|p| p.evidence.confidence() >= self.options.settled)
            {
                return Ok(());
            }
        }
        let before = self.places.clone();
        self.search(picture, part, Look::First)?;
        self.look_closely(picture, part)?;
        // Writing was seen and no plate read: the finder of 8 bits may have drawn its boxes a little askew. What the finer
        // one shows counts alone then.
        let none = self.places.iter().all(|place| !self.is_reported(&place.evidence));
        if none && !self.scratch.rows.is_empty() && self.finer.is_some() {
            self.places = before;
            self.search(picture, part, Look::Finer)?;
        }
        Ok(())
    }

    /// What the first sight left in doubt is looked for again in what lies around it, larger: the surer of the two counts.
    fn look_closely(&mut self, picture: &RgbImage, part: BBoxPx) -> Result<(), ModelError> {
        if self.finer.is_none() {
            return Ok(());
        }
        let in_doubt = |p: &&Place| self.is_reported(&p.evidence) && p.evidence.confidence() < self.options.settled;
        let doubts: Vec<Place> = self.places.iter().filter(in_doubt).take(CLOSE_LOOKS).cloned().collect();
        for doubt in doubts {
            let around = around(&doubt.bbox, &part);
            let (near, far) = (self.options.doubt_sight, self.options.first_sight);
            if near.scale(&around) < CLOSER_BY * far.scale(&part) {
                continue;
            }
            let before = self.places.clone();
            self.places.retain(|p| !p.is_at(&doubt.bbox));
            self.search(picture, around, Look::Doubt)?;
            self.places = surer(&doubt, before, std::mem::take(&mut self.places));
        }
        Ok(())
    }

    /// Looks at what the finder sees.
    fn search(&mut self, picture: &RgbImage, part: BBoxPx, look: Look) -> Result<(), ModelError> {
        let (finder, sight) = match &mut self.finer {
            Some(_) if look == Look::First => (&mut self.finder, self.options.first_sight),
            Some(_) if look == Look::Doubt => (&mut self.finder, self.options.doubt_sight),
            Some(finest) => (finest, self.options.close_sight),
            None => (&mut self.finder, self.options.close_sight),
        };
        let Scratch { rows, cuts } = &mut self.scratch;
        finder.find(picture, part, sight, rows)?;
        candidates(rows, cuts);
        // Looking needs the reader whole.
        let cuts = std::mem::take(cuts);
        let outcome = self.consider_all(picture, &cuts);
        self.scratch.cuts = cuts;
        outcome
    }

    /// Looks at what may be a plate, and at what may be one of which the finder saw one row.
    fn consider_all(&mut self, picture: &RgbImage, cuts: &[Candidate]) -> Result<(), ModelError> {
        let mut left = self.options.most_cuts;
        for candidate in cuts {
            if left == 0 {
                break;
            }
            if self.taken(&candidate.cut) {
                continue;
            }
            left -= 1;
            self.consider(picture, candidate, FOUND)?;
        }
        let one_row = |c: &&Candidate| (1.3..5.0).contains(&(c.cut.length / c.cut.height)) && c.rows == 1;
        for candidate in cuts.iter().filter(one_row) {
            for side in [-1.0, 1.0] {
                if left == 0 || self.taken(&candidate.cut) {
                    break;
                }
                left -= 1;
                self.consider(picture, &candidate.with_row_beside(side), FOUND)?;
            }
        }
        Ok(())
    }

    /// Looks at a candidate and adds what was seen to its place.
    fn consider(&mut self, picture: &RgbImage, candidate: &Candidate, patience: Patience) -> Result<(), ModelError> {
        let evidence = self.look(picture, candidate, patience)?;
        let Some(best) = evidence.best() else { return Ok(()) };
        let bbox = candidate
            .cut
            .bounds()
            .clipped(picture.width() as f32, picture.height() as f32);
        let confidence = evidence.confidence();
        let same = |p: &Place| {
            p.bbox.iou(&bbox) > SAME_PLACE_IOU
                || p.is_at(&bbox) && p.evidence.best().is_some_and(|b| b.plate == best.plate)
        };
        match self.places.iter().position(same) {
            Some(at) => {
                let place = &mut self.places[at];
                if confidence > place.confidence {
                    (place.bbox, place.cut, place.confidence) = (bbox, candidate.cut, confidence);
                }
                place.evidence.merge(evidence);
            }
            None => self.places.push(Place {
                bbox,
                cut: candidate.cut,
                confidence,
                evidence,
            }),
        }
        Ok(())
    }

    /// Looks at a candidate, again and again with other margins and tilts while it is unsure.
    fn look(&mut self, picture: &RgbImage, candidate: &Candidate, patience: Patience) -> Result<Evidence, ModelError> {
        let mut evidence = Evidence::default();
        let worth = self.glance(picture, &candidate.grown(FIRST_LOOK), &mut evidence)?;
        if worth < patience.worth_more {
            return Ok(evidence);
        }
        for (number, (margin, tilt)) in FURTHER_LOOKS.into_iter().enumerate() {
            if number + 1 >= patience.least_looks && evidence.confidence() >= self.options.settled {
                break;
            }
            let mut cut = candidate.grown(margin);
            cut.angle += tilt.to_radians();
            self.glance(picture, &cut, &mut evidence)?;
        }
        Ok(evidence)
    }

    /// One look at one cut; the probability of its best plate.
    fn glance(&mut self, picture: &RgbImage, cut: &RowBox, evidence: &mut Evidence) -> Result<f32, ModelError> {
        let lattice = self.whole.read(picture, cut)?;
        let raw = lattice.best_string();
        let found = if raw.chars().filter(|&c| c != ' ').count() < LEAST_CHARACTERS {
            Vec::new()
        } else {
            Grammar::vietnam().decode(&lattice, REMEMBERED)
        };
        evidence.add(&found, raw);
        Ok(found.first().map_or(0.0, |best| best.log_prob.exp()))
    }

    fn is_reported(&self, evidence: &Evidence) -> bool {
        let Some(best) = evidence.best() else { return false };
        let letters = letters_for_digits(&evidence.raw, &best.plate);
        let extra = CONFIDENCE_PER_RARITY * best.rarity + CONFIDENCE_PER_LETTER * letters as f32;
        evidence.confidence() >= self.options.report_from + extra
    }

    /// Whether a sure reading already covers the middle of a cut.
    fn taken(&self, cut: &RowBox) -> bool {
        let settled = |p: &&Place| p.evidence.confidence() >= self.options.settled;
        self.places.iter().filter(settled).any(|p| p.bbox.contains(cut.centre))
    }
}

/// How many of the two places of the province were read as letters: `GIA-25.000` is a price.
fn letters_for_digits(raw: &str, plate: &str) -> usize {
    let read = raw.chars().filter(|c| c.is_alphanumeric());
    let places = read.zip(plate.chars()).take(2);
    places
        .filter(|(read, meant)| read.is_alphabetic() && meant.is_ascii_digit())
        .count()
}

fn reading(picture: &RgbImage, place: &Place) -> Option<PlateReading> {
    let best = place.evidence.best()?;
    Some(PlateReading {
        bbox: place.bbox,
        plate: best.plate.clone(),
        raw: place.evidence.raw.clone(),
        class: best.class,
        colour: ground_colour(picture, &place.cut),
        lines: best.lines,
        confidence: place.evidence.confidence(),
        alternatives: place.evidence.others(3),
    })
}
