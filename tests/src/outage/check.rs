//! The store against the ledger. What the outbox took must be stored; what is stored must have been tried; nothing stands
//! twice; the minutes of the line add up to its crossings.

use super::house::Truth;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

const PAGE_ROWS: usize = 500;

/// What became of the decisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Events and alerts that the outbox took.
    pub decided: u64,
    /// Events and alerts in the store.
    pub stored: u64,
    /// Stored though the edge was killed before it could say that the outbox took them.
    pub unsaid: u64,
    /// Messages that central received again and put aside.
    pub put_aside: u64,
    /// Taken by the outbox and not in the store.
    pub lost: u64,
    /// In the store twice, or never decided, or counted twice.
    pub doubled: u64,
    /// Totals of the outbox, crossings in the store and the sum of the minutes are the same.
    pub totals_agree: bool,
}

pub(super) async fn verdict(page: &str, ledger: &str, truth: Truth) -> Result<Verdict> {
    let (mut tried, mut kept) = (HashSet::new(), HashSet::new());
    for line in ledger.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [what, kind, id] = words[..] else { continue };
        let list = if kind == "alert" { "alerts" } else { "events" };
        match what {
            "try" => tried.insert((list, id.to_string())),
            _ => kept.insert((list, id.to_string())),
        };
    }
    let mut stored: HashMap<(&str, String), u64> = HashMap::new();
    let mut crossings = 0;
    for list in ["events", "alerts"] {
        for row in all(page, list).await? {
            let id = row["id"].as_str().context("a row has an id")?.to_string();
            *stored.entry((list, id)).or_default() += 1;
            crossings += u64::from(row["kind"] == "crossing");
        }
    }
    let stats = ask(page, "stats").await?;
    let figure = |name: &str| stats[name].as_u64().unwrap_or(0);
    ensure!(
        figure("quarantined") == 0,
        "{} messages could not be understood",
        figure("quarantined")
    );
    let minutes = ask(page, &format!("counts?from={}&to={}", day(-1)?, day(20)?)).await?;
    let sum = |way: &str| -> u64 {
        let rows = minutes.as_array().into_iter().flatten();
        rows.filter_map(|minute| minute[way].as_u64()).sum()
    };
    let counted = sum("in") + sum("out");
    let rows: u64 = stored.values().sum();
    let evidence_lost = figure("alerts").abs_diff(figure("evidence"));
    let lost = kept.iter().filter(|id| !stored.contains_key(*id)).count() as u64;
    let twice = rows - stored.len() as u64;
    let never = stored.keys().filter(|id| !tried.contains(*id)).count() as u64;
    Ok(Verdict {
        decided: kept.len() as u64,
        stored: rows,
        unsaid: stored.keys().filter(|id| !kept.contains(*id)).count() as u64,
        put_aside: figure("doubled"),
        lost: lost + evidence_lost + crossings.saturating_sub(counted),
        doubled: twice + never + counted.saturating_sub(crossings),
        totals_agree: (truth.entered, truth.left) == (sum("in"), sum("out")) && crossings == truth.entered + truth.left,
    })
}

fn day(days: i64) -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(now.as_millis() as i64 + days * 86_400_000)
}

async fn ask(page: &str, what: &str) -> Result<Value> {
    let answer = reqwest::get(format!("{page}/api/v1/{what}"))
        .await?
        .error_for_status()?;
    Ok(answer.json().await?)
}

/// Every row of a list, page by page.
async fn all(page: &str, list: &str) -> Result<Vec<Value>> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let before = rows.last().and_then(|row| row["id"].as_str());
        let before = before.map_or_else(String::new, |id| format!("&before={id}"));
        let answer = ask(page, &format!("{list}?limit={PAGE_ROWS}{before}")).await?;
        let next = answer.as_array().context("a list is an array")?;
        rows.extend(next.iter().cloned());
        if next.len() < PAGE_ROWS {
            return Ok(rows);
        }
    }
}
