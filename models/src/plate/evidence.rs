//! What several looks at one place came to: the plates that were heard, each with the sum of its probabilities.
//!
//! Invariant: a confidence is a mean over looks, and a place that most looks call nonsense cannot become sure by one of
//! them. Knows nothing of pictures.

use super::lattice::Decoded;

/// Probability from which a look counts as having seen a plate at all.
const SEEN_FROM: f32 = 0.02;
/// Plates that are remembered of a look.
pub const REMEMBERED: usize = 6;

/// A plate that was heard at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Normal form.
    pub plate: String,
    /// Class by the grammar.
    pub class: &'static str,
    /// Rows.
    pub lines: u8,
    /// How much rarer than the commonest its class and number are, nats: counts once, however often it was seen.
    pub rarity: f32,
    sum: f32,
    surest: f32,
}

impl Heard {
    fn score(&self) -> f32 {
        self.sum * (-self.rarity).exp()
    }
}

/// All looks at one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    heard: Vec<Heard>,
    looks: u32,
    seen: u32,
    /// The reader's own best string at its surest look.
    pub raw: String,
    surest: f32,
}

impl Evidence {
    /// Adds a look: the plates found in it, likeliest first, and the reader's own best string.
    pub fn add(&mut self, found: &[Decoded], raw: String) {
        self.looks += 1;
        let surest = found.iter().map(probability).fold(0.0, f32::max);
        if surest < SEEN_FROM {
            return;
        }
        self.seen += 1;
        if surest >= self.surest {
            (self.surest, self.raw) = (surest, raw);
        }
        for decoded in found {
            let p = probability(decoded);
            self.hear(Heard {
                plate: decoded.plate.clone(),
                class: decoded.class,
                lines: decoded.lines,
                rarity: decoded.rarity,
                sum: p,
                surest: p,
            });
        }
        self.sort();
    }

    /// Adds what was seen of the same place at another cut.
    pub fn merge(&mut self, other: Self) {
        (self.looks, self.seen) = (self.looks + other.looks, self.seen + other.seen);
        if other.surest > self.surest {
            (self.surest, self.raw) = (other.surest, other.raw);
        }
        for heard in other.heard {
            self.hear(heard);
        }
        self.sort();
    }

    fn hear(&mut self, heard: Heard) {
        match self.heard.iter_mut().find(|h| h.plate == heard.plate) {
            Some(same) => {
                // Class and rows are those of the surest look.
                if heard.surest > same.surest {
                    (same.class, same.lines, same.rarity) = (heard.class, heard.lines, heard.rarity);
                    same.surest = heard.surest;
                }
                same.sum += heard.sum;
            }
            None => self.heard.push(heard),
        }
    }

    fn sort(&mut self) {
        self.heard.sort_by(|a, b| b.score().total_cmp(&a.score()));
    }

    /// Looks that are divided by: those that saw a plate, but at least half of all.
    fn weight(&self) -> f32 {
        self.seen.max(self.looks.div_ceil(2)).max(1) as f32
    }

    /// The likeliest plate.
    pub fn best(&self) -> Option<&Heard> {
        self.heard.first()
    }

    /// Probability of the likeliest plate, 0 to 1.
    pub fn confidence(&self) -> f32 {
        self.best().map_or(0.0, |best| best.sum / self.weight())
    }

    /// How much likelier the best plate is than the second: from 1, infinite where there is no second.
    pub fn lead(&self) -> f32 {
        match self.heard.as_slice() {
            [] => 1.0,
            [_] => f32::INFINITY,
            [best, second, ..] => best.score() / second.score().max(f32::MIN_POSITIVE),
        }
    }

    /// The other plates it may be, likeliest first, at most `most`, with their probabilities.
    pub fn others(&self, most: usize) -> Vec<(String, f32)> {
        let weight = self.weight();
        let rest = self.heard.iter().skip(1).take(most);
        rest.map(|h| (h.plate.clone(), h.sum / weight)).collect()
    }
}

fn probability(decoded: &Decoded) -> f32 {
    decoded.log_prob.exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(plates: &[(&str, f32)]) -> Vec<Decoded> {
        let one = |&(plate, p): &(&str, f32)| Decoded {
            plate: plate.into(),
            class: "car",
            lines: 1,
            log_prob: p.ln(),
            rarity: 0.0,
            cost: 0.0,
        };
        plates.iter().map(one).collect()
    }

    fn check(looks: &[&[(&str, f32)]], plate: Option<&str>, confidence: f32) {
        let mut evidence = Evidence::default();
        looks
            .iter()
            .for_each(|plates| evidence.add(&look(plates), String::new()));
        assert_eq!(evidence.best().map(|best| best.plate.as_str()), plate, "{looks:?}");
        assert!(
            (evidence.confidence() - confidence).abs() < 1e-4,
            "{looks:?}: {evidence:?}"
        );
    }

    #[test]
    fn looks_are_averaged() {
        check(&[], None, 0.0);
        check(&[&[("30A33918", 0.9)]], Some("30A33918"), 0.9);
        let (a, b) = (&[("30A33918", 0.5), ("30A33978", 0.4)][..], &[("30A33978", 0.8)][..]);
        check(&[a, b], Some("30A33978"), 0.6);
        // One lucky look among four that saw nothing does not make a plate.
        check(
            &[&[("30A33918", 0.9)], &[], &[], &[], &[("59A", 0.001)]],
            Some("30A33918"),
            0.3,
        );
        // Half of them blind is a cut in the wrong place, not a doubt.
        check(&[&[("30A33918", 0.9)], &[]], Some("30A33918"), 0.9);
    }

    #[test]
    fn cuts_of_one_place_add_up() {
        let mut one = Evidence::default();
        one.add(&look(&[("59H767791", 0.5), ("59H167791", 0.4)]), "59H7 67791".into());
        let mut other = Evidence::default();
        other.add(&look(&[("59H167791", 0.8)]), "59H1 67791".into());
        one.merge(other);
        assert_eq!(one.best().unwrap().plate, "59H167791");
        assert_eq!((one.raw.as_str(), one.others(3).len()), ("59H1 67791", 1));
        assert!((one.confidence() - 0.6).abs() < 1e-4 && one.lead() > 2.0);
    }
}
