//! Headcounts of the local day. "Today" is the sum of the crossings whose picture was taken since local midnight: each
//! crossing moves its line's day in the transaction that stores it, once, however often and however late it is sent.
//! The minutes that devices tell beside give the coverage.

use super::contract::{CountMoved, Gate};
use crate::domain::{Directory, LineKey, LocalDay, Site};
use crate::store::{CameraMinutes, DeviceRow, Store, StoreError, Tally, Variances};
use std::collections::HashMap;
use vong_wire::UnixMs;

const MINUTE_MS: i64 = 60_000;
/// A minute's message is given this long to arrive before the minute counts as uncovered.
const GRACE_MS: i64 = 20_000;

/// The local day so far.
pub(super) struct Today {
    tallies: HashMap<LineKey, (u64, u64)>,
    covered: HashMap<LineKey, f64>,
    doubts: HashMap<LineKey, Variances>,
    now_ms: UnixMs,
}

impl Today {
    pub(super) async fn read(store: &dyn Store, now_ms: UnixMs) -> Result<Self, StoreError> {
        let day = LocalDay::of(now_ms);
        let tallies = store.tallies(day).await?;
        let covered = store.covered_minutes(day.start_ms(), last_minute_ms(now_ms)).await?;
        Ok(Self::of(tallies, covered, now_ms))
    }

    pub(super) fn of(tallies: Vec<Tally>, covered: Vec<CameraMinutes>, now_ms: UnixMs) -> Self {
        let tallies = tallies
            .into_iter()
            .map(|tally| (tally.key, (tally.entered, tally.departed)));
        let doubts = covered
            .iter()
            .map(|minutes| (minutes.key.clone(), minutes.doubt))
            .collect();
        let covered = covered.into_iter().map(|minutes| (minutes.key, minutes.covered));
        Self {
            tallies: tallies.collect(),
            covered: covered.collect(),
            doubts,
            now_ms,
        }
    }

    /// In and out of a line.
    pub(super) fn line(&self, key: &LineKey) -> (u64, u64) {
        self.tallies.get(key).copied().unwrap_or_default()
    }

    fn sum(&self, keys: impl Iterator<Item = LineKey>) -> (u64, u64) {
        keys.map(|key| self.line(&key))
            .fold((0, 0), |(entered, departed), (more_in, more_out)| {
                (entered + more_in, departed + more_out)
            })
    }

    pub(super) fn gates(&self, directory: &Directory, devices: &[DeviceRow]) -> Vec<Gate> {
        let of_site = |site: &Site| {
            let gates = site.gates.iter().map(|gate| {
                let (in_today, out_today) = self.sum(directory.lines_of(site, &gate.id));
                let (in_sd_today, out_sd_today) = self.deviations(directory.lines_of(site, &gate.id));
                Gate {
                    site: site.id.clone(),
                    gate: gate.id.to_string(),
                    name: gate.name.clone(),
                    in_today,
                    out_today,
                    in_sd_today,
                    out_sd_today,
                    coverage_today: self.coverage(directory.lines_of(site, &gate.id), devices),
                }
            });
            gates.collect::<Vec<_>>()
        };
        directory.sites.iter().flat_map(of_site).collect()
    }

    /// What the live feed tells of a line that moved.
    pub(super) fn moved(&self, directory: &Directory, key: &LineKey) -> CountMoved {
        let (in_today, out_today) = self.line(key);
        let gate = directory.gate_of(key);
        let site = directory.site(&key.site);
        let sums = gate
            .zip(site)
            .map(|(gate, site)| self.sum(directory.lines_of(site, gate)));
        CountMoved {
            site: key.site.clone(),
            device: key.device.clone(),
            camera: key.camera.clone(),
            line: key.line.clone(),
            in_today,
            out_today,
            gate: gate.map(ToString::to_string),
            gate_in: sums.map(|(entered, _)| entered),
            gate_out: sums.map(|(_, departed)| departed),
        }
    }

    /// One standard deviation of the truth about the sums of these lines, inward and outward: variances add. None where a
    /// line that counted has not told its own.
    pub(super) fn deviations(&self, keys: impl Iterator<Item = LineKey>) -> (Option<f64>, Option<f64>) {
        let counted = |key: &LineKey| self.doubts.contains_key(key) || self.line(key) != (0, 0);
        let of: Vec<Option<Variances>> = keys.filter(counted).map(|key| self.doubts.get(&key).copied()).collect();
        if of.is_empty() {
            return (None, None);
        }
        let sum = |way: fn(Variances) -> Option<f64>| {
            let variances = of.iter().map(|line| line.and_then(way));
            variances.sum::<Option<f64>>().map(f64::sqrt)
        };
        (sum(|line| line.entered), sum(|line| line.departed))
    }

    /// Mean over the lines of covered minutes by minutes that should have been: since midnight, or since the device
    /// was first heard of where that was today.
    fn coverage(&self, keys: impl Iterator<Item = LineKey>, devices: &[DeviceRow]) -> Option<f64> {
        let midnight_ms = LocalDay::of(self.now_ms).start_ms();
        let shares: Vec<f64> = keys
            .filter_map(|key| {
                let device = devices
                    .iter()
                    .find(|row| row.site == key.site && row.device == key.device)?;
                let begin_ms = device.first_seen_ms?.max(midnight_ms);
                let minutes = (last_minute_ms(self.now_ms) - begin_ms).div_euclid(MINUTE_MS);
                let covered = self.covered.get(&key).copied().unwrap_or(0.0);
                (minutes > 0).then(|| (covered / minutes as f64).min(1.0))
            })
            .collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

/// End of the last minute whose message must have arrived.
fn last_minute_ms(now_ms: UnixMs) -> UnixMs {
    (now_ms - GRACE_MS).div_euclid(MINUTE_MS) * MINUTE_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Camera, Device, Gate as DomainGate, GateId, Line, Names};
    use vong_wire::{CameraId, DeviceId, LineId, SiteId};

    const NOON_MS: UnixMs = 1_795_539_600_000 + 12 * 3_600_000;

    fn key(line: &str) -> LineKey {
        LineKey {
            site: SiteId::new("park").unwrap(),
            device: DeviceId::new("edge-1").unwrap(),
            camera: CameraId::new("walkway").unwrap(),
            line: LineId::new(line).unwrap(),
        }
    }

    fn directory() -> Directory {
        let gate = |id: &str| DomainGate {
            id: GateId::new(id).unwrap(),
            name: Names::of_id(id),
        };
        let line = |id: &str, gate: Option<&str>| Line {
            id: LineId::new(id).unwrap(),
            name: Names::of_id(id),
            gate: gate.map(|gate| GateId::new(gate).unwrap()),
        };
        let camera = Camera {
            id: key("x").camera,
            name: Names::of_id("walkway"),
            lines: vec![line("left", Some("a")), line("right", Some("a")), line("odd", None)],
        };
        let device = Device {
            id: key("x").device,
            name: Names::of_id("edge-1"),
            known: true,
            cameras: vec![camera],
        };
        let site = Site {
            id: key("x").site,
            province: None,
            name: Names::of_id("park"),
            gates: vec![gate("a"), gate("b")],
            devices: vec![device],
        };
        Directory {
            sites: vec![site],
            lists: vec![],
        }
    }

    fn device(first_seen_ms: Option<UnixMs>) -> DeviceRow {
        DeviceRow {
            site: key("x").site,
            device: key("x").device,
            status: None,
            since_ms: 0,
            first_seen_ms,
            version: String::new(),
            models: Default::default(),
            bundle_version: 0,
        }
    }

    fn tally(line: &str, entered: u64, departed: u64) -> Tally {
        Tally {
            key: key(line),
            day: LocalDay::of(NOON_MS),
            entered,
            departed,
        }
    }

    #[test]
    fn a_gate_is_the_sum_of_its_lines() {
        let today = Today::of(
            vec![tally("left", 3, 1), tally("right", 4, 0), tally("odd", 9, 9)],
            vec![],
            NOON_MS,
        );
        let gates = today.gates(&directory(), &[]);
        let counts: Vec<_> = gates.iter().map(|gate| (gate.in_today, gate.out_today)).collect();
        assert_eq!(counts, [(7, 1), (0, 0)]);
        let moved = today.moved(&directory(), &key("left"));
        assert_eq!(
            (moved.in_today, moved.gate.as_deref(), moved.gate_in),
            (3, Some("a"), Some(7))
        );
        let moved = today.moved(&directory(), &key("odd"));
        assert_eq!((moved.in_today, moved.gate, moved.gate_in), (9, None, None));
    }

    fn doubt(variance: Option<f64>) -> Variances {
        Variances {
            entered: variance,
            departed: variance.map(|_| 0.0),
        }
    }

    #[test]
    fn the_doubts_of_a_gate_add_as_variances_or_are_not_told() {
        let check = |doubts: &[(&str, Option<f64>)], tallies: Vec<Tally>, expected: (Option<f64>, Option<f64>)| {
            let minutes = doubts.iter().map(|(line, variance)| CameraMinutes {
                key: key(line),
                covered: 1.0,
                doubt: doubt(*variance),
            });
            let today = Today::of(tallies, minutes.collect(), NOON_MS);
            let gate = &today.gates(&directory(), &[])[0];
            assert_eq!((gate.in_sd_today, gate.out_sd_today), expected, "{doubts:?}");
        };
        let told = (Some(5.0), Some(0.0));
        check(&[("left", Some(9.0)), ("right", Some(16.0))], vec![], told);
        check(&[("left", Some(25.0)), ("odd", Some(7.0))], vec![], told);
        check(&[("left", Some(25.0)), ("odd", None)], vec![tally("left", 3, 0)], told);
        check(&[("left", Some(9.0)), ("right", None)], vec![], (None, None));
        check(&[("left", Some(9.0))], vec![tally("right", 1, 0)], (None, None));
        check(&[], vec![], (None, None));
    }

    #[test]
    fn coverage_is_of_the_time_since_the_device_was_first_heard_of() {
        let check = |first_seen_ms: Option<UnixMs>, covered: f64, expected: Option<f64>| {
            let minutes = |line: &str| CameraMinutes {
                key: key(line),
                covered,
                doubt: doubt(None),
            };
            let today = Today::of(vec![], vec![minutes("left"), minutes("right")], NOON_MS);
            let gates = today.gates(&directory(), &[device(first_seen_ms)]);
            assert_eq!(gates[0].coverage_today, expected, "{first_seen_ms:?} {covered}");
            assert_eq!(gates[1].coverage_today, None, "a gate without lines has a coverage");
        };
        // By noon 719 minutes are over and told of: the last one's message may still be under way.
        check(Some(0), 719.0, Some(1.0));
        check(Some(0), 719.0 / 2.0, Some(0.5));
        check(Some(NOON_MS - 11 * MINUTE_MS), 5.0, Some(0.5));
        check(Some(NOON_MS - 1_000), 0.0, None);
        check(None, 0.0, None);
    }
}
