//! What is true of pictures of plates, and the groups that their figures are told by. Invariant: every sure plate of the
//! table belongs to exactly one group of each grouping, so that the groups' plates add up to all of them.

use super::table::Table;
use super::wilson::wilson;
use anyhow::{bail, ensure};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use vong_models::plate::grammar::{Grammar, normal_form};

/// A picture and what is true of it.
#[derive(Debug, PartialEq)]
pub struct Truth {
    /// The picture's file.
    pub file: String,
    /// Its sure plates.
    pub plates: Vec<TruePlate>,
    /// How many others it shows.
    pub unsure: usize,
}

/// A plate that is known for sure.
#[derive(Debug, PartialEq)]
pub struct TruePlate {
    /// Normal form.
    pub plate: String,
    /// Grouping and group, as `lines` and `2`.
    pub groups: BTreeMap<String, String>,
}

/// The group of what no table tells.
const UNTOLD: &str = "unknown";
/// A column with more values than this is a remark, no grouping.
const MOST_GROUPS: usize = 12;
/// Columns of a `plates.csv` beside the truth that tell a group.
const TOLD_BESIDE: [&str; 3] = ["lines", "vehicle", "class"];

/// Reads a table with the columns file,plates. Further columns are groupings: one value for all plates of the picture, or
/// as many as plates with `;` between them. What stands in a `plates.csv` beside it (file,plate,lines,vehicle) is added;
/// class and lines follow from the plate where nothing tells them.
///
/// # Errors
/// When the table cannot be used or names a picture that is not there.
pub fn read_truth(path: &Path, images: &Path) -> anyhow::Result<Vec<Truth>> {
    let table = Table::read(path, &["file", "plates"])?;
    let Some(plates) = table.column("plates") else {
        bail!("table `{}`: no column `plates`", path.display());
    };
    let more: Vec<(usize, &String)> = table
        .head()
        .iter()
        .enumerate()
        .filter(|(_, name)| is_more(name))
        .collect();
    let beside = groups_beside(path)?;
    let (mut truth, mut lines) = (Vec::new(), BTreeMap::new());
    for row in table.rows() {
        let file = table.value(row, "file")?;
        table.there(row, images, file)?;
        if let Some(first) = lines.insert(file, row.line) {
            bail!(
                "{}: `{file}` stands in line {first} already; put all its plates into one row, with `;` between them",
                table.place(row)
            );
        }
        let marked: Vec<&str> = parts(row.get(plates)).filter(|plate| !plate.is_empty()).collect();
        let mut sure = Vec::new();
        for (number, text) in marked.iter().enumerate().filter(|(_, text)| !text.contains('?')) {
            let plate = normal_form(text);
            ensure!(
                !plate.is_empty(),
                "{}: `{text}` is no plate; write it as printed, or `?` where it cannot be read",
                table.place(row)
            );
            let mut groups = beside
                .get(&(file.to_owned(), plate.clone()))
                .cloned()
                .unwrap_or_default();
            for &(column, name) in &more {
                let values: Vec<&str> = parts(row.get(column)).collect();
                let one_each = values.len() == marked.len();
                let is_group = one_each || values.len() == 1;
                ensure!(
                    is_group || !TOLD_BESIDE.contains(&name.as_str()),
                    "{}: {} values in `{name}` for {} plates; write one, or one for each plate",
                    table.place(row),
                    values.len(),
                    marked.len()
                );
                // Of another column it is a remark with a semicolon in it.
                let value = match is_group {
                    true => values[if one_each { number } else { 0 }],
                    false => row.get(column),
                };
                if !value.is_empty() {
                    groups.insert(name.clone(), value.to_owned());
                }
            }
            sure.push(TruePlate { plate, groups });
        }
        truth.push(Truth {
            file: file.to_owned(),
            unsure: marked.len() - sure.len(),
            plates: sure,
        });
    }
    complete(&mut truth);
    Ok(truth)
}

fn is_more(column: &str) -> bool {
    !column.is_empty() && column != "file" && column != "plates"
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim)
}

/// By file and plate, what a `plates.csv` beside the truth tells; nothing where there is none.
fn groups_beside(truth: &Path) -> anyhow::Result<BTreeMap<(String, String), BTreeMap<String, String>>> {
    let path = truth.with_file_name("plates.csv");
    if path == truth || !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let table = Table::read(&path, &["file", "plate"])?;
    let mut all = BTreeMap::new();
    for row in table.rows() {
        let told = |name: &str| {
            table
                .column(name)
                .map(|at| row.get(at).to_owned())
                .filter(|value| !value.is_empty())
        };
        let groups = TOLD_BESIDE
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), told(name)?)));
        let key = (
            table.value(row, "file")?.to_owned(),
            normal_form(&told("plate").unwrap_or_default()),
        );
        all.insert(key, groups.collect());
    }
    Ok(all)
}

/// Leaves out what is no grouping, and gives every plate a group in each that is one.
fn complete(truth: &mut [Truth]) {
    let grammar = Grammar::vietnam();
    let plates = || truth.iter().flat_map(|picture| &picture.plates);
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in plates().flat_map(|plate| &plate.groups) {
        values.entry(name.clone()).or_default().insert(value.clone());
    }
    for (name, values) in values.iter().filter(|(_, values)| values.len() > MOST_GROUPS) {
        eprintln!("column `{name}` has {} different values: no grouping", values.len());
    }
    values.retain(|_, values| values.len() <= MOST_GROUPS);
    values.entry("class".into()).or_default();
    values.entry("lines".into()).or_default();
    for plate in truth.iter_mut().flat_map(|picture| &mut picture.plates) {
        plate.groups.retain(|name, _| values.contains_key(name));
        let class = likeliest(&grammar.classes(&plate.plate), plate.groups.get("vehicle"));
        for name in values
            .keys()
            .filter(|name| !plate.groups.contains_key(*name))
            .collect::<Vec<_>>()
        {
            let follows = match name.as_str() {
                "class" => class.map(str::to_owned),
                "lines" => class.and_then(|class| only_lines(grammar, class)),
                _ => None,
            };
            plate
                .groups
                .insert(name.clone(), follows.unwrap_or_else(|| UNTOLD.into()));
        }
    }
}

/// The commonest of the classes that fit a plate; of those of the vehicle where it is told.
fn likeliest(classes: &[&'static str], vehicle: Option<&String>) -> Option<&'static str> {
    let on_two_wheels = |class: &str| class.contains("motorcycle");
    let told = vehicle.map(|vehicle| vehicle.to_lowercase().starts_with("moto"));
    let mut fitting = classes
        .iter()
        .filter(|class| told.is_none_or(|two| two == on_two_wheels(class)));
    fitting.next().or(classes.first()).copied()
}

/// The number of rows that a class is printed in, if there is but one.
fn only_lines(grammar: &Grammar, class: &str) -> Option<String> {
    let of_class = grammar.forms().filter(|(name, ..)| *name == class);
    let lines: BTreeSet<u8> = of_class.map(|(_, lines, _)| lines).collect();
    lines.first().filter(|_| lines.len() == 1).map(u8::to_string)
}

/// Plates and those read exactly, by grouping and group.
#[derive(Debug, Default)]
pub struct Groups {
    counts: BTreeMap<String, BTreeMap<String, (usize, usize)>>,
}

impl Groups {
    /// Adds a plate.
    pub fn add(&mut self, plate: &TruePlate, exact: bool) {
        for (name, group) in &plate.groups {
            let count = self
                .counts
                .entry(name.clone())
                .or_default()
                .entry(group.clone())
                .or_default();
            *count = (count.0 + 1, count.1 + usize::from(exact));
        }
    }

    /// As the command prints them: plates, exact ones, their share and its interval.
    pub fn as_json(&self) -> Value {
        let group = |&(plates, exact): &(usize, usize)| {
            let (low, high) = wilson(exact, plates);
            let four = |value: f64| (value * 1e4).round() / 1e4;
            let rate = exact as f64 / plates.max(1) as f64;
            json!({ "plates": plates, "exact": exact, "exact_rate": four(rate), "interval": [four(low), four(high)] })
        };
        let grouping = |groups: &BTreeMap<String, (usize, usize)>| -> Map<String, Value> {
            groups
                .iter()
                .map(|(name, count)| (name.clone(), group(count)))
                .collect()
        };
        let all = self
            .counts
            .iter()
            .map(|(name, groups)| (name.clone(), Value::Object(grouping(groups))));
        Value::Object(all.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(truth: &str, beside: Option<&str>) -> anyhow::Result<Vec<Truth>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.csv");
        std::fs::write(&path, truth).unwrap();
        for picture in ["a.jpg", "b.jpg"] {
            std::fs::write(folder.path().join(picture), "").unwrap();
        }
        if let Some(text) = beside {
            std::fs::write(folder.path().join("plates.csv"), text).unwrap();
        }
        read_truth(&path, folder.path())
    }

    #[test]
    fn a_bad_table_is_refused_in_one_line() {
        for (text, part) in [
            ("file,plate\na.jpg,30A33918\n", "line 1: no column `plates`"),
            ("file,plates\n", "no rows"),
            ("", "is empty"),
            ("file,plates\na.jpg,b,c\n", "line 2: 3 values for 2 columns"),
            (
                "file,plates\na.jpg,30A33918\n,30A33918\n",
                "line 3: no value for `file`",
            ),
            ("file,plates\nc.jpg,30A33918\n", "line 2: names `c.jpg`"),
            (
                "file,plates\na.jpg,30A33918\nb.jpg,\na.jpg,\n",
                "line 4: `a.jpg` stands in line 2 already",
            ),
            ("file,plates\na.jpg,30A33918;--\n", "line 2: `--` is no plate"),
            (
                "file,plates,lines\na.jpg,30A33918;30A33919;?,1;2\n",
                "2 values in `lines` for 3 plates",
            ),
        ] {
            let said = format!("{:#}", read(text, None).unwrap_err());
            assert!(
                said.contains(part) && said.contains("truth.csv") && !said.contains('\n'),
                "{text:?}: {said:?} does not say {part:?}"
            );
        }
        assert!(read_truth(Path::new("none.csv"), Path::new(".")).is_err());
    }

    fn groups(truth: &str, beside: Option<&str>) -> Vec<String> {
        let truth = read(truth, beside).unwrap();
        let plates = truth.iter().flat_map(|picture| &picture.plates);
        let shown = plates.map(|p| {
            let groups: Vec<String> = p.groups.iter().map(|(name, group)| format!("{name}={group}")).collect();
            format!("{} {}", p.plate, groups.join(" "))
        });
        shown.collect()
    }

    #[test]
    fn groups_come_from_the_table_what_lies_beside_it_or_the_plate() {
        assert_eq!(
            groups(
                "\u{feff}file,plates\r\na.jpg,30A-339.18;59X2-123.45;?\r\nb.jpg,\r\n",
                None
            ),
            ["30A33918 class=car lines=unknown", "59X212345 class=motorcycle lines=2"]
        );
        assert_eq!(
            groups(
                "file,plates,light,lines\na.jpg,30A33918;59X212345,night,1;\nb.jpg,29A12345,,2\n",
                None
            ),
            [
                "30A33918 class=car light=night lines=1",
                "59X212345 class=motorcycle light=night lines=2",
                "29A12345 class=car light=unknown lines=2",
            ]
        );
        assert_eq!(
            groups(
                "file,plates\na.jpg,30A33918\nb.jpg,XYZ\n",
                Some("file,plate,as_printed,lines,vehicle\na.jpg,30A33918,30A-339.18,1,car\n")
            ),
            [
                "30A33918 class=car lines=1 vehicle=car",
                "XYZ class=unknown lines=unknown vehicle=unknown",
            ]
        );
    }

    #[test]
    fn a_plate_of_two_meanings_is_that_of_its_vehicle() {
        for (vehicle, class) in [
            ("motorbike", "motorcycle lines=2"),
            ("car", "car lines=unknown"),
            ("", "car lines=unknown"),
        ] {
            let truth = format!("file,plates,vehicle\na.jpg,59X23456,{vehicle}\n");
            assert!(
                groups(&truth, None)[0].contains(&format!("class={class}")),
                "{vehicle}: {:?}",
                groups(&truth, None)
            );
        }
    }

    #[test]
    fn the_groups_add_up_to_all_plates() {
        let truth = read("file,plates,note\na.jpg,30A33918;59X212345,x\nb.jpg,29A12345,\n", None).unwrap();
        let mut groups = Groups::default();
        for (number, plate) in truth.iter().flat_map(|picture| &picture.plates).enumerate() {
            groups.add(plate, number > 0);
        }
        let told = groups.as_json();
        for (name, groups) in told.as_object().unwrap() {
            let sum = |key: &str| {
                groups
                    .as_object()
                    .unwrap()
                    .values()
                    .filter_map(|g| g[key].as_u64())
                    .sum::<u64>()
            };
            assert_eq!((sum("plates"), sum("exact")), (3, 2), "{name}");
        }
        assert_eq!(told["class"]["car"]["exact_rate"], 0.5);
        assert_eq!(told["class"]["motorcycle"]["interval"], json!([0.2065, 1.0]));
        assert_eq!(told["note"]["unknown"]["plates"], 1);
    }
}
