//! The live feed as a page reads it: server-sent events, each with the moment at which it arrived.

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// One message of the feed.
#[derive(Debug, Clone)]
pub struct Message {
    /// `event`, `alert`, `count`, `view`, ...
    pub name: String,
    /// Its data.
    pub data: Value,
    /// When it arrived here, ms since 1970.
    pub arrived_ms: i64,
}

/// Subscribes; messages arrive until the server ends the stream or the receiver is dropped.
pub async fn subscribe(page: &str) -> Result<mpsc::Receiver<Message>> {
    let url = format!("{page}/api/v1/live");
    let answer = reqwest::get(&url)
        .await
        .with_context(|| format!("cannot reach {url}"))?;
    ensure!(answer.status().is_success(), "{url} answers {}", answer.status());
    let (sender, receiver) = mpsc::channel(4096);
    let mut bytes = answer.bytes_stream();
    tokio::spawn(async move {
        let mut parser = Parser::default();
        while let Some(Ok(chunk)) = bytes.next().await {
            for message in parser.push(&chunk) {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(receiver)
}

/// Reads `event:` and `data:` lines; an empty line ends a message (WHATWG HTML, 9.2.6).
#[derive(Debug, Default)]
struct Parser {
    rest: Vec<u8>,
    name: String,
    data: String,
}

impl Parser {
    fn push(&mut self, chunk: &[u8]) -> Vec<Message> {
        self.rest.extend_from_slice(chunk);
        let mut messages = Vec::new();
        while let Some(end) = self.rest.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                messages.extend(self.finish());
            } else if let Some(name) = line.strip_prefix("event:") {
                self.name = name.trim_start().to_string();
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        messages
    }

    fn finish(&mut self) -> Option<Message> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        let data = serde_json::from_str(&data).ok()?;
        let arrived_ms = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis() as i64;
        Some(Message { name, data, arrived_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let text = b": hello\n\nevent: alert\ndata: {\"a\":1}\n\nevent: view\ndata: [2]\n\n";
        for cut in 0..text.len() {
            let mut parser = Parser::default();
            let mut messages = parser.push(&text[..cut]);
            messages.extend(parser.push(&text[cut..]));
            let found: Vec<_> = messages.iter().map(|m| (m.name.as_str(), m.data.to_string())).collect();
            assert_eq!(
                found,
                [("alert", "{\"a\":1}".to_string()), ("view", "[2]".to_string())],
                "cut at {cut}"
            );
        }
    }
}
