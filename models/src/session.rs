//! ONNX sessions. Invariant: the library that is loaded is the one that was fetched and checked, never one that
//! happens to lie on the machine, and no telemetry leaves the box. Only this file names `ort`. One session a thread.

use crate::error::ModelError;
use crate::store::Store;
use ort::environment::Environment;
use ort::memory::Allocator;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session as OrtSession, SessionOutputs};
use ort::value::{Tensor as OrtTensor, TensorElementType, ValueType};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a session runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads within one run; sessions of several workers share the cores, so 1 is usual.
    pub threads: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { threads: 1 }
    }
}

/// A model, ready to run. Its tensors are kept between runs: the shapes of its outputs must follow from that of its input.
#[derive(Debug)]
pub struct Session {
    inner: OrtSession,
    path: PathBuf,
    /// By shape, the one used last at the end.
    tensors: Vec<Tensors>,
    kept_shapes: usize,
    clock: rustix::time::ClockId,
}

/// The tensors of runs with one shape of input.
struct Tensors {
    shape: Vec<usize>,
    input: OrtTensor<f32>,
    /// Where the outputs go; known after the first run.
    outputs: Option<RunOptions<HasSelectedOutputs>>,
}

impl std::fmt::Debug for Tensors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tensors")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Tensors {
    fn new(shape: &[usize]) -> ort::Result<Self> {
        let values = vec![0.0_f32; shape.iter().product()];
        Ok(Self {
            shape: shape.to_vec(),
            input: OrtTensor::from_array((shape.to_vec(), values))?,
            outputs: None,
        })
    }
}

/// Room for outputs like these.
fn room_for(outputs: &SessionOutputs<'_>) -> ort::Result<RunOptions<HasSelectedOutputs>> {
    let mut room = OutputSelector::default();
    for (name, value) in outputs.iter() {
        if let ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } = value.dtype()
        {
            room = room.preallocate(name, OrtTensor::<f32>::new(&Allocator::default(), shape.clone())?);
        }
    }
    Ok(RunOptions::new()?.with_outputs(room))
}

/// The outputs of one run.
#[derive(Debug)]
pub struct Outputs<'s> {
    inner: SessionOutputs<'s>,
    path: &'s Path,
}

/// One output: its shape and its values, row-major.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'o> {
    /// Sizes of the dimensions.
    pub shape: &'o [i64],
    /// The values.
    pub data: &'o [f32],
}

/// Processor time that all runs of this process took, ns.
static SPENT_NS: AtomicU64 = AtomicU64::new(0);

/// Processor time that ONNX Runtime took in all runs of this process, without making inputs or reading outputs.
pub fn inference_time() -> Duration {
    Duration::from_nanos(SPENT_NS.load(Ordering::Relaxed))
}

static ENVIRONMENT: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

fn environment(library: &Path) -> Result<Environment, ModelError> {
    let mut loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((first, environment)) = &*loaded {
        if first != library {
            tracing::debug!(loaded = %first.display(), asked = %library.display(), "ONNX Runtime is loaded already");
        }
        return Ok(environment.clone());
    }
    if !library.is_file() {
        return Err(ModelError::Missing {
            path: library.to_path_buf(),
        });
    }
    let failed = |cause: String| ModelError::Library {
        path: library.to_path_buf(),
        cause,
    };
    let environment = ort::init_from(library)
        .map_err(|error| failed(error.to_string()))?
        .with_name("vong")
        .with_telemetry(false)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    environment.set_log_level(ort::logging::LogLevel::Error);
    *loaded = Some((library.to_path_buf(), environment.clone()));
    Ok(environment)
}

impl Session {
    /// Opens a model file, whose hash the caller has checked, with the store's ONNX Runtime.
    pub fn open(store: &Store, model: &Path, options: SessionOptions) -> Result<Self, ModelError> {
        Self::open_from(store, model, options, |mut builder| builder.commit_from_file(model))
    }

    /// The same for a model that is part of the program; `name` stands for it in errors.
    pub fn open_bytes(store: &Store, name: &str, model: &[u8], options: SessionOptions) -> Result<Self, ModelError> {
        Self::open_from(store, Path::new(name), options, |mut builder| {
            builder.commit_from_memory(model)
        })
    }

    fn open_from(
        store: &Store,
        model: &Path,
        options: SessionOptions,
        commit: impl FnOnce(SessionBuilder) -> ort::Result<OrtSession>,
    ) -> Result<Self, ModelError> {
        let environment = environment(&store.onnx_runtime())?;
        let open = || -> Result<OrtSession, String> {
            let builder = OrtSession::builder(&environment)
                .map_err(|error| error.to_string())?
                // At its own level it warns of every weight that a model carries in vain.
                .with_log_level(ort::logging::LogLevel::Error)
                .map_err(|error| error.to_string())?
                .with_optimization_level(GraphOptimizationLevel::All)
                .map_err(|error| error.to_string())?
                .with_intra_threads(options.threads.max(1))
                .map_err(|error| error.to_string())?
                // A spinning thread takes the core from the worker beside it.
                .with_intra_op_spinning(false)
                .map_err(|error| error.to_string())?;
            commit(builder).map_err(|error| error.to_string())
        };
        let inner = open().map_err(|cause| ModelError::unopened(model, &cause))?;
        Ok(Self {
            inner,
            path: model.to_path_buf(),
            tensors: Vec::new(),
            kept_shapes: 1,
            // A run with one thread stays on the caller's; with more, nothing but the process knows its time.
            clock: match options.threads {
                0 | 1 => rustix::time::ClockId::ThreadCPUTime,
                _ => rustix::time::ClockId::ProcessCPUTime,
            },
        })
    }

    /// Keeps the tensors of so many shapes of input, at least one: for a model whose inputs of few shapes take turns. Where every
    /// cut of a picture has a shape of its own, more than one is memory for nothing.
    pub fn keeping(mut self, shapes: usize) -> Self {
        self.kept_shapes = shapes.max(1);
        self
    }

    /// Runs the model on one input. `fill` gets the input tensor, row-major, `shape` long, holding what the last run
    /// of this shape left in it, or zeros.
    pub fn run(&mut self, shape: &[usize], fill: impl FnOnce(&mut [f32])) -> Result<Outputs<'_>, ModelError> {
        let Self {
            inner,
            path,
            tensors,
            kept_shapes,
            clock,
        } = self;
        let failed = |error: ort::Error| ModelError::failed(path, &error.to_string());
        match tensors.iter().position(|tensors| tensors.shape == shape) {
            Some(place) => tensors[place..].rotate_left(1),
            None => {
                if tensors.len() == *kept_shapes {
                    tensors.remove(0);
                }
                tensors.push(Tensors::new(shape).map_err(failed)?);
            }
        }
        let tensors = tensors.last_mut().expect("it was put there");
        fill(tensors.input.extract_tensor_mut().1);
        let start_ns = now_ns(*clock);
        let spent = || SPENT_NS.fetch_add(now_ns(*clock).saturating_sub(start_ns), Ordering::Relaxed);
        if tensors.outputs.is_none() {
            let outputs = inner.run(ort::inputs![&tensors.input]).map_err(failed)?;
            spent();
            tensors.outputs = Some(room_for(&outputs).map_err(failed)?);
            return Ok(Outputs { inner: outputs, path });
        }
        let room = tensors.outputs.as_ref().expect("the first run made it");
        let outputs = inner
            .run_with_options(ort::inputs![&tensors.input], room)
            .map_err(failed)?;
        spent();
        Ok(Outputs { inner: outputs, path })
    }

    /// Whether the model takes any height and width; else only those that it was made for.
    pub fn takes_any_size(&self) -> bool {
        let shape = self
            .inner
            .inputs()
            .first()
            .and_then(|input| input.dtype().tensor_shape());
        shape.is_some_and(|shape| shape.len() == 4 && shape[2] < 0 && shape[3] < 0)
    }

    /// Number of outputs.
    pub fn output_count(&self) -> usize {
        self.inner.outputs().len()
    }

    /// A text of the model's own metadata.
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.inner.metadata().ok()?.custom(key)
    }
}

fn now_ns(clock: rustix::time::ClockId) -> u64 {
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Outputs<'_> {
    /// Output by its place.
    pub fn at(&self, index: usize) -> Result<Tensor<'_>, ModelError> {
        if index >= self.inner.len() {
            return Err(self.fault(format!("it has no output number {index}")));
        }
        self.tensor(&self.inner[index])
    }

    /// Output by its name.
    pub fn named(&self, name: &str) -> Result<Tensor<'_>, ModelError> {
        match self.inner.get(name) {
            Some(value) => self.tensor(value),
            None => Err(self.fault(format!("it has no output `{name}`"))),
        }
    }

    fn tensor<'o>(&'o self, value: &'o ort::value::DynValue) -> Result<Tensor<'o>, ModelError> {
        let (shape, data) = value
            .try_extract_tensor::<f32>()
            .map_err(|error| self.fault(error.to_string()))?;
        Ok(Tensor { shape, data })
    }

    pub(crate) fn fault(&self, cause: String) -> ModelError {
        ModelError::failed(self.path, &cause)
    }
}
