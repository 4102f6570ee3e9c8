//! The program `vong-sample-video`: composes the demo's clips. Invariant: a clip that is there and made by this recipe is
//! left alone; one that is not whole never stands under its name.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vong_models::Store;
use vong_sample_video::truth::Truth;
use vong_sample_video::{RECIPE, barrier, gate};

/// Composes the clips of the demo.
#[derive(Debug, Parser)]
#[command(name = "vong-sample-video", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the clips that are missing or made by another recipe.
    Compose {
        /// Folder for the clips.
        #[arg(long, default_value = "sample-video/clips")]
        out: PathBuf,
        /// Folder of the truth files.
        #[arg(long, default_value = "sample-video/truth")]
        truth: PathBuf,
        /// Only this one.
        #[arg(long)]
        only: Option<Clip>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clip {
    Walkway,
    Gate,
    Barrier,
}

fn main() -> ExitCode {
    let Command::Compose { out, truth, only } = Cli::parse().command;
    match compose(&out, &truth, only) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vong-sample-video: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn compose(out: &Path, truth: &Path, only: Option<Clip>) -> Result<()> {
    let (store, truth) = (Store::locate(), Truth::load(truth)?);
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder `{}`", out.display()))?;
    let wanted = |clip| only.is_none_or(|only| only == clip);
    if wanted(Clip::Walkway) {
        walkway(&store, &out.join("walkway.avi"))?;
    }
    if wanted(Clip::Gate) {
        once(
            &out.join("gate.mp4"),
            &format!("{RECIPE} {:?}", truth.gate),
            |path, tell| gate::compose(&truth.gate, store.root(), path, tell),
        )?;
    }
    if wanted(Clip::Barrier) {
        once(
            &out.join("barrier.mp4"),
            &format!("{RECIPE} {:?}", truth.barrier),
            |path, tell| barrier::compose(&truth.barrier, path, tell),
        )?;
    }
    Ok(())
}

/// The street clip is used as it is: coding it again would cost sharpness.
fn walkway(store: &Store, path: &Path) -> Result<()> {
    let clip = store.file("vtest.avi");
    let length = |path: &Path| std::fs::metadata(path).map(|data| data.len()).ok();
    let wanted =
        length(&clip).with_context(|| format!("`{}` is not there; run `vong-models fetch`", clip.display()))?;
    if length(path) == Some(wanted) {
        return Ok(());
    }
    let part = path.with_extension("part");
    std::fs::copy(&clip, &part).with_context(|| format!("cannot write `{}`; is the disk full?", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Makes a clip unless it is there and its recipe, kept beside it, is this one.
fn once(path: &Path, recipe: &str, make: impl FnOnce(&Path, &mut dyn FnMut(u32, u32)) -> Result<()>) -> Result<()> {
    let note = path.with_extension("recipe");
    if path.is_file() && std::fs::read_to_string(&note).is_ok_and(|made| made == recipe) {
        return Ok(());
    }
    let style =
        ProgressStyle::with_template("{msg:16} {wide_bar} {pos}/{len}").context("the progress bar's form is wrong")?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bar = ProgressBar::new(1).with_style(style).with_message(name);
    make(path, &mut |done, all| {
        bar.set_length(all.into());
        bar.set_position(done.into());
    })?;
    bar.finish();
    std::fs::write(&note, recipe).with_context(|| format!("cannot write `{}`", note.display()))
}
