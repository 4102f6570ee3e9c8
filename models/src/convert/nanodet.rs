//! NanoDet-g from its TensorFlow.js graph to ONNX. TensorFlow runs convolutions with the channels last, so its graph is
//! full of transpositions and separate margins; here every tensor keeps its channels first, a transposition is only
//! remembered, and margins and biases become part of the convolution. 489 nodes become about 120. Classes that nobody
//! looks for can be left out.
//!
//! Input [1, 3, height, width], free multiples of 32 (made for 416); outputs as in `detect::nanodet`.

use super::onnx::{Attribute, Builder, Tensor, ValueInfo};
use super::tfjs::{self, TfNode, Weight};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How TensorFlow sees a tensor that is kept with its channels first.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    /// Name in the ONNX graph.
    name: String,
    /// Dimension of the kept tensor behind each dimension that TensorFlow sees.
    axes: Vec<usize>,
    /// Margin that is still to be added, in TensorFlow's dimensions: before and after.
    margin: Vec<(i64, i64)>,
    /// Rows of a picture-like tensor when the input has 416: by it a scaling to a size becomes one by a factor.
    rows: i64,
}

/// Filters of a head: scores of COCO's classes, then four sides of eleven bins.
const SCORES: usize = 80;
const SIDES: usize = 44;

const CHANNELS_FIRST: [usize; 4] = [0, 1, 2, 3];
const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];

/// Builds the graph from the package's JSON and binary file, with the scores of these classes in this order, by COCO's
/// numbers; of all where none are named.
///
/// # Errors
/// When a weight is missing, or an operation is not one of those that NanoDet-g has.
pub fn convert(json: &[u8], bytes: &[u8], classes: Option<&[usize]>) -> Result<Vec<u8>> {
    let (nodes, weights) = tfjs::graph(json, bytes)?;
    let mut net = Net {
        builder: Builder::new("nanodet-g"),
        weights: &weights,
        seen: HashMap::new(),
        splits: HashMap::new(),
        biases: biases(&nodes, &weights),
        heads: heads(&nodes, &weights),
        classes,
        pooled: pooled(&nodes),
        late: HashMap::new(),
    };
    for node in &nodes {
        net.node(node)
            .with_context(|| format!("operation `{}` ({})", node.name, node.op))?;
    }
    Ok(net.builder.finish())
}

/// Constant that is added to a convolution's output, by the convolution's name.
fn biases(nodes: &[TfNode], weights: &BTreeMap<String, Weight>) -> HashMap<String, String> {
    let adds = nodes.iter().filter(|node| node.op == "Add");
    adds.filter_map(|node| match node.input.as_slice() {
        [conv, bias] if weights.contains_key(bias) => Some((conv.clone(), bias.clone())),
        _ => None,
    })
    .collect()
}

/// Convolutions of scores and sides together and what follows them up to the split of the two, by their names.
fn heads(nodes: &[TfNode], weights: &BTreeMap<String, Weight>) -> BTreeSet<String> {
    let is_head = |node: &&TfNode| {
        let sizes = node.input.get(1).and_then(|sizes| weights.get(sizes));
        node.op == "SplitV" && sizes.is_some_and(|sizes| sizes.ints() == [SCORES as i64, SIDES as i64])
    };
    let mut heads = BTreeSet::new();
    for split in nodes.iter().filter(is_head) {
        let mut name = Some(&split.name);
        while let Some(node) = name.and_then(|name| nodes.iter().find(|node| node.name == *name)) {
            heads.insert(node.name.clone());
            name = node.input.first().filter(|_| node.op != "Conv2D");
        }
    }
    heads
}

/// Activations that only a pooling reads, by their names: rising functions, so that they may as well come after it, where
/// a quarter of the values is left.
fn pooled(nodes: &[TfNode]) -> BTreeSet<String> {
    let lone = |name: &String| nodes.iter().filter(|node| node.input.contains(name)).count() == 1;
    let activation = |pool: &TfNode| {
        let mut name = pool.input.first()?;
        loop {
            let node = nodes.iter().find(|node| node.name == *name).filter(|_| lone(name))?;
            match node.op.as_str() {
                "LeakyRelu" => return Some(name.clone()),
                "Transpose" | "Pad" | "PadV2" => name = node.input.first()?,
                _ => return None,
            }
        }
    };
    nodes
        .iter()
        .filter(|node| node.op == "MaxPool")
        .filter_map(activation)
        .collect()
}

struct Net<'w> {
    builder: Builder,
    weights: &'w BTreeMap<String, Weight>,
    seen: HashMap<String, Seen>,
    /// Names of the parts of a split, by the split's name.
    splits: HashMap<String, Vec<String>>,
    biases: HashMap<String, String>,
    heads: BTreeSet<String>,
    classes: Option<&'w [usize]>,
    /// Activations of which nothing but the greatest in a window is read.
    pooled: BTreeSet<String>,
    /// Slope of an activation that is still to be made, by what goes into it.
    late: HashMap<String, f32>,
}

impl Net<'_> {
    fn node(&mut self, node: &TfNode) -> Result<()> {
        match node.op.as_str() {
            // Constants are taken where they are used; the shapes of the outputs are made anew in `reshape`.
            "Const" | "SparseToDense" | "AddV2" => Ok(()),
            "Placeholder" => {
                let dims = [Ok(1), Ok(3), Err("height"), Err("width")];
                self.builder.input(ValueInfo::floats("input", &dims));
                self.set(node, "input", CHANNELS_FIRST.to_vec(), 416);
                Ok(())
            }
            "Transpose" => self.transpose(node),
            "Pad" | "PadV2" => self.pad(node),
            "Conv2D" => self.conv(node),
            "Add" => self.add(node),
            "LeakyRelu" => self.leaky_relu(node),
            "Sigmoid" => self.plain(node, "Sigmoid", vec![]),
            "MaxPool" => self.max_pool(node),
            "ConcatV2" => self.concat(node),
            "ResizeBilinear" => self.resize(node),
            "SplitV" => self.split(node),
            "Reshape" => self.reshape(node),
            "Identity" => self.output(node),
            other => bail!("`{other}` is not an operation of NanoDet-g"),
        }
    }

    /// What TensorFlow's name stands for.
    fn get(&self, name: &str) -> Result<Seen> {
        let (base, part) = name
            .split_once(':')
            .map_or((name, 0), |(base, part)| (base, part.parse().unwrap_or(0)));
        let parts = self.splits.get(base);
        let mut seen = self
            .seen
            .get(base)
            .with_context(|| format!("`{name}` is not known yet"))?
            .clone();
        if let Some(parts) = parts {
            seen.name = parts.get(part).context("a split has no such part")?.clone();
        }
        Ok(seen)
    }

    /// The same where no margin may be open.
    fn without_margin(&self, name: &str) -> Result<Seen> {
        let seen = self.get(name)?;
        ensure!(seen.margin.is_empty(), "a margin before this operation is not foreseen");
        Ok(seen)
    }

    fn set(&mut self, node: &TfNode, name: &str, axes: Vec<usize>, rows: i64) {
        let seen = Seen {
            name: name.to_string(),
            axes,
            margin: Vec::new(),
            rows,
        };
        self.seen.insert(node.name.clone(), seen);
    }

    fn input<'n>(&self, node: &'n TfNode, place: usize) -> Result<&'n str> {
        node.input.get(place).map(String::as_str).context("an input is missing")
    }

    /// A constant input.
    fn constant(&self, node: &TfNode, place: usize) -> Result<&Weight> {
        tfjs::take(self.weights, self.input(node, place)?)
    }

    /// An operation that does the same to every value.
    fn plain(&mut self, node: &TfNode, op: &str, attributes: Vec<Attribute>) -> Result<()> {
        let from = self.without_margin(self.input(node, 0)?)?;
        let name = short(&node.name);
        self.builder.node(op, &[&from.name], &[&name], attributes);
        self.set(node, &name, from.axes, from.rows);
        Ok(())
    }

    fn leaky_relu(&mut self, node: &TfNode) -> Result<()> {
        let alpha = node.attr.get("alpha").and_then(|a| a["f"].as_f64());
        let alpha = alpha.context("no alpha")? as f32;
        if self.pooled.contains(&node.name) {
            let from = self.without_margin(self.input(node, 0)?)?;
            self.late.insert(from.name.clone(), alpha);
            self.seen.insert(node.name.clone(), from);
            return Ok(());
        }
        self.plain(node, "LeakyRelu", vec![Attribute::float("alpha", alpha)])
    }

    fn transpose(&mut self, node: &TfNode) -> Result<()> {
        let mut seen = self.get(self.input(node, 0)?)?;
        let order: Vec<usize> = self
            .constant(node, 1)?
            .ints()
            .iter()
            .map(|&axis| axis as usize)
            .collect();
        ensure!(
            order.len() == seen.axes.len(),
            "a transposition of {} dimensions",
            order.len()
        );
        seen.axes = order.iter().map(|&axis| seen.axes[axis]).collect();
        if !seen.margin.is_empty() {
            seen.margin = order.iter().map(|&axis| seen.margin[axis]).collect();
        }
        self.seen.insert(node.name.clone(), seen);
        Ok(())
    }

    /// Remembers a margin for the convolution or the pooling behind it. That of the pooling is filled with a very low
    /// number, as ONNX's own is; that of a convolution with noughts.
    fn pad(&mut self, node: &TfNode) -> Result<()> {
        let mut seen = self.without_margin(self.input(node, 0)?)?;
        let pads = self.constant(node, 1)?.ints();
        seen.margin = pads.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        self.seen.insert(node.name.clone(), seen);
        Ok(())
    }

    /// Margin of a convolution or pooling in ONNX's order: top, left, bottom, right.
    fn pads(seen: &Seen) -> Result<[i64; 4]> {
        ensure!(seen.axes == CHANNELS_LAST, "channels are not last before a convolution");
        if seen.margin.is_empty() {
            return Ok([0; 4]);
        }
        let (top, left) = (seen.margin[1], seen.margin[2]);
        ensure!(
            seen.margin[0] == (0, 0) && seen.margin[3] == (0, 0),
            "a margin of channels"
        );
        Ok([top.0, left.0, top.1, left.1])
    }

    fn conv(&mut self, node: &TfNode) -> Result<()> {
        ensure!(node.text("padding")? == tfjs::VALID, "its margin is not `VALID`");
        let from = self.get(self.input(node, 0)?)?;
        let pads = Self::pads(&from)?;
        let weight = self.kept(node, tfjs::to_oihw(self.constant(node, 1)?)?);
        let strides = node.numbers("strides")?;
        ensure!(node.numbers("dilations")? == [1; 4], "it is dilated");
        let name = short(&node.name);
        let mut inputs = vec![
            from.name.clone(),
            self.builder
                .weights(Tensor::of_floats(&format!("{name}_w"), &weight.shape, &weight.values)),
        ];
        if let Some(bias) = self.biases.get(&node.name) {
            let bias = self.kept(node, tfjs::take(self.weights, bias)?.clone());
            inputs.push(
                self.builder
                    .weights(Tensor::of_floats(&format!("{name}_b"), &bias.shape, &bias.values)),
            );
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = vec![
            Attribute::ints("kernel_shape", &[weight.shape[2] as i64, weight.shape[3] as i64]),
            Attribute::ints("pads", &pads),
            Attribute::ints("strides", &strides[1..3]),
        ];
        self.builder.node("Conv", &inputs, &[&name], attributes);
        let rows = windows(from.rows + pads[0] + pads[2], weight.shape[2] as i64, strides[1]);
        self.set(node, &name, CHANNELS_LAST.to_vec(), rows);
        Ok(())
    }

    /// Of a head's filters or biases those of the classes that are kept, and of the sides; else all of them.
    fn kept(&self, node: &TfNode, all: Weight) -> Weight {
        let Some(classes) = self.classes.filter(|_| self.heads.contains(&node.name)) else {
            return all;
        };
        let size = all.values.len() / (SCORES + SIDES);
        let filters = classes.iter().copied().chain(SCORES..SCORES + SIDES);
        let mut shape = all.shape;
        shape[0] = classes.len() + SIDES;
        let values = filters.flat_map(|filter| &all.values[filter * size..][..size]);
        let values = values.copied().collect();
        Weight { shape, values }
    }

    fn add(&mut self, node: &TfNode) -> Result<()> {
        let (a, b) = (self.input(node, 0)?, self.input(node, 1)?);
        if self.biases.get(a).is_some_and(|bias| bias == b) {
            let seen = self.get(a)?;
            self.seen.insert(node.name.clone(), seen);
            return Ok(());
        }
        let (a, b) = (self.without_margin(a)?, self.without_margin(b)?);
        ensure!(a.axes == b.axes, "its two inputs lie differently");
        let name = short(&node.name);
        self.builder.node("Add", &[&a.name, &b.name], &[&name], vec![]);
        self.set(node, &name, a.axes, a.rows);
        Ok(())
    }

    fn max_pool(&mut self, node: &TfNode) -> Result<()> {
        let from = self.get(self.input(node, 0)?)?;
        let (pads, size, strides) = (Self::pads(&from)?, node.numbers("ksize")?, node.numbers("strides")?);
        let name = short(&node.name);
        let attributes = vec![
            Attribute::ints("kernel_shape", &size[1..3]),
            Attribute::ints("pads", &pads),
            Attribute::ints("strides", &strides[1..3]),
        ];
        self.builder.node("MaxPool", &[&from.name], &[&name], attributes);
        let rows = windows(from.rows + pads[0] + pads[2], size[1], strides[1]);
        let mut last = name;
        if let Some(alpha) = self.late.remove(&from.name) {
            let pooled = std::mem::replace(&mut last, format!("{}_leaky", short(&node.name)));
            let slope = vec![Attribute::float("alpha", alpha)];
            self.builder.node("LeakyRelu", &[&pooled], &[&last], slope);
        }
        self.set(node, &last, CHANNELS_LAST.to_vec(), rows);
        Ok(())
    }

    fn concat(&mut self, node: &TfNode) -> Result<()> {
        let (axis, inputs) = node.input.split_last().context("it has no inputs")?;
        let axis = tfjs::take(self.weights, axis)?.ints()[0];
        let parts = inputs
            .iter()
            .map(|name| self.without_margin(name))
            .collect::<Result<Vec<_>>>()?;
        let axes = parts.first().context("it has no inputs")?.axes.clone();
        ensure!(parts.iter().all(|part| part.axes == axes), "its inputs lie differently");
        let kept = *axes
            .get(axis.rem_euclid(axes.len() as i64) as usize)
            .context("no such dimension")?;
        let name = short(&node.name);
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        self.builder
            .node("Concat", &names, &[&name], vec![Attribute::int("axis", kept as i64)]);
        self.set(node, &name, axes, parts[0].rows);
        Ok(())
    }

    /// To twice or half the size. The graph names the size for 416; here it is a scale, so that other sizes work.
    fn resize(&mut self, node: &TfNode) -> Result<()> {
        let from = self.without_margin(self.input(node, 0)?)?;
        ensure!(from.axes == CHANNELS_LAST, "channels are not last before scaling");
        let half_pixels = node.attr.get("half_pixel_centers").is_some_and(|v| v["b"] == true);
        ensure!(half_pixels, "its pixels have their centres elsewhere");
        let name = short(&node.name);
        let rows = *self.constant(node, 1)?.ints().first().context("it has no size")?;
        let factor = rows as f32 / from.rows as f32;
        let scales = Tensor::of_floats(&format!("{name}_scales"), &[4], &[1.0, 1.0, factor, factor]);
        let scales = self.builder.weights(scales);
        let attributes = vec![
            Attribute::text("mode", "linear"),
            Attribute::text("coordinate_transformation_mode", "half_pixel"),
        ];
        self.builder
            .node("Resize", &[&from.name, "", &scales], &[&name], attributes);
        self.set(node, &name, from.axes, rows);
        Ok(())
    }

    fn split(&mut self, node: &TfNode) -> Result<()> {
        let from = self.without_margin(self.input(node, 0)?)?;
        let mut sizes = self.constant(node, 1)?.ints();
        if let Some(classes) = self.classes.filter(|_| self.heads.contains(&node.name)) {
            sizes[0] = classes.len() as i64;
        }
        let axis = self.constant(node, 2)?.ints()[0];
        let kept = *from
            .axes
            .get(axis.rem_euclid(from.axes.len() as i64) as usize)
            .context("no such dimension")?;
        let name = short(&node.name);
        let parts: Vec<String> = (0..sizes.len()).map(|part| format!("{name}_{part}")).collect();
        let sizes = self.builder.weights(Tensor::of_ints(&format!("{name}_sizes"), &sizes));
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.builder.node(
            "Split",
            &[&from.name, &sizes],
            &names,
            vec![Attribute::int("axis", kept as i64)],
        );
        self.set(node, &parts[0].clone(), from.axes, from.rows);
        self.splits.insert(node.name.clone(), parts);
        Ok(())
    }

    /// [1, c, h, w] to [1, c, h w], the only one there is.
    fn reshape(&mut self, node: &TfNode) -> Result<()> {
        let from = self.without_margin(self.input(node, 0)?)?;
        ensure!(from.axes == CHANNELS_FIRST, "channels are not first before the outputs");
        let name = short(&node.name);
        let shape = self
            .builder
            .weights(Tensor::of_ints(&format!("{name}_shape"), &[0, 0, -1]));
        self.builder.node("Reshape", &[&from.name, &shape], &[&name], vec![]);
        self.set(node, &name, vec![0, 1, 2], from.rows);
        Ok(())
    }

    /// An output must really lie as TensorFlow sees it: [1, cells, width].
    fn output(&mut self, node: &TfNode) -> Result<()> {
        let from = self.without_margin(self.input(node, 0)?)?;
        let order: Vec<i64> = from.axes.iter().map(|&axis| axis as i64).collect();
        let name = node.name.to_lowercase();
        self.builder.node(
            "Transpose",
            &[&from.name],
            &[&name],
            vec![Attribute::ints("perm", &order)],
        );
        self.builder
            .output(ValueInfo::floats(&name, &[Ok(1), Err("cells"), Err("values")]));
        Ok(())
    }
}

/// How many windows of a size fit at a stride.
fn windows(rows: i64, size: i64, stride: i64) -> i64 {
    (rows - size) / stride + 1
}

/// A name without TensorFlow's prefixes.
fn short(name: &str) -> String {
    name.trim_start_matches("PartitionedCall/")
        .trim_start_matches("onnx_tf_prefix_")
        .replace('/', "_")
}
