//! Running sums of products: from a worker's SRAM to the accumulator that all workers share.

use std::slice;
use std::sync::atomic::AtomicI64;

use crate::exact::single;
use crate::kernels::WeightOrder;
use crate::program::instr::ConvDw;
use crate::program::{AccumulatorId, Section};

/// An accumulator of products of a section, and where workers keep its running sums.
pub(super) struct Products {
    pub(super) acc: AccumulatorId,
    /// Offset and bytes of the running sums in a worker's SRAM, if there are some.
    pub(super) running: Option<(u64, u64)>,
    /// From the place of a running sum to the weight that it is of.
    order: WeightOrder,
}

impl Products {
    /// Those of an instruction; `None` if it is not a verified one.
    pub(super) fn new(section: &Section, instr: &ConvDw) -> Option<Self> {
        let (x, dy) = (section.buffers.get(instr.x.index())?, section.buffers.get(instr.dy.index())?);
        let running = section.running.iter().find(|r| r.acc == instr.acc);
        let running = running.and_then(|r| {
            Some((
                r.offset,
                ConvDw::running_bytes([x.channels, dy.channels], instr.window.kernel, instr.groups)?,
            ))
        });
        Some(Self { acc: instr.acc, running, order: WeightOrder::new(section, instr)? })
    }

    /// Adds a worker's running sums to the words of the accumulator.
    ///
    /// # Safety
    ///
    /// Both pointers lead to the sums of all weights; nobody else uses the running ones.
    pub(super) unsafe fn add(&self, running: *const f64, words: &[AtomicI64]) {
        // SAFETY: the caller's promise.
        let running = unsafe { slice::from_raw_parts(running, self.order.len()) };
        self.order.for_each(|place, weight| {
            single::add(&words[weight * single::LIMBS..], running[place]);
        });
    }
}
