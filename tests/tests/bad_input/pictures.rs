//! Pictures, tables and clips that are not as they should be, through the measuring commands: refused with the reason, or
//! counted as refused; what is usable is used, however it is coded or turned.

use super::{check, here};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// The JSON of `vong-edge eval ...` in a folder, and what it said beside; none, and said so, without programs or models.
fn measured(folder: &Path, arguments: &[&str]) -> Option<(Value, String)> {
    let house = here::house(folder)?;
    let output = Command::new(house.programs.join("vong-edge"))
        .arg("eval")
        .args(arguments)
        .current_dir(folder)
        .env("VONG_STORE", here::store())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && !said.contains("panicked"),
        "{arguments:?}: {said}"
    );
    Some((serde_json::from_slice(&output.stdout).expect("it prints JSON"), said))
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .into()
        .write_to(&mut bytes, format)
        .expect("a picture can be encoded");
    bytes.into_inner()
}

/// A JPEG that says by EXIF how its camera was held.
fn held(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let jpeg = encoded(picture.clone(), ImageFormat::Jpeg);
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

/// The same portrait in every coding, upright for whoever heeds it.
fn usable(portrait: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    let rgb = DynamicImage::ImageRgb8(portrait.clone());
    let turned = |by: fn(&RgbImage) -> RgbImage, orientation| held(&by(portrait), orientation);
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    vec![
        ("plain.png", encoded(rgb.clone(), ImageFormat::Png)),
        ("plain.bmp", encoded(rgb.clone(), ImageFormat::Bmp)),
        ("plain.webp", encoded(rgb.clone(), ImageFormat::WebP)),
        ("grey.jpg", encoded(rgb.to_luma8(), ImageFormat::Jpeg)),
        ("alpha.png", encoded(rgb.to_rgba8(), ImageFormat::Png)),
        (
            "deep.png",
            encoded(DynamicImage::ImageRgb16(rgb.to_rgb16()), ImageFormat::Png),
        ),
        ("held-1.jpg", held(portrait, 1)),
        ("held-2.jpg", turned(flip_horizontal, 2)),
        ("held-3.jpg", turned(rotate180, 3)),
        ("held-4.jpg", turned(flip_vertical, 4)),
        ("held-5.jpg", turned(|p| flip_horizontal(&rotate90(p)), 5)),
        ("held-6.jpg", turned(rotate270, 6)),
        ("held-7.jpg", turned(|p| flip_horizontal(&rotate270(p)), 7)),
        ("held-8.jpg", turned(rotate90, 8)),
    ]
}

/// What nobody can use, each with what is said of it.
fn unusable(portrait: &RgbImage) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let jpeg = encoded(portrait.clone(), ImageFormat::Jpeg);
    let png = encoded(portrait.clone(), ImageFormat::Png);
    let bomb = encoded(GrayImage::new(10_000, 10_000), ImageFormat::Png);
    vec![
        ("empty.jpg", Vec::new(), "is empty"),
        ("text.jpg", b"no picture at all".to_vec(), "no JPEG, PNG, BMP or WebP"),
        ("moving.gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), "is a GIF"),
        ("half.jpg", jpeg[..jpeg.len() / 2].to_vec(), "is cut short"),
        ("half.png", png[..png.len() / 2].to_vec(), "is cut short"),
        ("bomb.png", bomb, "10000 x 10000 px"),
    ]
}

/// Pictures that can be decoded and show nothing; as thin as can be, so that scaling finds no pixel.
fn blank() -> Vec<(&'static str, Vec<u8>)> {
    let of = |width, height| encoded(RgbImage::new(width, height), ImageFormat::Png);
    vec![
        ("dot.png", of(1, 1)),
        ("wide.png", of(9_000, 1)),
        ("tall.png", of(1, 9_000)),
    ]
}

#[test]
fn every_picture_is_used_or_counted_as_refused() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = folder.path();
    if here::house(at).is_none() {
        return;
    }
    let portrait = here::store().join("astronaut.png");
    let portrait = image::open(portrait).expect("it was fetched").to_rgb8();
    let portrait = image::imageops::crop_imm(&portrait, 60, 0, 320, 300).to_image();
    let (usable, unusable, blank) = (usable(&portrait), unusable(&portrait), blank());
    let bad = unusable.iter().map(|(name, bytes, _)| (*name, bytes));
    let all: Vec<(&str, &Vec<u8>)> = usable
        .iter()
        .chain(&blank)
        .map(|(name, bytes)| (*name, bytes))
        .chain(bad)
        .collect();
    let (mut pairs, mut protocol, mut plates) = ("a,b,same\r\n".to_owned(), String::new(), String::new());
    for (number, (name, bytes)) in all.iter().enumerate() {
        std::fs::write(at.join(name), bytes).expect("a file can be written");
        pairs += &format!("plain.png,{name},{}\r\n", u8::from(number < usable.len()));
        protocol += &format!("probe,stranger-{number},{name}\nprobe,somebody,{name}\n");
        plates += &format!("{name},29A12345\n");
    }
    let write = |name: &str, text: String| std::fs::write(at.join(name), text).expect("a file can be written");
    write("pairs.csv", pairs);
    write(
        "identify.csv",
        format!("role,identity,file\nenrol,nobody,half.jpg\nenrol,somebody,plain.png\n{protocol}"),
    );
    write("truth.csv", format!("\u{feff}file,plates\n{plates}"));
    let without_face = unusable.len() + blank.len();
    let told_all = |said: &str| {
        for (name, _, part) in &unusable {
            let told = |line: &str| line.contains("refused") && line.contains(name) && line.contains(part);
            assert!(said.lines().any(told), "nobody said of {name} that it {part}: {said}");
        }
    };

    let Some((faces, said)) = measured(at, &["faces", "--images", ".", "--pairs", "pairs.csv"]) else {
        return;
    };
    told_all(&said);
    assert_eq!(faces["pairs"], all.len());
    assert_eq!(faces["failed_to_enrol"], without_face, "{said}");
    // However it was coded or turned it is the same person; nothing else is anybody.
    assert_eq!((&faces["auc"], &faces["eer"]), (&1.0.into(), &0.0.into()), "{faces}");
    assert_eq!(faces["tar_at_far"]["0.001"], 1.0);

    let identify = ["identify", "--images", ".", "--protocol", "identify.csv"];
    let (identify, said) = measured(at, &identify).expect("it was there a moment ago");
    told_all(&said);
    assert_eq!(
        (&identify["gallery"], &identify["mated"]),
        (&2.into(), &all.len().into())
    );
    assert_eq!(identify["failed_to_enrol"], without_face);
    // Rounded to five digits.
    let found = identify["rank1"].as_f64().expect("a number") * all.len() as f64;
    assert!(
        (found - usable.len() as f64).abs() < 1e-3,
        "{found} of {} found",
        usable.len()
    );

    let (plates, said) = measured(at, &["plates", "--images", ".", "--truth", "truth.csv"]).expect("likewise");
    told_all(&said);
    let told = [
        &plates["images"],
        &plates["plates"],
        &plates["refused"],
        &plates["exact"],
    ];
    assert_eq!(
        told.map(Value::as_u64),
        [all.len(), all.len(), unusable.len(), 0].map(|n| Some(n as u64))
    );
    assert_eq!(plates["by"]["class"]["car"]["plates"], all.len());
}

#[test]
fn tables_are_refused_with_their_line_by_every_command() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = folder.path();
    std::fs::write(at.join("a.jpg"), "").expect("a file can be written");
    let commands: [(&[&str], &str, &str, &str); 4] = [
        (&["eval", "faces"], "--pairs", "a,b,same", "a.jpg,a.jpg,1"),
        (
            &["eval", "identify"],
            "--protocol",
            "role,identity,file",
            "enrol,x,a.jpg",
        ),
        (
            &["calibrate", "--fpir", "0.9"],
            "--protocol",
            "role,identity,file",
            "enrol,x,a.jpg",
        ),
        (&["eval", "plates"], "--truth", "file,plates", "a.jpg,29A12345"),
    ];
    for (command, flag, head, row) in commands {
        let (first, rest) = head.split_once(',').expect("there are two columns");
        let cases: [(Vec<u8>, &[&str]); 8] = [
            (vec![], &["is empty"]),
            ("\u{feff}".into(), &["is empty"]),
            (format!("{head}\r\n").into(), &["has no rows"]),
            (
                format!("{rest}\n{row}\n").into(),
                &["line 1", &format!("no column `{first}`")],
            ),
            (format!("{head}\n{row},x,y,z\n").into(), &["line 2", "quotes"]),
            (
                format!("{}\n{row}\n", head.replace(',', ";")).into(),
                &["line 1", "no column"],
            ),
            ([head.as_bytes(), b"\n\xff\xfe,x,y\n"].concat(), &["line 2", "UTF-8"]),
            (format!("\u{feff}{head}\r\n\r\n,\r\n").into(), &["line 3", "no value"]),
        ];
        for (number, (bytes, parts)) in cases.iter().enumerate() {
            std::fs::write(at.join("table.csv"), bytes).expect("a file can be written");
            let parts = [&["table.csv"], *parts].concat();
            let arguments = [command, &["--images", ".", flag, "table.csv"]].concat();
            println!("{arguments:?}, case {number}");
            check(at, "vong-edge", &arguments, &parts);
        }
    }
}

#[test]
fn a_clip_that_stops_half_way_gives_no_figure() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = folder.path();
    if here::house(at).is_none() {
        return;
    }
    std::fs::write(at.join("gt.txt"), "\u{feff}1,1,10,10,20,40,1,-1,-1,-1\r\n").expect("a file can be written");
    for (whole, half, more, part) in [
        ("whole.avi", "half.avi", None, "of 50 frames"),
        ("whole.mkv", "half.mkv", None, "is cut short"),
        ("whole.mp4", "half.mp4", None, "ffmpeg can play"),
        ("first.mp4", "half.mp4", Some("+faststart"), "of 50 frames"),
    ] {
        let source = ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=5"];
        let flags = more.map(|flags| ["-movflags", flags]);
        let made = Command::new("ffmpeg")
            .args(source)
            .args(["-frames:v", "50", "-c:v", "mpeg4"])
            .args(flags.iter().flatten())
            .arg(at.join(whole))
            .status();
        assert!(made.expect("ffmpeg is there").success());
        let bytes = std::fs::read(at.join(whole)).expect("it was made");
        std::fs::write(at.join(half), &bytes[..bytes.len() / 2]).expect("a file can be written");
        let line = ["--line", "0.5,0,0.5,1"];
        super::check_with(
            at,
            &here::store(),
            "vong-edge",
            &["eval", "count", "--video", half, line[0], line[1]],
            &[half, part],
        );
        let track = ["eval", "track", "--video", half, "--truth", "gt.txt"];
        super::check_with(at, &here::store(), "vong-edge", &track, &[half, part]);
    }
}
