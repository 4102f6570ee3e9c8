//! What one process tells the others on the same database of its commits: ids only, which they read for themselves.
//! Invariant: it is heard if and only if the commit stands, for it travels in the transaction (NOTIFY). Whoever lost the
//! connection is told that he may have missed something.

use super::PostgresStore;
use crate::domain::{LocalDay, now_ms};
use crate::store::group::Grouped;
use crate::store::{Committed, Heard, News, Outcome};
use futures::StreamExt;
use futures::stream::BoxStream;
use sqlx::postgres::PgListener;
use std::time::Duration;
use uuid::Uuid;

pub(super) const CHANNEL: &str = "vong_news";
/// Ids of one message: PostgreSQL carries 8,000 bytes, an id takes 39.
const MOST_IDS: usize = 150;
const LISTENS_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The messages for a commit; none where it moved nothing that a page shows.
pub(super) fn of(teller: Uuid, grouped: &Grouped<'_>, committed: &Committed) -> Vec<String> {
    let new = |index: usize| committed.outcomes[index] == Outcome::New;
    let today = LocalDay::of(now_ms());
    let mut all = News {
        teller,
        registered: !committed.registered.is_empty(),
        moved: committed.tallies.iter().any(|tally| tally.day == today),
        ..News::default()
    };
    let alerts = grouped.alerts.iter().filter(|(item, _)| new(item.index));
    all.alerts = alerts.map(|(item, _)| item.what.id).collect();
    let evidence = grouped.evidence.iter().filter(|item| new(item.index));
    all.evidence = evidence.map(|item| item.what.alert).collect();
    let fresh =
        |item: &&crate::store::group::Item<'_, vong_wire::Event>| new(item.index) && item.origin.is_news(item.what);
    all.events = grouped.events.iter().filter(fresh).map(|item| item.what.id).collect();
    let mut messages = Vec::new();
    while all.says_something() {
        let mut room = MOST_IDS;
        let mut take = |ids: &mut Vec<vong_wire::EventId>| {
            let rest = ids.split_off(ids.len().min(room));
            let taken = std::mem::replace(ids, rest);
            room -= taken.len();
            taken
        };
        let part = News {
            teller,
            alerts: take(&mut all.alerts),
            evidence: take(&mut all.evidence),
            events: take(&mut all.events),
            registered: std::mem::take(&mut all.registered),
            moved: std::mem::take(&mut all.moved),
        };
        messages.push(serde_json::to_string(&part).expect("news have only plain fields"));
    }
    messages
}

impl PostgresStore {
    pub(super) fn listen(&self) -> BoxStream<'static, Heard> {
        let (pool, own) = (self.readers.clone(), self.teller);
        let heard = async_stream::stream! {
            loop {
                let mut listener = match PgListener::connect_with(&pool).await {
                    Ok(listener) => listener,
                    Err(sqlx::Error::PoolClosed) => return,
                    Err(_) => {
                        tokio::time::sleep(LISTENS_AGAIN_AFTER).await;
                        continue;
                    }
                };
                if listener.listen(CHANNEL).await.is_err() {
                    tokio::time::sleep(LISTENS_AGAIN_AFTER).await;
                    continue;
                }
                yield Heard::Again;
                // An error or an end: what came meanwhile is lost, and a new listener says so.
                while let Ok(Some(message)) = listener.try_recv().await {
                    match serde_json::from_str::<News>(message.payload()) {
                        Ok(news) if news.teller == own => {}
                        Ok(news) => yield Heard::News(news),
                        Err(_) => yield Heard::Again,
                    }
                }
                tokio::time::sleep(LISTENS_AGAIN_AFTER).await;
            }
        };
        heard.boxed()
    }
}
