//! Where the tests stand: the project, its programs, and whether models and clips are there.

use std::path::{Path, PathBuf};
use tokio::sync::{Mutex, MutexGuard};
use vong_tests::stage::{House, free_port};

/// Showings measure their pace: one at a time, also where one process runs all tests.
static STAGE: Mutex<()> = Mutex::const_new(());

/// The project's folder.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// The folder of the programs: that of this test, without `deps`.
pub fn programs() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it lies");
    let deps = this.parent().expect("a program lies in a folder");
    deps.parent()
        .expect("deps lies in the folder of the programs")
        .to_path_buf()
}

/// A house in a folder of its own, on free ports; none, and said so, where something it needs is not there.
pub fn house(folder: &Path) -> Option<House> {
    let missing = missing();
    if !missing.is_empty() {
        println!(
            "skipped: {} is not there; run `make build models clips`",
            missing.join(", ")
        );
        assert!(std::env::var_os("CI").is_none(), "in CI everything must be there");
        return None;
    }
    Some(House {
        root: root(),
        programs: programs(),
        folder: folder.to_path_buf(),
        http_port: free_port().expect("a port is free"),
        mqtt_port: free_port().expect("a port is free"),
    })
}

/// The folder of the models.
pub fn store() -> PathBuf {
    std::env::var_os("VONG_STORE").map_or_else(|| root().join("models/store"), PathBuf::from)
}

fn missing() -> Vec<String> {
    let store = store();
    let clips = root().join("sample-video/clips");
    let needed = [
        programs().join("vong-edge"),
        programs().join("vong-central"),
        store.join("centerface.onnx"),
        store.join("nanodet-g-416-u8.onnx"),
        store.join("dlib-resnet-u8.onnx"),
        store.join("faceres.onnx"),
        clips.join("walkway.avi"),
        clips.join("gate.mp4"),
        clips.join("barrier.mp4"),
    ];
    let absent = needed.iter().filter(|path| !path.exists());
    absent
        .map(|path| path.strip_prefix(root()).unwrap_or(path).display().to_string())
        .collect()
}

/// Waits for its turn on the stage.
pub async fn stage() -> MutexGuard<'static, ()> {
    STAGE.lock().await
}
