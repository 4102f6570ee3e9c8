//! What there is: taking seeds in and reading the directory back. One text for both databases.

use super::{DbConnection, DbRow, ThisStore, Write, begin_alone, begin_steady, row, settle};
use crate::domain::{Camera, Device, Directory, Entry, Gate, Line, List, Names, Site};
use crate::store::{Seeds, StoreError};
use std::collections::HashMap;
use vong_wire::UnixMs;

fn names(found: &DbRow) -> Result<Names, StoreError> {
    Ok(Names {
        vi: row::get(found, "name_vi")?,
        en: row::get(found, "name_en")?,
    })
}

impl ThisStore {
    pub(super) async fn read_seed_sha256(&self, file: &str) -> Result<Option<String>, StoreError> {
        let select = "SELECT sha256 FROM seed_file WHERE name = $1";
        Ok(sqlx::query_scalar(select)
            .bind(file)
            .fetch_optional(&self.readers)
            .await?)
    }

    pub(super) async fn write_seeds(&self, seeds: &Seeds, now_ms: UnixMs) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        let done = take_in(&mut connection, seeds, now_ms).await;
        settle(connection, done)
    }

    pub(super) async fn read_directory(&self) -> Result<Directory, StoreError> {
        // One transaction, so that a line never names a camera that this reading has not seen.
        let mut read = begin_steady(&self.readers).await?;
        let mut lines: HashMap<(String, String, String), Vec<Line>> = HashMap::new();
        let select = "SELECT * FROM line ORDER BY place, id";
        for found in sqlx::query(select).fetch_all(&mut *read).await? {
            let key = (
                row::get(&found, "site")?,
                row::get(&found, "device")?,
                row::get(&found, "camera")?,
            );
            lines.entry(key).or_default().push(Line {
                id: row::id(&found, "id")?,
                name: names(&found)?,
                gate: row::optional_id(&found, "gate")?,
            });
        }
        let mut cameras: HashMap<(String, String), Vec<Camera>> = HashMap::new();
        let select = "SELECT * FROM camera ORDER BY place, id";
        for found in sqlx::query(select).fetch_all(&mut *read).await? {
            let (site, device): (String, String) = (row::get(&found, "site")?, row::get(&found, "device")?);
            let key = (site.clone(), device.clone(), row::get(&found, "id")?);
            cameras.entry((site, device)).or_default().push(Camera {
                id: row::id(&found, "id")?,
                name: names(&found)?,
                lines: lines.remove(&key).unwrap_or_default(),
            });
        }
        let mut devices: HashMap<String, Vec<Device>> = HashMap::new();
        let select = "SELECT * FROM device ORDER BY place, id";
        for found in sqlx::query(select).fetch_all(&mut *read).await? {
            let (site, id): (String, String) = (row::get(&found, "site")?, row::get(&found, "id")?);
            devices.entry(site.clone()).or_default().push(Device {
                id: row::id(&found, "id")?,
                name: names(&found)?,
                known: row::get(&found, "known")?,
                cameras: cameras.remove(&(site, id)).unwrap_or_default(),
            });
        }
        let mut gates: HashMap<String, Vec<Gate>> = HashMap::new();
        let select = "SELECT * FROM gate ORDER BY place, id";
        for found in sqlx::query(select).fetch_all(&mut *read).await? {
            gates.entry(row::get(&found, "site")?).or_default().push(Gate {
                id: row::id(&found, "id")?,
                name: names(&found)?,
            });
        }
        let mut sites = Vec::new();
        for found in sqlx::query("SELECT * FROM site ORDER BY id")
            .fetch_all(&mut *read)
            .await?
        {
            let id: String = row::get(&found, "id")?;
            sites.push(Site {
                id: row::id(&found, "id")?,
                province: row::optional_id(&found, "province")?,
                name: names(&found)?,
                gates: gates.remove(&id).unwrap_or_default(),
                devices: devices.remove(&id).unwrap_or_default(),
            });
        }
        let lists = read_lists(&mut read).await?;
        Ok(Directory { sites, lists })
    }
}

async fn take_in(connection: &mut DbConnection, seeds: &Seeds, now_ms: UnixMs) -> Result<(), StoreError> {
    let mut write = begin_alone(connection).await?;
    for province in &seeds.provinces {
        let upsert = "INSERT INTO province (id, name_vi, name_en) VALUES ($1, $2, $3)
                      ON CONFLICT (id) DO UPDATE SET name_vi = excluded.name_vi, name_en = excluded.name_en";
        let query = sqlx::query(upsert).bind(province.id.as_str()).bind(&province.name.vi);
        query.bind(&province.name.en).execute(&mut *write).await?;
    }
    for site in &seeds.sites {
        put_site(&mut write, site, now_ms).await?;
    }
    for (place, list) in seeds.lists.iter().enumerate() {
        put_list(&mut write, place, list).await?;
    }
    for user in &seeds.users {
        let insert = "INSERT INTO users (id, name_vi, name_en, role, changed_ms) VALUES ($1, $2, $3, $4, $5)
                      ON CONFLICT (id) DO NOTHING";
        let query = sqlx::query(insert)
            .bind(&user.id)
            .bind(&user.name.vi)
            .bind(&user.name.en);
        query.bind(user.role.as_str()).bind(now_ms).execute(&mut *write).await?;
    }
    for (name, sha256) in &seeds.files {
        let upsert = "INSERT INTO seed_file (name, sha256, taken_ms) VALUES ($1, $2, $3)
                      ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, taken_ms = excluded.taken_ms";
        sqlx::query(upsert)
            .bind(name)
            .bind(sha256)
            .bind(now_ms)
            .execute(&mut *write)
            .await?;
    }
    Ok(write.commit().await?)
}

async fn read_lists(read: &mut Write<'_>) -> Result<Vec<List>, StoreError> {
    let mut photographs: HashMap<(String, String), Vec<String>> = HashMap::new();
    let select = "SELECT list, entry, source FROM photograph ORDER BY place";
    for found in sqlx::query(select).fetch_all(&mut **read).await? {
        let key = (row::get(&found, "list")?, row::get(&found, "entry")?);
        photographs.entry(key).or_default().push(row::get(&found, "source")?);
    }
    let mut entries: HashMap<String, Vec<Entry>> = HashMap::new();
    let select = "SELECT list, id, label_vi AS name_vi, label_en AS name_en, plate, colour FROM entry
                  ORDER BY place, id";
    for found in sqlx::query(select).fetch_all(&mut **read).await? {
        let (list, id): (String, String) = (row::get(&found, "list")?, row::get(&found, "id")?);
        let colour: Option<String> = row::get(&found, "colour")?;
        entries.entry(list.clone()).or_default().push(Entry {
            id: row::id(&found, "id")?,
            label: names(&found)?,
            photographs: photographs.remove(&(list, id)).unwrap_or_default(),
            plate: row::get(&found, "plate")?,
            colour: colour.map(|name| row::named(name, "colour")).transpose()?,
        });
    }
    let mut lists = Vec::new();
    for found in sqlx::query("SELECT * FROM list ORDER BY place, id")
        .fetch_all(&mut **read)
        .await?
    {
        let id: String = row::get(&found, "id")?;
        lists.push(List {
            id: row::id(&found, "id")?,
            name: names(&found)?,
            severity: row::named(row::get(&found, "severity")?, "severity")?,
            exercise: row::get(&found, "exercise")?,
            kind: row::named(row::get(&found, "kind")?, "kind")?,
            threshold: row::get(&found, "threshold")?,
            entries: entries.remove(&id).unwrap_or_default(),
        });
    }
    Ok(lists)
}

async fn put_site(write: &mut Write<'_>, site: &Site, now_ms: UnixMs) -> Result<(), StoreError> {
    let upsert = "INSERT INTO site (id, province, name_vi, name_en) VALUES ($1, $2, $3, $4)
                  ON CONFLICT (id) DO UPDATE SET province = excluded.province, name_vi = excluded.name_vi,
                                                 name_en = excluded.name_en";
    sqlx::query(upsert)
        .bind(site.id.as_str())
        .bind(site.province.as_ref().map(|id| id.as_str()))
        .bind(&site.name.vi)
        .bind(&site.name.en)
        .execute(&mut **write)
        .await?;
    for (place, gate) in site.gates.iter().enumerate() {
        let upsert = "INSERT INTO gate (site, id, place, name_vi, name_en) VALUES ($1, $2, $3, $4, $5)
                      ON CONFLICT (site, id) DO UPDATE SET place = excluded.place, name_vi = excluded.name_vi,
                                                           name_en = excluded.name_en";
        sqlx::query(upsert)
            .bind(site.id.as_str())
            .bind(gate.id.as_str())
            .bind(place as i64)
            .bind(&gate.name.vi)
            .bind(&gate.name.en)
            .execute(&mut **write)
            .await?;
    }
    for (place, device) in site.devices.iter().enumerate() {
        let upsert = "INSERT INTO device (site, id, place, name_vi, name_en, known, since_ms)
                      VALUES ($1, $2, $3, $4, $5, TRUE, $6)
                      ON CONFLICT (site, id) DO UPDATE SET place = excluded.place, name_vi = excluded.name_vi,
                                                           name_en = excluded.name_en, known = TRUE";
        sqlx::query(upsert)
            .bind(site.id.as_str())
            .bind(device.id.as_str())
            .bind(place as i64)
            .bind(&device.name.vi)
            .bind(&device.name.en)
            .bind(now_ms)
            .execute(&mut **write)
            .await?;
        for (place, camera) in device.cameras.iter().enumerate() {
            put_camera(write, site, device, place, camera).await?;
        }
    }
    Ok(())
}

async fn put_camera(
    write: &mut Write<'_>,
    site: &Site,
    device: &Device,
    place: usize,
    camera: &Camera,
) -> Result<(), StoreError> {
    let upsert = "INSERT INTO camera (site, device, id, place, name_vi, name_en) VALUES ($1, $2, $3, $4, $5, $6)
                  ON CONFLICT (site, device, id) DO UPDATE SET place = excluded.place, name_vi = excluded.name_vi,
                                                               name_en = excluded.name_en";
    sqlx::query(upsert)
        .bind(site.id.as_str())
        .bind(device.id.as_str())
        .bind(camera.id.as_str())
        .bind(place as i64)
        .bind(&camera.name.vi)
        .bind(&camera.name.en)
        .execute(&mut **write)
        .await?;
    for (place, line) in camera.lines.iter().enumerate() {
        let upsert = "INSERT INTO line (site, device, camera, id, place, name_vi, name_en, gate)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                      ON CONFLICT (site, device, camera, id)
                      DO UPDATE SET place = excluded.place, name_vi = excluded.name_vi, name_en = excluded.name_en,
                                    gate = excluded.gate";
        sqlx::query(upsert)
            .bind(site.id.as_str())
            .bind(device.id.as_str())
            .bind(camera.id.as_str())
            .bind(line.id.as_str())
            .bind(place as i64)
            .bind(&line.name.vi)
            .bind(&line.name.en)
            .bind(line.gate.as_ref().map(|gate| gate.as_str()))
            .execute(&mut **write)
            .await?;
    }
    Ok(())
}

async fn put_list(write: &mut Write<'_>, place: usize, list: &List) -> Result<(), StoreError> {
    let upsert = "INSERT INTO list (id, place, name_vi, name_en, severity, exercise, kind, threshold)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                  ON CONFLICT (id) DO UPDATE SET place = excluded.place, name_vi = excluded.name_vi,
                      name_en = excluded.name_en, severity = excluded.severity, exercise = excluded.exercise,
                      kind = excluded.kind, threshold = excluded.threshold";
    sqlx::query(upsert)
        .bind(list.id.as_str())
        .bind(place as i64)
        .bind(&list.name.vi)
        .bind(&list.name.en)
        .bind(row::name_of(&list.severity)?)
        .bind(list.exercise)
        .bind(row::name_of(&list.kind)?)
        .bind(list.threshold)
        .execute(&mut **write)
        .await?;
    for (place, entry) in list.entries.iter().enumerate() {
        put_entry(write, list, place, entry).await?;
    }
    Ok(())
}

async fn put_entry(write: &mut Write<'_>, list: &List, place: usize, entry: &Entry) -> Result<(), StoreError> {
    let upsert = "INSERT INTO entry (list, id, place, label_vi, label_en, plate, colour)
                  VALUES ($1, $2, $3, $4, $5, $6, $7)
                  ON CONFLICT (list, id) DO UPDATE SET place = excluded.place, label_vi = excluded.label_vi,
                      label_en = excluded.label_en, plate = excluded.plate, colour = excluded.colour";
    sqlx::query(upsert)
        .bind(list.id.as_str())
        .bind(entry.id.as_str())
        .bind(place as i64)
        .bind(&entry.label.vi)
        .bind(&entry.label.en)
        .bind(&entry.plate)
        .bind(entry.colour.as_ref().map(row::name_of).transpose()?)
        .execute(&mut **write)
        .await?;
    sqlx::query("DELETE FROM photograph WHERE list = $1 AND entry = $2 AND place >= $3")
        .bind(list.id.as_str())
        .bind(entry.id.as_str())
        .bind(entry.photographs.len() as i64)
        .execute(&mut **write)
        .await?;
    for (place, source) in entry.photographs.iter().enumerate() {
        // Another file in the same place: what was made of the former one is void.
        let upsert = "INSERT INTO photograph (list, entry, place, source) VALUES ($1, $2, $3, $4)
                      ON CONFLICT (list, entry, place)
                      DO UPDATE SET source = excluded.source, sha256 = NULL, model = NULL, embedding = NULL, fault = NULL
                      WHERE photograph.source <> excluded.source";
        sqlx::query(upsert)
            .bind(list.id.as_str())
            .bind(entry.id.as_str())
            .bind(place as i64)
            .bind(source)
            .execute(&mut **write)
            .await?;
    }
    Ok(())
}
