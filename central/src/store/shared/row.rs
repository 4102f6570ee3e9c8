//! From columns to values. A value that cannot be read back names its column. One text for both databases.

use super::{Db, DbRow};
use crate::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use vong_wire::EventId;

/// A value in a column as it is.
pub(super) fn get<'r, T>(row: &'r DbRow, column: &'static str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Db> + sqlx::Type<Db>,
{
    Ok(row.try_get(column)?)
}

/// An id.
pub(super) fn id<T>(row: &DbRow, column: &'static str) -> Result<T, StoreError>
where
    T: TryFrom<String, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let text: String = get(row, column)?;
    T::try_from(text).map_err(|cause| StoreError::Row {
        what: column,
        cause: cause.into(),
    })
}

/// An id that may be missing.
pub(super) fn optional_id<T>(row: &DbRow, column: &'static str) -> Result<Option<T>, StoreError>
where
    T: TryFrom<String, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    match get::<Option<String>>(row, column)? {
        None => Ok(None),
        Some(_) => id(row, column).map(Some),
    }
}

/// Id of an event or alert.
pub(super) fn event_id(row: &DbRow, column: &'static str) -> Result<EventId, StoreError> {
    Ok(EventId(get(row, column)?))
}

/// A number that is never negative.
pub(super) fn number(row: &DbRow, column: &'static str) -> Result<u64, StoreError> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|cause| StoreError::Row {
        what: column,
        cause: cause.into(),
    })
}

/// A value kept as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &DbRow, column: &'static str) -> Result<T, StoreError> {
    let text: String = get(row, column)?;
    serde_json::from_str(&text).map_err(|cause| StoreError::Row {
        what: column,
        cause: cause.into(),
    })
}

/// JSON of a value.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|cause| StoreError::Refused(cause.into()))
}

/// A plain enum by its name in JSON, without quotes: `alarm`, `faces`, `white`.
pub(super) fn named<T: DeserializeOwned>(name: String, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(name)).map_err(|cause| StoreError::Row {
        what: column,
        cause: cause.into(),
    })
}

/// The name of a plain enum.
pub(super) fn name_of(value: &impl Serialize) -> Result<String, StoreError> {
    let json = to_json(value)?;
    Ok(json.trim_matches('"').to_string())
}
