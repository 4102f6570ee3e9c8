//! CenterFace as its package ships it lists every weight among its inputs, which keeps ONNX Runtime from folding
//! constants, and is fixed to ten pictures of 32 by 32. Here: one input, one picture, height and width free.

use super::onnx::{ModelProto, ValueInfo};
use anyhow::{Context, Result, ensure};
use prost::Message;
use std::collections::HashSet;

/// Rewrites the file.
///
/// # Errors
/// When it is no ONNX model or has not just one input besides its weights.
pub fn clean(file: &[u8]) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(file).context("it is no ONNX model")?;
    let graph = model.graph.as_mut().context("it has no graph")?;
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    graph.input.retain(|input| !weights.contains(input.name.as_str()));
    ensure!(
        graph.input.len() == 1,
        "it has {} inputs besides its weights, not one",
        graph.input.len()
    );
    let name = graph.input[0].name.clone();
    graph.input[0] = ValueInfo::floats(&name, &[Ok(1), Ok(3), Err("height"), Err("width")]);
    for (output, channels) in graph.output.iter_mut().zip([1, 2, 2, 10]) {
        let dims = [Ok(1), Ok(channels), Err("rows"), Err("columns")];
        *output = ValueInfo::floats(&output.name.clone(), &dims);
    }
    // Shapes in between were those of 32 by 32.
    graph.value_info.clear();
    Ok(model.encode_to_vec())
}
