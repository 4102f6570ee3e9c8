//! Network cameras of a real RTSP server (`server.py`: GStreamer's) that misbehave each in its way, then all at once. What
//! must hold: the page names what is wrong with each, a camera beside them does not notice, all come back, and neither
//! address nor password leaves the device.

use super::here;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use vong_tests::stage::{House, free_port};

const WITHIN: Duration = Duration::from_secs(120);
/// Debian's own: the module `gi` belongs to it.
const PYTHON: &str = "/usr/bin/python3";

struct Cameras {
    server: Child,
    ports: [u16; 2],
}

impl Cameras {
    /// Starts them on these ports, where 0 is any; none where GStreamer is not there.
    async fn start(ports: [u16; 2]) -> Option<Self> {
        let script = here::root().join("tests/tests/cameras/server.py");
        let started = Command::new(PYTHON)
            .arg(script)
            .args(ports.map(|port| port.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut server = started.ok()?;
        let told = BufReader::new(server.stdout.take().expect("a pipe"));
        let line = told.lines().next_line().await.expect("readable").unwrap_or_default();
        let ports: Vec<u16> = line.split(' ').filter_map(|port| port.parse().ok()).collect();
        let Ok(ports) = ports.try_into() else {
            println!("skipped: no RTSP server ({line}); run deploy/prepare-debian.sh");
            assert!(std::env::var_os("CI").is_none(), "in CI everything must be there");
            return None;
        };
        Some(Self { server, ports })
    }

    async fn signal(&self, signal: &str) {
        let id = self.server.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().await;
        assert!(sent.expect("kill is there").success());
    }
}

/// How a camera stands on the page: its status, with the reason where there is one.
async fn standing(house: &House) -> impl Fn(&str) -> String {
    let overview: Value = match reqwest::get(format!("{}/api/v1/overview", house.page())).await {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    };
    let text = overview.to_string();
    assert!(!text.contains("s3cret") && !text.contains("rtsp:"), "{text}");
    let cameras = overview["devices"][0]["cameras"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    move |camera: &str| {
        let row = cameras.iter().find(|row| row["camera"] == camera);
        let status = row.and_then(|row| row["status"].as_str()).unwrap_or_default();
        let reason = row.and_then(|row| row["reason"].as_str()).unwrap_or_default();
        format!("{status} {reason}").trim().to_string()
    }
}

/// Waits until each camera has stood once as it is expected to. The one from a file must be live at every look.
async fn wait_for(house: &House, expected: &[(&str, &str)]) {
    let mut left: Vec<(&str, &str)> = expected.to_vec();
    let mut last = String::new();
    let seen = async {
        while !left.is_empty() {
            let stands = standing(house).await;
            left.retain(|(camera, how)| stands(camera) != *how);
            last = left
                .iter()
                .map(|(camera, how)| format!("{camera} is `{}` and not `{how}`; ", stands(camera)))
                .collect();
            if expected.iter().all(|(camera, _)| *camera != "file") {
                assert_eq!(stands("file"), "live", "the others do not notice");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    assert!(tokio::time::timeout(WITHIN, seen).await.is_ok(), "{last}");
}

/// Width of the newest picture of a camera.
async fn width(house: &House, camera: &str) -> u32 {
    let overview: Value = reqwest::get(format!("{}/api/v1/overview", house.page()))
        .await
        .expect("the office answers")
        .json()
        .await
        .expect("in JSON");
    let cameras = overview["devices"][0]["cameras"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let row = cameras
        .iter()
        .find(|row| row["camera"] == camera)
        .cloned()
        .unwrap_or_default();
    let Some(url) = row["view_url"].as_str() else { return 0 };
    let picture = reqwest::get(format!("{}{url}", house.page()))
        .await
        .expect("the office answers")
        .bytes()
        .await
        .expect("a picture");
    image::load_from_memory(&picture).map_or(0, |picture| picture.width())
}

fn house(folder: &Path) -> House {
    House {
        root: here::root(),
        programs: here::programs(),
        folder: folder.to_path_buf(),
        http_port: free_port().expect("a port is free"),
        mqtt_port: free_port().expect("a port is free"),
    }
}

fn write_configurations(house: &House, [open, locked]: [u16; 2], nobody: u16) {
    let folder = house.folder.display();
    let (http, mqtt) = (house.http_port, house.mqtt_port);
    let central = format!(
        "[http]\nlisten = \"127.0.0.1:{http}\"\n[broker.inside]\nlisten = \"127.0.0.1:{mqtt}\"\n\
         [store]\nsqlite = \"{folder}/store.sqlite\"\n[evidence]\nfolder = \"{folder}/evidence\"\n"
    );
    let mut edge = format!(
        "[device]\nsite = \"park\"\nid = \"edge-1\"\ndata = \"{folder}/edge\"\nhealth_s = 1\nworkers = 1\n\
         [broker]\nhost = \"127.0.0.1\"\nport = {mqtt}\n\
         [[camera]]\nid = \"file\"\nfile = \"{folder}/bars.ts\"\nrepeat = true\n"
    );
    for (id, url) in [
        ("good", format!("rtsp://127.0.0.1:{open}/good")),
        ("locked", format!("rtsp://admin:s3cret@127.0.0.1:{locked}/good")),
        ("wrong", format!("rtsp://admin:s3cret-no@127.0.0.1:{locked}/good")),
        ("nowhere", format!("rtsp://admin:s3cret@127.0.0.1:{locked}/nowhere")),
        ("away", format!("rtsp://admin:s3cret@127.0.0.1:{nobody}/good")),
        ("silent", format!("rtsp://127.0.0.1:{open}/silent")),
        ("still", format!("rtsp://127.0.0.1:{open}/still")),
        ("spoilt", format!("rtsp://127.0.0.1:{open}/spoilt")),
        ("grows", format!("rtsp://127.0.0.1:{open}/grows")),
    ] {
        edge += &format!("[[camera]]\nid = \"{id}\"\nrtsp = \"{url}\"\n");
    }
    std::fs::write(house.folder.join("central.toml"), central).expect("the folder can be written");
    std::fs::write(house.folder.join("edge.toml"), edge).expect("the folder can be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_camera_fails_alone_with_its_reason_and_comes_back() {
    let Some(cameras) = Cameras::start([0, 0]).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path());
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=96x64:rate=10",
            "-frames:v",
            "600",
        ])
        .args(["-c:v", "mpeg2video", "-f", "mpegts"])
        .arg(folder.path().join("bars.ts"))
        .status()
        .await;
    assert!(made.expect("ffmpeg is there").success());
    write_configurations(&house, cameras.ports, free_port().unwrap());
    let central = house.start_central(&folder.path().join("central.toml")).await.unwrap();
    let configuration = folder.path().join("edge.toml");
    let edge = house
        .start("vong-edge", &["run", "--config", &configuration.to_string_lossy()])
        .unwrap();

    wait_for(&house, &[("file", "live"), ("good", "live"), ("locked", "live")]).await;
    wait_for(
        &house,
        &[
            ("wrong", "degraded wrong_password"),
            ("nowhere", "degraded no_such_stream"),
            ("away", "degraded unreachable"),
            ("silent", "degraded no_frames"),
            ("still", "degraded frozen"),
            ("good", "live"),
            ("locked", "live"),
            ("grows", "live"),
        ],
    )
    .await;
    assert_eq!(width(&house, "grows").await, 320, "the picture that grew is followed");

    cameras.signal("STOP").await;
    wait_for(
        &house,
        &[("good", "degraded no_frames"), ("locked", "degraded no_frames")],
    )
    .await;
    cameras.signal("CONT").await;
    wait_for(&house, &[("good", "live"), ("locked", "live")]).await;

    let ports = cameras.ports;
    let Cameras { mut server, .. } = cameras;
    server.kill().await.unwrap();
    wait_for(
        &house,
        &[("good", "degraded unreachable"), ("locked", "degraded unreachable")],
    )
    .await;
    let _again = Cameras::start(ports).await.expect("it was there before");
    wait_for(&house, &[("good", "live"), ("locked", "live")]).await;

    edge.stop().await.unwrap();
    central.stop().await.unwrap();
    for log in ["vong-edge.log", "vong-central.log"] {
        let log = std::fs::read_to_string(folder.path().join(log)).unwrap();
        assert!(
            !log.contains("s3cret") && !log.contains("rtsp:"),
            "an address or a password is in the log"
        );
    }
}
