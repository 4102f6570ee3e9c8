//! Network cameras that misbehave: they vanish, stall, send rubbish, change their size in the middle, or live by a clock
//! that is set. The camera is a server of the test that hands out what ffmpeg made before; it speaks the stream over plain
//! TCP, so that every byte is the test's to spoil.

use super::*;
use crate::clock::ManualClock;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// A stream of eight seconds of moving bars, more than a decoder wants to see before it begins.
fn stream(folder: &Path, size: &str) -> Option<Vec<u8>> {
    let path = folder.join(format!("{size}.ts"));
    let bars = format!("testsrc=size={size}:rate=10");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", &bars, "-frames:v", "80"])
        .args(["-c:v", "mpeg2video", "-g", "1", "-f", "mpegts"])
        .arg(&path)
        .status();
    match made {
        Ok(status) if status.success() => std::fs::read(path).ok(),
        _ => {
            println!("skipped: no ffmpeg to make a stream with");
            None
        }
    }
}

/// What a camera does with a connection.
#[derive(Clone)]
enum Camera {
    /// Sends the bytes and hangs up.
    Sends(Vec<u8>),
    /// Sends the bytes and stays silent.
    Stalls(Vec<u8>),
}

/// Serves one behaviour a connection, in turn; the last again and again.
fn serve(behaviours: Vec<Camera>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for (number, client) in listener.incoming().flatten().enumerate() {
            let mut client = client;
            match &behaviours[number.min(behaviours.len() - 1)] {
                Camera::Sends(bytes) => drop(client.write_all(bytes)),
                Camera::Stalls(bytes) => {
                    let _ = client.write_all(bytes);
                    open.push(client);
                }
            }
        }
    });
    url
}

fn camera(url: &str, clock: Arc<ManualClock>) -> RtspSource {
    RtspSource::new("gate-1", url, SourceOptions::default(), clock).with_patience(PATIENCE)
}

/// Takes what comes until the camera is lost; frames, cuts and the reason.
fn until_lost(source: &mut RtspSource, frame: &mut Frame) -> (Vec<(u32, u32)>, usize, String) {
    let (mut sizes, mut cuts) = (Vec::new(), 0);
    loop {
        match source.next(frame).unwrap() {
            Next::Frame => sizes.push(frame.image.dimensions()),
            Next::Cut => cuts += 1,
            Next::Lost(cause) => return (sizes, cuts, cause.to_string()),
            Next::Ended => panic!("a network camera never ends"),
        }
    }
}

#[test]
fn a_camera_that_stalls_is_lost_with_its_reason_and_comes_back_after_a_cut() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bars) = stream(folder.path(), "96x64") else {
        return;
    };
    let url = serve(vec![Camera::Stalls(bars.clone()), Camera::Sends(bars)]);
    let (mut source, mut frame) = (camera(&url, Arc::new(ManualClock::at(5))), Frame::default());
    let (sizes, cuts, reason) = until_lost(&mut source, &mut frame);
    assert!(sizes.len() >= 15 && cuts == 0, "{} frames, {cuts} cuts", sizes.len());
    assert!(reason.contains("camera `gate-1`: it sends no picture"), "{reason}");
    let (again, cuts, reason) = until_lost(&mut source, &mut frame);
    assert!(again.len() >= 15 && cuts == 1, "{} frames, {cuts} cuts", again.len());
    assert!(!reason.is_empty() && frame.seq as usize + 1 == sizes.len() + again.len());
}

/// A camera that waits with its next picture until the last one was seen: a picture that comes out late never comes.
#[test]
fn a_picture_comes_out_before_the_next_one_goes_in() {
    const AT_ONCE: usize = 40;
    const SINGLY: usize = 5;
    let picture = [b"FRAME\n".as_slice(), &[90; 96 * 64 * 3 / 2]].concat();
    let begin = [
        b"YUV4MPEG2 W96 H64 F10:1 Ip A1:1 C420jpeg\n".as_slice(),
        &picture.repeat(AT_ONCE),
    ]
    .concat();
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("skipped: no ffmpeg");
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let mut source = camera(&url, Arc::new(ManualClock::at(5)));
    let (tell, told) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(&begin).unwrap();
        while let Ok(()) = told.recv() {
            client.write_all(&picture).unwrap();
        }
    });
    let mut frame = Frame::default();
    for number in 0..AT_ONCE + SINGLY {
        let next = source.next(&mut frame).unwrap();
        assert!(matches!(next, Next::Frame), "picture {number}: {next:?}");
        if (AT_ONCE - 1..AT_ONCE + SINGLY - 1).contains(&number) {
            tell.send(()).unwrap();
        }
    }
    drop((tell, source));
    server.join().unwrap();
}

#[test]
fn a_camera_that_sends_nothing_or_rubbish_is_lost_with_its_reason() {
    let rubbish: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("skipped: no ffmpeg");
        return;
    }
    for (behaviour, told) in [
        (Camera::Stalls(vec![]), "it sends no picture"),
        (Camera::Sends(rubbish), "cannot be decoded"),
    ] {
        let url = serve(vec![behaviour]);
        let mut source = camera(&url, Arc::new(ManualClock::at(5)));
        let (sizes, _, reason) = until_lost(&mut source, &mut Frame::default());
        assert!(sizes.is_empty(), "{} frames of rubbish", sizes.len());
        assert!(
            reason.contains("cannot read camera `gate-1`") && reason.contains(told),
            "{reason}"
        );
    }
}

#[test]
fn spoilt_bytes_cost_frames_and_not_the_camera() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut bars) = stream(folder.path(), "96x64") else {
        return;
    };
    // Every 997th byte of the second half.
    let half = bars.len() / 2;
    bars[half..].iter_mut().step_by(997).for_each(|byte| *byte ^= 0x5a);
    let url = serve(vec![Camera::Sends(bars)]);
    let mut source = camera(&url, Arc::new(ManualClock::at(5)));
    let (sizes, _, _) = until_lost(&mut source, &mut Frame::default());
    assert!(sizes.len() >= 40, "only {} frames", sizes.len());
}

#[test]
fn a_size_that_changes_in_the_middle_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (Some(small), Some(large)) = (stream(folder.path(), "96x64"), stream(folder.path(), "128x96")) else {
        return;
    };
    let url = serve(vec![Camera::Sends([small, large].concat())]);
    let mut source = camera(&url, Arc::new(ManualClock::at(5)));
    let (sizes, _, reason) = until_lost(&mut source, &mut Frame::default());
    assert!(
        sizes.contains(&(96, 64)) && sizes.contains(&(128, 96)),
        "{sizes:?}; {reason}"
    );
}

#[test]
fn a_clock_that_is_set_back_is_a_cut_and_movement_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bars) = stream(folder.path(), "96x64") else {
        return;
    };
    let url = serve(vec![Camera::Stalls(bars)]);
    let clock = Arc::new(ManualClock::at(4_000_000_000_000));
    let (mut source, mut frame) = (camera(&url, clock.clone()), Frame::default());
    assert!(matches!(source.next(&mut frame), Ok(Next::Frame)));
    let before_s = frame.at_s;
    // The network tells that it is not the year 2096.
    clock.set(1_800_000_000_000);
    assert!(matches!(source.next(&mut frame), Ok(Next::Cut)));
    assert!(matches!(source.next(&mut frame), Ok(Next::Frame)));
    assert_eq!(frame.at_ms, 1_800_000_000_001);
    assert!(frame.at_s >= before_s && frame.at_s < before_s + 60.0);
    clock.set(1_800_000_000_000 - 500);
    assert!(
        matches!(source.next(&mut frame), Ok(Next::Frame)),
        "a small correction is no cut"
    );
    assert_eq!(frame.at_ms, 1_800_000_000_002);
}
