//! Files that ffmpeg makes on the spot; skipped where it is not installed.

use super::*;
use crate::clock::ManualClock;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A clip of moving bars: `frames` at `fps`, encoded as AVI so that it can be cut off in the middle.
fn clip(folder: &Path, name: &str, frames: u32, fps: u32) -> Option<PathBuf> {
    let path = folder.join(name);
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            &format!("testsrc=size=96x64:rate={fps}"),
        ])
        .args(["-frames:v", &frames.to_string(), "-c:v", "mpeg4"])
        .arg(&path)
        .status();
    match made {
        Ok(status) if status.success() => Some(path),
        _ => {
            println!("skipped: no ffmpeg to make a clip with");
            None
        }
    }
}

fn drain(source: &mut dyn Source) -> Result<Vec<(u64, f64)>, SourceError> {
    let (mut frame, mut seen) = (Frame::default(), Vec::new());
    loop {
        match source.next(&mut frame)? {
            Next::Frame => seen.push((frame.seq, frame.at_s)),
            Next::Ended => return Ok(seen),
            other => panic!("{other:?}"),
        }
    }
}

fn opened(path: &Path, options: FileOptions) -> Result<Vec<(u64, f64)>, SourceError> {
    drain(&mut FileSource::open(path, options)?)
}

#[test]
fn every_frame_comes_once_and_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = clip(folder.path(), "a.mp4", 37, 10) else {
        return;
    };
    let seen = opened(&path, FileOptions::default()).unwrap();
    assert_eq!(seen.len(), 37);
    for (n, &(seq, at_s)) in seen.iter().enumerate() {
        assert_eq!(seq, n as u64);
        assert!((at_s - n as f64 / 10.0).abs() < 1e-6, "frame {n} at {at_s} s");
    }
}

#[test]
fn a_stream_that_changes_its_size_is_handed_over_as_it_is() {
    let pictures = |path: &Path| {
        let mut source = FileSource::open(path, FileOptions::default()).unwrap();
        let (mut frame, mut pictures) = (Frame::default(), Vec::new());
        while let Next::Frame = source.next(&mut frame).unwrap() {
            pictures.push(frame.image.clone());
        }
        pictures
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut stream, mut alone) = (Vec::new(), Vec::new());
    for (number, size) in ["48:32", "192:128", "48:32"].into_iter().enumerate() {
        let Some(path) = clip(folder.path(), &format!("{number}.avi"), 10, 10) else {
            return;
        };
        let part = folder.path().join(format!("{number}.ts"));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(&path);
        ffmpeg.args(["-vf", &format!("scale={size}"), "-c:v", "mpeg2video"]);
        assert!(ffmpeg.arg(&part).status().unwrap().success());
        alone.extend(pictures(&part));
        stream.extend(std::fs::read(part).unwrap());
    }
    let path = folder.path().join("all.ts");
    std::fs::write(&path, stream).unwrap();
    let together = pictures(&path);
    // ffmpeg drops the last picture before a change; the others come as from the part alone.
    assert!(together.len() >= alone.len() - 3, "{} pictures came", together.len());
    let mut rest = alone.iter();
    let as_alone = |picture: &RgbImage| rest.any(|one| one == picture);
    assert!(together.iter().all(as_alone), "a picture came otherwise than alone");
}

#[test]
fn size_and_rate_are_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = clip(folder.path(), "a.mp4", 50, 25) else {
        return;
    };
    let source = SourceOptions {
        size: Some((48, 32)),
        max_fps: Some(5.0),
        ..SourceOptions::default()
    };
    let mut source = FileSource::open(
        &path,
        FileOptions {
            source,
            start_ms: 1_000,
            ..FileOptions::default()
        },
    )
    .unwrap();
    let mut frame = Frame::default();
    let mut times = Vec::new();
    while let Next::Frame = source.next(&mut frame).unwrap() {
        assert_eq!(frame.image.dimensions(), (48, 32));
        times.push(frame.at_ms);
    }
    assert_eq!(times, (0..10).map(|n| 1_000 + n * 200).collect::<Vec<_>>());
}

#[test]
fn a_region_is_handed_over_in_full_detail() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = clip(folder.path(), "a.mp4", 3, 10) else {
        return;
    };
    let picture = |region: Option<[f32; 4]>| {
        let source = SourceOptions {
            region: region.map(|sides| sides.try_into().unwrap()),
            ..SourceOptions::default()
        };
        let options = FileOptions {
            source,
            ..FileOptions::default()
        };
        let mut frame = Frame::default();
        let next = FileSource::open(&path, options).unwrap().next(&mut frame).unwrap();
        assert!(matches!(next, Next::Frame));
        frame.image
    };
    let whole = picture(None);
    let (width, height) = whole.dimensions();
    let part = picture(Some([0.5, 0.25, 1.0, 0.75]));
    assert_eq!(part.dimensions(), (width / 2, height / 2));
    let differs = part.enumerate_pixels().map(|(x, y, pixel)| {
        let there = whole.get_pixel(x + width / 2, y + height / 4);
        pixel.0.iter().zip(there.0).map(|(a, b)| a.abs_diff(b)).max().unwrap()
    });
    // Colours are of two by two pixels: at the cut their neighbours are others.
    let unlike = differs.filter(|d| *d > 8).count();
    assert!(unlike < (width + height) as usize, "{unlike} pixels are others");
}

#[test]
fn a_repeated_file_goes_on_after_a_cut() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = clip(folder.path(), "a.mp4", 5, 10) else {
        return;
    };
    let options = FileOptions {
        repeat: true,
        ..FileOptions::default()
    };
    let mut source = FileSource::open(&path, options).unwrap();
    let mut frame = Frame::default();
    let mut told = String::new();
    while frame.seq < 7 {
        match source.next(&mut frame).unwrap() {
            Next::Frame => told += &format!("{:.1} ", frame.at_s),
            Next::Cut => told += "cut ",
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, "0.0 0.1 0.2 0.3 0.4 cut 0.5 0.6 0.7 ");
}

#[test]
fn its_own_speed_is_not_faster() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = clip(folder.path(), "a.mp4", 6, 10) else {
        return;
    };
    let start = Instant::now();
    opened(
        &path,
        FileOptions {
            pace: Pace::OwnSpeed,
            ..FileOptions::default()
        },
    )
    .unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(500),
        "half a second took {:?}",
        start.elapsed()
    );
}

#[test]
fn bad_files_are_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("empty.mp4"), b"").unwrap();
    std::fs::write(at("text.mp4"), "no video ".repeat(500)).unwrap();
    let mut cases = vec![
        (at("none.mp4"), "does not exist; name an existing file"),
        (at("empty.mp4"), "is empty; name a video file"),
        (folder.path().to_owned(), "is a folder; name a video file"),
        (at("text.mp4"), "give a file that ffmpeg can play"),
    ];
    for (whole, half, expected) in [
        ("whole.avi", "half.avi", "of 60 frames could be read; copy it again"),
        ("whole.mkv", "half.mkv", "is cut short: its "),
        // What tells where the frames are stands at its end.
        ("whole.mp4", "half.mp4", "give a file that ffmpeg can play"),
    ] {
        if let Some(whole) = clip(folder.path(), whole, 60, 10) {
            let bytes = std::fs::read(whole).unwrap();
            std::fs::write(at(half), &bytes[..bytes.len() / 2]).unwrap();
            cases.push((at(half), expected));
        }
    }
    for (path, expected) in cases {
        let error = opened(&path, FileOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
        assert!(error.contains(path.to_str().unwrap()), "{error:?} names no file");
        assert!(!error.contains('\n'), "{error:?} has several lines");
    }
}

#[test]
fn a_stopped_source_ends_and_leaves_no_child() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = clip(folder.path(), "a.mp4", 60, 10) else {
        return;
    };
    let options = FileOptions {
        pace: Pace::OwnSpeed,
        repeat: true,
        ..FileOptions::default()
    };
    let stop = options.source.stop.clone();
    let mut source = FileSource::open(&path, options).unwrap();
    let mut frame = Frame::default();
    assert!(matches!(source.next(&mut frame), Ok(Next::Frame)));
    stop.cancel();
    assert!(matches!(source.next(&mut frame), Ok(Next::Ended)));
    drop(source);
    // A child that was not reaped would still be listed under this process.
    let own = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    for child in own.split_ascii_whitespace() {
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        assert_ne!(name.trim(), "ffmpeg", "child {child} is still there");
    }
}

#[test]
fn a_camera_that_is_away_is_lost_and_asked_again_and_its_password_is_not_told() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("skipped: no ffmpeg");
        return;
    }
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("rtsp://admin:s3cret@{free}/gate");
    let clock = Arc::new(ManualClock::at(5));
    let mut source = RtspSource::new("gate-1", &url, SourceOptions::default(), clock);
    let mut frame = Frame::default();
    for _ in 0..2 {
        let Ok(Next::Lost(error)) = source.next(&mut frame) else {
            panic!("not lost")
        };
        let text = error.to_string();
        assert!(
            text.contains("camera `gate-1`") && text.contains("nobody answers at its address"),
            "{text}"
        );
        assert!(!text.contains("s3cret") && !text.contains(&free.to_string()), "{text}");
    }
}
