//! A manifest's own table laid over the model that it is like, and what a manifest is refused for.

use super::manifest::{Job, Looks, Manifest};
use std::path::Path;

/// Loads a site's own manifest of this text.
fn load(text: &str) -> Result<Manifest, String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("own.toml");
    std::fs::write(&path, text).expect("a file can be written");
    Manifest::load(Some(&path)).map_err(|error| error.to_string())
}

const CHIP: &str = r#"
[[model]]
id = "chip"
job = "embedding"
family = "arcface"
file = "chip.onnx"
sha256 = "00"
size = [112, 112]
template = [[38.0, 51.0], [73.0, 51.0], [56.0, 71.0], [41.0, 92.0], [70.0, 92.0]]
threshold = 0.4
"#;

#[test]
fn what_is_not_said_of_a_model_is_as_in_the_one_that_it_is_like() {
    let manifest = load(&format!(
        "{CHIP}
        [[model]]
        id = \"chip-u8\"
        eight_bit_of = \"chip\"
        file = \"chip-u8.onnx\"
        sha256 = \"01\"

        [[model]]
        id = \"both\"
        like = \"chip-u8\"
        looks = \"one\"
        beside = {{ model = \"dlib-resnet\", weight = 0.5 }}
        threshold = 0.6
        "
    ))
    .unwrap();
    let of = |id| manifest.model(Job::Embedding, Some(id)).unwrap();
    let (u8, both) = (of("chip-u8"), of("both"));
    assert_eq!(
        (u8.size, u8.threshold, u8.file.as_path()),
        ([112, 112], Some(0.4), Path::new("chip-u8.onnx"))
    );
    assert_eq!(u8.eight_bit_of.as_deref(), Some("chip"));
    assert_eq!((u8.looks, both.looks), (Looks::All, Looks::One));
    assert_eq!((both.template, both.threshold), (u8.template, Some(0.6)));
    assert_eq!(
        (both.file.as_path(), both.eight_bit_of.as_deref()),
        (Path::new("chip-u8.onnx"), None)
    );
}

#[test]
fn a_wrong_manifest_is_told_by_line_and_model() {
    let with = |more: &str| load(&format!("{CHIP}{more}")).unwrap_err();
    for (more, told) in [
        (
            "[[model]]\nid = \"a\"\nlike = \"nobody\"\n",
            "line 11: a model is like `nobody`",
        ),
        (
            "[[model]]\nid = \"a\"\nlike = \"chip\"\nsise = 3\n",
            "line 11: unknown field `sise`",
        ),
        (
            "[[model]]\nid = \"a\"\njob = \"faces\"\n",
            "line 11: missing field `family`",
        ),
        (
            "[[model]]\nid = \"a\"\nlike = \"chip\"\nsize = [0, 1]\n",
            "model `a`: size and std",
        ),
        (
            "[[model]]\nid = \"a\"\nlike = \"chip\"\ndistances = [9.0]\n",
            "model `a`: distances",
        ),
        (
            "[[model]]\nid = \"a\"\nlike = \"chip\"\nbeside = { model = \"centerface\", weight = 1.0 }\n",
            "model `a`: `centerface` beside it",
        ),
        (
            "[[model]]\nid = \"a\"\nlike = \"chip\"\nbeside = { model = \"dlib-resnet\", weight = 0.0 }\n",
            "model `a`: the weight beside it",
        ),
        ("[defaults]\nfaces = \"chip\"\n", "model `chip` is not for"),
        ("[[model]\n", "line 11: "),
    ] {
        let error = with(more);
        assert!(error.contains(told), "{more}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
