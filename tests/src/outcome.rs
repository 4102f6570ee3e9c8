//! What was seen, gathered from the live feed, and the table that sets it beside what is true.

use crate::feed::Message;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that the feed told.
#[derive(Debug, Default)]
pub struct Seen {
    /// Crossings in and out by camera.
    pub crossings: BTreeMap<String, (u64, u64)>,
    /// Entries recognised by camera.
    pub entries: BTreeMap<String, BTreeSet<String>>,
    /// Plates by camera: plate, class, colour, rows.
    pub plates: BTreeMap<String, Vec<(String, String, String, u64)>>,
    /// Alerts: camera, entry, id.
    pub alerts: Vec<(String, String, String)>,
    /// Alerts whose picture arrived.
    pub with_picture: BTreeSet<String>,
    /// Milliseconds from the frame to the page, of every event that was sent at once.
    pub frame_to_page_ms: Vec<i64>,
    /// Ids of events and alerts.
    pub ids: BTreeSet<String>,
    /// Messages with an id that had come before.
    pub repeated: u64,
}

impl Seen {
    /// Takes a message of the feed.
    pub fn take(&mut self, message: &Message) {
        match message.name.as_str() {
            "event" => self.take_event(message),
            "alert" => self.take_alert(&message.data),
            "evidence" => {
                self.with_picture.insert(text(&message.data, "alert"));
            }
            _ => {}
        }
    }

    /// One line for people who wait.
    pub fn in_short(&self) -> String {
        let (entered, left) = self
            .crossings
            .values()
            .fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
        let plates: usize = self.plates.values().map(Vec::len).sum();
        let alerts = self.alerts.len();
        format!(
            "vào {entered} ra {left}, {plates} biển số, {alerts} cảnh báo / in {entered} out {left}, {plates} plates, {alerts} alerts"
        )
    }

    fn take_event(&mut self, message: &Message) {
        let event = &message.data;
        self.note_id(event);
        if event["replayed"] != Value::Bool(true)
            && let Some(camera_time_ms) = event["camera_time_ms"].as_i64()
        {
            self.frame_to_page_ms.push(message.arrived_ms - camera_time_ms);
        }
        let camera = text(event, "camera");
        match event["kind"].as_str() {
            Some("crossing") => {
                let (entered, left) = self.crossings.entry(camera).or_default();
                *(if event["direction"] == "in" { entered } else { left }) += 1;
            }
            Some("recognition") => {
                self.entries.entry(camera).or_default().insert(text(event, "entry"));
            }
            Some("plate") => {
                let plate = (
                    text(event, "plate"),
                    text(event, "class"),
                    text(event, "colour"),
                    event["lines"].as_u64().unwrap_or(0),
                );
                self.plates.entry(camera).or_default().push(plate);
            }
            _ => {}
        }
    }

    fn take_alert(&mut self, alert: &Value) {
        self.note_id(alert);
        let entry = alert["entry"]["id"].as_str().unwrap_or_default().to_string();
        let id = text(alert, "id");
        if alert["evidence_url"].is_string() {
            self.with_picture.insert(id.clone());
        }
        self.alerts.push((text(alert, "camera"), entry, id));
    }

    fn note_id(&mut self, message: &Value) {
        if !self.ids.insert(text(message, "id")) {
            self.repeated += 1;
        }
    }

    /// Share `q` of the times from frame to page lie below this, ms.
    pub fn frame_to_page(&self, q: f64) -> Option<i64> {
        let mut times = self.frame_to_page_ms.clone();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        times.get((last as f64 * q).round() as usize).copied()
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_string()
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The camera, or what else is compared.
    pub what: String,
    /// What is true.
    pub truth: String,
    /// What was seen.
    pub seen: String,
    /// Whether that is good enough.
    pub good: bool,
}

impl Row {
    /// A line of the table.
    pub fn new(what: impl Into<String>, truth: impl Into<String>, seen: impl Into<String>, good: bool) -> Self {
        Self {
            what: what.into(),
            truth: truth.into(),
            seen: seen.into(),
            good,
        }
    }
}

/// The table as text, columns aligned.
pub fn table(rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> &str, title: &str| {
        rows.iter()
            .map(|row| cell(row).chars().count())
            .chain([title.chars().count()])
            .max()
            .unwrap_or(0)
    };
    let what = width(|row| &row.what, "Nội dung / what");
    let truth = width(|row| &row.truth, "Đúng / true");
    let mut text = format!(
        "{:what$}  {:truth$}  {}\n",
        "Nội dung / what", "Đúng / true", "Thấy / seen"
    );
    for row in rows {
        let mark = if row.good {
            ""
        } else {
            "   <-- KHÔNG ĐẠT / not reached"
        };
        text.push_str(&format!(
            "{:what$}  {:truth$}  {}{mark}\n",
            row.what, row.truth, row.seen
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(name: &str, data: Value) -> Message {
        Message {
            name: name.into(),
            data,
            arrived_ms: 1_500,
        }
    }

    #[test]
    fn what_the_feed_tells_is_gathered_and_doubles_are_noticed() {
        let mut seen = Seen::default();
        let crossing =
            json!({"id": "1", "camera": "w", "kind": "crossing", "direction": "in", "camera_time_ms": 1_000});
        seen.take(&message("event", crossing.clone()));
        seen.take(&message(
            "alert",
            json!({"id": "2", "camera": "w", "entry": {"id": "a"}, "evidence_url": null}),
        ));
        seen.take(&message("evidence", json!({"alert": "2", "evidence_url": "/x"})));
        assert_eq!(
            (seen.crossings["w"], seen.repeated, seen.frame_to_page(0.99)),
            ((1, 0), 0, Some(500))
        );
        assert_eq!((seen.alerts.len(), seen.with_picture.contains("2")), (1, true));
        seen.take(&message("event", crossing));
        assert_eq!(seen.repeated, 1);
    }

    #[test]
    fn the_table_marks_what_was_not_reached() {
        let rows = [Row::new("walkway", "18", "18", true), Row::new("gate", "2", "1", false)];
        let text = table(&rows);
        assert_eq!(text.lines().filter(|line| line.contains("not reached")).count(), 1);
        assert!(text.lines().nth(2).unwrap().starts_with("gate"));
    }
}
