//! Reading what devices sent. Every list is bounded by its caller. One text for both databases.

use super::{DbRow, ThisStore, row};
use crate::domain::{LineKey, LocalDay};
use crate::store::{
    AlertRow, CameraMinutes, CountRow, DeviceRow, EventRow, EvidenceRow, Origin, Page, QuarantineRow, Stats,
    StoreError, Tally, Variances,
};
use vong_wire::{EventId, SiteId, UnixMs};

fn origin(found: &DbRow) -> Result<Origin, StoreError> {
    Ok(Origin {
        site: row::id(found, "site")?,
        device: row::id(found, "device")?,
        received_ms: row::get(found, "received_ms")?,
    })
}

/// Summed up over minutes all of which told their doubt.
fn variances(found: &DbRow) -> Result<Variances, StoreError> {
    Ok(Variances {
        entered: row::get(found, "in_var")?,
        departed: row::get(found, "out_var")?,
    })
}

fn line_key(found: &DbRow) -> Result<LineKey, StoreError> {
    Ok(LineKey {
        site: row::id(found, "site")?,
        device: row::id(found, "device")?,
        camera: row::id(found, "camera")?,
        line: row::id(found, "line")?,
    })
}

fn alert_row(found: &DbRow) -> Result<AlertRow, StoreError> {
    Ok(AlertRow {
        origin: origin(found)?,
        stored_ms: row::get(found, "stored_ms")?,
        alert: row::json(found, "body")?,
        live: row::get(found, "live")?,
        exercise: row::get(found, "exercise")?,
        has_picture: row::get(found, "has_picture")?,
    })
}

fn event_row(found: &DbRow) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        origin: origin(found)?,
        stored_ms: row::get(found, "stored_ms")?,
        event: row::json(found, "body")?,
    })
}

fn evidence_row(found: &DbRow) -> Result<EvidenceRow, StoreError> {
    Ok(EvidenceRow {
        alert: row::event_id(found, "alert")?,
        file: row::get(found, "file")?,
        bytes: row::number(found, "bytes")?,
    })
}

impl ThisStore {
    pub(super) async fn read_devices(&self) -> Result<Vec<DeviceRow>, StoreError> {
        let select = "SELECT site, id, status, since_ms, first_seen_ms, version, models, bundle_version
                      FROM device ORDER BY site, place, id";
        let rows = sqlx::query(select).fetch_all(&self.readers).await?;
        let device = |found: &DbRow| {
            let status: String = row::get(found, "status")?;
            Ok(DeviceRow {
                site: row::id(found, "site")?,
                device: row::id(found, "id")?,
                status: match status.as_str() {
                    "never" => None,
                    _ => Some(row::named(status, "status")?),
                },
                since_ms: row::get(found, "since_ms")?,
                first_seen_ms: row::get(found, "first_seen_ms")?,
                version: row::get(found, "version")?,
                models: row::json(found, "models")?,
                bundle_version: row::number(found, "bundle_version")?,
            })
        };
        rows.iter().map(device).collect()
    }

    pub(super) async fn read_alerts(&self, page: &Page) -> Result<Vec<AlertRow>, StoreError> {
        let select = "SELECT alert.*, COALESCE(evidence.file, '') <> '' AS has_picture
                      FROM alert LEFT JOIN evidence ON evidence.alert = alert.id
                      WHERE ($1 IS NULL OR alert.site = $1)
                        AND ($2 IS NULL
                             OR (camera_time_ms, id) < (SELECT camera_time_ms, id FROM alert WHERE id = $2))
                      ORDER BY camera_time_ms DESC, id DESC LIMIT $3";
        let rows = sqlx::query(select)
            .bind(page.site.as_ref().map(SiteId::as_str))
            .bind(page.before.map(|id| id.0))
            .bind(i64::from(page.limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(alert_row).collect()
    }

    pub(super) async fn read_alert(&self, id: EventId) -> Result<Option<AlertRow>, StoreError> {
        let select = "SELECT alert.*, COALESCE(evidence.file, '') <> '' AS has_picture
                      FROM alert LEFT JOIN evidence ON evidence.alert = alert.id WHERE id = $1";
        let found = sqlx::query(select).bind(id.0).fetch_optional(&self.readers).await?;
        found.as_ref().map(alert_row).transpose()
    }

    pub(super) async fn read_events(&self, page: &Page) -> Result<Vec<EventRow>, StoreError> {
        let select = "SELECT site, device, received_ms, stored_ms, body FROM event
                      WHERE ($1 IS NULL OR site = $1) AND ($2 IS NULL OR kind = $2)
                        AND ($3 IS NULL
                             OR (camera_time_ms, id) < (SELECT camera_time_ms, id FROM event WHERE id = $3))
                      ORDER BY camera_time_ms DESC, id DESC LIMIT $4";
        let rows = sqlx::query(select)
            .bind(page.site.as_ref().map(SiteId::as_str))
            .bind(page.kind.as_deref())
            .bind(page.before.map(|id| id.0))
            .bind(i64::from(page.limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(event_row).collect()
    }

    pub(super) async fn read_fresh_events(&self, ids: &[EventId]) -> Result<Vec<EventRow>, StoreError> {
        let select = "SELECT site, device, received_ms, stored_ms, body FROM event WHERE id = $1";
        let mut sorted = ids.to_vec();
        sorted.sort_by_key(|id| id.0);
        let mut rows = Vec::with_capacity(ids.len());
        for id in sorted {
            rows.extend(sqlx::query(select).bind(id.0).fetch_optional(&self.readers).await?);
        }
        rows.iter().map(event_row).collect()
    }

    pub(super) async fn read_quarantined(&self) -> Result<u64, StoreError> {
        let select = "SELECT COALESCE((SELECT value FROM counter WHERE name = 'quarantined'), 0) AS quarantined";
        let found = sqlx::query(select).fetch_one(&self.readers).await?;
        row::number(&found, "quarantined")
    }

    pub(super) async fn read_counts(
        &self,
        from_ms: UnixMs,
        to_ms: UnixMs,
        site: Option<&SiteId>,
        limit: u32,
    ) -> Result<Vec<CountRow>, StoreError> {
        let select = "SELECT site, device, camera, line, minute_ms, CAST(SUM(entered) AS BIGINT) AS entered,
                             CAST(SUM(departed) AS BIGINT) AS departed, SUM(coverage) AS coverage,
                             CASE WHEN COUNT(in_sd) = COUNT(*) THEN SUM(in_sd * in_sd) END AS in_var,
                             CASE WHEN COUNT(out_sd) = COUNT(*) THEN SUM(out_sd * out_sd) END AS out_var
                      FROM count_minute
                      WHERE minute_ms >= $1 AND minute_ms < $2 AND ($3 IS NULL OR site = $3)
                      GROUP BY minute_ms, site, device, camera, line
                      ORDER BY minute_ms, site, device, camera, line LIMIT $4";
        let rows = sqlx::query(select)
            .bind(from_ms)
            .bind(to_ms)
            .bind(site.map(SiteId::as_str))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        let count = |found: &DbRow| {
            Ok(CountRow {
                key: line_key(found)?,
                minute_ms: row::get(found, "minute_ms")?,
                entered: row::number(found, "entered")?,
                departed: row::number(found, "departed")?,
                coverage: row::get::<f64>(found, "coverage")?.min(1.0),
                doubt: variances(found)?,
            })
        };
        rows.iter().map(count).collect()
    }

    pub(super) async fn read_tallies(&self, day: LocalDay) -> Result<Vec<Tally>, StoreError> {
        let select = "SELECT site, device, camera, line, entered, departed FROM tally WHERE day = $1";
        let rows = sqlx::query(select).bind(day.0).fetch_all(&self.readers).await?;
        let tally = |found: &DbRow| {
            Ok(Tally {
                key: line_key(found)?,
                day,
                entered: row::number(found, "entered")?,
                departed: row::number(found, "departed")?,
            })
        };
        rows.iter().map(tally).collect()
    }

    pub(super) async fn read_covered_minutes(
        &self,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<CameraMinutes>, StoreError> {
        let select = "SELECT site, device, camera, line, SUM(coverage) AS covered,
                             CASE WHEN COUNT(in_sd) = COUNT(*) THEN SUM(in_sd * in_sd) END AS in_var,
                             CASE WHEN COUNT(out_sd) = COUNT(*) THEN SUM(out_sd * out_sd) END AS out_var
                      FROM count_minute
                      WHERE minute_ms >= $1 AND minute_ms < $2 GROUP BY site, device, camera, line";
        let rows = sqlx::query(select)
            .bind(from_ms)
            .bind(to_ms)
            .fetch_all(&self.readers)
            .await?;
        let minutes = |found: &DbRow| {
            Ok(CameraMinutes {
                key: line_key(found)?,
                covered: row::get(found, "covered")?,
                doubt: variances(found)?,
            })
        };
        rows.iter().map(minutes).collect()
    }

    pub(super) async fn read_quarantine(&self, limit: u32) -> Result<Vec<QuarantineRow>, StoreError> {
        let select = "SELECT received_ms, topic, reason, head, bytes FROM quarantine
                      ORDER BY received_ms DESC, id DESC LIMIT $1";
        let rows = sqlx::query(select)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        let message = |found: &DbRow| {
            Ok(QuarantineRow {
                received_ms: row::get(found, "received_ms")?,
                topic: row::get(found, "topic")?,
                reason: row::get(found, "reason")?,
                head: row::get(found, "head")?,
                bytes: row::number(found, "bytes")?,
            })
        };
        rows.iter().map(message).collect()
    }

    pub(super) async fn read_stats(&self) -> Result<Stats, StoreError> {
        let select = "SELECT (SELECT COUNT(*) FROM event) AS events, (SELECT COUNT(*) FROM alert) AS alerts,
                             (SELECT COUNT(*) FROM count_minute) AS counts,
                             (SELECT COUNT(*) FROM evidence) AS evidence,
                             COALESCE((SELECT value FROM counter WHERE name = 'quarantined'), 0) AS quarantined,
                             COALESCE((SELECT value FROM counter WHERE name = 'doubled'), 0) AS doubled";
        let found = sqlx::query(select).fetch_one(&self.readers).await?;
        Ok(Stats {
            events: row::number(&found, "events")?,
            alerts: row::number(&found, "alerts")?,
            counts: row::number(&found, "counts")?,
            evidence: row::number(&found, "evidence")?,
            quarantined: row::number(&found, "quarantined")?,
            doubled: row::number(&found, "doubled")?,
        })
    }

    pub(super) async fn read_evidence(&self, alert: EventId) -> Result<Option<EvidenceRow>, StoreError> {
        let select = "SELECT alert, file, bytes FROM evidence WHERE alert = $1 AND file <> ''";
        let found = sqlx::query(select).bind(alert.0).fetch_optional(&self.readers).await?;
        found.as_ref().map(evidence_row).transpose()
    }

    pub(super) async fn read_evidence_before(
        &self,
        before_ms: UnixMs,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>, StoreError> {
        let select = "SELECT alert, file, bytes FROM evidence WHERE received_ms < $1 AND file <> ''
                      ORDER BY received_ms LIMIT $2";
        let rows = sqlx::query(select)
            .bind(before_ms)
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(evidence_row).collect()
    }

    pub(super) async fn write_evidence_deleted(&self, alerts: &[EventId]) -> Result<(), StoreError> {
        for alert in alerts {
            sqlx::query("UPDATE evidence SET file = '' WHERE alert = $1")
                .bind(alert.0)
                .execute(&self.writer)
                .await?;
        }
        Ok(())
    }
}
