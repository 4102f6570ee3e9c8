//! Bytes that nobody meant: everything that parses is given changed copies of what is right, by a seed that repeats them.
//! Invariant: none of it panics, whatever it answers. An input that makes one panic is told as it is, in hexadecimal.

use crate::outage::Dice;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use vong_models::plate::Grammar;

/// Of a file of pictures, inputs cost a thousand times as much as of a text: so many fewer are given.
const PICTURES_IN: u64 = 100;
const FILES_IN: u64 = 20;
const MOST_BYTES: usize = 64 * 1024;

type Parse = Box<dyn Fn(&[u8]) -> bool>;

/// Something that parses.
struct Target {
    name: &'static str,
    /// Right inputs.
    seeds: Vec<Vec<u8>>,
    /// One in so many inputs is for this one, where others get one in one.
    one_in: u64,
    /// Whether the input was taken.
    parse: Parse,
}

/// What was given and what was taken, by target.
pub type Given = BTreeMap<&'static str, (u64, u64)>;

/// Gives `inputs` changed inputs to everything that parses, by a seed.
///
/// # Errors
/// When something panics: the target and the input.
pub fn run(root: &Path, inputs: u64, seed: u64) -> Result<Given> {
    let folder = tempfile::tempdir()?;
    let targets = targets(root, folder.path())?;
    let mut dice = Dice::new(seed);
    let mut given = Given::new();
    let mut left = inputs;
    while left > 0 {
        for target in &targets {
            if left == 0 || dice.below(target.one_in) != 0 {
                continue;
            }
            left -= 1;
            let input = changed(&target.seeds, &mut dice);
            let taken = catch_unwind(AssertUnwindSafe(|| (target.parse)(&input)));
            let Ok(taken) = taken else {
                let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
                anyhow::bail!("{} panics with seed {seed} at the input {hex}", target.name);
            };
            let (all, good) = given.entry(target.name).or_default();
            *all += 1;
            *good += u64::from(taken);
        }
    }
    Ok(given)
}

/// A right input with some changes; now and then none.
fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    const WORDS: [&[u8]; 14] = [
        b"-1",
        b"9223372036854775808",
        b"1e999",
        b"NaN",
        b"null",
        b"\"\"",
        b"[]",
        b"{}",
        b"\0",
        b"\xff\xfe",
        b"\n",
        b",",
        b"\xe1\xba\xa1",
        b"{\"a\":",
    ];
    let one = |dice: &mut Dice| seeds[dice.below(seeds.len() as u64) as usize].clone();
    let mut bytes = one(dice);
    for _ in 0..dice.below(5) {
        let at = dice.below(bytes.len() as u64 + 1) as usize;
        let end = (at + dice.below(16) as usize + 1).min(bytes.len());
        match dice.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.below(256) as u8,
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, WORDS[dice.below(14) as usize].iter().copied())),
            4 => drop(bytes.splice(at..end, WORDS[dice.below(14) as usize].iter().copied())),
            5 => bytes.truncate(at),
            6 => {
                let other = one(dice);
                let from = dice.below(other.len() as u64 + 1) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
        }
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn targets(root: &Path, folder: &Path) -> Result<Vec<Target>> {
    let golden = golden(root)?;
    let of = |kind: &str| -> Vec<Vec<u8>> {
        let named = golden.iter().filter(|(name, _)| name.split('-').next() == Some(kind));
        named.map(|(_, bytes)| bytes.clone()).collect()
    };
    let text = |path: &str| std::fs::read(root.join(path)).with_context(|| format!("cannot read {path}"));
    let mut targets = vec![
        target("wire: event", of("event"), json::<vong_wire::Event>),
        target("wire: alert", of("alert"), json::<vong_wire::Alert>),
        target("wire: count", of("count"), json::<vong_wire::Count>),
        target("wire: health", of("health"), json::<vong_wire::Health>),
        target("wire: state", of("state"), json::<vong_wire::State>),
        target("wire: ack", of("ack"), json::<vong_wire::Ack>),
        target("wire: command", of("command"), json::<vong_wire::Command>),
        target("wire: topic", topics(), |input| {
            vong_wire::Topic::parse(&String::from_utf8_lossy(input)).is_ok()
        }),
        target("wire: view", vec![view()?], |input| {
            vong_wire::View::decode(input).is_ok()
        }),
        target("central: message", golden.values().cloned().collect(), |input| {
            [
                "event",
                "alert",
                "count",
                "state",
                "health",
                "view/gate",
                "evidence/018f3c5e-7f00-7000-8000-000000000001",
            ]
            .iter()
            .any(|end| vong_central::ingest::is_understood(&format!("vong/v1/park/edge-1/{end}"), input))
        }),
        target("edge: configuration", vec![text("seeds/demo/edge.toml")?], |input| {
            vong_edge::config::Config::parse(&String::from_utf8_lossy(input), Path::new("edge.toml")).is_ok()
        }),
        target(
            "central: configuration",
            vec![text("seeds/demo/central.toml")?],
            |input| {
                vong_central::config::Config::parse(&String::from_utf8_lossy(input), Path::new("central.toml")).is_ok()
            },
        ),
        target("plate grammar", plates(), |input| {
            let plate = String::from_utf8_lossy(input);
            let rows: Vec<&str> = plate.split(' ').collect();
            let grammar = Grammar::vietnam();
            grammar.classify(&plate).is_some() | grammar.parse(&rows).is_some()
        }),
        target("MOT truth", tracks(), |input| {
            vong_edge::eval::mot::Truth::parse(&String::from_utf8_lossy(input), Path::new("gt.txt")).is_ok()
        }),
    ];
    let file: PathBuf = folder.join("identify.csv");
    let table = b"role,identity,file\nenrol,a,a.jpg\nprobe,b,b.jpg\n".to_vec();
    let read =
        move |input: &[u8]| std::fs::write(&file, input).is_ok() && vong_edge::eval::identify::non_mated(&file).is_ok();
    targets.push(Target {
        one_in: FILES_IN,
        ..target("CSV table", vec![table], read)
    });
    for (name, format) in [
        ("picture: JPEG", image::ImageFormat::Jpeg),
        ("picture: PNG", image::ImageFormat::Png),
        ("picture: WebP", image::ImageFormat::WebP),
    ] {
        let parse = |input: &[u8]| {
            vong_central::service::EvidenceFolder::check(input).is_ok()
                | vong_central::service::decode_photograph(input).is_ok()
        };
        targets.push(Target {
            one_in: PICTURES_IN,
            ..target(name, vec![picture(format)?], parse)
        });
    }
    Ok(targets)
}

fn target(name: &'static str, seeds: Vec<Vec<u8>>, parse: impl Fn(&[u8]) -> bool + 'static) -> Target {
    Target {
        name,
        seeds,
        one_in: 1,
        parse: Box::new(parse),
    }
}

/// What is read must be writable again.
fn json<T: serde::Serialize + serde::de::DeserializeOwned>(input: &[u8]) -> bool {
    serde_json::from_slice::<T>(input).is_ok_and(|read| serde_json::to_vec(&read).is_ok())
}

fn golden(root: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut golden = BTreeMap::new();
    for version in std::fs::read_dir(root.join("wire/tests/golden"))? {
        for file in std::fs::read_dir(version?.path())? {
            let path = file?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            golden.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(golden)
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn topics() -> Vec<Vec<u8>> {
    texts(&[
        "vong/v1/park/edge-1/event",
        "vong/v1/park/edge-1/view/gate",
        "vong/v1/a/b/evidence/018f3c5e-7f00-7000-8000-000000000001",
    ])
}

fn plates() -> Vec<Vec<u8>> {
    texts(&[
        "51F-999.99",
        "59-H1 234.56",
        "60A 12345",
        "80NG 123 45",
        "29LD 000.01",
        "TM-12-34",
    ])
}

fn tracks() -> Vec<Vec<u8>> {
    texts(&["1,1,10,20,30,40,1,1,1\n2,1,11,20,30,40,1,1,1\n2,2,5.5,6.5,7,8,0,1,0.5\n"])
}

fn view() -> Result<Vec<u8>> {
    let header = serde_json::json!({"camera": "gate", "at_ms": 5, "boxes": [], "lines": []});
    let header = serde_json::from_value(header)?;
    let jpeg = picture(image::ImageFormat::Jpeg)?;
    Ok(vong_wire::View { header, jpeg }.encode()?)
}

fn picture(format: image::ImageFormat) -> Result<Vec<u8>> {
    let picture = image::RgbImage::from_fn(24, 16, |x, y| image::Rgb([(x * 9) as u8, (y * 13) as u8, 77]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_parses_panics() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let given = run(root, 60_000, 7).unwrap();
        println!("{given:?}");
        for (name, (all, taken)) in given {
            assert!(
                taken > 0 && taken < all,
                "{name}: {taken} of {all} were taken; its seeds are not right"
            );
        }
    }
}
