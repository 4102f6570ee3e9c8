//! What is made of the lists, who may log in, and who looked at what. One text for both databases.

use super::{DbConnection, DbRow, ThisStore, begin_alone, row, settle};
use crate::domain::{Names, Role};
use crate::store::{AccessRow, FaceVector, PhotographRow, StoreError};
use uuid::Uuid;
use vong_wire::UnixMs;

fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

impl ThisStore {
    pub(super) async fn read_photographs(&self) -> Result<Vec<PhotographRow>, StoreError> {
        let select = "SELECT * FROM photograph ORDER BY list, entry, place";
        let rows = sqlx::query(select).fetch_all(&self.readers).await?;
        let photograph = |found: &DbRow| {
            let model: Option<String> = row::get(found, "model")?;
            let embedding: Option<Vec<u8>> = row::get(found, "embedding")?;
            let face = model.zip(embedding).map(|(model, bytes)| FaceVector {
                model,
                vector: from_bytes(&bytes),
            });
            Ok(PhotographRow {
                list: row::id(found, "list")?,
                entry: row::id(found, "entry")?,
                place: row::number(found, "place")? as u32,
                source: row::get(found, "source")?,
                sha256: row::get(found, "sha256")?,
                face,
                fault: row::get(found, "fault")?,
            })
        };
        rows.iter().map(photograph).collect()
    }

    pub(super) async fn write_photograph(&self, photograph: &PhotographRow) -> Result<(), StoreError> {
        let update = "UPDATE photograph SET sha256 = $1, model = $2, embedding = $3, fault = $4
                      WHERE list = $5 AND entry = $6 AND place = $7 AND source = $8";
        let face = photograph.face.as_ref();
        sqlx::query(update)
            .bind(&photograph.sha256)
            .bind(face.map(|face| face.model.as_str()))
            .bind(face.map(|face| to_bytes(&face.vector)))
            .bind(&photograph.fault)
            .bind(photograph.list.as_str())
            .bind(photograph.entry.as_str())
            .bind(i64::from(photograph.place))
            .bind(&photograph.source)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    pub(super) async fn write_bundle_version(&self, sha256: &str, above: u64, fresh: u64) -> Result<u64, StoreError> {
        let mut connection = self.writer.acquire().await?;
        let done = choose_version(&mut connection, sha256, above, fresh).await;
        settle(connection, done)
    }

    pub(super) async fn write_access(&self, rows: &[AccessRow]) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        let done = note_access(&mut connection, rows).await;
        settle(connection, done)
    }

    pub(super) async fn write_user(
        &self,
        id: &str,
        name: &Names,
        role: Role,
        password_hash: &str,
        now_ms: UnixMs,
    ) -> Result<(), StoreError> {
        let upsert = "INSERT INTO users (id, name_vi, name_en, role, password_hash, changed_ms)
                      VALUES ($1, $2, $3, $4, $5, $6)
                      ON CONFLICT (id) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash,
                                                     changed_ms = excluded.changed_ms";
        sqlx::query(upsert)
            .bind(id)
            .bind(&name.vi)
            .bind(&name.en)
            .bind(role.as_str())
            .bind(password_hash)
            .bind(now_ms)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

async fn choose_version(
    connection: &mut DbConnection,
    sha256: &str,
    above: u64,
    fresh: u64,
) -> Result<u64, StoreError> {
    let mut write = begin_alone(connection).await?;
    let select = "SELECT version, sha256 FROM bundle_version WHERE one = 1";
    let found = sqlx::query(select).fetch_optional(&mut *write).await?;
    let in_force = match &found {
        None => None,
        Some(found) => Some((row::number(found, "version")?, row::get::<String>(found, "sha256")?)),
    };
    let version = match in_force {
        Some((version, same)) if same == sha256 && version > above => return Ok(version),
        Some((version, _)) => fresh.max(version.max(above) + 1),
        None => fresh.max(above + 1),
    };
    let upsert = "INSERT INTO bundle_version (one, version, sha256) VALUES (1, $1, $2)
                  ON CONFLICT (one) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256";
    sqlx::query(upsert)
        .bind(version as i64)
        .bind(sha256)
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(version)
}

async fn note_access(connection: &mut DbConnection, rows: &[AccessRow]) -> Result<(), StoreError> {
    let mut write = begin_alone(connection).await?;
    for access in rows {
        let insert = "INSERT INTO access_log (id, at_ms, who, what, subject) VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(insert)
            .bind(Uuid::now_v7())
            .bind(access.at_ms)
            .bind(&access.who)
            .bind(&access.what)
            .bind(&access.subject)
            .execute(&mut *write)
            .await?;
    }
    Ok(write.commit().await?)
}
