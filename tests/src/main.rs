//! The program `vong-demo`: the whole house on this machine. With `--once` every clip is played once, what was seen is
//! printed beside what is true, and the status is 0 only if all of it was reached.

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use vong_sample_video::truth::Truth;
use vong_tests::outcome::table;
use vong_tests::show::{self, Told};
use vong_tests::stage::House;

/// Shows Vọng with three cameras.
#[derive(Debug, Parser)]
#[command(name = "vong-demo", version)]
struct Cli {
    /// Play each clip once, compare with the truth, and end.
    #[arg(long)]
    once: bool,
    /// Port of the page.
    #[arg(long, default_value_t = 8080)]
    http_port: u16,
    /// Port of the broker.
    #[arg(long, default_value_t = 1883)]
    mqtt_port: u16,
    /// Folder for this showing's configuration and data; what an earlier showing left there is deleted.
    #[arg(long, default_value = "var/demo")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vong-demo: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::from(2)
        }
    }
}

async fn demo(cli: Cli) -> Result<bool> {
    let root = std::env::current_dir().context("cannot tell the present folder")?;
    let programs = std::env::current_exe().context("cannot tell where this program lies")?;
    let programs = programs.parent().context("a program lies in a folder")?.to_path_buf();
    let house = House {
        folder: root.join(&cli.folder),
        root,
        programs,
        http_port: cli.http_port,
        mqtt_port: cli.mqtt_port,
    };
    let truth = Truth::load(&house.root.join("sample-video/truth"))?;
    house.begin_anew()?;
    let (central_toml, edge_toml) = house.write_configurations(cli.once)?;
    let central = house.start_central(&central_toml).await?;
    println!("Trang điều hành / the page: {}", house.page());
    if !cli.once {
        return endless(&house, &edge_toml, central).await;
    }
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    let told = show::play_once(&house, &edge_toml, &progress).await;
    progress.finish_and_clear();
    central.stop().await?;
    let told = told?;
    let rows = show::compare(&truth, &told);
    println!("\n{}", table(&rows));
    print_times(&told);
    Ok(rows.iter().all(|row| row.good))
}

/// Plays the clips again and again until told to stop.
async fn endless(house: &House, edge_toml: &std::path::Path, central: vong_tests::stage::Program) -> Result<bool> {
    let edge = house.start("vong-edge", &["run", "--config", &edge_toml.to_string_lossy()])?;
    println!("Ctrl-C để dừng / to stop");
    let interrupted = tokio::signal::ctrl_c().await;
    println!("đang dừng / stopping");
    // A signal from the keyboard reaches the two programs as well; asking them again does no harm.
    let ended = (edge.stop().await, central.stop().await);
    interrupted?;
    ended.0?;
    ended.1?;
    Ok(true)
}

fn print_times(told: &Told) {
    let at = |q| {
        told.seen
            .frame_to_page(q)
            .map(|ms| Duration::from_millis(ms.max(0) as u64))
    };
    if let (Some(p50), Some(p99)) = (at(0.5), at(0.99)) {
        println!(
            "Từ hình đến trang / from frame to page: p50 {} ms, p99 {} ms ({} sự kiện / events)",
            p50.as_millis(),
            p99.as_millis(),
            told.seen.frame_to_page_ms.len()
        );
    }
}
