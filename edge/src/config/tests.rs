//! Files that are taken, and files that are answered with place and remedy.

use super::*;

const GOOD: &str = r#"
        [device]
        site = "demo-park"
        id = "edge-1"
        data = "var"
        [broker]
        host = "127.0.0.1"
        [[camera]]
        id = "walkway"
        file = "walkway.avi"
        [[camera.line]]
        id = "main"
        points = [0.5, 0.0, 0.5, 1.0]
    "#;

fn check(change: impl Fn(&str) -> String, expected: &str) {
    let error = Config::parse(&change(GOOD), Path::new("edge.toml"))
        .unwrap_err()
        .to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    assert!(
        error.contains("edge.toml") && !error.contains('\n'),
        "{error:?} is not one line that names the file"
    );
}

#[test]
fn a_good_file_is_taken() {
    let config = Config::parse(GOOD, Path::new("edge.toml")).unwrap();
    assert_eq!(config.broker.port, 1883);
    assert_eq!(
        config.cameras[0].source(),
        Some(CameraSource::File("walkway.avi".into()))
    );
}

#[test]
fn lines_are_told_in_shares_of_the_region() {
    let text = GOOD.replace("file =", "region = [0.25, 0.5, 0.75, 1.0]\nfile =");
    let config = Config::parse(&text, Path::new("edge.toml")).unwrap();
    assert_eq!(config.cameras[0].lines[0].points, [0.5, -1.0, 0.5, 1.0]);
}

#[test]
fn a_camera_that_only_counts_is_decoded_to_what_is_looked_at() {
    let within =
        |text: &str| Config::parse(text, Path::new("edge.toml")).unwrap().cameras[0].picture_within(Some([416; 2]));
    let near = GOOD.replace("file =", "look_px = 256\nfile =");
    assert_eq!(within(GOOD), Some((416, 416)));
    assert_eq!(within(&near), Some((256, 256)));
    assert_eq!(
        within(&format!("{near}\n[camera.faces]")),
        None,
        "faces want the full picture"
    );
}

#[test]
fn bad_files_are_answered_with_place_and_remedy() {
    check(
        |good| good.replace("site = \"demo-park\"", "site = \"Demo Park\""),
        "line 3",
    );
    check(|good| good.replace("host =", "hots ="), "unknown field `hots`");
    check(|good| good.replace("host = \"127.0.0.1\"", ""), "missing field `host`");
    check(|good| good.replace("[[camera", "[[kamera"), "unknown field `kamera`");
    check(
        |good| good.split("[[camera]]").next().unwrap().to_string(),
        "no camera is configured",
    );
    check(
        |good| good.replace("file = \"walkway.avi\"", ""),
        "exactly one of file, rtsp or usb",
    );
    check(
        |good| good.replace("file =", "region = [0.6, 0.0, 1.0, 1.0]\nfile ="),
        "line `main`: lies outside",
    );
    for side in [0, 96, 300, 1312] {
        check(
            |good| good.replace("file =", &format!("look_px = {side}\nfile =")),
            "look_px: must be a multiple of 32 from 128 to 1280",
        );
    }
    check(
        |good| good.replace("file = \"walkway.avi\"", "rtsp = \"http:/x\""),
        "must begin with rtsp://",
    );
    check(|good| good.replace("0.5, 1.0]", "0.5, 1.5]"), "between 0 and 1");
    check(|good| good.replace("0.5, 1.0]", "0.5, 0.0]"), "needs a length");
    check(
        |good| format!("{good}\n[camera.plates]\nregion = [0.5, 0.0, 0.2, 1.0]"),
        "left < right",
    );
    check(
        |good| format!("{good}\n[[camera]]\nid = \"walkway\"\nusb = 0"),
        "is there twice",
    );
    check(|good| good.replace("[broker]", "[broker"), "line 6");
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("nowhere/edge.toml")).unwrap_err().to_string();
    assert!(
        error.contains("nowhere/edge.toml") && error.contains("--config"),
        "{error}"
    );
}
