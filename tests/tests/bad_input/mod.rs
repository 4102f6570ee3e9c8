//! Bad input to every command: status 2 and one line that names the thing and the remedy; never a panic, never a hang.

mod pictures;

use super::here;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program without models and checks its status and the one line that it says last.
fn check(folder: &Path, program: &str, arguments: &[&str], parts: &[&str]) {
    check_with(folder, &folder.join("store"), program, arguments, parts);
}

fn check_with(folder: &Path, store: &Path, program: &str, arguments: &[&str], parts: &[&str]) {
    let path = here::programs().join(program);
    if !path.exists() {
        println!("skipped: {program} is not built; run `make build`");
        assert!(std::env::var_os("CI").is_none(), "in CI everything must be there");
        return;
    }
    let output = Command::new(path)
        .args(arguments)
        .current_dir(folder)
        .env("VONG_STORE", store)
        .env("RUST_LOG", "off")
        .env("VONG_LOG", "off")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let asked = format!("{program} {}", arguments.join(" "));
    assert_eq!(output.status.code(), Some(2), "{asked}: {said}");
    assert!(!said.contains("panicked"), "{asked}: {said}");
    let last = said.lines().last().unwrap_or_default();
    for part in parts {
        assert!(last.contains(part), "{asked}: {last:?} does not say {part:?}");
    }
    assert!(output.stdout.is_empty(), "{asked}: printed a result all the same");
}

const EDGE: &str = r#"
[device]
site = "s"
id = "d"
data = "data"
[broker]
host = "127.0.0.1"
[[camera]]
id = "gate"
file = "clip.mp4"
[[camera.line]]
id = "main"
points = [0.0, 0.5, 1.0, 0.5]
"#;

#[test]
fn every_command_says_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file can be written");
    let at = folder.path();
    write("good.toml", EDGE);
    write("unknown.toml", &EDGE.replace("data =", "dta ="));
    write("cut.toml", &EDGE.replace("[broker]", "[broker"));
    write("empty.mp4", "");
    write("text.mp4", "this is no video");
    write("truth.csv", "file\nx.jpg\n");
    write("lost.csv", "file,plates\nx.jpg,29A12345\n");
    write("pairs.csv", "a,b,same\nx.jpg,y.jpg,maybe\n");
    write("protocol.csv", "role,identity,file\nguest,a,x.jpg\n");
    write("strangers.csv", "a,b,same\nx.jpg,y.jpg,0\nx.jpg,x.jpg,1\n");
    write("alone.csv", "role,identity,file\nenrol,a,x.jpg\nprobe,a,x.jpg\n");
    write("gt.txt", "1,1,10,10\n");
    write(
        "few.csv",
        "role,identity,file\nenrol,a,x.jpg\nprobe,a,y.jpg\nprobe,b,z.jpg\n",
    );
    // The same photograph of a stranger three thousand times is one trial.
    write(
        "again.csv",
        &("role,identity,file\nenrol,a,x.jpg\nprobe,a,y.jpg\n".to_string() + &"probe,b,z.jpg\n".repeat(3_000)),
    );
    write("column.csv", "a,b\nx.jpg,y.jpg\n");
    write(
        "unknown.csv",
        "role,identity,file\nenrol,a,x.jpg\nprobe,a,x.jpg\nprobe,b,y.jpg\n",
    );

    let edge = |arguments: &[&str], parts: &[&str]| check(at, "vong-edge", arguments, parts);
    edge(&["run", "--config", "none.toml"], &["none.toml", "--config"]);
    edge(
        &["check-config", "--config", "unknown.toml"],
        &["unknown.toml", "line 5", "dta"],
    );
    edge(&["check-config", "--config", "cut.toml"], &["cut.toml", "line 6"]);
    edge(&["run", "--config", "good.toml"], &["vong-models fetch"]);
    edge(&["fit", "--config", "good.toml"], &["vong-models fetch"]);
    edge(
        &["fit", "--config", "good.toml", "--camera", "gait"],
        &["no camera `gait`", "good.toml"],
    );
    edge(
        &["fit", "--config", "good.toml", "--minutes", "0"],
        &["--minutes", "0.1 to 1440"],
    );
    let line = ["--line", "0,0.5,1,0.5"];
    edge(
        &["eval", "count", "--video", "none.mp4", line[0], line[1]],
        &["none.mp4", "does not exist"],
    );
    edge(
        &["eval", "count", "--video", "empty.mp4", line[0], line[1]],
        &["empty.mp4"],
    );
    edge(
        &["eval", "count", "--video", "text.mp4", line[0], line[1]],
        &["text.mp4"],
    );
    edge(
        &["eval", "track", "--video", "text.mp4", "--truth", "gt.txt"],
        &["gt.txt", "line 1"],
    );
    edge(
        &["eval", "plates", "--images", ".", "--truth", "truth.csv"],
        &["truth.csv", "plates"],
    );
    edge(
        &["eval", "plates", "--images", ".", "--truth", "lost.csv"],
        &["lost.csv", "line 2", "x.jpg", "correct the table"],
    );
    edge(
        &["eval", "faces", "--images", ".", "--pairs", "pairs.csv"],
        &["pairs.csv", "line 2", "maybe"],
    );
    edge(
        &["eval", "identify", "--images", ".", "--protocol", "protocol.csv"],
        &["protocol.csv", "line 2", "guest"],
    );
    edge(
        &["eval", "faces", "--images", ".", "--pairs", "column.csv"],
        &["column.csv", "line 1", "no column `same`"],
    );
    edge(
        &["eval", "faces", "--images", ".", "--pairs", "strangers.csv"],
        &["strangers.csv", "x.jpg", "correct the table"],
    );
    edge(
        &["eval", "faces", "--images", "nowhere", "--pairs", "strangers.csv"],
        &["`nowhere` is no folder", "--images"],
    );
    edge(
        &["eval", "plates", "--images", "nowhere", "--truth", "lost.csv"],
        &["`nowhere` is no folder", "--images"],
    );
    edge(
        &["eval", "identify", "--images", ".", "--protocol", "alone.csv"],
        &["alone.csv", "no probe of a stranger"],
    );
    edge(
        &["eval", "identify", "--images", ".", "--protocol", "unknown.csv"],
        &["unknown.csv", "x.jpg", "correct the table"],
    );
    edge(
        &["calibrate", "--images", ".", "--protocol", "few.csv"],
        &["few.csv", "1 non-mated", "3000 are needed"],
    );
    edge(
        &["calibrate", "--images", ".", "--protocol", "again.csv"],
        &["again.csv", "1 non-mated", "3000 are needed"],
    );
    edge(
        &["calibrate", "--images", ".", "--protocol", "few.csv", "--fpir", "-1"],
        &["--fpir -1", "between 0 and 1"],
    );
    edge(
        &["eval", "count", "--video", "text.mp4", "--line", "0.5,0.5,0.5,0.5"],
        &["--line", "the same point"],
    );
    edge(
        &[
            "bench",
            "pipeline",
            "--video",
            "none.mp4",
            "--line",
            "0,0.5,1,0.5",
            "--cameras",
            "2",
        ],
        &["none.mp4", "does not exist"],
    );
    edge(
        &["bench", "gallery", "--size", "9", "--dim", "9", "--threads", "5000"],
        &["--threads", "1 to 64"],
    );
    edge(
        &["calibrate", "--images", ".", "--protocol", "few.csv", "--fpir", "2"],
        &["--fpir 2", "between 0 and 1"],
    );
    edge(
        &[
            "calibrate",
            "--images",
            ".",
            "--protocol",
            "few.csv",
            "--list",
            "no list",
        ],
        &["--list"],
    );
}

const CENTRAL: &str = r#"
[http]
listen = "127.0.0.1:HTTP"
[broker.inside]
listen = "127.0.0.1:MQTT"
[store]
sqlite = "var/vong.sqlite"
[evidence]
folder = "var/evidence"
"#;

#[test]
fn central_says_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = folder.path();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let taken = taken
        .local_addr()
        .map(|address| (address.port().to_string(), taken))
        .expect("it has an address");
    let free = vong_tests::stage::free_port().expect("a port is free").to_string();
    let write = |name: &str, http: &str, mqtt: &str| {
        let text = CENTRAL.replace("HTTP", http).replace("MQTT", mqtt);
        std::fs::write(at.join(name), text).expect("a file can be written");
    };
    write("http.toml", &taken.0, &free);
    write("mqtt.toml", &free, &taken.0);
    let other = vong_tests::stage::free_port().expect("a port is free").to_string();
    write("database.toml", &free, &other);
    let central = |arguments: &[&str], parts: &[&str]| check(at, "vong-central", arguments, parts);
    central(&["run", "--config", "none.toml"], &["none.toml"]);
    central(&["run", "--config", "http.toml"], &[taken.0.as_str(), "[http] listen"]);
    central(
        &["run", "--config", "mqtt.toml"],
        &[taken.0.as_str(), "[broker.inside] listen"],
    );
    std::fs::create_dir_all(at.join("var")).expect("a folder can be made");
    std::fs::write(
        at.join("var/vong.sqlite"),
        "this is no database, but a text that is long enough to be looked at",
    )
    .expect("a file can be written");
    central(&["migrate", "--config", "database.toml"], &["vong.sqlite"]);
    central(&["run", "--config", "database.toml"], &["vong.sqlite"]);
}
