//! Which tensors of a network should have a range, and so go through 8 bits. Invariant: none that makes an output.

use super::onnx::ModelProto;
use anyhow::{Context, Result};
use prost::Message;
use std::collections::BTreeSet;

/// Operations that work in 8 bits in a network with leaky activations.
const LEAKY: [&str; 6] = ["Conv", "LeakyRelu", "MaxPool", "Concat", "Add", "Resize"];
/// Operations whose outputs say something of the whole picture: too small to be worth eight bits.
const POOLS: [&str; 2] = ["ReduceMean", "GlobalAveragePool"];
/// Operations whose outputs go through 8 bits in a network with Relus.
const WITH_RELUS: [&str; 9] = [
    "Conv",
    "Relu",
    "MaxPool",
    "Concat",
    "Add",
    "Mul",
    "Resize",
    "Gelu",
    "HardSigmoid",
];

/// In a network with leaky activations: what goes in, and what comes out of operations that work in 8 bits, but for
/// convolutions that make the network's outputs.
///
/// # Errors
/// When the file is no model.
pub fn leaky(file: &[u8]) -> Result<Vec<String>> {
    let model = ModelProto::decode(file).context("it is no ONNX model")?;
    let graph = model.graph.context("it has no graph")?;
    let inner = |name: &String| {
        let mut readers = graph.node.iter().filter(|node| node.input.contains(name));
        readers.any(|node| LEAKY.contains(&node.op_type.as_str()))
    };
    let inputs = graph.input.iter().map(|input| input.name.clone());
    let nodes = graph.node.iter().filter(|node| LEAKY.contains(&node.op_type.as_str()));
    let outputs = nodes.filter_map(|node| node.output.first().cloned()).filter(inner);
    Ok(inputs.chain(outputs).collect())
}

/// In a network whose convolutions end in a Relu. The picture itself has none: the first layer
/// sees three planes and is no slower in full, and all others suffer where it is coarse. The last enlargements stay in
/// floats as well.
///
/// # Errors
/// When the file is no model.
pub fn with_relus(file: &[u8]) -> Result<Vec<String>> {
    let model = ModelProto::decode(file).context("it is no ONNX model")?;
    let graph = model.graph.context("it has no graph")?;
    let readers = graph.readers();
    let (mut names, mut small, mut enlarged) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for node in &graph.node {
        let (op, output) = (node.op_type.as_str(), &node.output[0]);
        let of_all = matches!(op, "Conv" | "Relu") && small.contains(&node.input[0]);
        if of_all || POOLS.contains(&op) {
            small.insert(output.clone());
            continue;
        }
        let then = readers.get(output).map_or(&[][..], Vec::as_slice);
        let relu_follows = matches!(then, [at] if graph.node[*at].op_type == "Relu");
        if WITH_RELUS.contains(&op) && !relu_follows && !enlarged.contains(&node.input[0]) {
            names.push(output.clone());
        }
        if op == "ConvTranspose" {
            enlarged.insert(output);
        }
    }
    Ok(names)
}
