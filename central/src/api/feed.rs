//! The live feed as server-sent events. A reader that fell behind is told to `reload` and goes on from there.

use super::visitor::Visitor;
use super::{ApiState, KEEP_ALIVE};
use crate::service::Looked;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use std::convert::Infallible;
use tokio::sync::broadcast::error::RecvError;

/// What happens, as it is committed: events `alert`, `event`, `count`, `device`, `view`, `evidence`, `reload`.
#[utoipa::path(get, path = "/api/v1/live", responses(
    (status = 200, description = "an endless stream", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn live(
    State(state): State<ApiState>,
    visitor: Visitor,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    state.service.access.note(&visitor.0, Looked::Live, "opened");
    let mut feed = state.service.live.listen();
    let stream = async_stream::stream! {
        loop {
            let message = tokio::select! {
                biased;
                () = state.stop.cancelled() => return,
                message = feed.recv() => message,
            };
            yield Ok(match message {
                Ok(message) => Event::default().event(message.name).data(&*message.json),
                Err(RecvError::Lagged(_)) => {
                    state.service.live.note_lagged();
                    Event::default().event("reload").data("{}")
                }
                Err(RecvError::Closed) => return,
            });
        }
    };
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
