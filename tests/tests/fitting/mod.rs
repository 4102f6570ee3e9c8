//! `vong-edge fit` on the walkway, where persons are small.

use super::here;
use serde_json::Value;
use std::process::{Command, Stdio};

#[test]
fn a_wide_walkway_asks_for_large_pictures() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(house) = here::house(folder.path()) else {
        return;
    };
    let clip = house.root.join("sample-video/clips/walkway.avi");
    let config = format!(
        "[device]\nsite = \"s\"\nid = \"d\"\ndata = \"data\"\n[broker]\nhost = \"127.0.0.1\"\n\
         [[camera]]\nid = \"walkway\"\nfile = '{}'\n[[camera.line]]\nid = \"main\"\npoints = [0.5, 0.0, 0.5, 1.0]\n",
        clip.display()
    );
    std::fs::write(folder.path().join("edge.toml"), config).expect("a file can be written");
    let fit = |minutes: &str| -> Value {
        let output = Command::new(house.programs.join("vong-edge"))
            .args([
                "fit",
                "--config",
                "edge.toml",
                "--camera",
                "walkway",
                "--minutes",
                minutes,
            ])
            .current_dir(folder.path())
            .env("VONG_STORE", here::store())
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(
            !folder.path().join("data").exists(),
            "something of what was seen was kept"
        );
        serde_json::from_slice(&output.stdout).expect("one line of JSON")
    };
    let busy = fit("1.3");
    let found = |side: u64| {
        let sides = busy["sides"].as_array().expect("a list of sides");
        let side = sides.iter().find(|tried| tried["look_px"] == side);
        side.and_then(|tried| tried["found"].as_f64()).expect("a share")
    };
    assert!(busy["objects"].as_u64() >= Some(200), "{busy}");
    assert!(busy["suggested"].as_u64() >= Some(320), "{busy}");
    assert!(found(192) < 0.8 && found(416) > 0.85, "{busy}");
    assert!(fit("0.1")["suggested"].is_null(), "six seconds tell nothing");
}
