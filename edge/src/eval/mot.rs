//! How well tracks agree with annotated ones: MOTA (Bernardin 2008) and IDF1 (Ristani 2016) at an overlap of one half.
//! Invariant: a figure is over exactly the frames that were given. Pure: knows boxes and ids.

use crate::track::Assigner;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use vong_models::BBoxPx;

/// A box with the id of what it shows.
pub type Labelled = (u64, BBoxPx);

/// Annotated boxes per frame, frames counted from 1, in pixels of the truth's own picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// Boxes of each frame.
    pub frames: BTreeMap<u64, Vec<Labelled>>,
}

/// Why a truth file is refused.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// It cannot be read at all.
    #[error("cannot read truth `{path}`: {cause}; name an existing file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A line is not of the format.
    #[error("truth `{path}`, line {line}: {message}; MOTChallenge lines are frame,id,left,top,width,height[,..]")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// There is nothing in it.
    #[error("truth `{path}` holds no boxes; give a file in MOTChallenge format")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to another clip.
    #[error("truth `{path}` speaks of frame {frame}, but `{video}` has {frames}; give the truth of this clip")]
    OtherClip {
        /// The truth.
        path: PathBuf,
        /// Its last frame.
        frame: u64,
        /// The clip.
        video: PathBuf,
        /// The clip's frames.
        frames: u64,
    },
    /// Its boxes fit no usual picture.
    #[error("truth `{path}` has boxes that fit no picture of this clip's shape; say its size with --truth-size WxH")]
    NoScale {
        /// The file.
        path: PathBuf,
    },
}

impl Truth {
    /// Reads a file in MOTChallenge format. Lines whose seventh value is 0 are marked "not to be scored" and left out.
    pub fn load(path: &Path) -> Result<Self, TruthError> {
        let text = std::fs::read(path).map_err(|cause| TruthError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        Self::parse(&String::from_utf8_lossy(&text), path)
    }

    /// Reads the text of a file; `path` is for error texts.
    pub fn parse(text: &str, path: &Path) -> Result<Self, TruthError> {
        let mut truth = Self::default();
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let bad = |message: String| TruthError::Line {
                path: path.to_owned(),
                line: n + 1,
                message,
            };
            let mut values = [0.0_f64; 7];
            values[6] = 1.0;
            let mut count = 0;
            for (value, word) in values.iter_mut().zip(line.split(',')) {
                *value = word
                    .trim()
                    .parse()
                    .map_err(|_| bad(format!("`{}` is no number", word.trim())))?;
                count += 1;
            }
            if count < 6 {
                return Err(bad(format!("{count} values instead of at least 6")));
            }
            let [frame, id, left, top, width, height, scored] = values;
            if !values.iter().all(|value| value.is_finite()) || frame < 1.0 || id < 0.0 || width <= 0.0 || height <= 0.0
            {
                return Err(bad("a frame below 1, an id below 0 or an empty box".into()));
            }
            if scored != 0.0 {
                let bbox = BBoxPx::new(left as f32, top as f32, (left + width) as f32, (top + height) as f32);
                let boxes = truth.frames.entry(frame as u64).or_default();
                if boxes.iter().any(|&(other, _)| other == id as u64) {
                    return Err(bad(format!("id {id} stands twice in frame {frame}")));
                }
                boxes.push((id as u64, bbox));
            }
        }
        if truth.frames.is_empty() {
            return Err(TruthError::Empty { path: path.to_owned() });
        }
        Ok(truth)
    }

    /// The boxes of a frame, counted from 1.
    pub fn frame(&self, number: u64) -> &[Labelled] {
        self.frames.get(&number).map_or(&[], Vec::as_slice)
    }

    /// The last frame that has a box.
    pub fn last_frame(&self) -> u64 {
        self.frames.last_key_value().map_or(0, |(&frame, _)| frame)
    }

    /// How far to the right and down boxes reach: the value that one box in two hundred exceeds, since annotators
    /// draw a person at the edge beyond it.
    pub fn extent(&self) -> (f32, f32) {
        let reach = |of: fn(&BBoxPx) -> f32| {
            let mut ends: Vec<f32> = self.frames.values().flatten().map(|(_, bbox)| of(bbox)).collect();
            ends.sort_unstable_by(f32::total_cmp);
            ends.get(ends.len().saturating_sub(1 + ends.len() / 200))
                .copied()
                .unwrap_or(0.0)
        };
        (reach(|bbox| bbox.x2), reach(|bbox| bbox.y2))
    }

    /// The same boxes in a picture that is larger or smaller.
    pub fn scaled(mut self, x: f32, y: f32) -> Self {
        for (_, bbox) in self.frames.values_mut().flatten() {
            *bbox = BBoxPx::new(bbox.x1 * x, bbox.y1 * y, bbox.x2 * x, bbox.y2 * y);
        }
        self
    }
}

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// 1 - (misses + false boxes + switches) / annotated boxes.
    pub mota: f64,
    /// Share of boxes that bear the right identity, by the best global pairing of identities.
    pub idf1: f64,
    /// An annotated track whose box got another id than the last time.
    pub id_switches: u64,
    /// Boxes that show nothing.
    pub fp: u64,
    /// Annotated boxes not found.
    pub fn_: u64,
    /// Frames looked at.
    pub frames: u64,
}

/// Least overlap for a box to count as found.
const LEAST_IOU: f32 = 0.5;

/// Compares frame by frame, without keeping the boxes.
#[derive(Debug, Default)]
pub struct Scorer {
    assigner: Assigner,
    /// Frames in which an annotated and a found identity overlapped.
    together: HashMap<(u64, u64), u32>,
    last: HashMap<u64, u64>,
    truths: u64,
    found: u64,
    misses: u64,
    false_boxes: u64,
    switches: u64,
    frames: u64,
}

impl Scorer {
    /// Takes in one frame.
    pub fn frame(&mut self, truth: &[Labelled], found: &[Labelled]) {
        self.assigner.clear();
        for (row, (truth_id, truth_box)) in truth.iter().enumerate() {
            for (col, (found_id, found_box)) in found.iter().enumerate() {
                let iou = truth_box.iou(found_box);
                if iou >= LEAST_IOU {
                    self.assigner.allow(row, col, iou);
                    *self.together.entry((*truth_id, *found_id)).or_default() += 1;
                }
            }
        }
        let pairs = self.assigner.solve(truth.len(), found.len());
        for &(row, col) in pairs {
            let (truth_id, found_id) = (truth[row].0, found[col].0);
            let before = self.last.insert(truth_id, found_id);
            self.switches += u64::from(before.is_some_and(|before| before != found_id));
        }
        self.misses += (truth.len() - pairs.len()) as u64;
        self.false_boxes += (found.len() - pairs.len()) as u64;
        self.truths += truth.len() as u64;
        self.found += found.len() as u64;
        self.frames += 1;
    }

    /// The figures so far.
    pub fn score(&mut self) -> Score {
        let mut truths: Vec<u64> = self.together.keys().map(|pair| pair.0).collect();
        let mut founds: Vec<u64> = self.together.keys().map(|pair| pair.1).collect();
        for ids in [&mut truths, &mut founds] {
            ids.sort_unstable();
            ids.dedup();
        }
        let place = |ids: &[u64], id: u64| ids.binary_search(&id).expect("every id of a pair is listed");
        self.assigner.clear();
        for (&(truth, found), &frames) in &self.together {
            self.assigner
                .allow(place(&truths, truth), place(&founds, found), frames as f32);
        }
        let kept: u64 = self
            .assigner
            .solve(truths.len(), founds.len())
            .iter()
            .map(|&(row, col)| u64::from(self.together[&(truths[row], founds[col])]))
            .sum();
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        Score {
            mota: 1.0 - share(self.misses + self.false_boxes + self.switches, self.truths),
            idf1: share(2 * kept, self.truths + self.found),
            id_switches: self.switches,
            fp: self.false_boxes,
            fn_: self.misses,
            frames: self.frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32) -> BBoxPx {
        BBoxPx::new(x, 0.0, x + 10.0, 20.0)
    }

    #[test]
    fn figures_by_hand() {
        let mut scorer = Scorer::default();
        // Two walkers; the first changes its id once, the second is missed once, and one box shows nothing.
        scorer.frame(&[(1, at(0.0)), (2, at(50.0))], &[(7, at(0.0)), (8, at(50.0))]);
        scorer.frame(&[(1, at(1.0)), (2, at(51.0))], &[(7, at(1.0)), (8, at(51.0))]);
        scorer.frame(&[(1, at(2.0)), (2, at(52.0))], &[(9, at(2.0)), (5, at(90.0))]);
        let score = scorer.score();
        assert_eq!((score.id_switches, score.fp, score.fn_, score.frames), (1, 1, 1, 3));
        assert!((score.mota - 0.5).abs() < 1e-9, "{}", score.mota);
        assert!((score.idf1 - 8.0 / 12.0).abs() < 1e-9, "{}", score.idf1);
    }

    #[test]
    fn broken_truth_is_refused_with_its_line() {
        for (text, expected) in [
            ("", "holds no boxes"),
            ("1,1,0,0,5,5,0\n", "holds no boxes"),
            ("1,1,0,0,5,5\n1,2,0,0,5\n", "line 2: 5 values instead of at least 6"),
            ("1,1,0,0,5,x\n", "line 1: `x` is no number"),
            ("0,1,0,0,5,5\n", "line 1: a frame below 1"),
            ("1,1,0,0,nan,5\n", "line 1: a frame below 1"),
            ("1,1,0,0,5,5\n1,1,9,9,5,5\n", "line 2: id 1 stands twice"),
        ] {
            let error = Truth::parse(text, Path::new("gt.txt")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} lacks {expected:?}");
        }
        let truth = Truth::parse("2,3,1,2,10,20,1,-1,-1,-1\n\n", Path::new("gt.txt")).unwrap();
        assert_eq!(truth.frame(2), [(3, BBoxPx::new(1.0, 2.0, 11.0, 22.0))]);
        assert_eq!((truth.frame(1), truth.last_frame()), (&[][..], 2));
    }
}
