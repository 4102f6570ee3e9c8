//! Lists and figures.

use super::answer::ErrorBody;
use super::visitor::Visitor;
use super::{ApiError, ApiState};
use crate::service::Looked;
use crate::service::contract::{Alert, Minute, Overview, Quarantined, Stats, StoredEvent};
use crate::store::Page;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use utoipa::IntoParams;
use vong_wire::{EventId, SiteId, UnixMs};

type Answer<T> = Result<Json<T>, ApiError>;

const MOST_ROWS: u32 = 500;
const USUAL_ROWS: u32 = 50;
/// Longest stretch of minutes in one question: 32 days.
const MOST_MS: UnixMs = 32 * 86_400_000;

/// A page of a long list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParameters {
    /// Rows at most, 1 to 500; 50 where not said.
    limit: Option<u32>,
    /// Only what is older than the one with this id.
    #[param(value_type = Option<String>, format = Uuid)]
    before: Option<EventId>,
    /// Only of this site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
}

/// A page of events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParameters {
    /// Rows at most, 1 to 500; 50 where not said.
    limit: Option<u32>,
    /// Only what is older than the one with this id.
    #[param(value_type = Option<String>, format = Uuid)]
    before: Option<EventId>,
    /// Only `crossing`, `recognition` or `plate`.
    kind: Option<String>,
    /// Only of this site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
}

/// A stretch of minutes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CountParameters {
    /// Begin, ms since 1970 UTC.
    from: UnixMs,
    /// End, at most 32 days later.
    to: UnixMs,
    /// Only of this site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
}

type Asked<T> = Result<Query<T>, QueryRejection>;

fn asked<T>(query: Asked<T>) -> Result<T, ApiError> {
    query
        .map(|Query(parameters)| parameters)
        .map_err(|_| ApiError::Parameter("query"))
}

fn rows(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit.unwrap_or(USUAL_ROWS) {
        limit @ 1..=MOST_ROWS => Ok(limit),
        _ => Err(ApiError::Parameter("limit")),
    }
}

/// Whether the service answers.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "it answers", body = String)))]
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// Everything the first page shows.
#[utoipa::path(get, path = "/api/v1/overview", responses(
    (status = 200, description = "the page", body = Overview),
    (status = 503, description = "not at present", body = ErrorBody),
))]
pub(super) async fn overview(State(state): State<ApiState>, visitor: Visitor) -> Answer<Overview> {
    let overview = state.service.overview().await?;
    if !overview.alerts.is_empty() {
        let subject = format!("{} newest", overview.alerts.len());
        state.service.access.note(&visitor.0, Looked::Alerts, subject);
    }
    Ok(Json(overview))
}

/// Alerts, newest first.
#[utoipa::path(get, path = "/api/v1/alerts", params(PageParameters), responses(
    (status = 200, description = "alerts", body = Vec<Alert>),
    (status = 400, description = "a parameter is wrong", body = ErrorBody),
    (status = 503, description = "not at present", body = ErrorBody),
))]
pub(super) async fn alerts(
    State(state): State<ApiState>,
    visitor: Visitor,
    query: Asked<PageParameters>,
) -> Answer<Vec<Alert>> {
    let PageParameters { limit, before, site } = asked(query)?;
    let alerts = state.service.alerts(rows(limit)?, before, site).await?;
    state
        .service
        .access
        .note(&visitor.0, Looked::Alerts, format!("{} alerts", alerts.len()));
    Ok(Json(alerts))
}

/// Events, newest first.
#[utoipa::path(get, path = "/api/v1/events", params(EventParameters), responses(
    (status = 200, description = "events", body = Vec<StoredEvent>),
    (status = 400, description = "a parameter is wrong", body = ErrorBody),
    (status = 503, description = "not at present", body = ErrorBody),
))]
pub(super) async fn events(
    State(state): State<ApiState>,
    visitor: Visitor,
    query: Asked<EventParameters>,
) -> Answer<Vec<StoredEvent>> {
    let parameters = asked(query)?;
    let known = |kind: &String| matches!(kind.as_str(), "crossing" | "recognition" | "plate");
    if !parameters.kind.as_ref().is_none_or(known) {
        return Err(ApiError::Parameter("kind"));
    }
    let page = Page {
        limit: rows(parameters.limit)?,
        before: parameters.before,
        kind: parameters.kind,
        site: parameters.site,
    };
    let events = state.service.events(&page).await?;
    state
        .service
        .access
        .note(&visitor.0, Looked::Events, format!("{} events", events.len()));
    Ok(Json(events))
}

/// Minutes of lines, oldest first, at most 10,080.
#[utoipa::path(get, path = "/api/v1/counts", params(CountParameters), responses(
    (status = 200, description = "minutes", body = Vec<Minute>),
    (status = 400, description = "a parameter is wrong", body = ErrorBody),
    (status = 503, description = "not at present", body = ErrorBody),
))]
pub(super) async fn counts(State(state): State<ApiState>, query: Asked<CountParameters>) -> Answer<Vec<Minute>> {
    let CountParameters { from, to, site } = asked(query)?;
    if to
        .checked_sub(from)
        .is_none_or(|stretch_ms| !(0..=MOST_MS).contains(&stretch_ms))
    {
        return Err(ApiError::Parameter("to"));
    }
    Ok(Json(state.service.counts(from, to, site.as_ref()).await?))
}

/// How much of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LimitParameter {
    /// Rows at most, 1 to 500; 50 where not said.
    limit: Option<u32>,
}

/// Messages that could not be understood, newest first: kept, acknowledged to their device, and shown to nobody else.
#[utoipa::path(get, path = "/api/v1/quarantine", params(LimitParameter), responses(
    (status = 200, description = "the newest of them", body = Vec<Quarantined>),
    (status = 400, description = "a parameter is wrong", body = ErrorBody),
    (status = 503, description = "not at present", body = ErrorBody),
))]
pub(super) async fn quarantine(
    State(state): State<ApiState>,
    visitor: Visitor,
    query: Asked<LimitParameter>,
) -> Answer<Vec<Quarantined>> {
    let messages = state.service.quarantine(rows(asked(query)?.limit)?).await?;
    if !messages.is_empty() {
        let subject = format!("{} messages", messages.len());
        state.service.access.note(&visitor.0, Looked::Quarantine, subject);
    }
    Ok(Json(messages))
}

/// How many rows are stored.
#[utoipa::path(get, path = "/api/v1/stats", responses(
    (status = 200, description = "figures", body = Stats),
    (status = 503, description = "not at present", body = ErrorBody),
))]
pub(super) async fn stats(State(state): State<ApiState>) -> Answer<Stats> {
    Ok(Json(state.service.stats().await?))
}
