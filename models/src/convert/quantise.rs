//! A network of 32-bit floats to one of 8 bits: weights per filter, values in between by ranges that were measured
//! (static quantisation, in the form of pairs QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses).
//!
//! Invariant: the same network and the same ranges give the same bytes. What has no range stays as it is, so the table of
//! ranges says what is of 8 bits.

use super::onnx::{Attribute, Graph, INT8, INT32, ModelProto, Node, Tensor, UINT8, ValueInfo};
use anyhow::{Context, Result, ensure};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Operations whose outputs mean the same as their inputs, so that one range serves all and nothing is rescaled.
const ONE_RANGE: [&str; 3] = ["MaxPool", "Concat", "Resize"];
/// Steps of a weight on each side of nought. With 6 bits and a sign, two products fit into 16 bits: processors without
/// VNNI add them there, and with 127 they would saturate.
const WEIGHT_STEPS: f32 = 64.0;

/// Least and greatest value of each tensor, by its name.
pub type Ranges = BTreeMap<String, (f32, f32)>;

/// Reads ranges: a line each, `name least greatest`; `#` begins a comment.
///
/// # Errors
/// Names the line that is not of this form.
pub fn read_ranges(text: &str) -> Result<Ranges> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut ranges = Ranges::new();
    for (number, line) in lines.enumerate() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [name, least, most] => {
                let read = || anyhow::Ok((least.parse()?, most.parse()?));
                let range = read().with_context(|| format!("line {}: a number was expected", number + 1))?;
                ranges.insert((*name).to_string(), range);
            }
            _ => anyhow::bail!("line {}: expected `name least greatest`", number + 1),
        }
    }
    Ok(ranges)
}

/// A GELU is near `x * sigmoid(1.702 x)` (Hendrycks and Gimpel 2016): to less than a step of its 8 bits, and made by looking up.
const GELU_SLOPE: f32 = 1.702;

/// The same network with these tensors as further outputs.
///
/// # Errors
/// When the file is no model.
pub fn with_outputs(file: &[u8], names: &[String]) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(file).context("it is no ONNX model")?;
    let graph = model.graph.as_mut().context("it has no graph")?;
    // What bears one name is one size: each tensor has its own.
    let free = |name: &String| {
        let sides = ["c", "h", "w"].map(|side| format!("{name}/{side}"));
        let [c, h, w] = sides.each_ref().map(String::as_str);
        ValueInfo::floats(name, &[Ok(1), Err(c), Err(h), Err(w)])
    };
    let further = names
        .iter()
        .filter(|name| graph.input.iter().all(|input| input.name != **name));
    let further: Vec<ValueInfo> = further.map(free).collect();
    graph.output.extend(further);
    Ok(model.encode_to_vec())
}

/// Makes the network of 8 bits.
///
/// # Errors
/// When the file is no model or its weights are not there.
pub fn quantise(file: &[u8], ranges: &Ranges) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(file).context("it is no ONNX model")?;
    let graph = model.graph.take().context("it has no graph")?;
    let ranges = joined(&graph, ranges);
    let mut network = Network {
        weights: graph
            .initializer
            .iter()
            .map(|tensor| (tensor.name.clone(), tensor))
            .collect(),
        steps: ranges
            .iter()
            .map(|(name, range)| (name.clone(), step(*range)))
            .collect(),
        relus: relus(&graph),
        wide: BTreeSet::new(),
        nodes: Vec::new(),
        tensors: Vec::new(),
        replaced: BTreeSet::new(),
    };
    for input in &graph.input {
        network.bridge(&input.name);
    }
    for node in &graph.node {
        network
            .node(node)
            .with_context(|| format!("operation `{}`", node.name))?;
    }
    let Network {
        nodes,
        mut tensors,
        replaced,
        ..
    } = network;
    tensors.extend(
        graph
            .initializer
            .iter()
            .filter(|tensor| !replaced.contains(&tensor.name))
            .cloned(),
    );
    model.graph = Some(Graph {
        node: nodes,
        initializer: tensors,
        value_info: Vec::new(),
        ..graph
    });
    Ok(model.encode_to_vec())
}

/// What comes out of a Relu, by what goes in, where nobody else reads that: a convolution's 8 bits begin at nought then.
fn relus(graph: &Graph) -> HashMap<String, String> {
    let reads = |name: &String| graph.node.iter().filter(|node| node.input.contains(name)).count();
    let relus = graph.node.iter().filter(|node| node.op_type == "Relu");
    let lone = relus.filter(|node| reads(&node.input[0]) == 1);
    lone.map(|node| (node.input[0].clone(), node.output[0].clone()))
        .collect()
}

/// Ranges where those of one meaning are one, and those that are known are not measured.
fn joined(graph: &Graph, ranges: &Ranges) -> Ranges {
    let mut joined = ranges.clone();
    let gates = graph.node.iter().filter(|node| node.op_type == "HardSigmoid");
    for gate in gates {
        joined
            .entry(gate.output[0].clone())
            .and_modify(|range| *range = (0.0, 1.0));
    }
    let groups = graph
        .node
        .iter()
        .filter(|node| ONE_RANGE.contains(&node.op_type.as_str()));
    let groups: Vec<Vec<&String>> = groups
        .map(|node| {
            node.input
                .iter()
                .chain(&node.output)
                .filter(|name| ranges.contains_key(*name))
                .collect()
        })
        .collect();
    let leaks = graph.node.iter().filter(|node| node.op_type == "LeakyRelu");
    let leaks: Vec<_> = leaks
        .filter(|node| ranges.contains_key(&node.input[0]) && ranges.contains_key(&node.output[0]))
        .map(|node| (&node.input[0], &node.output[0], slope(node)))
        .collect();
    // Groups that share a tensor are one group: again until nothing changes.
    loop {
        let mut changed = false;
        for (input, output, slope) in &leaks {
            // A range that pooling has widened goes on behind the activation.
            let ((least, most), own) = (joined[*input], joined[*output]);
            let union = (own.0.min(least.max(least * slope)), own.1.max(most));
            changed |= joined.insert((*output).clone(), union) != Some(union);
        }
        for group in &groups {
            let all = group.iter().map(|name| joined[*name]);
            let Some(union) = all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
                continue;
            };
            for name in group {
                changed |= joined.insert((*name).clone(), union) != Some(union);
            }
        }
        if !changed {
            return joined;
        }
    }
}

/// Slope of a leaky activation below nought; ONNX's own where none is named.
fn slope(node: &Node) -> f32 {
    let alpha = node.attribute.iter().find(|attribute| attribute.name == "alpha");
    alpha.map_or(0.01, |alpha| alpha.f)
}

/// Value of one step and the step that is nought, of 8 bits from 0 to 255.
fn step((least, most): (f32, f32)) -> (f32, u8) {
    let (least, most) = (least.min(0.0), most.max(0.0));
    let step = ((most - least) / 255.0).max(1e-8);
    (step, (-least / step).round().clamp(0.0, 255.0) as u8)
}

struct Network<'g> {
    weights: HashMap<String, &'g Tensor>,
    steps: BTreeMap<String, (f32, u8)>,
    relus: HashMap<String, String>,
    /// Tensors with a range that come from operations in floats.
    wide: BTreeSet<String>,
    nodes: Vec<Node>,
    tensors: Vec<Tensor>,
    /// Weights that are there in 8 bits.
    replaced: BTreeSet<String>,
}

impl Network<'_> {
    fn node(&mut self, node: &Node) -> Result<()> {
        let mut node = node.clone();
        if node.op_type == "Conv" {
            let end = self.relus.get(&node.output[0]).unwrap_or(&node.output[0]).clone();
            if self.steps.contains_key(&node.input[0]) && self.steps.contains_key(&end) {
                self.weights_of(&mut node)?;
            } else {
                self.wide.insert(end);
            }
        }
        if node.op_type == "Gelu" && self.steps.contains_key(&node.input[0]) {
            self.gelu(&node);
            self.bridge(&node.output[0]);
            return Ok(());
        }
        for input in &mut node.input {
            // What comes in floats is pooled in floats: ONNX Runtime pools bytes slowly where no convolution made them.
            let pooled = node.op_type == "MaxPool" && self.wide.contains(input);
            if self.steps.contains_key(input.as_str()) && !pooled {
                *input = format!("{input}/8");
            }
        }
        let outputs = node.output.clone();
        self.nodes.push(node);
        for output in outputs {
            self.bridge(&output);
        }
        Ok(())
    }

    /// In 8 bits throughout: the same bytes, read with longer steps, go into the sigmoid.
    fn gelu(&mut self, node: &Node) {
        let (input, output) = (&node.input[0], &node.output[0]);
        let step = self.steps[input].0;
        let part = |part: &str| format!("{output}/{part}");
        let longer = self.scalar(Tensor::of_floats(&part("longer"), &[], &[step * GELU_SLOPE]));
        let share = self.scalar(Tensor::of_floats(&part("share"), &[], &[1.0 / 256.0]));
        let zero = self.scalar(Tensor::of_bytes(&part("zero"), &[], UINT8, vec![0]));
        let (steep, gate, few, back) = (part("steep"), part("gate"), part("gate/few"), part("gate/8"));
        let (bytes, nought) = (format!("{input}/few"), format!("{input}/nought"));
        self.push("DequantizeLinear", &[&bytes, &longer, &nought], &steep, vec![]);
        self.push("Sigmoid", &[&steep], &gate, vec![]);
        self.push("QuantizeLinear", &[&gate, &share, &zero], &few, vec![]);
        self.push("DequantizeLinear", &[&few, &share, &zero], &back, vec![]);
        self.push("Mul", &[&format!("{input}/8"), &back], output, vec![]);
    }

    /// A tensor with a range goes through 8 bits before anybody reads it.
    fn bridge(&mut self, name: &str) {
        let Some(&(step, nought)) = self.steps.get(name) else {
            return;
        };
        let scale = self.scalar(Tensor::of_floats(&format!("{name}/step"), &[], &[step]));
        let zero = self.scalar(Tensor::of_bytes(&format!("{name}/nought"), &[], UINT8, vec![nought]));
        let (few, back) = (format!("{name}/few"), format!("{name}/8"));
        self.push("QuantizeLinear", &[name, &scale, &zero], &few, vec![]);
        self.push("DequantizeLinear", &[&few, &scale, &zero], &back, vec![]);
    }

    fn weights_of(&mut self, node: &mut Node) -> Result<()> {
        let input = self.steps[&node.input[0]].0;
        let weight = *self.weights.get(&node.input[1]).context("its weights are not there")?;
        let values = weight.floats()?;
        let filters = weight.dims[0].max(1) as usize;
        ensure!(values.len() % filters == 0, "its weights have another shape");
        let mut steps = Vec::with_capacity(filters);
        let mut bytes = Vec::with_capacity(values.len());
        for filter in values.chunks_exact((values.len() / filters).max(1)) {
            let step = (filter.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / WEIGHT_STEPS).max(1e-12);
            bytes.extend(filter.iter().map(|value| (value / step).round() as i8 as u8));
            steps.push(step);
        }
        let dims: Vec<usize> = weight.dims.iter().map(|&size| size as usize).collect();
        node.input[1] = self.constant(&node.input[1].clone(), &dims, INT8, bytes, &steps);
        if let Some(name) = node.input.get(2).cloned() {
            let bias = self.weights.get(&name).context("its biases are not there")?.floats()?;
            let steps: Vec<f32> = steps.iter().map(|step| step * input).collect();
            let whole = bias
                .iter()
                .zip(&steps)
                .map(|(value, step)| (value / step).round() as i32);
            let bytes = whole.flat_map(i32::to_le_bytes).collect();
            node.input[2] = self.constant(&name, &[filters], INT32, bytes, &steps);
        }
        Ok(())
    }

    /// A constant in whole numbers, each filter with its own step; the name of what it stands for.
    fn constant(&mut self, name: &str, dims: &[usize], kind: i32, bytes: Vec<u8>, steps: &[f32]) -> String {
        self.replaced.insert(name.to_string());
        let (few, back) = (format!("{name}/few"), format!("{name}/8"));
        let size = if kind == INT32 { 4 } else { 1 };
        let zeros = vec![0; steps.len() * size];
        let values = self.scalar(Tensor::of_bytes(&few, dims, kind, bytes));
        let scale = self.scalar(Tensor::of_floats(&format!("{name}/step"), &[steps.len()], steps));
        let zero = self.scalar(Tensor::of_bytes(&format!("{name}/nought"), &[steps.len()], kind, zeros));
        self.push(
            "DequantizeLinear",
            &[&values, &scale, &zero],
            &back,
            vec![Attribute::int("axis", 0)],
        );
        back
    }

    fn scalar(&mut self, tensor: Tensor) -> String {
        let name = tensor.name.clone();
        self.tensors.push(tensor);
        name
    }

    fn push(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<Attribute>) {
        self.nodes.push(Node {
            input: inputs.iter().map(|name| (*name).to_string()).collect(),
            output: vec![output.to_string()],
            name: output.to_string(),
            op_type: op.to_string(),
            attribute,
            domain: String::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::onnx::Builder;
    use super::super::ranged::leaky;
    use super::*;

    fn small() -> Vec<u8> {
        let mut net = Builder::new("small");
        net.input(ValueInfo::floats("in", &[Ok(1), Ok(1), Err("h"), Err("w")]));
        let w = net.weights(Tensor::of_floats("w", &[2, 1, 1, 1], &[0.5, -2.0]));
        let b = net.weights(Tensor::of_floats("b", &[2], &[0.25, 1.0]));
        net.node("Conv", &["in", &w, &b], &["c"], vec![]);
        net.node("LeakyRelu", &["c"], &["r"], vec![Attribute::float("alpha", 0.1)]);
        net.node("Concat", &["r", "c"], &["both"], vec![Attribute::int("axis", 1)]);
        let v = net.weights(Tensor::of_floats("v", &[1, 4, 1, 1], &[1.0; 4]));
        net.node("Conv", &["both", &v], &["out"], vec![]);
        net.output(ValueInfo::floats("out", &[Ok(1), Ok(1), Err("h"), Err("w")]));
        net.finish()
    }

    #[test]
    fn inner_tensors_go_through_eight_bits_and_outputs_stay() {
        assert_eq!(leaky(&small()).unwrap(), ["in", "c", "r", "both"]);
        let ranges = read_ranges("in -1 1 # made up\nc -2 3\nr -0.2 3\nboth -2 3\n").unwrap();
        let made = quantise(&small(), &ranges).unwrap();
        assert_eq!(made, quantise(&small(), &ranges).unwrap());
        let graph = ModelProto::decode(made.as_slice()).unwrap().graph.unwrap();
        let conv: Vec<&Node> = graph.node.iter().filter(|node| node.op_type == "Conv").collect();
        assert_eq!(conv[0].input, ["in/8", "w/8", "b/8"]);
        assert_eq!(conv[1].input, ["both/8", "v"], "the last convolution keeps its weights");
        let tensor = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
        assert_eq!(tensor("w/few").raw_data, [64, -64_i8 as u8]);
        assert_eq!(
            tensor("r/step").raw_data,
            tensor("both/step").raw_data,
            "one meaning, one range"
        );
        assert!(graph.initializer.iter().all(|tensor| tensor.name != "w"));
    }

    #[test]
    fn a_range_that_pooling_widens_goes_on_behind_the_activation() {
        let mut net = Builder::new("pooled");
        net.input(ValueInfo::floats("in", &[Ok(1), Ok(1), Err("h"), Err("w")]));
        net.node("MaxPool", &["in"], &["most"], vec![]);
        net.node("LeakyRelu", &["most"], &["out"], vec![Attribute::float("alpha", 0.1)]);
        let graph = ModelProto::decode(net.finish().as_slice()).unwrap().graph.unwrap();
        let ranges = read_ranges("in -4 3\nmost -2 3\nout -0.2 3").unwrap();
        let joined = joined(&graph, &ranges);
        assert_eq!((joined["most"], joined["out"]), ((-4.0, 3.0), (-0.4, 3.0)));
    }

    #[test]
    fn bad_ranges_are_named() {
        for (text, place) in [("in -1", "line 1"), ("a 0 1\nb x 1", "line 2")] {
            assert!(read_ranges(text).unwrap_err().to_string().contains(place));
        }
    }
}
