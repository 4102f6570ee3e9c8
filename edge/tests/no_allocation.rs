//! The frame loop makes nothing anew once it is warm: from the decoder's pipe over motion gate, detector, tracker and
//! counter, on the very chain that runs at the gate. Invariant: what a bare run of the model takes from the allocator
//! (lists of names and tensors in the binding to ONNX Runtime) is measured beside it, and the loop may take no more.

// A global allocator cannot be written without it.
#![allow(unsafe_code)]
// Its helpers are tests as well.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vong_edge::camera::{Books, CameraChain, Lists};
use vong_edge::config::{CameraConfig, CountedClass, LineConfig, ModelsConfig};
use vong_edge::nets::{Needs, Nets};
use vong_edge::source::{FileOptions, FileSource, Frame, Next, Source, SourceOptions};
use vong_edge::telemetry::CameraTelemetry;
use vong_models::session::{Session, SessionOptions};
use vong_models::{Job, Manifest, Store};
use vong_wire::{BootId, CameraId, LineId};

/// The system's allocator, which counts what it is asked for.
struct Counting;

static EVERYWHERE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    EVERYWHERE.fetch_add(1, Ordering::Relaxed);
    // A thread that ends has no place for it any more.
    let _ = HERE.try_with(|here| here.set(here.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What this thread, and what all others, have asked for.
fn asked() -> (usize, usize) {
    let here = HERE.with(Cell::get);
    (here, EVERYWHERE.load(Ordering::Relaxed) - here)
}

/// Frames until the loop is warm, and frames that are measured.
const WARM: usize = 400;
const FRAMES: usize = 200;

#[test]
fn a_warm_loop_allocates_nothing() {
    let store = Store::at(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/store"));
    let clip = store.file("vtest.avi");
    if !clip.is_file() {
        println!("skipped: no models in {}; run `make models`", store.root().display());
        return;
    }
    let manifest = Manifest::load(None).unwrap();
    let needs = Needs {
        objects: true,
        ..Needs::default()
    };
    let mut nets = Nets::open(&store, &manifest, &ModelsConfig::default(), needs, 1).unwrap();
    for every_frame in [false, true] {
        check(&clip, every_frame, &store, &manifest, &mut nets);
    }
}

fn check(clip: &Path, every_frame: bool, store: &Store, manifest: &Manifest, nets: &mut Nets) {
    let config = camera(clip, every_frame);
    let size = nets.objects.as_ref().unwrap().size();
    let telemetry = Arc::new(CameraTelemetry::new(config.id.clone()));
    let options = FileOptions {
        source: SourceOptions {
            within: config.picture_within(Some(size)),
            raw: true,
            ..SourceOptions::default()
        },
        repeat: true,
        ..FileOptions::default()
    };
    let mut source = FileSource::open(clip, options).unwrap();
    let mut kept = Books::new(&config, BootId::generate());
    let mut chain = CameraChain::new(config, kept.clone(), telemetry.clone());
    let (mut frame, lists) = (Frame::default(), Lists::default());
    let (mut loops, mut runs, mut quiet) = (0, 0, 0);
    let mut readers = 0;
    for n in 0..WARM + FRAMES {
        if n == WARM {
            readers = asked().1;
        }
        let looks_before = looks(&telemetry);
        let before = asked().0;
        assert!(matches!(source.next(&mut frame).unwrap(), Next::Frame));
        let mut drafts = Vec::new();
        chain.frame(&mut frame, nets, &lists, &mut drafts).unwrap();
        chain.keep_books(&mut kept, &drafts);
        let taken = asked().0 - before;
        // A decision is put down in memory of its own.
        if n >= WARM && drafts.is_empty() {
            loops += taken;
            runs += looks(&telemetry) - looks_before;
            quiet += 1;
        }
    }
    let by_readers = asked().1 - readers;
    let bare = bare_run(store, manifest, size, frame.size());
    println!("{quiet} frames, {runs} runs: {loops} in the loop, {bare} a bare run, {by_readers} in the readers");
    assert!(quiet > FRAMES / 2 && runs > 0, "{quiet} frames, {runs} runs");
    assert!(bare <= 8, "a bare run takes {bare}");
    assert_eq!(loops, runs * bare, "the loop allocates by itself");
    assert_eq!(by_readers, 0, "the decoder's readers allocate");
}

fn looks(telemetry: &CameraTelemetry) -> usize {
    telemetry
        .ever()
        .stages
        .get("detect")
        .map_or(0, |(runs, _)| *runs as usize)
}

/// What the binding to ONNX Runtime takes for one run of the same model on the same size.
fn bare_run(store: &Store, manifest: &Manifest, most: [usize; 2], picture: (u32, u32)) -> usize {
    let model = manifest.model(Job::Objects, None).unwrap();
    let path = manifest.checked_file(store, model).unwrap();
    let mut session = Session::open(store, &path, SessionOptions::default()).unwrap();
    let side = |length: u32, most: usize| (length as usize).next_multiple_of(32).min(most);
    let shape = [1, 3, side(picture.1, most[1]), side(picture.0, most[0])];
    for _ in 0..3 {
        session.run(&shape, |_| ()).unwrap();
    }
    let before = asked().0;
    session.run(&shape, |_| ()).unwrap();
    asked().0 - before
}

fn camera(clip: &Path, every_frame: bool) -> CameraConfig {
    CameraConfig {
        id: CameraId::new("gate").unwrap(),
        file: Some(clip.to_path_buf()),
        rtsp: None,
        usb: None,
        repeat: true,
        max_fps: 120.0,
        region: None,
        look_px: None,
        priority: 5,
        every_frame,
        lines: vec![LineConfig {
            id: LineId::new("line").unwrap(),
            points: [0.5, 0.0, 0.5, 1.0],
            class: CountedClass::Person,
        }],
        faces: None,
        plates: None,
    }
}
