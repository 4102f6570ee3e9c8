//! What a client is told when something is wrong: a code and a sentence in both languages. The cause goes to the log.

use crate::service::EvidenceFault;
use crate::store::StoreError;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered.
#[derive(Debug)]
pub enum ApiError {
    /// A parameter is wrong: its name.
    Parameter(&'static str),
    /// There is no such thing, or not any more.
    NotFound,
    /// The store or the disk failed.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

/// An error as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorText,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorText {
    /// For programs.
    code: &'static str,
    /// For people, Vietnamese.
    message_vi: String,
    /// For people, English.
    message_en: String,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<EvidenceFault> for ApiError {
    fn from(_: EvidenceFault) -> Self {
        Self::NotFound
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, message_vi, message_en) = match self {
            Self::Parameter(name) => (
                StatusCode::BAD_REQUEST,
                "bad_parameter",
                format!("Tham số `{name}` không hợp lệ; xem /api/openapi.json."),
                format!("The parameter `{name}` is not valid; see /api/openapi.json."),
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "Không có hoặc không còn lưu.".into(),
                "There is no such thing, or it is no longer kept.".into(),
            ),
            Self::Unavailable(cause) => {
                tracing::error!(cause = &*cause, "a request could not be answered");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "Tạm thời không trả lời được; xin thử lại sau.".into(),
                    "This cannot be answered at present; please try again later.".into(),
                )
            }
        };
        let error = ErrorText {
            code,
            message_vi,
            message_en,
        };
        (status, Json(ErrorBody { error })).into_response()
    }
}
