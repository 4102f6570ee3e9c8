//! The weights of TensorFlow.js: a JSON list of names, shapes and kinds, and one binary file with the values one behind
//! the other. A weight may be kept in 8 bits (value = byte * scale + min) or in half precision.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One entry of a list of weights.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Debug, Clone, Deserialize)]
struct Quantization {
    dtype: String,
    #[serde(default)]
    scale: f64,
    #[serde(default)]
    min: f64,
}

/// A list of weights and the files they lie in.
#[derive(Debug, Clone, Deserialize)]
pub struct Group {
    weights: Vec<Entry>,
}

/// One weight, its values row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Sizes of the dimensions.
    pub shape: Vec<usize>,
    /// The values; whole numbers are exact up to 2^24.
    pub values: Vec<f32>,
}

impl Weight {
    /// The values as whole numbers.
    pub fn ints(&self) -> Vec<i64> {
        self.values.iter().map(|&value| value as i64).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphModel {
    model_topology: Topology,
    weights_manifest: Vec<Group>,
}

#[derive(Deserialize)]
struct Topology {
    node: Vec<TfNode>,
}

/// One operation of a graph.
#[derive(Debug, Deserialize)]
pub struct TfNode {
    /// Its name, which is that of its output.
    pub name: String,
    /// What it does.
    pub op: String,
    /// Names of what goes in.
    #[serde(default)]
    pub input: Vec<String>,
    /// Its settings.
    #[serde(default)]
    pub attr: BTreeMap<String, serde_json::Value>,
}

impl TfNode {
    /// A setting that is a text: base64, as TensorFlow's JSON has it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn text(&self, key: &str) -> Result<&str> {
        let value = self.attr.get(key).and_then(|value| value["s"].as_str());
        value.with_context(|| format!("no attribute `{key}`"))
    }

    /// A setting that is a list of whole numbers, which TensorFlow's JSON writes as texts.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn numbers(&self, key: &str) -> Result<Vec<i64>> {
        let list = self.attr.get(key).and_then(|value| value["list"]["i"].as_array());
        list.and_then(|list| list.iter().map(|number| number.as_str()?.parse().ok()).collect())
            .with_context(|| format!("no list of numbers `{key}`"))
    }
}

/// Reads a graph and all its weights out of its JSON and its binary file.
///
/// # Errors
/// When the JSON is no graph, or as [`read`] says.
pub fn graph(json: &[u8], bytes: &[u8]) -> Result<(Vec<TfNode>, BTreeMap<String, Weight>)> {
    let model: GraphModel = serde_json::from_slice(json).context("the graph cannot be read")?;
    Ok((model.model_topology.node, read(&model.weights_manifest, bytes)?))
}

/// Reads all weights of a list out of its binary file.
///
/// # Errors
/// When a kind is unknown or the file is shorter or longer than the list says.
pub fn read(groups: &[Group], bytes: &[u8]) -> Result<BTreeMap<String, Weight>> {
    let (mut weights, mut rest) = (BTreeMap::new(), bytes);
    for entry in groups.iter().flat_map(|group| &group.weights) {
        let count = entry.shape.iter().product::<usize>();
        let kind = entry.quantization.as_ref().map_or(entry.dtype.as_str(), |q| &q.dtype);
        let width = match kind {
            "uint8" | "bool" => 1,
            "float16" => 2,
            "float32" | "int32" => 4,
            other => bail!("weight `{}` is of kind `{other}`, which is not known", entry.name),
        };
        ensure!(
            rest.len() >= count * width,
            "the file ends within weight `{}`",
            entry.name
        );
        let (own, after) = rest.split_at(count * width);
        rest = after;
        let values = match (kind, &entry.quantization) {
            ("uint8", Some(q)) => own
                .iter()
                .map(|&byte| (f64::from(byte) * q.scale + q.min) as f32)
                .collect(),
            ("uint8" | "bool", None) => own.iter().map(|&byte| f32::from(byte)).collect(),
            ("float16", _) => own
                .chunks_exact(2)
                .map(|b| half(u16::from_le_bytes([b[0], b[1]])))
                .collect(),
            ("int32", _) => words(own).map(|word| i32::from_le_bytes(word) as f32).collect(),
            _ => words(own).map(f32::from_le_bytes).collect(),
        };
        let shape = entry.shape.clone();
        weights.insert(entry.name.clone(), Weight { shape, values });
    }
    ensure!(
        rest.is_empty(),
        "the file is {} bytes longer than its list says",
        rest.len()
    );
    Ok(weights)
}

/// Takes a weight that must be there.
pub fn take<'w>(weights: &'w BTreeMap<String, Weight>, name: &str) -> Result<&'w Weight> {
    weights
        .get(name)
        .with_context(|| format!("there is no weight `{name}`"))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> + '_ {
    bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]])
}

/// Half precision (IEEE 754 binary16) to single: exact.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// A margin as wide as keeps the size, in TensorFlow's JSON.
pub const SAME: &str = "U0FNRQ==";
/// No margin, in TensorFlow's JSON.
pub const VALID: &str = "VkFMSUQ=";

/// Convolution weights from TensorFlow's order (height, width, in, out) to ONNX's (out, in, height, width).
///
/// # Errors
/// When it has not four dimensions.
pub fn to_oihw(weight: &Weight) -> Result<Weight> {
    let &[height, width, inputs, outputs] = weight.shape.as_slice() else {
        bail!(
            "a convolution's weights have shape {:?}, not four dimensions",
            weight.shape
        );
    };
    let mut values = vec![0.0; weight.values.len()];
    for (at, &value) in weight.values.iter().enumerate() {
        let (out, rest) = (at % outputs, at / outputs);
        let (input, cell) = (rest % inputs, rest / inputs);
        values[(out * inputs + input) * height * width + cell] = value;
    }
    Ok(Weight {
        shape: vec![outputs, inputs, height, width],
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        let known = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
        ];
        for (bits, value) in known {
            assert_eq!(half(bits), value, "{bits:#06x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn bytes_are_scaled_and_lengths_are_checked() {
        let groups: Vec<Group> = serde_json::from_str(
            r#"[{"paths":["x"],"weights":[{"name":"a","shape":[2],"dtype":"float32",
               "quantization":{"dtype":"uint8","scale":0.5,"min":-1.0}},{"name":"b","shape":[],"dtype":"int32"}]}]"#,
        )
        .expect("a list");
        let read_all = |bytes: &[u8]| read(&groups, bytes);
        let weights = read_all(&[0, 4, 7, 0, 0, 0]).expect("weights");
        assert_eq!(weights["a"].values, [-1.0, 1.0]);
        assert_eq!(weights["b"].ints(), [7]);
        assert!(read_all(&[0, 4, 7]).is_err(), "too short");
        assert!(read_all(&[0; 9]).is_err(), "too long");
    }

    #[test]
    fn convolution_weights_change_their_order() {
        let weight = Weight {
            shape: vec![1, 2, 3, 4],
            values: (0..24).map(|v| v as f32).collect(),
        };
        let turned = to_oihw(&weight).expect("four dimensions");
        assert_eq!(turned.shape, [4, 3, 1, 2]);
        // (height 0, width 1, in 2, out 3) was at 1*12 + 2*4 + 3 = 23.
        assert_eq!(turned.values[(3 * 3 + 2) * 2 + 1], 23.0);
    }
}
