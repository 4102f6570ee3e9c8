//! Every form of plate that the grammar knows survives being printed, seen and read: rows, class, number of lines, colour.

mod here;
mod plate_print;

use plate_print::{Paint, View, picture};
use std::collections::BTreeMap;
use vong_models::Manifest;
use vong_models::plate::grammar::normal_form;
use vong_models::plate::{Grammar, PlateModels, PlateReader, PlateReaderOptions, PlateReading, Sight};
use vong_wire::PlateColour;

const WHITE: Paint = Paint {
    ground: [232, 234, 230],
    ink: [20, 20, 22],
};
const YELLOW: Paint = Paint {
    ground: [240, 190, 40],
    ..WHITE
};
const BLUE: Paint = Paint {
    ground: [24, 70, 165],
    ink: [240, 242, 246],
};
const RED: Paint = Paint {
    ground: [175, 22, 28],
    ..BLUE
};
const RED_LETTERS: Paint = Paint {
    ink: [185, 24, 30],
    ..WHITE
};

/// Plates of each form.
const EACH: u64 = 2;

fn reader() -> Option<PlateReader> {
    reader_with(PlateReaderOptions::default())
}

fn reader_with(options: PlateReaderOptions) -> Option<PlateReader> {
    let store = here::store();
    if !store.file("ppocr-det-u8.onnx").is_file() {
        println!("skipped: no models in {}; run `make models`", store.root().display());
        return None;
    }
    let manifest = Manifest::load(None).expect("the built-in manifest is right");
    Some(PlateReader::open(&store, &manifest, PlateModels::default(), 1, options).expect("the reader opens"))
}

/// Numbers that look random and are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

/// A plate of a form, as its rows are printed.
fn printed(class: &str, form: &[String], dice: &mut Dice) -> Vec<String> {
    let grammar = Grammar::vietnam();
    let (letters, pairs) = grammar.letters();
    let code = loop {
        let code = 11 + dice.below(89) as u8;
        if grammar.is_known_code(code) {
            break code.to_string();
        }
    };
    let mut code = code.chars();
    let mut pair = pairs[dice.below(pairs.len())].chars();
    let rows: Vec<String> = form
        .iter()
        .map(|marks| {
            let mut row = String::new();
            for mark in marks.chars() {
                row.push(match mark {
                    'p' => code.next().expect("a code has two digits"),
                    // 0 is no number of a series, so 1 to 9 everywhere.
                    'd' => char::from(b'1' + dice.below(9) as u8),
                    'l' => letters[dice.below(letters.len())],
                    'k' => pair.next().expect("a pair has two letters"),
                    fixed => fixed,
                });
            }
            row
        })
        .collect();
    let dotted = |digits: &str| match digits.len() {
        5 => format!("{}.{}", &digits[..3], &digits[3..]),
        _ => digits.to_owned(),
    };
    let tail = |row: &str| row.chars().rev().take_while(char::is_ascii_digit).count();
    match rows.as_slice() {
        [one] if class == "army" => vec![format!("{}-{}", &one[..2], &one[2..])],
        [one] => {
            let (head, digits) = one.split_at(one.len() - tail(one));
            vec![format!("{head}-{}", dotted(digits))]
        }
        [upper, lower] => {
            let motorcycle = upper.chars().count() > 3;
            let upper = if motorcycle {
                format!("{}-{}", &upper[..2], &upper[2..])
            } else {
                upper.clone()
            };
            vec![upper, dotted(lower)]
        }
        _ => unreachable!("a plate has one row or two"),
    }
}

fn paint(class: &str, number: u64) -> (Paint, PlateColour) {
    match class {
        "army" => (RED, PlateColour::Red),
        "police" => (BLUE, PlateColour::Blue),
        "diplomatic" | "organisation" | "foreigner" | "diplomatic_staff" => (RED_LETTERS, PlateColour::White),
        "car" if number == 1 => (YELLOW, PlateColour::Yellow),
        "joint_venture" if number == 1 => (BLUE, PlateColour::Blue),
        _ => (WHITE, PlateColour::White),
    }
}

#[test]
fn every_class_survives_print_and_reading() {
    let Some(mut reader) = reader() else { return };
    let grammar = Grammar::vietnam();
    let mut dice = Dice(7);
    let mut by_class: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for (class, lines, form) in grammar.forms() {
        for number in 0..EACH {
            let rows = printed(class, &form, &mut dice);
            let plate = normal_form(&rows.concat());
            let (paint, colour) = paint(class, number);
            // Some texts fit two classes; the grammar names the commoner one, whichever was meant.
            let texts: Vec<&str> = rows.iter().map(String::as_str).collect();
            let named = grammar.parse(&texts).expect("a printed plate fits").class;
            let view = View {
                height_px: [46.0, 64.0, 90.0][dice.below(3)] * if lines == 1 { 0.7 } else { 1.0 },
                tilt: [-4.0, 0.0, 3.0][dice.below(3)],
                around: [0.02, 0.10, 0.25][dice.below(3)],
            };
            let picture = picture(&rows, paint, view, 1 + number);
            reader.read(&picture, None, &mut found).unwrap();
            let entry = by_class.entry(class).or_default();
            entry.1 += 1;
            match found.as_slice() {
                [one] if (one.plate.as_str(), one.class, one.lines, one.colour) == (&plate, named, lines, colour) => {
                    entry.0 += 1;
                }
                other => wrong.push(format!(
                    "{rows:?} ({class}, {view:?}): {:?}",
                    other
                        .iter()
                        .map(|f| (&f.plate, f.class, f.lines, f.colour, f.confidence))
                        .collect::<Vec<_>>()
                )),
            }
        }
    }
    let told = wrong.join("\n");
    for (class, (right, all)) in &by_class {
        assert!(right * 2 >= *all, "{class}: {right} of {all}\n{told}");
    }
    let (right, all) = by_class.values().fold((0, 0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
    assert!(right * 20 >= all * 19, "{right} of {all} plates survived\n{told}");
}

#[test]
fn what_is_printed_elsewhere_is_no_plate() {
    let Some(mut reader) = reader() else { return };
    let mut found = Vec::new();
    for rows in [
        &["HONDA"][..],
        &["0909-123-456"],
        &["PHO-24"],
        &["TOYOTA", "VIOS"],
        &["12.08.2017"],
        &["25.000", "DONG"],
        &["KARAOKE", "2017"],
        &["XE-TAI", "5-TAN"],
        &["123456789"],
    ] {
        let rows: Vec<String> = rows.iter().map(|&r| r.to_owned()).collect();
        let view = View {
            height_px: 64.0,
            tilt: 0.0,
            around: 0.2,
        };
        reader.read(&picture(&rows, WHITE, view, 3), None, &mut found).unwrap();
        assert!(found.is_empty(), "{rows:?} was read as {found:?}");
    }
}

/// A price may have the very form of a plate; letters where the province stands give it away.
#[test]
fn a_price_in_the_form_of_a_plate_is_none() {
    let Some(mut reader) = reader() else { return };
    let mut found = Vec::new();
    for (price, seed) in [
        ("GIA-25.000", 3),
        ("GIA-25.000", 4),
        ("GIA-15.000", 5),
        ("BAN-50.000", 6),
        ("SON-12.500", 7),
    ] {
        for height_px in [40.0, 64.0] {
            let view = View {
                height_px,
                tilt: 0.0,
                around: 0.2,
            };
            let rows = [price.to_owned()];
            reader
                .read(&picture(&rows, WHITE, view, seed), None, &mut found)
                .unwrap();
            assert!(found.is_empty(), "{price}, {height_px} px high: {found:?}");
        }
    }
}

/// Plates that are small in their picture and askew, once with and once without a closer look at what is in doubt.
#[test]
fn a_plate_in_doubt_is_looked_at_again_and_the_surer_reading_stands() {
    let usual = PlateReaderOptions::default();
    // So little would be seen of what lies around that no closer look is worth it.
    let no_closer = Sight {
        side: 1.0,
        ..usual.doubt_sight
    };
    let once = PlateReaderOptions {
        doubt_sight: no_closer,
        ..usual
    };
    let (Some(mut once), Some(mut again)) = (reader_with(once), reader_with(usual)) else {
        return;
    };
    let (mut first, mut found, mut surer) = (Vec::new(), Vec::new(), 0);
    for (rows, height_px, seed) in [
        (&["30A-339.18"][..], 9.8, 1),
        (&["51G-678.90"], 9.8, 2),
        (&["51G-678.90"], 12.6, 2),
        (&["59-H1", "677.91"], 16.0, 4),
        (&["59-H1", "677.91"], 18.0, 4),
        // Sure at first sight.
        (&["29-B1", "123.45"], 18.0, 3),
    ] {
        let rows: Vec<String> = rows.iter().map(|&row| row.to_owned()).collect();
        let view = View {
            height_px,
            tilt: 6.0,
            around: 400.0 / height_px,
        };
        let picture = picture(&rows, WHITE, view, seed);
        once.read(&picture, None, &mut first).unwrap();
        again.read(&picture, None, &mut found).unwrap();
        let sure = |readings: &[PlateReading]| readings.first().map_or(0.0, |reading| reading.confidence);
        assert!(
            sure(&found) >= sure(&first),
            "{rows:?}, {view:?}: {found:?} after {first:?}"
        );
        if sure(&first) >= usual.settled {
            assert_eq!(found, first, "{rows:?}, {view:?} was settled");
        }
        surer += usize::from(sure(&found) > sure(&first));
    }
    assert!(surer >= 2, "a closer look made {surer} readings surer");
}
