//! Device memory: composites, packed weights and accumulators, allocated and filled once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::EngineError;
use super::allocation::Allocation;
use super::bindings::{DeviceTensor, Tensors};
use crate::exact;
use crate::program::{Accumulator, AccumulatorId, Program, Role, Weight};
use crate::weights;

/// All device memory of an executable.
pub(super) struct Device {
    memory: Allocation,
    /// Indexed by `WeightId`.
    weights: Vec<*const f32>,
    /// Indexed by `TensorId`; inputs and outputs are not bound yet.
    tensors: Tensors,
    /// Indexed by `AccumulatorId`.
    accumulators: Vec<Mutex<Sums>>,
}

// SAFETY: the pointers lead into `memory`, which does not move; weights are only read once the device is made, sums are behind
// locks, and tensors are written under the promises of `transfer`.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// Allocates, packs the weights and clears the accumulators of a verified program.
    pub(super) fn new(program: &Program, checked: bool) -> Result<Self, EngineError> {
        let failed = |bytes: u64| {
            move |source| EngineError::Memory { what: "composites, weights and accumulators", bytes, source }
        };
        let mut memory = Allocation::new(program.device_bytes, checked).map_err(failed(program.device_bytes))?;
        let mut part = |offset: u64, bytes: u64| memory.part(offset, bytes).map_err(failed(bytes));

        let mut packed = Vec::with_capacity(program.weights.len());
        for weight in &program.weights {
            let len = weights::packed_len(weight);
            let ptr = part(weight.offset, len.saturating_mul(4))?.cast::<f32>();
            pack(weight, program, ptr, len)?;
            packed.push(ptr.cast_const());
        }
        let mut tensors = Tensors::with_capacity(program.tensors.len());
        for tensor in &program.tensors {
            let mut placed = DeviceTensor::unbound(tensor);
            match tensor.role {
                Role::Composite(offset) => placed.bind(part(offset, placed.bytes())?.cast()),
                Role::Constant(weight) => placed.bind(packed[weight.index()].cast_mut()),
                Role::Input | Role::Output => {}
            }
            tensors.push(placed);
        }
        let mut accumulators = Vec::with_capacity(program.accumulators.len());
        for accumulator in &program.accumulators {
            let limbs = limbs(accumulator);
            let first = part(accumulator.offset, limbs.saturating_mul(8))?.cast::<u64>();
            accumulators.push(Mutex::new(Sums { first, limbs: limbs as usize }));
        }
        Ok(Self { memory, weights: packed, tensors, accumulators })
    }

    /// Packed weights, indexed by `WeightId`.
    pub(super) fn weights(&self) -> &[*const f32] {
        &self.weights
    }

    /// The tensors with inputs and outputs unbound.
    pub(super) fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// The sums of an accumulator, for as long as the guard lives nobody else's.
    pub(super) fn sums(&self, id: AccumulatorId) -> MutexGuard<'_, Sums> {
        self.accumulators[id.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> u64 {
        self.memory.bytes()
    }
}

/// The superaccumulators of one accumulator: for every image and channel `exact::LIMBS` limbs.
pub(super) struct Sums {
    first: *mut u64,
    limbs: usize,
}

// SAFETY: the limbs are in device memory, which belongs to no thread, and a `Sums` is the only way to reach them.
unsafe impl Send for Sums {}

impl Sums {
    /// All limbs.
    pub(super) fn limbs(&mut self) -> &mut [u64] {
        // SAFETY: `first` has this many limbs to itself, zeroed or written before, at a multiple of 8 bytes since verified
        // offsets are multiples of 64.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.limbs) }
    }

    /// The limbs of one image, `channels` sums.
    pub(super) fn image(&mut self, image: u64, channels: u64) -> &mut [u64] {
        let size = channels as usize * exact::LIMBS;
        &mut self.limbs()[image as usize * size..][..size]
    }
}

fn limbs(accumulator: &Accumulator) -> u64 {
    accumulator.images.saturating_mul(accumulator.channels).saturating_mul(exact::LIMBS as u64)
}

fn pack(weight: &Weight, program: &Program, ptr: *mut f32, len: u64) -> Result<(), EngineError> {
    // SAFETY: `ptr` leads to `len` f32s of device memory that nobody else refers to.
    let packed = unsafe { std::slice::from_raw_parts_mut(ptr, len as usize) };
    weights::pack(weight, &program.data, packed)?;
    Ok(())
}
