//! The part of ONNX's file format that a conversion reads and writes: messages and field numbers of `onnx.proto` (IR 8).
//!
//! Invariant: a field that is not named here is lost by reading and writing, so whoever rewrites a foreign model must
//! have looked at which fields it has; `convert` does it for files of known hash only.

use prost::Message;
use std::collections::HashMap;

/// 32-bit floating point, `TensorProto.DataType`.
pub const FLOAT: i32 = 1;
/// Bytes without a sign.
pub const UINT8: i32 = 2;
/// Bytes with a sign.
pub const INT8: i32 = 3;
/// 32-bit integers.
pub const INT32: i32 = 6;
/// 64-bit integers.
pub const INT64: i32 = 7;
/// Half precision.
pub const FLOAT16: i32 = 10;

/// A model file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Which operators, in which version.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetId>,
    /// What made the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// Free texts.
    #[prost(message, repeated, tag = "14")]
    pub metadata: Vec<StringEntry>,
}

/// A set of operators.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetId {
    /// Empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and its text.
#[derive(Clone, PartialEq, Message)]
pub struct StringEntry {
    /// Key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A network: nodes in the order of their running.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// What is computed.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// Name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// What goes in.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// What comes out.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
    /// Shapes in between, a help only.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfo>,
}

impl Graph {
    /// Places of the nodes that read a tensor, by its name.
    pub fn readers(&self) -> HashMap<String, Vec<usize>> {
        let mut readers: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, node) in self.node.iter().enumerate() {
            for input in &node.input {
                readers.entry(input.clone()).or_default().push(at);
            }
        }
        readers
    }
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of what goes in.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of what comes out.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
    /// Whose operator; empty for ONNX's own.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// One setting of an operation. Exactly one of its values counts, `kind` says which.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// A whole number.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// A text.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<Tensor>,
    /// Numbers.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// 1 number, 2 whole number, 3 text, 4 tensor, 6 numbers, 7 whole numbers.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// A tensor of weights; its values are in `raw_data`, or in the field of their kind.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Shape.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Kind of value, `FLOAT` or `INT64` here.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Values of `FLOAT`.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Values of small integers.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Values of `INT64`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Values, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// Name and type of what goes in or comes out.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<Type>,
}

/// A type; only tensors are known here.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// A tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

/// Kind of value and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// Kind of value.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// Its dimensions.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dim>,
}

/// One dimension: fixed, or named and free.
#[derive(Clone, PartialEq, Message)]
pub struct Dim {
    /// Size or name.
    #[prost(oneof = "DimValue", tags = "1, 2")]
    pub value: Option<DimValue>,
}

/// See [`Dim`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum DimValue {
    /// A size.
    #[prost(int64, tag = "1")]
    Size(i64),
    /// A name: the caller decides.
    #[prost(string, tag = "2")]
    Name(String),
}

impl ValueInfo {
    /// A tensor of 32-bit floats; a dimension without a number is free and bears its name.
    pub fn floats(name: &str, dims: &[Result<i64, &str>]) -> Self {
        let dim = |dim: &Result<i64, &str>| Dim {
            value: Some(match dim {
                Ok(size) => DimValue::Size(*size),
                Err(name) => DimValue::Name((*name).to_string()),
            }),
        };
        Self {
            name: name.to_string(),
            r#type: Some(Type {
                tensor: Some(TensorType {
                    elem_type: FLOAT,
                    shape: Some(Shape {
                        dim: dims.iter().map(dim).collect(),
                    }),
                }),
            }),
        }
    }
}

impl Attribute {
    /// A whole number.
    pub fn int(name: &str, i: i64) -> Self {
        Self {
            name: name.into(),
            i,
            kind: 2,
            ..Self::default()
        }
    }

    /// Whole numbers.
    pub fn ints(name: &str, ints: &[i64]) -> Self {
        Self {
            name: name.into(),
            ints: ints.to_vec(),
            kind: 7,
            ..Self::default()
        }
    }

    /// A number.
    pub fn float(name: &str, f: f32) -> Self {
        Self {
            name: name.into(),
            f,
            kind: 1,
            ..Self::default()
        }
    }

    /// A text.
    pub fn text(name: &str, s: &str) -> Self {
        Self {
            name: name.into(),
            s: s.as_bytes().to_vec(),
            kind: 3,
            ..Self::default()
        }
    }
}

impl Tensor {
    /// Weights in 32-bit floats.
    pub fn of_floats(name: &str, dims: &[usize], values: &[f32]) -> Self {
        Self {
            dims: dims.iter().map(|&size| size as i64).collect(),
            data_type: FLOAT,
            name: name.into(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }

    /// Values of any kind as bytes, little-endian.
    pub fn of_bytes(name: &str, dims: &[usize], kind: i32, raw_data: Vec<u8>) -> Self {
        Self {
            dims: dims.iter().map(|&size| size as i64).collect(),
            data_type: kind,
            name: name.into(),
            raw_data,
            ..Self::default()
        }
    }

    /// The values of 32-bit floats that lie in `raw_data`.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn floats(&self) -> anyhow::Result<Vec<f32>> {
        let (values, rest) = self.raw_data.as_chunks::<4>();
        let right = self.data_type == FLOAT && rest.is_empty() && !values.is_empty();
        anyhow::ensure!(right, "`{}` holds no 32-bit floats", self.name);
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Whole numbers.
    pub fn of_ints(name: &str, values: &[i64]) -> Self {
        Self {
            dims: vec![values.len() as i64],
            data_type: INT64,
            name: name.into(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }
}

/// A network under construction.
#[derive(Debug, Default)]
pub struct Builder {
    graph: Graph,
}

impl Builder {
    /// Begins a network.
    pub fn new(name: &str) -> Self {
        Self {
            graph: Graph {
                name: name.into(),
                ..Graph::default()
            },
        }
    }

    /// Adds what goes in.
    pub fn input(&mut self, value: ValueInfo) {
        self.graph.input.push(value);
    }

    /// Adds what comes out.
    pub fn output(&mut self, value: ValueInfo) {
        self.graph.output.push(value);
    }

    /// Adds weights and hands their name back.
    pub fn weights(&mut self, tensor: Tensor) -> String {
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }

    /// Adds an operation with outputs of these names.
    pub fn node(&mut self, op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<Attribute>) {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
        self.graph.node.push(Node {
            input: owned(inputs),
            output: owned(outputs),
            name: outputs.first().map(|name| (*name).to_string()).unwrap_or_default(),
            op_type: op.into(),
            attribute: attributes,
            domain: String::new(),
        });
    }

    /// The file: IR 8, operators of version 17.
    pub fn finish(self) -> Vec<u8> {
        ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetId {
                domain: String::new(),
                version: 17,
            }],
            producer_name: "vong-models".into(),
            graph: Some(self.graph),
            metadata: Vec::new(),
        }
        .encode_to_vec()
    }
}
