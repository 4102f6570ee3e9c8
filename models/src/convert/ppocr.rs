//! PP-OCR's detector of text made ready for eight bits: casts that do nothing are gone, biases are in their convolutions,
//! the five operations of a GELU are one, and a narrow layer is widened to what processors reckon with at once.
//!
//! Invariant: the network prepared computes what the package's file does, to rounding. For the file of known hash only.

use super::onnx::{Graph, ModelProto, OperatorSetId, Tensor};
use anyhow::{Context, Result, ensure};
use prost::Message;
use std::collections::{BTreeSet, HashMap};

/// Filters that one step of the processor's work holds.
const LANES: i64 = 16;
/// Prepares the package's file.
///
/// # Errors
/// When it is no such model.
pub fn prepare(file: &[u8]) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(file).context("it is no ONNX model")?;
    let mut graph = model.graph.take().context("it has no graph")?;
    without_identities(&mut graph);
    biases_inside(&mut graph)?;
    one_gelu(&mut graph)?;
    widened(&mut graph)?;
    let used: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    let kept = graph.initializer.iter().filter(|tensor| used.contains(&tensor.name));
    let initializer = kept.cloned().collect();
    let set = |domain: &str, version| OperatorSetId {
        domain: domain.into(),
        version,
    };
    model.ir_version = 8;
    // Weights with a step each came with 13.
    model.opset_import = vec![set("", 13), set("com.microsoft", 1)];
    model.graph = Some(Graph {
        initializer,
        value_info: Vec::new(),
        ..graph
    });
    Ok(model.encode_to_vec())
}

fn without_identities(graph: &mut Graph) {
    let outputs: BTreeSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let mut meant: HashMap<String, String> = HashMap::new();
    let nodes = std::mem::take(&mut graph.node);
    for mut node in nodes {
        for input in &mut node.input {
            if let Some(name) = meant.get(input) {
                input.clone_from(name);
            }
        }
        if node.op_type == "Identity" && !outputs.contains(&node.output[0]) {
            meant.insert(node.output[0].clone(), node.input[0].clone());
        } else {
            graph.node.push(node);
        }
    }
}

fn biases_inside(graph: &mut Graph) -> Result<()> {
    let readers = graph.readers();
    let mut gone = BTreeSet::new();
    for at in 0..graph.node.len() {
        let node = &graph.node[at];
        if !matches!(node.op_type.as_str(), "Conv" | "ConvTranspose") || node.input.len() != 2 {
            continue;
        }
        let then = readers.get(&node.output[0]).map_or(&[][..], Vec::as_slice);
        let &[next] = then else { continue };
        let add = &graph.node[next];
        let other = add.input.iter().find(|name| **name != node.output[0]);
        let bias = other.and_then(|name| graph.initializer.iter().find(|tensor| tensor.name == *name));
        let (Some(bias), "Add") = (bias, add.op_type.as_str()) else {
            continue;
        };
        ensure!(
            bias.dims.len() == 4 && bias.dims[1] == bias.dims.iter().product::<i64>(),
            "`{}` is no bias",
            bias.name
        );
        let flat = Tensor {
            dims: vec![bias.dims[1]],
            name: format!("{}/bias", node.output[0]),
            ..bias.clone()
        };
        let output = add.output[0].clone();
        let node = &mut graph.node[at];
        node.input.push(flat.name.clone());
        node.output[0] = output;
        graph.initializer.push(flat);
        gone.insert(next);
    }
    retain(graph, &gone);
    Ok(())
}

/// `x / a`, erf, `+ 1`, `* x`, `* 0.5`: one operation of ONNX Runtime's own.
fn one_gelu(graph: &mut Graph) -> Result<()> {
    let readers = graph.readers();
    let mut gone = BTreeSet::new();
    for at in 0..graph.node.len() {
        if graph.node[at].op_type != "Erf" {
            continue;
        }
        let made = |name: &String| graph.node.iter().position(|node| node.output[0] == *name);
        let next = |at: usize| match readers.get(&graph.node[at].output[0]).map(Vec::as_slice) {
            Some(&[next]) => Some(next),
            _ => None,
        };
        let steps = || {
            let divide = made(&graph.node[at].input[0])?;
            let add = next(at)?;
            let times = next(add)?;
            Some([divide, add, times, next(times)?])
        };
        let [divide, add, times, half] = steps().context("an Erf that is in no GELU")?;
        let ops = [divide, add, times, half].map(|at| graph.node[at].op_type.as_str());
        let of = graph.node[divide].input[0].clone();
        ensure!(
            ops == ["Div", "Add", "Mul", "Mul"] && graph.node[times].input.contains(&of),
            "an Erf that is in no GELU"
        );
        gone.extend([at, divide, add, times]);
        let node = &mut graph.node[half];
        (node.op_type, node.domain) = ("Gelu".into(), "com.microsoft".into());
        node.input = vec![of];
    }
    retain(graph, &gone);
    Ok(())
}

/// A convolution of fewer filters than the processor's lanes, followed by another one, gets filters that are nought.
fn widened(graph: &mut Graph) -> Result<()> {
    let readers = graph.readers();
    let find = |name: &String| graph.initializer.iter().position(|tensor| tensor.name == *name);
    let only = |at: usize| match readers.get(&graph.node[at].output[0]).map(Vec::as_slice) {
        Some(&[next]) => Some(next),
        _ => None,
    };
    let mut narrow = Vec::new();
    for (at, node) in graph.node.iter().enumerate() {
        let follows = || {
            let relu = only(at).filter(|&next| graph.node[next].op_type == "Relu")?;
            let conv = only(relu).filter(|&next| graph.node[next].op_type == "Conv")?;
            let places = [
                find(&node.input[1])?,
                find(node.input.get(2)?)?,
                find(&graph.node[conv].input[1])?,
            ];
            let few = &graph.initializer[places[0]].dims;
            // Those of one pixel belong to the pooled parts, which stay as they are.
            let takes = few.len() == 4 && few[0] < LANES && few[2] * few[3] > 1;
            (takes && graph.initializer[places[2]].dims[1] == few[0]).then_some(places)
        };
        narrow.extend((node.op_type == "Conv").then(follows).flatten());
    }
    for [weights, bias, after] in narrow {
        let filters = graph.initializer[weights].dims[0];
        for (place, axis) in [(weights, 0), (bias, 0), (after, 1)] {
            let tensor = &mut graph.initializer[place];
            let mut values = Vec::new();
            let inner: i64 = tensor.dims[axis + 1..].iter().product();
            for block in tensor.floats()?.chunks_exact((filters * inner) as usize) {
                values.extend_from_slice(block);
                values.resize(values.len() + ((LANES - filters) * inner) as usize, 0.0);
            }
            let mut dims: Vec<usize> = tensor.dims.iter().map(|&size| size as usize).collect();
            dims[axis] = LANES as usize;
            *tensor = Tensor::of_floats(&tensor.name.clone(), &dims, &values);
        }
    }
    Ok(())
}

fn retain(graph: &mut Graph, gone: &BTreeSet<usize>) {
    let mut at = 0;
    graph.node.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{Attribute, Builder, ValueInfo};
    use super::super::quantise::{quantise, read_ranges};
    use super::super::ranged::{leaky, with_relus};
    use super::*;

    /// A narrow convolution, its Relu, a wide one, a GELU, a gate, in the package's own way of writing.
    fn small() -> Vec<u8> {
        let mut net = Builder::new("small");
        net.input(ValueInfo::floats("x", &[Ok(1), Ok(1), Err("h"), Err("w")]));
        let ones = |name: &str, dims: &[usize]| Tensor::of_floats(name, dims, &vec![1.0; dims.iter().product()]);
        let weights = [
            ones("first", &[12, 1, 2, 2]),
            ones("bias", &[1, 12, 1, 1]),
            ones("second", &[2, 12, 2, 2]),
            ones("gate", &[2, 2, 1, 1]),
            ones("root", &[1]),
            ones("last", &[1, 2, 1, 1]),
        ];
        weights.into_iter().for_each(|tensor| {
            net.weights(tensor);
        });
        net.node("Identity", &["first"], &["cast"], vec![]);
        net.node("Conv", &["x", "cast"], &["a"], vec![]);
        net.node("Add", &["a", "bias"], &["b"], vec![]);
        net.node("Relu", &["b"], &["c"], vec![]);
        net.node("Conv", &["c", "second"], &["d"], vec![]);
        net.node("Div", &["d", "root"], &["e"], vec![]);
        net.node("Erf", &["e"], &["f"], vec![]);
        net.node("Add", &["f", "root"], &["g"], vec![]);
        net.node("Mul", &["d", "g"], &["h"], vec![]);
        net.node("Mul", &["h", "root"], &["i"], vec![]);
        net.node("GlobalAveragePool", &["i"], &["j"], vec![]);
        net.node("Conv", &["j", "gate"], &["k"], vec![]);
        net.node("HardSigmoid", &["k"], &["l"], vec![Attribute::float("alpha", 0.2)]);
        net.node("Mul", &["i", "l"], &["m"], vec![]);
        net.node("ConvTranspose", &["m", "last"], &["out"], vec![]);
        net.output(ValueInfo::floats("out", &[Ok(1), Ok(1), Err("h"), Err("w")]));
        net.finish()
    }

    fn graph(file: &[u8]) -> Graph {
        ModelProto::decode(file).unwrap().graph.unwrap()
    }

    fn ops(graph: &Graph) -> Vec<&str> {
        graph.node.iter().map(|node| node.op_type.as_str()).collect()
    }

    #[test]
    fn what_can_be_one_is_one() {
        let prepared = graph(&prepare(&small()).unwrap());
        let expected = [
            "Conv",
            "Relu",
            "Conv",
            "Gelu",
            "GlobalAveragePool",
            "Conv",
            "HardSigmoid",
            "Mul",
            "ConvTranspose",
        ];
        assert_eq!(ops(&prepared), expected);
        let tensor = |name: &str| prepared.initializer.iter().find(|tensor| tensor.name == name).unwrap();
        assert_eq!(prepared.node[0].input, ["x", "first", "a/bias"]);
        assert_eq!(
            (&tensor("first").dims, &tensor("a/bias").dims),
            (&vec![16, 1, 2, 2], &vec![16])
        );
        assert_eq!(tensor("second").dims, [2, 16, 2, 2]);
        let second = tensor("second").floats().unwrap();
        assert_eq!((second[47], second[48], second[63], second[64]), (1.0, 0.0, 0.0, 1.0));
        assert!(prepare(&prepared_without_gelu()).is_err(), "an Erf alone is no GELU");
    }

    fn prepared_without_gelu() -> Vec<u8> {
        let mut net = Builder::new("erf");
        net.input(ValueInfo::floats("x", &[Ok(1)]));
        net.node("Erf", &["x"], &["out"], vec![]);
        net.output(ValueInfo::floats("out", &[Ok(1)]));
        net.finish()
    }

    #[test]
    fn the_first_layer_and_the_gates_stay_in_floats() {
        let prepared = prepare(&small()).unwrap();
        assert_eq!(with_relus(&prepared).unwrap(), ["c", "d", "i", "l", "m"]);
        assert_eq!(
            leaky(&prepared).unwrap()[0],
            "x",
            "other detectors measure what goes in"
        );
        let ranges = read_ranges("c 0 3\nd -2 2\ni -0.2 2\nl 0.1 0.4\nm -0.2 2").unwrap();
        let made = graph(&quantise(&prepared, &ranges).unwrap());
        let convs: Vec<&Vec<String>> = made
            .node
            .iter()
            .filter(|node| node.op_type == "Conv")
            .map(|node| &node.input)
            .collect();
        assert_eq!(convs[0][1], "first", "the first layer keeps its weights");
        assert_eq!(convs[1][..2], ["c/8", "second/8"]);
        assert_eq!(convs[2][1], "gate");
        assert!(!ops(&made).contains(&"Gelu") && ops(&made).contains(&"Sigmoid"));
        let step = made.initializer.iter().find(|tensor| tensor.name == "l/step").unwrap();
        assert_eq!(
            step.floats().unwrap(),
            [1.0 / 255.0],
            "a gate goes from 0 to 1, whatever was measured"
        );
    }
}
