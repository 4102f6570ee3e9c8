//! The report as Markdown: tables of figures, each with the command that gave it.

use super::material::{Crossings, Material};
use super::wilson::share;
use super::{Measured, measure};
use anyhow::Result;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Measures everything in a folder of material and writes the tables.
///
/// # Errors
/// When a command fails.
pub fn tables(edge: &Path, material: &Material, embeddings: &[(String, Vec<String>)]) -> Result<String> {
    let mut text = String::new();
    counting(&mut text, edge, material)?;
    tracking(&mut text, edge, material)?;
    faces(&mut text, edge, material, embeddings)?;
    plates(&mut text, edge, material)?;
    Ok(text)
}

fn number(measured: &Measured, key: &str) -> u64 {
    measured.result[key].as_u64().unwrap_or(0)
}

fn percent(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".into(), |share| format!("{:.2} %", share * 100.0))
}

fn counting(text: &mut String, edge: &Path, material: &Material) -> Result<()> {
    if material.crossings.is_empty() {
        return Ok(());
    }
    text.push_str("## Counting\n\n| clip | class | line | in, true | in | out, true | out | wrong | frames a second | ms CPU a frame |\n|---|---|---|---|---|---|---|---|---|---|\n");
    let (mut wrong, mut all) = (0, 0);
    for Crossings {
        file,
        class,
        line,
        entered,
        left,
    } in &material.crossings
    {
        let clip = material.path(&format!("video/{file}"));
        let arguments = ["count", "--video", &clip, "--line", line, "--class", class].map(String::from);
        let counted = measure(edge, &arguments, &format!("count --video {file} --line {line}"))?;
        let (seen_in, seen_out) = (number(&counted, "in"), number(&counted, "out"));
        let off = seen_in.abs_diff(*entered) + seen_out.abs_diff(*left);
        wrong += off;
        all += entered + left;
        let (fps, cpu) = (&counted.result["fps"], &counted.result["cpu_ms_per_frame"]);
        writeln!(
            text,
            "| {file} | {class} | {line} | {entered} | {seen_in} | {left} | {seen_out} | {off} | {fps} | {cpu} |"
        )?;
    }
    let right = share(all.saturating_sub(wrong), all);
    writeln!(
        text,
        "\n{wrong} wrong of {all} crossings: {right} right. `vong-edge eval count --video CLIP --line LINE`\n"
    )?;
    Ok(())
}

fn tracking(text: &mut String, edge: &Path, material: &Material) -> Result<()> {
    if material.tracks.is_empty() {
        return Ok(());
    }
    text.push_str("## Tracking\n\n| clip | frames | IDF1 | MOTA | switches | false boxes | missed boxes |\n|---|---|---|---|---|---|---|\n");
    for (clip, truth) in &material.tracks {
        let arguments = [
            "track".into(),
            "--video".into(),
            material.path(clip),
            "--truth".into(),
            material.path(truth),
        ];
        let Measured { result, .. } = measure(edge, &arguments, &format!("track --video {clip}"))?;
        let cells = ["frames", "idf1", "mota", "id_switches", "fp", "fn"].map(|key| result[key].to_string());
        writeln!(text, "| {clip} | {} |", cells.join(" | "))?;
    }
    text.push_str("\n`vong-edge eval track --video CLIP --truth TRUTH`\n\n");
    Ok(())
}

fn faces(text: &mut String, edge: &Path, material: &Material, embeddings: &[(String, Vec<String>)]) -> Result<()> {
    if !material.pairs.is_empty() {
        text.push_str("## Faces: the same person?\n\n| photographs | embedding | pairs | genuine | not enrolled | EER | TAR at FAR 1 % | TAR at FAR 0.1 % |\n|---|---|---|---|---|---|---|---|\n");
    }
    for set in &material.pairs {
        for (name, more) in embeddings {
            let pairs = material.path(&format!("{set}/pairs.csv"));
            let mut arguments = ["faces", "--images", &material.path(set), "--pairs", &pairs]
                .map(String::from)
                .to_vec();
            arguments.extend(more.clone());
            let measured = measure(edge, &arguments, "faces")?;
            let (result, genuine) = (&measured.result, number(&measured, "genuine"));
            let tar = |far: &str| {
                let passed = (result["tar_at_far"][far].as_f64().unwrap_or(0.0) * genuine as f64).round() as u64;
                share(passed, genuine)
            };
            let counts = ["pairs", "genuine", "failed_to_enrol"]
                .map(|key| result[key].to_string())
                .join(" | ");
            writeln!(
                text,
                "| {set} | {name} | {counts} | {} | {} | {} |",
                percent(&result["eer"]),
                tar("0.01"),
                tar("0.001")
            )?;
        }
    }
    if !material.pairs.is_empty() {
        text.push_str(
            "\n`vong-edge eval faces --images FOLDER --pairs FOLDER/pairs.csv [--models MANIFEST --embedding ID]`\n\n",
        );
    }
    if !material.protocols.is_empty() {
        text.push_str("## Faces: who of the list, if anybody?\n\n| photographs | embedding | gallery | mated | strangers | rank 1 | FNIR at FPIR 10 % | at 1 % | at 0.1 % |\n|---|---|---|---|---|---|---|---|---|\n");
    }
    for set in &material.protocols {
        for (name, more) in embeddings {
            let protocol = material.path(&format!("{set}/identify.csv"));
            let mut arguments = ["identify", "--images", &material.path(set), "--protocol", &protocol]
                .map(String::from)
                .to_vec();
            arguments.extend(more.clone());
            let Measured { result, .. } = measure(edge, &arguments, "identify")?;
            let counts = ["gallery", "mated", "non_mated"]
                .map(|key| result[key].to_string())
                .join(" | ");
            let mated = result["mated"].as_u64().unwrap_or(0);
            let rate = |value: &Value| share((value.as_f64().unwrap_or(0.0) * mated as f64).round() as u64, mated);
            let fnir = &result["fnir_at_fpir"];
            let rates = ["0.1", "0.01", "0.001"].map(|fpir| rate(&fnir[fpir])).join(" | ");
            let rank1 = rate(&result["rank1"]);
            writeln!(text, "| {set} | {name} | {counts} | {rank1} | {rates} |")?;
        }
    }
    if !material.protocols.is_empty() {
        text.push_str("\n`vong-edge eval identify --images FOLDER --protocol FOLDER/identify.csv [--models MANIFEST --embedding ID]`\n\n");
    }
    Ok(())
}

fn plates(text: &mut String, edge: &Path, material: &Material) -> Result<()> {
    if material.plates.is_empty() {
        return Ok(());
    }
    text.push_str("## Plates\n\n| pictures | plates | exact | share | CER | false | refused pictures | ms a picture p50, p95 |\n|---|---|---|---|---|---|---|---|\n");
    let mut groups = String::new();
    for set in &material.plates {
        let truth = material.path(&format!("{set}/truth.csv"));
        let arguments = ["plates", "--images", &material.path(set), "--truth", &truth].map(String::from);
        let read = measure(edge, &arguments, "plates")?;
        let (all, exact) = (number(&read, "plates"), number(&read, "exact"));
        let result = &read.result;
        let times = &result["ms_per_image"];
        writeln!(
            text,
            "| {set} | {all} | {exact} | {} | {} | {} | {} of {} | {}, {} |",
            share(exact, all),
            percent(&result["cer"]),
            result["false_plates"],
            result["refused"],
            result["images"],
            times["p50"],
            times["p95"]
        )?;
        by_group(&mut groups, set, &result["by"])?;
    }
    writeln!(
        text,
        "\n| pictures | by | group | plates | exact | share |\n|---|---|---|---|---|---|\n{groups}\n\
         `vong-edge eval plates --images FOLDER --truth FOLDER/truth.csv`; \"unknown\" is what no table tells and the plate \
         does not give away."
    )?;
    Ok(())
}

/// The rows of one set: each grouping's groups, whose plates add up to all of the set.
fn by_group(text: &mut String, set: &str, by: &Value) -> Result<()> {
    for (name, groups) in by.as_object().into_iter().flatten() {
        for (group, figures) in groups.as_object().into_iter().flatten() {
            let number = |key: &str| figures[key].as_u64().unwrap_or(0);
            let (all, exact) = (number("plates"), number("exact"));
            writeln!(
                text,
                "| {set} | {name} | {group} | {all} | {exact} | {} |",
                share(exact, all)
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_stand_with_their_intervals() {
        let by = json!({ "lines": { "1": { "plates": 90, "exact": 83 }, "2": { "plates": 0, "exact": 0 } } });
        let mut text = String::new();
        by_group(&mut text, "plates/gate", &by).expect("a string takes all");
        assert_eq!(
            text,
            "| plates/gate | lines | 1 | 90 | 83 | 92.2 % (84.8 to 96.2) |\n\
             | plates/gate | lines | 2 | 0 | 0 | 0.0 % (0.0 to 100.0) |\n"
        );
    }
}
