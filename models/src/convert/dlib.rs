//! dlib's face recognition ResNet-34 (Davis King, 2017; public domain) from the weights of face-api, written as an ONNX
//! graph. Every convolution's own scale and bias, and the normalisation of the input, are folded into its weights.
//!
//! Input [1, 3, 150, 150], RGB, 0-255; output [1, 128].

use super::onnx::{Attribute, Builder, Tensor, ValueInfo};
use super::tfjs::{self, Group, Weight};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Mean of the planes and divisor of dlib's training.
const MEAN: [f32; 3] = [122.782, 117.001, 104.298];
const DIVISOR: f32 = 256.0;
/// Blocks in their order; one that ends in `down` halves the picture.
const BLOCKS: [&str; 14] = [
    "conv32_1",
    "conv32_2",
    "conv32_3",
    "conv64_down",
    "conv64_1",
    "conv64_2",
    "conv64_3",
    "conv128_down",
    "conv128_1",
    "conv128_2",
    "conv256_down",
    "conv256_1",
    "conv256_2",
    "conv256_down_out",
];

/// Builds the graph from the list of weights (JSON) and their values.
///
/// # Errors
/// When a weight is missing or has another shape.
pub fn convert(manifest: &[u8], bytes: &[u8]) -> Result<Vec<u8>> {
    let groups: Vec<Group> = serde_json::from_slice(manifest).context("the list of weights cannot be read")?;
    let weights = tfjs::read(&groups, bytes)?;
    let mut net = Net {
        builder: Builder::new("dlib-resnet"),
        weights: &weights,
    };
    net.builder
        .input(ValueInfo::floats("face", &[Ok(1), Ok(3), Ok(150), Ok(150)]));
    let first = net.first()?;
    net.relu(&first);
    net.pool("MaxPool", "pool", "conv32_down_relu", 3);
    let mut from = "pool".to_string();
    for block in BLOCKS {
        from = net.block(block, &from)?;
    }
    net.builder.node("GlobalAveragePool", &[&from], &["mean"], vec![]);
    net.builder.node("Flatten", &["mean"], &["flat"], vec![]);
    let fc = tfjs::take(&weights, "fc")?;
    net.builder.weights(Tensor::of_floats("fc", &fc.shape, &fc.values));
    net.builder.node("MatMul", &["flat", "fc"], &["embedding"], vec![]);
    net.builder.output(ValueInfo::floats("embedding", &[Ok(1), Ok(128)]));
    Ok(net.builder.finish())
}

/// A convolution's weights in ONNX's order and its biases.
struct Folded {
    weight: Weight,
    bias: Vec<f32>,
}

struct Net<'w> {
    builder: Builder,
    weights: &'w BTreeMap<String, Weight>,
}

impl Net<'_> {
    /// The convolution `name`: y = scale * (W x + b) + bias, so W' = scale W and b' = scale b + bias.
    fn folded(&self, name: &str) -> Result<Folded> {
        let own = |part: &str| tfjs::take(self.weights, &format!("{name}/{part}"));
        let mut weight = tfjs::to_oihw(own("conv/filters")?)?;
        let (bias, scale, shift) = (own("conv/bias")?, own("scale/weights")?, own("scale/biases")?);
        let outputs = weight.shape[0];
        ensure!(
            [bias, scale, shift].iter().all(|w| w.values.len() == outputs),
            "`{name}`: biases and scales do not fit its {outputs} filters"
        );
        let each = weight.values.len() / outputs;
        for (filter, scale) in weight.values.chunks_exact_mut(each).zip(&scale.values) {
            filter.iter_mut().for_each(|value| *value *= scale);
        }
        let bias = (0..outputs).map(|out| scale.values[out] * bias.values[out] + shift.values[out]);
        Ok(Folded {
            bias: bias.collect(),
            weight,
        })
    }

    /// The first convolution takes 0-255: W' = W / 256, b' = b - W' mean. It has no margin, so this is exact.
    fn first(&mut self) -> Result<String> {
        let mut folded = self.folded("conv32_down")?;
        ensure!(
            folded.weight.shape == [32, 3, 7, 7],
            "the first convolution has another shape"
        );
        let cells = 49;
        for (out, filter) in folded.weight.values.chunks_exact_mut(3 * cells).enumerate() {
            for (plane, mean) in filter.chunks_exact_mut(cells).zip(MEAN) {
                plane.iter_mut().for_each(|value| *value /= DIVISOR);
                folded.bias[out] -= plane.iter().sum::<f32>() * mean;
            }
        }
        self.conv("conv32_down", "face", folded, 2, 0);
        Ok("conv32_down".into())
    }

    fn conv(&mut self, name: &str, from: &str, folded: Folded, stride: i64, pad: i64) {
        let weight = Tensor::of_floats(&format!("{name}_w"), &folded.weight.shape, &folded.weight.values);
        let bias = Tensor::of_floats(&format!("{name}_b"), &[folded.bias.len()], &folded.bias);
        let (weight, bias) = (self.builder.weights(weight), self.builder.weights(bias));
        let attributes = vec![
            Attribute::ints("strides", &[stride; 2]),
            Attribute::ints("pads", &[pad; 4]),
        ];
        self.builder.node("Conv", &[from, &weight, &bias], &[name], attributes);
    }

    fn relu(&mut self, from: &str) {
        self.builder.node("Relu", &[from], &[&format!("{from}_relu")], vec![]);
    }

    fn pool(&mut self, op: &str, name: &str, from: &str, size: i64) {
        let attributes = vec![
            Attribute::ints("kernel_shape", &[size; 2]),
            Attribute::ints("strides", &[2; 2]),
        ];
        self.builder.node(op, &[from], &[name], attributes);
    }

    /// relu(conv2(relu(conv1(x))) + x), where x is halved and given empty planes in a block that goes down.
    fn block(&mut self, name: &str, from: &str) -> Result<String> {
        let down = name.contains("down");
        let (first, second) = (format!("{name}_1"), format!("{name}_2"));
        let (conv1, conv2) = (
            self.folded(&format!("{name}/conv1"))?,
            self.folded(&format!("{name}/conv2"))?,
        );
        let (inputs, outputs) = (conv1.weight.shape[1], conv2.weight.shape[0]);
        let (stride, pad) = if down { (2, 0) } else { (1, 1) };
        self.conv(&first, from, conv1, stride, pad);
        self.relu(&first);
        self.conv(&second, &format!("{first}_relu"), conv2, 1, 1);
        let (mut main, mut short) = (second, from.to_string());
        if down {
            let pooled = format!("{name}_pooled");
            self.pool("AveragePool", &pooled, &short, 2);
            short = pooled;
            if outputs != inputs {
                short = self.pad(&short, [0, (outputs - inputs) as i64, 0, 0]);
            }
            if matches!(name, "conv256_down" | "conv256_down_out") {
                // 8 to 3 by the convolution but to 4 by the pooling, then 4 to 1 and to 2.
                main = self.pad(&main, [0, 0, 1, 1]);
            }
        }
        let sum = format!("{name}_sum");
        self.builder.node("Add", &[&main, &short], &[&sum], vec![]);
        self.relu(&sum);
        Ok(format!("{sum}_relu"))
    }

    /// Adds noughts at the end of the dimensions.
    fn pad(&mut self, from: &str, after: [i64; 4]) -> String {
        let name = format!("{from}_padded");
        let mut pads = vec![0; 4];
        pads.extend(after);
        let pads = self.builder.weights(Tensor::of_ints(&format!("{name}_pads"), &pads));
        self.builder.node("Pad", &[from, &pads], &[&name], vec![]);
        name
    }
}
