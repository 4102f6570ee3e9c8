//! `vong-edge calibrate`: the threshold of a list for a rate of false alarms, found with the gate's own search. Invariant: no
//! rate is claimed that the number of trials cannot support.

use crate::eval::identify::{IdentifyArgs, Trials, non_mated, search_all};
use crate::eval::wilson::wilson;
use anyhow::{Context, ensure};
use clap::Args;
use std::path::PathBuf;
use vong_wire::ListId;

/// What `calibrate` takes.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// The photographs, the protocol and the models.
    #[command(flatten)]
    pub identify: IdentifyArgs,
    /// Share of strangers that may be taken for somebody of the list (FPIR).
    #[arg(long, default_value_t = 1e-3, allow_negative_numbers = true)]
    pub fpir: f64,
    /// The list that the operating point is for.
    #[arg(long, value_name = "ID")]
    pub list: Option<String>,
    /// Where to write it; standard output where not said.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Without a false alarm in this many trials for each one allowed, a higher rate is refuted at 95 % (rule of three).
const RULE_OF_THREE: f64 = 3.0;

/// Runs the command.
///
/// # Errors
/// When the material cannot be used or does not suffice for the rate.
pub fn run(args: &CalibrateArgs) -> anyhow::Result<()> {
    ensure!(
        args.fpir > 0.0 && args.fpir < 1.0,
        "--fpir {} is no rate; give one between 0 and 1, as 0.001",
        args.fpir
    );
    let list = args.list.as_deref().map(ListId::new).transpose().context("--list")?;
    let protocol = || format!("protocol `{}`", args.identify.protocol.display());
    // Before an hour of embedding.
    supports(non_mated(&args.identify.protocol)?, args.fpir).with_context(protocol)?;
    let trials = search_all(&args.identify)?;
    let text = operating_point(&trials, args.fpir, list.as_ref(), &today()).with_context(protocol)?;
    match &args.out {
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("cannot write `{}`; name a file in an existing folder", path.display())),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// Whether so many strangers can show that a rate is kept.
fn supports(strangers: usize, fpir: f64) -> anyhow::Result<()> {
    let needed = (RULE_OF_THREE / fpir - 1e-9).ceil() as usize;
    let lowest = rounded_up(RULE_OF_THREE / strangers.max(1) as f64);
    let or_ask = match lowest < 1.0 {
        true => format!(" or ask for --fpir {lowest}, the lowest that is supported"),
        false => String::new(),
    };
    ensure!(
        strangers >= needed,
        "{strangers} non-mated trials cannot support a FPIR of {fpir}: {needed} are needed; add probes of strangers, each \
         another photograph{or_ask}"
    );
    Ok(())
}

/// The operating point as a fragment of a seed file.
fn operating_point(trials: &Trials, fpir: f64, list: Option<&ListId>, date: &str) -> anyhow::Result<String> {
    let strangers = trials.non_mated();
    supports(strangers, fpir)?;
    let threshold = trials.threshold(fpir);
    ensure!(
        threshold <= 1.0,
        "strangers are as like as can be, no threshold keeps them out; look for enrolled persons among the strangers"
    );
    let (alarms, misses) = (trials.false_alarms(threshold), trials.misses(threshold));
    let (fpir_from, fpir_to) = wilson(alarms, strangers);
    let (fnir_from, fnir_to) = wilson(misses, trials.mated());
    let share = |part: usize, of: usize| part as f64 / of as f64;
    let heading = list.map_or_else(
        || "# Belongs below the heading of a list in its seed file.\n".to_string(),
        |list| format!("# Belongs below the heading of the list `{list}` in its seed file.\n"),
    );
    Ok(format!(
        "{heading}[list.operating_point]\n\
         threshold = {threshold:.5}\n\
         model = \"{}\"\n\
         fpir_asked = {fpir}\n\
         fpir = {:.6}\n\
         fpir_interval = [{fpir_from:.6}, {fpir_to:.6}]\n\
         non_mated = {strangers}\n\
         fnir = {:.6}\n\
         fnir_interval = [{fnir_from:.6}, {fnir_to:.6}]\n\
         mated = {}\n\
         gallery = {}\n\
         date = \"{date}\"\n",
        trials.model,
        share(alarms, strangers),
        share(misses, trials.mated()),
        trials.mated(),
        trials.gallery,
    ))
}

/// Two digits, so that the rate that is named can be asked for.
fn rounded_up(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.log10().floor() - 1.0);
    let digits = (rate / unit - 1e-9).ceil();
    // Written and read again: 31 * 0.0001 is not 0.0031.
    format!("{:.2e}", digits * unit).parse().unwrap_or(rate)
}

fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_claimed_only_with_three_trials_for_each_that_it_allows() {
        let scores: Vec<f32> = (0..300).map(|n| n as f32 / 400.0).collect();
        let trials = Trials::of_strangers(&scores);
        let text = operating_point(&trials, 0.01, Some(&ListId::new("wanted").unwrap()), "2026-01-02").unwrap();
        let table: toml::Table = text.parse().unwrap();
        let point = table["list"]["operating_point"].as_table().unwrap();
        assert_eq!(point["non_mated"].as_integer(), Some(300));
        assert_eq!(point["date"].as_str(), Some("2026-01-02"));
        assert_eq!(point["fpir"].as_float(), Some(0.01));
        let threshold = point["threshold"].as_float().unwrap() as f32;
        assert_eq!((trials.false_alarms(threshold), text.contains("wanted")), (3, true));
        let refusal = operating_point(&trials, 0.001, None, "").unwrap_err().to_string();
        for part in ["300 non-mated", "3000", "--fpir 0.01,"] {
            assert!(refusal.contains(part), "{refusal:?} does not say {part:?}");
        }
    }

    #[test]
    fn the_lowest_rate_that_is_named_can_be_asked_for() {
        for trials in [31_usize, 300, 973, 1_025, 2_999] {
            let rate = rounded_up(RULE_OF_THREE / trials as f64);
            assert!(
                (RULE_OF_THREE / rate - 1e-9).ceil() as usize <= trials,
                "{trials}: {rate}"
            );
        }
    }
}
