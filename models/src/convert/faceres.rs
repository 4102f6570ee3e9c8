//! FaceRes (Savchenko 2019, a MobileNet trained on VGGFace2) from its TensorFlow.js graph to ONNX, as far as the mean over
//! the picture: what follows there tells age and sex, which nobody asks here. A scale and a bias that follow a convolution
//! become part of it.
//!
//! Input [1, 3, 224, 224], BGR less ImageNet's mean; output [1, 128]: the 1,024 means less what is common to them, those
//! whose numbers leave one rest of 128 added up. It keeps the angles between faces nearly as they are (a projection that
//! knows no data, Johnson and Lindenstrauss 1984) and the lists an eighth as long.

use super::onnx::{Attribute, Builder, Tensor, ValueInfo};
use super::tfjs::{self, TfNode, Weight};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// Side of the input, px.
const SIDE: i64 = 224;
/// Values of the output.
const FOLDED: i64 = 128;

/// Builds the graph from the package's JSON and binary file.
///
/// # Errors
/// When a weight is missing, or an operation is not one of those that FaceRes has.
pub fn convert(json: &[u8], bytes: &[u8]) -> Result<Vec<u8>> {
    let (nodes, weights) = tfjs::graph(json, bytes)?;
    let mut builder = Builder::new("faceres");
    builder.input(ValueInfo::floats("input", &[Ok(1), Ok(3), Ok(SIDE), Ok(SIDE)]));
    builder.weights(Tensor::of_floats("nought", &[], &[0.0]));
    builder.weights(Tensor::of_floats("six", &[], &[6.0]));
    let mut net = Net {
        builder,
        weights: &weights,
        open: None,
        last: "input".to_string(),
        side: SIDE,
    };
    for node in nodes
        .iter()
        .filter(|node| !matches!(node.op.as_str(), "Const" | "Placeholder"))
    {
        let ended = net
            .node(node)
            .with_context(|| format!("operation `{}` ({})", node.name, node.op))?;
        if ended {
            return Ok(net.builder.finish());
        }
    }
    bail!("it ends without a mean over the picture")
}

/// A convolution that a scale or a bias may still follow.
struct Conv {
    name: String,
    weight: Weight,
    bias: Vec<f32>,
    stride: i64,
    groups: i64,
}

struct Net<'w> {
    builder: Builder,
    weights: &'w BTreeMap<String, Weight>,
    open: Option<Conv>,
    /// The tensor that the next operation takes: FaceRes is one chain.
    last: String,
    /// Its side, px.
    side: i64,
}

impl Net<'_> {
    /// Whether it is the last that is wanted.
    fn node(&mut self, node: &TfNode) -> Result<bool> {
        match node.op.as_str() {
            "Conv2D" => self.conv(node, tfjs::to_oihw(self.constant(node)?)?, false)?,
            "DepthwiseConv2dNative" => self.conv(node, depthwise(self.constant(node)?)?, true)?,
            "Mul" => {
                let scale = self.constant(node)?.values.clone();
                let conv = self.open.as_mut().context("no convolution before a scale")?;
                let filter = conv.weight.values.len() / scale.len().max(1);
                ensure!(scale.len() == conv.bias.len(), "it has another number of channels");
                for (filter, scale) in conv.weight.values.chunks_exact_mut(filter).zip(&scale) {
                    filter.iter_mut().for_each(|value| *value *= scale);
                }
                conv.bias
                    .iter_mut()
                    .zip(&scale)
                    .for_each(|(bias, scale)| *bias *= scale);
            }
            "Add" => {
                let more = self.constant(node)?.values.clone();
                let conv = self.open.as_mut().context("no convolution before a bias")?;
                ensure!(more.len() == conv.bias.len(), "it has another number of channels");
                conv.bias.iter_mut().zip(&more).for_each(|(bias, more)| *bias += more);
            }
            // Below nought is nought, above six is six: three operations there, one here.
            "Relu" => self.close(node)?,
            "Minimum" => ensure!(self.constant(node)?.values == [6.0], "its bound is not six"),
            "Maximum" => ensure!(self.constant(node)?.values == [0.0], "its bound is not nought"),
            "Mean" => {
                ensure!(self.open.is_none(), "a convolution without a bound before it");
                self.fold();
                return Ok(true);
            }
            other => bail!("`{other}` is not an operation of FaceRes"),
        }
        Ok(false)
    }

    fn constant(&self, node: &TfNode) -> Result<&Weight> {
        tfjs::take(self.weights, node.input.get(1).context("an input is missing")?)
    }

    fn conv(&mut self, node: &TfNode, weight: Weight, apart: bool) -> Result<()> {
        ensure!(self.open.is_none(), "a convolution without a bound before it");
        ensure!(node.text("padding")? == tfjs::SAME, "its margin is not `SAME`");
        ensure!(node.numbers("dilations")? == [1; 4], "it is dilated");
        let channels = weight.shape[0];
        self.open = Some(Conv {
            name: node.name.split('/').next().unwrap_or_default().to_string(),
            stride: node.numbers("strides")?[1],
            groups: if apart { channels as i64 } else { 1 },
            bias: vec![0.0; channels],
            weight,
        });
        Ok(())
    }

    /// Writes the convolution whose bound this is.
    fn close(&mut self, node: &TfNode) -> Result<()> {
        let conv = self.open.take().context("no convolution before a bound")?;
        let name = node.name.split('/').next().unwrap_or_default();
        let kernel = conv.weight.shape[2] as i64;
        // TensorFlow's margin: what is missing at the end, half of it before, the larger half behind.
        let windows = (self.side + conv.stride - 1) / conv.stride;
        let missing = ((windows - 1) * conv.stride + kernel - self.side).max(0);
        let (before, behind) = (missing / 2, missing - missing / 2);
        let weight = self.builder.weights(Tensor::of_floats(
            &format!("{name}_w"),
            &conv.weight.shape,
            &conv.weight.values,
        ));
        let bias = self
            .builder
            .weights(Tensor::of_floats(&format!("{name}_b"), &[conv.bias.len()], &conv.bias));
        let attributes = vec![
            Attribute::ints("kernel_shape", &[kernel, kernel]),
            Attribute::ints("pads", &[before, before, behind, behind]),
            Attribute::ints("strides", &[conv.stride; 2]),
            Attribute::int("group", conv.groups),
        ];
        self.builder
            .node("Conv", &[&self.last, &weight, &bias], &[&conv.name], attributes);
        self.builder
            .node("Clip", &[&conv.name, "nought", "six"], &[name], vec![]);
        (self.last, self.side) = (name.to_string(), windows);
        Ok(())
    }

    fn fold(&mut self) {
        let builder = &mut self.builder;
        let shape = builder.weights(Tensor::of_ints("rests", &[1, -1, FOLDED]));
        let axis = builder.weights(Tensor::of_ints("first", &[1]));
        builder.node("GlobalAveragePool", &[&self.last], &["means"], vec![]);
        builder.node("Reshape", &["means", &shape], &["by_rest"], vec![]);
        builder.node(
            "ReduceSum",
            &["by_rest", &axis],
            &["sums"],
            vec![Attribute::int("keepdims", 0)],
        );
        builder.node(
            "ReduceMean",
            &["sums"],
            &["common"],
            vec![Attribute::ints("axes", &[1])],
        );
        builder.node("Sub", &["sums", "common"], &["embedding"], vec![]);
        builder.output(ValueInfo::floats("embedding", &[Ok(1), Ok(FOLDED)]));
    }
}

/// Weights of a convolution of each channel apart, from TensorFlow's order (height, width, channel, 1) to ONNX's (channel,
/// 1, height, width).
fn depthwise(weight: &Weight) -> Result<Weight> {
    let &[height, width, channels, 1] = weight.shape.as_slice() else {
        bail!("its weights have shape {:?}", weight.shape);
    };
    let swapped = Weight {
        shape: vec![height, width, 1, channels],
        values: weight.values.clone(),
    };
    tfjs::to_oihw(&swapped)
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{ModelProto, Node};
    use super::*;
    use prost::Message;
    use serde_json::json;

    /// One convolution of each channel apart, at a stride of 2, with a scale of 3, a bias of 1 and its bounds, then the mean;
    /// the convolution, the operation after the bias and its bound may be others.
    fn small(conv: &str, after: &str, bound: f32) -> Result<Vec<u8>> {
        let list = |values: [&str; 4]| json!({"list": {"i": values}});
        let nodes = json!([
            {"name": "in", "op": "Placeholder"},
            {"name": "conv/mul_1", "op": conv, "input": ["in", "w"],
             "attr": {"padding": {"s": tfjs::SAME}, "strides": list(["1", "2", "2", "1"]), "dilations": list(["1"; 4])}},
            {"name": "conv/mul_2", "op": "Mul", "input": ["conv/mul_1", "scale"]},
            {"name": "conv/add", "op": "Add", "input": ["conv/mul_2", "bias"]},
            {"name": "relu/Relu", "op": after, "input": ["conv/add"]},
            {"name": "relu/Minimum", "op": "Minimum", "input": ["relu/Relu", "six"]},
            {"name": "relu/Maximum", "op": "Maximum", "input": ["relu/Minimum", "nought"]},
            {"name": "mean", "op": "Mean", "input": ["relu/Maximum", "axes"]},
            {"name": "age", "op": "Softmax", "input": ["mean"]}
        ]);
        let weight = |name: &str, shape: &[usize]| json!({"name": name, "shape": shape, "dtype": "float32"});
        let weights = [
            ("w", &[3, 3, 3, 1][..]),
            ("scale", &[3]),
            ("bias", &[3]),
            ("six", &[]),
            ("nought", &[]),
        ];
        let list: Vec<_> = weights.iter().map(|(name, shape)| weight(name, shape)).collect();
        let graph = json!({"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": list}]});
        // (height 0, width 0) of the three channels comes first.
        let values = (0..27)
            .map(|n| n as f32)
            .chain([3.0; 3])
            .chain([1.0; 3])
            .chain([bound, 0.0]);
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        convert(graph.to_string().as_bytes(), &bytes)
    }

    #[test]
    fn a_scale_and_a_bias_become_part_of_the_convolution_and_the_rest_is_left_out() {
        let file = small("DepthwiseConv2dNative", "Relu", 6.0).unwrap();
        let graph = ModelProto::decode(file.as_slice()).unwrap().graph.unwrap();
        let ops: Vec<&str> = graph.node.iter().map(|node: &Node| node.op_type.as_str()).collect();
        let ends = ["GlobalAveragePool", "Reshape", "ReduceSum", "ReduceMean", "Sub"];
        assert_eq!(ops, [&["Conv", "Clip"][..], &ends].concat());
        let ints = |name: &str| {
            let mut attributes = graph.node[0].attribute.iter();
            attributes
                .find(|one| one.name == name)
                .map(|one| (one.i, one.ints.clone()))
        };
        // 224 at a stride of 2 with three a window: one is missing, behind.
        assert_eq!(ints("pads").unwrap().1, [0, 0, 1, 1]);
        assert_eq!(ints("group").unwrap().0, 3);
        let tensor = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
        assert_eq!(tensor("relu_w").dims, [3, 1, 3, 3]);
        // Channel 1, (height 0, width 2): 2 * 3 + 1 = 7, three times.
        assert_eq!(tensor("relu_w").floats().unwrap()[9 + 2], 21.0);
        assert_eq!(tensor("relu_b").floats().unwrap(), [1.0; 3]);
    }

    #[test]
    fn what_it_is_not_is_named() {
        for (made, told) in [
            (small("Conv3D", "Relu", 6.0), "`Conv3D` is not an operation of FaceRes"),
            (small("DepthwiseConv2dNative", "Relu", 5.0), "its bound is not six"),
            (small("Conv2D", "Relu", 6.0), "operation `conv/mul_2`"),
            (
                small("DepthwiseConv2dNative", "Mean", 6.0),
                "a convolution without a bound before it",
            ),
        ] {
            let error = format!("{:#}", made.unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }
}
