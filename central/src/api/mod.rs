//! The HTTP API. It asks the service and turns answers into JSON; it knows no SQL and no MQTT. Invariants: a client
//! never sees an internal message; every look at a person's data is noted; personal data is never cached on the way.

mod answer;
mod feed;
mod lists;
mod pictures;
mod visitor;

pub use answer::ApiError;

use crate::service::Service;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// No request of this API has a large body.
const MOST_BODY_BYTES: usize = 64 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the handlers work with.
#[derive(Clone)]
pub struct ApiState {
    /// What the office knows.
    pub service: Arc<Service>,
    /// Ends the live feeds.
    pub stop: CancellationToken,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Vọng",
    description = "Counts, alerts and cameras of the gates of a province. Times are ms since 1970 UTC; names come in \
                   Vietnamese and English."
))]
struct Document;

fn routes() -> (Router<ApiState>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(lists::healthz))
        .routes(routes!(lists::overview))
        .routes(routes!(lists::alerts))
        .routes(routes!(lists::events))
        .routes(routes!(lists::counts))
        .routes(routes!(lists::quarantine))
        .routes(routes!(lists::stats))
        .routes(routes!(pictures::view))
        .routes(routes!(pictures::evidence))
        .routes(routes!(pictures::photo))
        .routes(routes!(feed::live))
        .split_for_parts()
}

/// The description of this API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().1
}

/// Everything that is served: the API, its description, and the page.
pub fn router(state: ApiState) -> Router {
    let (api, document) = routes();
    let json = document.to_json().expect("the description has only plain fields");
    let describe = move || async move { ([(header::CONTENT_TYPE, "application/json")], json) };
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let layers = ServiceBuilder::new()
        .layer(always(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self'",
        ))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .layer(always(HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(RequestBodyLimitLayer::new(MOST_BODY_BYTES))
        .layer(CompressionLayer::new());
    api.route("/api/openapi.json", axum::routing::get(describe))
        .fallback(crate::web::serve)
        .layer(layers)
        .with_state(state)
}

#[cfg(test)]
mod tests;
