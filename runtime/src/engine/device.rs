//! Device memory: composites, packed weights and accumulators, allocated and filled once.

use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::EngineError;
use super::allocation::Allocation;
use super::bindings::{DeviceTensor, Tensors};
use super::spill::Spill;
use super::staging::Backing;
use crate::exact::words;
use crate::program::{Accumulator, AccumulatorId, Program, Role, Weight};
use crate::weights;

/// All device memory of an executable.
pub(super) struct Device {
    memory: Allocation,
    /// Indexed by `WeightId`.
    weights: Vec<*const f32>,
    /// Indexed by `TensorId`; inputs and outputs are not bound yet.
    tensors: Tensors<'static>,
    /// Indexed by `AccumulatorId`.
    accumulators: Vec<Sums>,
}

// SAFETY: the pointers lead into `memory`, which does not move; weights are written by who has the device to itself, sums are atomic,
// and tensors are written under the promises of `transfer`.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// Allocates, makes the files of spilled tensors, packs the weights and clears the accumulators of a verified program.
    pub(super) fn new(program: &Program, checked: bool, spill: Option<&Path>) -> Result<Self, EngineError> {
        let failed = |bytes: u64| {
            move |source| EngineError::Memory { what: "composites, weights and accumulators", bytes, source }
        };
        let mut memory =
            Allocation::new(program.device_bytes, checked).map_err(failed(program.device_bytes))?;
        let mut part = |offset: u64, bytes: u64| memory.part(offset, bytes).map_err(failed(bytes));

        let mut packed = Vec::with_capacity(program.weights.len());
        for weight in &program.weights {
            let bytes = weight.packed_bytes().unwrap_or(0);
            let ptr = part(weight.offset, bytes)?.cast::<f32>();
            pack(weight, program.data.bytes(), ptr, bytes)?;
            packed.push(ptr.cast_const());
        }
        let mut tensors = Tensors::with_capacity(program.tensors.len());
        for tensor in &program.tensors {
            let mut placed = DeviceTensor::unbound(program, tensor);
            match tensor.role {
                Role::Composite(offset) => placed.bind(part(offset, tensor.bytes().unwrap_or(0))?.cast()),
                Role::Constant(weight) => placed.bind(packed[weight.index()].cast_mut()),
                Role::Spilled => {
                    let spill = Spill::new(spill).map_err(EngineError::Spill)?;
                    placed.back(Backing::Spilled(Arc::new(spill)));
                }
                Role::Input | Role::Output => {}
            }
            tensors.push(placed);
        }
        let mut accumulators = Vec::with_capacity(program.accumulators.len());
        for accumulator in &program.accumulators {
            let first = part(accumulator.offset, accumulator.bytes().unwrap_or(0))?;
            accumulators.push(Sums::new(first, accumulator));
        }
        Ok(Self { memory, weights: packed, tensors, accumulators })
    }

    /// Packs the values of the weights again, from other data of the same layout.
    pub(super) fn set_weights(&mut self, program: &Program, data: &[u8]) -> Result<(), EngineError> {
        for (weight, packed) in program.weights.iter().zip(&self.weights) {
            pack(weight, data, packed.cast_mut(), weight.packed_bytes().unwrap_or(0))?;
        }
        Ok(())
    }

    /// Packed weights, indexed by `WeightId`.
    pub(super) fn weights(&self) -> &[*const f32] {
        &self.weights
    }

    /// The tensors with inputs and outputs unbound.
    pub(super) fn tensors(&self) -> &Tensors<'static> {
        &self.tensors
    }

    /// What an accumulator gathers: for every image and channel the words of its kind.
    pub(super) fn all_gathered(&self, id: AccumulatorId) -> &[AtomicI64] {
        let Sums { first, all, .. } = self.accumulators[id.index()];
        // SAFETY: so many words of `memory` are the accumulator's alone, and initialised; the system gives zeros. They lie at a
        // multiple of 8 bytes, since verified offsets are multiples of 64.
        unsafe { slice::from_raw_parts(first, all) }
    }

    /// What it gathers of one image: for every channel the words of its kind.
    pub(super) fn gathered(&self, id: AccumulatorId, image: u64) -> &[AtomicI64] {
        let size = self.accumulators[id.index()].per_image;
        &self.all_gathered(id)[image as usize * size..][..size]
    }

    /// The words of an accumulator, for kernels that gather by themselves.
    pub(super) fn words(&self, id: AccumulatorId) -> *const AtomicI64 {
        self.accumulators[id.index()].first
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> u64 {
        self.memory.bytes()
    }
}

/// Where what one accumulator gathers lies: for every image and channel the words of its kind.
#[derive(Clone, Copy)]
struct Sums {
    first: *const AtomicI64,
    per_image: usize,
    all: usize,
}

impl Sums {
    fn new(first: *mut u8, accumulator: &Accumulator) -> Self {
        let per_image = accumulator.channels as usize * words(accumulator.kind);
        Self { first: first.cast(), per_image, all: accumulator.images as usize * per_image }
    }
}

/// `ptr` leads to as many bytes of a device's memory, which nobody reads meanwhile.
fn pack(weight: &Weight, data: &[u8], ptr: *mut f32, bytes: u64) -> Result<(), EngineError> {
    // SAFETY: `ptr` leads to as many bytes of device memory that nobody else refers to.
    let packed = unsafe { slice::from_raw_parts_mut(ptr, bytes as usize / 4) };
    weights::pack(weight, data, packed)?;
    Ok(())
}
