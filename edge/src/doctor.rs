//! `doctor`: is everything there that this appliance needs? Invariant: it changes nothing but a trial file that it deletes,
//! and a fault always comes with its remedy.

use crate::clock::{Clock, SystemClock};
use crate::config::{CameraConfig, Config};
use crate::nets::{Needs, Nets};
use crate::source::{self, Frame, Next, SourceOptions};
use std::net::ToSocketAddrs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use vong_models::{Manifest, Store};

/// A camera that delivers nothing for so long counts as silent.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(15);
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Evidence of a busy day takes some 100 MiB; below this a week without a link would fill the disk.
const LEAST_FREE_MIB: u64 = 1_000;

/// What was looked at, in both languages, and what came of it.
#[derive(Debug)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is, or what is wrong and what to do.
    pub result: Result<String, String>,
}

/// Looks at everything; the findings in the order in which a technician would mend them.
pub fn examine(config: &Config) -> Vec<Finding> {
    let finding = |what: &str, result| Finding {
        what: what.to_string(),
        result,
    };
    let mut findings = vec![
        finding("thư mục dữ liệu / data folder", data_folder(&config.device.data)),
        finding("ffmpeg", ffmpeg()),
        finding("mô hình / models", models(config)),
        finding("máy chủ MQTT / broker", broker(&config.broker.host, config.broker.port)),
    ];
    // Cameras at the same time: a silent one takes a quarter of a minute.
    let looks: Vec<_> = config
        .cameras
        .iter()
        .map(|camera| (camera, look(camera.clone())))
        .collect();
    for (camera, answer) in looks {
        let silent = format!(
            "delivered no frame within {} s; check its address, cable and password",
            FIRST_FRAME_WITHIN.as_secs()
        );
        let result = answer.recv_timeout(FIRST_FRAME_WITHIN).unwrap_or(Err(silent));
        findings.push(Finding {
            what: format!("camera `{}`", camera.id),
            result,
        });
    }
    findings
}

fn data_folder(folder: &Path) -> Result<String, String> {
    let trial = folder.join("trial.tmp");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&trial, b"trial"))
        .and_then(|()| std::fs::remove_file(&trial))
        .map_err(|cause| {
            format!(
                "`{}` cannot be written: {cause}; check [device] data and the rights on it",
                folder.display()
            )
        })?;
    match crate::telemetry::disk_free_mib(folder) {
        free if free < LEAST_FREE_MIB => Err(format!(
            "only {free} MiB free; make room, {LEAST_FREE_MIB} MiB are needed"
        )),
        free => Ok(format!("{free} MiB free")),
    }
}

fn ffmpeg() -> Result<String, String> {
    let output = Command::new("ffmpeg").arg("-version").stdin(Stdio::null()).output();
    let output = output.map_err(|cause| format!("cannot be started: {cause}; install the package ffmpeg"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().nth(2).unwrap_or("there").to_string())
}

fn models(config: &Config) -> Result<String, String> {
    let manifest = Manifest::load(config.models.manifest.as_deref()).map_err(|cause| cause.to_string())?;
    let (needs, start) = (Needs::of(config), Instant::now());
    let nets = Nets::open(&Store::locate(), &manifest, &config.models, needs, 1).map_err(|cause| cause.to_string())?;
    nets.suit(&config.cameras).map_err(|cause| cause.to_string())?;
    let names: Vec<String> = nets.names().into_values().collect();
    Ok(format!("{} ({} ms)", names.join(", "), start.elapsed().as_millis()))
}

fn broker(host: &str, port: u16) -> Result<String, String> {
    let remedy = "check [broker] and the network; what is decided meanwhile waits in the outbox";
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|cause| format!("`{host}` is not known: {cause}; {remedy}"))?;
    let mut last = format!("`{host}` has no address; {remedy}");
    for address in addresses {
        match std::net::TcpStream::connect_timeout(&address, BROKER_ANSWERS_WITHIN) {
            Ok(_) => return Ok(format!("{address} answers")),
            Err(cause) => last = format!("{address} does not answer: {cause}; {remedy}"),
        }
    }
    Err(last)
}

/// Waits for one frame on a thread of its own, which ends with the process where the camera stays silent.
fn look(camera: CameraConfig) -> mpsc::Receiver<Result<String, String>> {
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more where the patience is over.
        let _ = sender.send(first_frame(&camera));
    });
    answer
}

fn first_frame(camera: &CameraConfig) -> Result<String, String> {
    let source = camera.source().ok_or("no source is set; write file, rtsp or usb")?;
    let options = SourceOptions {
        region: camera.region,
        max_fps: Some(camera.max_fps),
        ..SourceOptions::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut source =
        source::open(camera.id.as_str(), &source, false, options, clock).map_err(|cause| cause.to_string())?;
    let (mut frame, start) = (Frame::default(), Instant::now());
    loop {
        match source.next(&mut frame).map_err(|cause| cause.to_string())? {
            Next::Frame => {
                let (width, height) = frame.image.dimensions();
                return Ok(format!(
                    "{width}x{height}, first frame after {} ms",
                    start.elapsed().as_millis()
                ));
            }
            Next::Cut => {}
            Next::Lost(cause) => return Err(cause.to_string()),
            Next::Ended => return Err("ended without a frame; name another file".into()),
        }
    }
}

/// The findings as lines for the technician.
pub fn report(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match &finding.result {
        Ok(how) => format!("[ĐẠT / ok]     {}: {how}\n", finding.what),
        Err(fault) => format!("[HỎNG / FAULT] {}: {fault}\n", finding.what),
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_with_their_remedy() {
        let folder = tempfile::tempdir().unwrap();
        assert!(data_folder(&folder.path().join("new")).is_ok());
        let taken = folder.path().join("taken");
        std::fs::write(&taken, "a file").unwrap();
        assert!(data_folder(&taken).unwrap_err().contains("[device] data"));
        // A port that was just free: nothing listens there.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        assert!(broker("127.0.0.1", port).unwrap_err().contains("[broker]"));
        let text = report(&[
            Finding {
                what: "a".into(),
                result: Ok("fine".into()),
            },
            Finding {
                what: "b".into(),
                result: Err("broken; mend it".into()),
            },
        ]);
        assert!(text.lines().next().unwrap().starts_with("[ĐẠT") && text.lines().nth(1).unwrap().starts_with("[HỎNG"));
    }
}
