//! The program `vong-accuracy`, called by `make eval`: measures everything in a folder of material and writes the report.

use anyhow::{Context, Result};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use vong_models::{Manifest, Store};
use vong_tests::accuracy::{material::Material, report};

/// Measures Vọng on material with known truth.
#[derive(Debug, Parser)]
#[command(name = "vong-accuracy", version)]
struct Cli {
    /// Folder of the material, laid out as docs/guide/accuracy.md says.
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    /// The report.
    #[arg(long, default_value = "docs/accuracy.md")]
    out: PathBuf,
    /// A site's own manifest; its embedding models are measured beside the default one.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Where --models is not given: a folder with the models of --others, measured where they are there.
    #[arg(long, default_value = "../shared/models")]
    beside: PathBuf,
    /// The manifest of those.
    #[arg(long, default_value = "docs/guide/own-models.toml")]
    others: PathBuf,
    /// Text to put below the tables: what was chosen on this material.
    #[arg(long, default_value = "docs/accuracy-choices.md")]
    choices: PathBuf,
}

fn main() -> ExitCode {
    match write(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vong-accuracy: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::from(2)
        }
    }
}

fn write(cli: &Cli) -> Result<()> {
    if !cli.data.exists() {
        println!(
            "skipped: `{}` is not there; --data names a folder of material of your own",
            cli.data.display()
        );
        return Ok(());
    }
    let this = std::env::current_exe().context("cannot tell where this program lies")?;
    let edge = this.parent().context("a program lies in a folder")?.join("vong-edge");
    let material = Material::find(&cli.data)?;
    let (made, site) = match &cli.models {
        Some(site) => (None, Some(site.clone())),
        None => site_of(&cli.beside, &cli.others)?.unzip(),
    };
    let tables = report::tables(&edge, &material, &embeddings(site.as_deref())?)?;
    let choices = std::fs::read_to_string(&cli.choices).unwrap_or_default();
    let report = format!(
        "# Accuracy\n\nWritten by `make eval`; docs/guide/accuracy.md says how to repeat it on material of your own. Shares stand with their\n\
         95 % interval (Wilson). One run on {}, {}. The machine was shared: times say little, counts and shares are exact.\n\n{}\n{tables}\n{choices}",
        machine(),
        date()?,
        models(site.as_deref())?,
    );
    drop(made);
    std::fs::write(&cli.out, report).with_context(|| format!("cannot write `{}`", cli.out.display()))?;
    println!("{}", cli.out.display());
    Ok(())
}

/// A manifest with its models beside it, in a folder of its own; none where the models are not on this machine.
fn site_of(models: &Path, manifest: &Path) -> Result<Option<(tempfile::TempDir, PathBuf)>> {
    if !models.is_dir() || !manifest.is_file() {
        return Ok(None);
    }
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let site = folder.path().join("own-models.toml");
    std::fs::copy(manifest, &site).with_context(|| format!("cannot copy `{}`", manifest.display()))?;
    for file in std::fs::read_dir(models)?.flatten() {
        let from = file.path().canonicalize()?;
        std::os::unix::fs::symlink(from, folder.path().join(file.file_name()))?;
    }
    let (manifest, store) = (Manifest::load(Some(&site))?, Store::locate());
    let mut wanted = manifest
        .models()
        .filter(|model| model.job == vong_models::Job::Embedding);
    let there = wanted.all(|model| manifest.checked_file(&store, model).is_ok());
    Ok(there.then_some((folder, site)))
}

/// The default embedding and those of a site's manifest, with the arguments that choose them.
fn embeddings(site: Option<&Path>) -> Result<Vec<(String, Vec<String>)>> {
    let job = vong_models::Job::Embedding;
    let default = Manifest::load(None)?.model(job, None)?.id.clone();
    let mut all = vec![(default.clone(), Vec::new())];
    if let Some(site) = site {
        let manifest = Manifest::load(Some(site))?;
        for model in manifest
            .models()
            .filter(|model| model.job == job && model.id != default)
        {
            let arguments = ["--models", &site.to_string_lossy(), "--embedding", &model.id]
                .map(String::from)
                .to_vec();
            all.push((model.id.clone(), arguments));
        }
    }
    Ok(all)
}

fn models(site: Option<&Path>) -> Result<String> {
    let mut text = String::from("| job | model | sha256 |\n|---|---|---|\n");
    let manifest = Manifest::load(site)?;
    let store = Store::locate();
    for model in manifest.models() {
        let hash = match manifest.checked_file(&store, model) {
            Ok(_) => model.sha256.clone(),
            // Part of the program; compared when it is opened.
            Err(_) if model.file.starts_with("built-in") => model.sha256.clone(),
            Err(_) => "not there".into(),
        };
        text.push_str(&format!("| {:?} | {} | `{hash}` |\n", model.job, model.id));
    }
    Ok(text)
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {}", name.unwrap_or("an unknown processor"))
}

fn date() -> Result<String> {
    let output = Command::new("date")
        .arg("+%Y-%m-%d")
        .output()
        .context("cannot ask for the date")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
