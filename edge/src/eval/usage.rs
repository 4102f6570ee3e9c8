//! What this process and its ended children took from the machine, as Linux tells it. Invariant: children count once
//! they have been waited for; a source does that when it ends.

use std::fs;

/// Ticks of `/proc/self/stat` a second; fixed by Linux's interface for every common machine.
const TICKS_PER_S: f64 = 100.0;

/// A moment to measure from.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    cpu_s: f64,
    children_s: f64,
}

/// What was spent since that moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// Processor time of this process and of its ended children, s.
    pub cpu_s: f64,
    /// The children's share of it, s.
    pub children_s: f64,
    /// Largest memory of this process since its start, MiB.
    pub rss_mib: u64,
}

impl Usage {
    /// Now.
    pub fn now() -> Self {
        let [own, children] = cpu_s(&fs::read_to_string("/proc/self/stat").unwrap_or_default());
        Self {
            cpu_s: own + children,
            children_s: children,
        }
    }

    /// What was spent up to now.
    pub fn until_now(&self) -> Spent {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let now = Self::now();
        Spent {
            cpu_s: now.cpu_s - self.cpu_s,
            children_s: now.children_s - self.children_s,
            rss_mib: kib(&status, "VmHWM:") / 1024,
        }
    }
}

/// Time of this process and of its ended children: utime, stime, cutime and cstime, the 14th to 17th value, counted after the name in brackets, which may hold spaces.
fn cpu_s(stat: &str) -> [f64; 2] {
    let values = stat.rsplit_once(')').map_or("", |(_, values)| values);
    let mut ticks = values
        .split_ascii_whitespace()
        .skip(11)
        .map(|value| value.parse::<f64>().unwrap_or(0.0));
    let mut next = || ticks.next().unwrap_or(0.0);
    [next() + next(), next() + next()].map(|ticks| ticks / TICKS_PER_S)
}

/// Memory of this process now, MiB.
pub fn memory_mib() -> u64 {
    kib(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:") / 1024
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_times_are_found_behind_any_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 9 0 0 0 150 50 30 20 20 0 8 0 100 1 1";
        assert_eq!(cpu_s(stat), [2.0, 0.5]);
        assert_eq!(cpu_s(""), [0.0, 0.0]);
        let status = "Name:\tx\nVmHWM:\t  262144 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(
            (kib(status, "VmHWM:"), kib(status, "VmRSS:"), kib(status, "VmX:")),
            (262_144, 1, 0)
        );
    }
}
