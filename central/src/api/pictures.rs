//! Pictures: the latest of a camera, that of an alert, that of a list's entry. All are personal data: never cached on
//! the way, each look noted (a camera's latest picture once a visitor opens the page, by the live feed).

use super::answer::ErrorBody;
use super::visitor::Visitor;
use super::{ApiError, ApiState};
use crate::service::{CameraKey, Looked};
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use std::str::FromStr;
use vong_wire::{CameraId, DeviceId, EntryId, EventId, ListId, SiteId};

/// Widest photograph of an entry that the page is sent, px.
const PHOTO_SIDE_PX: u32 = 640;

fn id<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound)
}

/// The id in `{id}.jpg`.
fn file_id<T: FromStr>(file: &str) -> Result<T, ApiError> {
    id(file.strip_suffix(".jpg").ok_or(ApiError::NotFound)?)
}

fn jpeg(bytes: impl Into<axum::body::Body>) -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, "image/jpeg"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        bytes.into(),
    )
}

/// The latest picture of a camera.
#[utoipa::path(get, path = "/api/v1/views/{site}/{device}/{file}",
    params(
        ("site" = String, Path, description = "the site"),
        ("device" = String, Path, description = "the device"),
        ("file" = String, Path, description = "the camera with `.jpg`"),
    ),
    responses(
        (status = 200, description = "the picture", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 404, description = "none has come", body = ErrorBody),
    ))]
pub(super) async fn view(
    State(state): State<ApiState>,
    Path((site, device, file)): Path<(String, String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let key = CameraKey {
        site: id::<SiteId>(&site)?,
        device: id::<DeviceId>(&device)?,
        camera: file_id::<CameraId>(&file)?,
    };
    let view = state.service.latest.view(&key).ok_or(ApiError::NotFound)?;
    // The answer may be newer than the picture that was asked for: the page takes the boxes of this moment.
    let taken = [(
        HeaderName::from_static("x-picture-at-ms"),
        view.header.at_ms.to_string(),
    )];
    Ok((taken, jpeg(view.jpeg)))
}

/// The picture of an alert.
#[utoipa::path(get, path = "/api/v1/evidence/{file}",
    params(("file" = String, Path, description = "the alert's id with `.jpg`")),
    responses(
        (status = 200, description = "the picture", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 404, description = "none has come, or its time is over", body = ErrorBody),
        (status = 503, description = "not at present", body = ErrorBody),
    ))]
pub(super) async fn evidence(
    State(state): State<ApiState>,
    visitor: Visitor,
    Path(file): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let alert: EventId = file_id(&file)?;
    let row = state.service.store().evidence(alert).await?.ok_or(ApiError::NotFound)?;
    let folder = state.service.evidence.clone();
    let read = tokio::task::spawn_blocking(move || folder.read(&row.file)).await;
    let bytes = read.map_err(unavailable)?.map_err(unavailable)?;
    state
        .service
        .access
        .note(&visitor.0, Looked::Evidence, alert.to_string());
    Ok(jpeg(bytes))
}

/// The first photograph of a list's entry, at most 640 pixels a side.
#[utoipa::path(get, path = "/api/v1/entries/{list}/{entry}/photo.jpg",
    params(
        ("list" = String, Path, description = "the list"),
        ("entry" = String, Path, description = "the entry"),
    ),
    responses(
        (status = 200, description = "the picture", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 404, description = "there is none, or it cannot be read", body = ErrorBody),
        (status = 503, description = "not at present", body = ErrorBody),
    ))]
pub(super) async fn photo(
    State(state): State<ApiState>,
    visitor: Visitor,
    Path((list, entry)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let (list, entry): (ListId, EntryId) = (id(&list)?, id(&entry)?);
    let directory = state.service.directory();
    let known = directory.entry(&list, &entry).ok_or(ApiError::NotFound)?;
    let source = known
        .photographs
        .iter()
        .find(|source| !source.starts_with("not:"))
        .ok_or(ApiError::NotFound)?;
    let path = state.service.photographs.path(source).ok_or(ApiError::NotFound)?;
    let small = tokio::task::spawn_blocking(move || crate::service::small_jpeg(&path, PHOTO_SIDE_PX)).await;
    let Some(bytes) = small.map_err(unavailable)? else {
        return Err(ApiError::NotFound);
    };
    state
        .service
        .access
        .note(&visitor.0, Looked::Photo, format!("{list}/{entry}"));
    Ok(jpeg(bytes))
}

fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> ApiError {
    ApiError::Unavailable(cause.into())
}
