//! The program `vong-models`: fetch, verify, calibrate, list. Bad input: exit status 2 and one line.

use crate::calibrate;
use crate::fetch::{self, Condition};
use crate::hash::sha256_of_bytes;
use crate::manifest::Manifest;
use crate::store::Store;
use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// The models of Vọng: from where, under which licence, whether they are right.
#[derive(Debug, Parser)]
#[command(name = "vong-models", version)]
struct Cli {
    /// Folder of the models; `VONG_STORE`, else `models/store`, where nothing is said.
    #[arg(long, global = true)]
    store: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Gets what is missing from the package registries, converts it and puts it into the store.
    Fetch,
    /// Compares every file of the store with the manifest.
    Verify,
    /// Measures the ranges by which a detector of objects or of text, or an embedding, is made one of 8 bits, on pictures of a folder.
    Calibrate {
        /// The model.
        #[arg(long)]
        model: Option<String>,
        /// A folder of JPEG and PNG pictures that no accuracy is measured on.
        #[arg(long)]
        pictures: PathBuf,
        /// Where the ranges go.
        #[arg(long)]
        out: PathBuf,
        /// Where the network of 8 bits that they make goes, to try it.
        #[arg(long)]
        made: Option<PathBuf>,
    },
    /// Says which models there are, from which package, under which licence.
    List,
}

/// Reads the command line. What is wrong with it is told in one line, with exit status 2, as every bad input.
pub fn parse<C: Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        eprintln!("{}: {}", C::command().get_name(), in_one_line(&error.to_string()));
        std::process::exit(2)
    })
}

/// What clap has to say, without how a command is written.
fn in_one_line(said: &str) -> String {
    let lines = said.lines().map(str::trim);
    let wanted = lines.filter(|line| !line.is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more"));
    let line = wanted.collect::<Vec<_>>().join(" ");
    format!("{}; --help says more", line.trim_start_matches("error: "))
}

/// Runs the program and returns its exit status.
pub fn main() -> std::process::ExitCode {
    let cli: Cli = parse();
    match run(&cli) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vong-models: {}", format!("{error:#}").replace('\n', " "));
            std::process::ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let store = cli.store.as_ref().map_or_else(Store::locate, Store::at);
    let manifest = Manifest::load(None)?;
    match &cli.command {
        Command::Fetch => {
            let fetched = fetch::fetch(&store, &manifest)?;
            println!(
                "{}: {} files made, {} were there and right",
                store.root().display(),
                fetched.made,
                fetched.kept
            );
            Ok(())
        }
        Command::Verify => verify(&store, &manifest),
        Command::Calibrate {
            model,
            pictures,
            out,
            made,
        } => {
            let measured = calibrate::measure(&store, &manifest, model.as_deref(), pictures)?;
            calibrate::write(&measured, out)?;
            if let Some(made) = made {
                std::fs::write(made, &measured.eight_bit)
                    .with_context(|| format!("`{}` cannot be written", made.display()))?;
            }
            println!(
                "{}: {} ranges of {} pictures; the network of 8 bits has sha256 {}",
                out.display(),
                measured.ranges.len(),
                measured.pictures,
                sha256_of_bytes(&measured.eight_bit)
            );
            Ok(())
        }
        Command::List => {
            list(&manifest);
            Ok(())
        }
    }
}

fn verify(store: &Store, manifest: &Manifest) -> Result<()> {
    let mut faults = 0;
    for file in manifest.store_files() {
        let name = file.to.display();
        match fetch::condition(store, file)? {
            Condition::Right => println!("right    {name}"),
            Condition::Missing => {
                println!("missing  {name}");
                faults += 1;
            }
            Condition::Wrong(found) => {
                println!("wrong    {name}: expected sha256 {}, found {found}", file.sha256);
                faults += 1;
            }
        }
    }
    if faults > 0 {
        bail!(
            "{faults} files of `{}` are missing or wrong; run `vong-models fetch`",
            store.root().display()
        );
    }
    Ok(())
}

fn list(manifest: &Manifest) {
    println!("models:");
    for model in manifest.models() {
        println!(
            "  {:<16} {:<14} {}",
            model.id,
            format!("{:?}", model.job).to_lowercase(),
            model.file.display()
        );
    }
    println!("packages:");
    for package in manifest.packages() {
        println!("  {package}: {}", package.licence);
        for file in package.files.iter().filter(|file| file.is_for(std::env::consts::ARCH)) {
            let of: Vec<&str> = file.members.iter().map(|member| member.path.as_str()).collect();
            println!("    {:<26} {}", file.to.display().to_string(), of.join(", "));
        }
    }
}
