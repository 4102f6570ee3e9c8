//! Who asks. There is no login yet, so it is the address of the connection.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::SocketAddr;

/// Who asks, for the access log.
#[derive(Debug, Clone)]
pub(super) struct Visitor(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(address.map_or_else(
            || "unknown".into(),
            |address| address.0.ip().to_string(),
        )))
    }
}
