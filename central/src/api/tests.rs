//! The API as a client sees it, over a store with one of most things.

use super::*;
use crate::service::{AccessLog, EvidenceFolder, PhotographFolders};
use crate::store::{Batch, Origin, Record, SqliteStore, Store};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

async fn office() -> (tempfile::TempDir, Router) {
    office_that_heard(Vec::new()).await
}

async fn office_that_heard(records: Vec<Record>) -> (tempfile::TempDir, Router) {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("vong.sqlite")).await.unwrap());
    let seeds = crate::service::read_seeds(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds")).unwrap();
    store.take_seeds(&seeds, 1).await.unwrap();
    store.commit(&Batch { stored_ms: 1, records }).await.unwrap();
    let (access, _rows) = AccessLog::new();
    let evidence = EvidenceFolder::open(&folder.path().join("evidence")).unwrap();
    let photographs = PhotographFolders {
        seeds: None,
        models: folder.path().into(),
    };
    let service = Arc::new(Service::open(store, access, evidence, photographs).await.unwrap());
    let stop = CancellationToken::new();
    (folder, router(ApiState { service, stop }))
}

async fn ask(app: &Router, path: &str) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    (
        head.status,
        head.headers,
        to_bytes(body, usize::MAX).await.unwrap().to_vec(),
    )
}

#[test]
fn the_description_is_the_published_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/openapi.json");
    let made = openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("VONG_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == made,
        "docs/ref/openapi.json is not what the API does; look at the difference and run this test with VONG_WRITE_GOLDEN=1"
    );
}

#[tokio::test]
async fn the_first_page_is_told_everything_that_was_seeded() {
    let (_folder, app) = office().await;
    let (status, headers, body) = ask(&app, "/api/v1/overview").await;
    assert_eq!(
        (status, &headers["cache-control"]),
        (StatusCode::OK, &HeaderValue::from_static("no-store"))
    );
    let overview: Value = serde_json::from_slice(&body).unwrap();
    let device = &overview["devices"][0];
    assert_eq!(
        (&device["device"], &device["status"]),
        (&"edge-1".into(), &"never".into())
    );
    let cameras: Vec<_> = device["cameras"]
        .as_array()
        .unwrap()
        .iter()
        .map(|camera| camera["camera"].as_str().unwrap())
        .collect();
    assert_eq!(cameras, ["walkway", "gate", "barrier"]);
    assert_eq!(device["cameras"][0]["lines"][0]["in_today"], 0);
    assert!(
        overview["gates"][0]["name"]["vi"]
            .as_str()
            .is_some_and(|name| !name.is_empty())
    );
    assert_eq!(overview["tz_offset_min"], 420);
}

#[tokio::test]
async fn minutes_say_how_uncertain_they_are() {
    const MINUTE: &str = include_str!("../../../wire/tests/golden/0.1/count-uncertain.json");
    let certain = |count: &mut vong_wire::Count| (count.in_sd, count.out_sd, count.minute_ms) = (None, None, 60_000);
    let mut told: vong_wire::Count = serde_json::from_str(MINUTE).unwrap();
    let origin = Origin {
        site: vong_wire::SiteId::new("kcn-demo").unwrap(),
        device: vong_wire::DeviceId::new("edge-1").unwrap(),
        received_ms: 1,
    };
    let first = Record::Count(origin.clone(), told.clone());
    certain(&mut told);
    let (_folder, app) = office_that_heard(vec![first, Record::Count(origin, told)]).await;
    for (from, in_sd, out_sd) in [(1_795_534_020_000_i64, Some(0.4), Some(0.25)), (60_000, None, None)] {
        let (_, _, body) = ask(&app, &format!("/api/v1/counts?from={from}&to={}", from + 1)).await;
        let minutes: Value = serde_json::from_slice(&body).unwrap();
        for (key, expected) in [("in_sd", in_sd), ("out_sd", out_sd)] {
            let got: Option<f64> = minutes[0][key].as_f64();
            let near = got
                .zip(expected)
                .map_or(got.is_none() && expected.is_none(), |(a, b)| (a - b).abs() < 1e-6);
            assert!(near, "{key} of {from}: {got:?} where {expected:?} was expected");
        }
    }
}

#[tokio::test]
async fn wrong_questions_are_answered_in_both_languages() {
    let (_folder, app) = office().await;
    let none = "00000000-0000-0000-0000-000000000000";
    for (path, status, code) in [
        ("/api/v1/alerts?limit=0".to_string(), 400, "bad_parameter"),
        ("/api/v1/alerts?limit=501".to_string(), 400, "bad_parameter"),
        ("/api/v1/alerts?before=x".to_string(), 400, "bad_parameter"),
        ("/api/v1/alerts?befor=x".to_string(), 400, "bad_parameter"),
        ("/api/v1/events?kind=all".to_string(), 400, "bad_parameter"),
        ("/api/v1/quarantine?limit=0".to_string(), 400, "bad_parameter"),
        ("/api/v1/counts?from=1".to_string(), 400, "bad_parameter"),
        ("/api/v1/counts?from=2&to=1".to_string(), 400, "bad_parameter"),
        (
            "/api/v1/counts?from=-9223372036854775808&to=9223372036854775807".to_string(),
            400,
            "bad_parameter",
        ),
        (format!("/api/v1/evidence/{none}.jpg"), 404, "not_found"),
        ("/api/v1/evidence/..%2Fvong.sqlite".to_string(), 404, "not_found"),
        ("/api/v1/views/kcn-demo/edge-1/gate.jpg".to_string(), 404, "not_found"),
        ("/api/v1/entries/a/b/photo.jpg".to_string(), 404, "not_found"),
        ("/nothing".to_string(), 404, "not_found"),
    ] {
        let (found, _, body) = ask(&app, &path).await;
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        assert_eq!(
            (found.as_u16(), error["error"]["code"].as_str()),
            (status, Some(code)),
            "{path}"
        );
        assert!(
            error["error"]["message_vi"].is_string() && error["error"]["message_en"].is_string(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn empty_lists_are_lists_and_the_page_is_guarded() {
    let (_folder, app) = office().await;
    for path in [
        "/api/v1/alerts?limit=500",
        "/api/v1/events?kind=plate",
        "/api/v1/counts?from=0&to=1",
        "/api/v1/quarantine",
    ] {
        let (status, _, body) = ask(&app, path).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"[]"[..]), "{path}");
    }
    let (status, headers, body) = ask(&app, "/").await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &HeaderValue::from_static("text/html; charset=utf-8"))
    );
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self'")
    );
    assert_eq!(
        (&headers["x-content-type-options"], &headers["referrer-policy"]),
        (
            &HeaderValue::from_static("nosniff"),
            &HeaderValue::from_static("no-referrer")
        )
    );
    assert!(String::from_utf8_lossy(&body).contains("Vọng"));
    let tag = headers["etag"].clone();
    let again = Request::get("/")
        .header("if-none-match", tag)
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        app.clone().oneshot(again).await.unwrap().status(),
        StatusCode::NOT_MODIFIED
    );
    let (status, _, body) = ask(&app, "/api/v1/stats").await;
    let stats: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &stats["events"]), (StatusCode::OK, &0.into()));
}

#[tokio::test]
async fn what_could_not_be_understood_is_shown_with_its_reason_and_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("vong.sqlite")).await.unwrap());
    let message = crate::store::QuarantineRow {
        received_ms: 7,
        topic: "vong/v1/park/edge-1/event".into(),
        reason: "missing field `seq`".into(),
        head: [b"{\"id\":\xff<b>".to_vec(), vec![b'x'; 5_000]].concat(),
        bytes: 70_000,
    };
    let batch = crate::store::Batch {
        stored_ms: 8,
        records: vec![crate::store::Record::Quarantine(message)],
    };
    store.commit(&batch).await.unwrap();
    let (access, _rows) = AccessLog::new();
    let evidence = EvidenceFolder::open(&folder.path().join("evidence")).unwrap();
    let photographs = PhotographFolders {
        seeds: None,
        models: folder.path().into(),
    };
    let service = Arc::new(Service::open(store, access, evidence, photographs).await.unwrap());
    let app = router(ApiState {
        service,
        stop: CancellationToken::new(),
    });
    let (status, _, body) = ask(&app, "/api/v1/quarantine?limit=1").await;
    let shown: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (status, &shown[0]["reason"]),
        (StatusCode::OK, &"missing field `seq`".into())
    );
    let head = shown[0]["head"].as_str().unwrap();
    assert!(
        head.starts_with("{\"id\":\u{fffd}<b>xxx") && head.chars().count() == 2_000,
        "{head}"
    );
    let (_, _, body) = ask(&app, "/api/v1/overview").await;
    let overview: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(overview["quarantine"], 1);
}
