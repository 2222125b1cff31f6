//! What kernels and compiled code are tested against: random instructions with their operands, and a naive scalar
//! reference written straight from the formulas of the crate's and the instructions' documentation.

mod adjoint;
mod packing;
mod products;
mod random;
mod reference;
mod storage;

use crate::memory::{Kernel, Tile, View};
use crate::program::{BufferId, Instr, Place, Program, Region, Section, Source, WeightId};
use storage::Aligned;

pub(crate) use products::{Products, check_products};

/// The image that tiles of cases are of.
const IMAGE: u64 = 3;

/// The compute instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Conv2d,
    ConvTranspose2d,
    Pool,
    Resize,
    PixelShuffle,
    PixelUnshuffle,
    Copy,
    Map,
    Fold,
    Matmul,
    MaxPoolDx,
    Adjoint,
    Dropout,
}

impl Family {
    pub(crate) const ALL: [Self; 13] = [
        Self::Conv2d,
        Self::ConvTranspose2d,
        Self::Pool,
        Self::Resize,
        Self::PixelShuffle,
        Self::PixelUnshuffle,
        Self::Copy,
        Self::Map,
        Self::Fold,
        Self::Matmul,
        Self::MaxPoolDx,
        Self::Adjoint,
        Self::Dropout,
    ];
}

/// One instruction with its tables and operands, for the only tile `(0, 0)` of its section.
pub(crate) struct Case {
    /// Says how to make it again.
    pub(crate) name: String,
    /// Expressions and weights (`Source::Inline`); its only section is `section`.
    pub(crate) program: Program,
    pub(crate) section: Section,
    pub(crate) instr: Instr,
    /// What each buffer holds before the instruction runs, laid out as [`crate::program::Buffer`] says.
    values: Vec<Vec<f32>>,
}

/// Case number `seed` of a family: the same one every time.
pub(crate) fn case(family: Family, seed: u64) -> Case {
    random::case(family, seed)
}

/// A 3×3 or 1×1 convolution of one tile, to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) inputs: u64,
    pub(crate) outputs: u64,
    pub(crate) kernel: u32,
    pub(crate) rows: u64,
    pub(crate) cols: u64,
    pub(crate) src_lanes: u32,
    pub(crate) dst_lanes: u32,
    pub(crate) relu: bool,
}

impl Layer {
    /// The layer's instruction and operands.
    pub(crate) fn case(self) -> Case {
        random::layer(self)
    }

    /// Two for each multiply-add.
    pub(crate) fn flops(self) -> f64 {
        let taps = u64::from(self.kernel * self.kernel);
        (2 * self.rows * self.cols * self.outputs * self.inputs * taps) as f64
    }
}

/// Runs what `prepare` makes of the family's first `count` cases, and compares with the reference, bit for bit.
pub(crate) fn check(family: Family, count: u64, prepare: impl Fn(&Case) -> Option<Box<dyn Kernel>>) {
    for seed in 0..count {
        let case = case(family, seed);
        let kernel = prepare(&case).unwrap_or_else(|| panic!("no kernel for {}", case.name));
        case.assert_same(&case.expected(), &case.run(&*kernel));
    }
}

impl Case {
    /// The buffer that is written.
    pub(crate) fn dst(&self) -> BufferId {
        self.instr.as_instruction().writes().unwrap()
    }

    /// Where a buffer lies.
    pub(crate) fn place(&self, b: BufferId) -> Place {
        self.section.place(b, 0, 0)
    }

    /// A weight's values as stored, not packed.
    pub(crate) fn weight(&self, w: WeightId) -> &[f32] {
        match &self.program.weights[w.index()].source {
            Source::Inline(values) => values,
            Source::Offset(_) => panic!("test weights are inline"),
        }
    }

    /// What the written buffer holds afterwards by the reference: for each channel the pixels of `computed` in raster
    /// order, NaNs canonical, and 0 where nothing is specified.
    pub(crate) fn expected(&self) -> Vec<f32> {
        self.collect(|c, y, x| reference::value(self, c, y, x))
    }

    /// The same by a kernel. Panics if the kernel writes anywhere else.
    pub(crate) fn run(&self, kernel: &dyn Kernel) -> Vec<f32> {
        // Odd alignment, and values that show if they are used.
        let mut scratch = vec![f32::NAN; kernel.scratch() + 1];
        let mut buffers = self.with_tile(|tile| {
            // SAFETY: the tile's views describe memory that this thread owns; cases are made to be consistent.
            unsafe { kernel.run(tile, &mut scratch[1..]) };
        });
        let dst = self.dst();
        for (b, buffer) in buffers.iter().enumerate() {
            assert!(buffer.guards_intact(), "{}: wrote outside buffer %b{b}", self.name);
            let same =
                || std::iter::zip(buffer.values(), &self.values[b]).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(b == dst.index() || same(), "{}: changed operand %b{b}", self.name);
        }
        let result = buffers.swap_remove(dst.index());
        self.collect(|c, y, x| result.values()[self.index(dst, c, y, x)])
    }

    /// Seconds of the fastest of some runs of a kernel.
    pub(crate) fn seconds(&self, kernel: &dyn Kernel, runs: usize) -> f64 {
        let mut scratch = vec![0.0; kernel.scratch()];
        let mut best = f64::INFINITY;
        self.with_tile(|tile| {
            for _ in 0..runs {
                let start = std::time::Instant::now();
                // SAFETY: as in `run`.
                unsafe { kernel.run(tile, &mut scratch) };
                best = best.min(start.elapsed().as_secs_f64());
            }
        });
        best
    }

    /// Calls `f` with a tile over fresh buffers, and gives what they hold afterwards.
    fn with_tile(&self, f: impl FnOnce(&Tile<'_>)) -> Vec<Aligned> {
        let mut buffers: Vec<Aligned> = self.values.iter().map(|v| Aligned::new(v)).collect();
        let weights: Vec<Aligned> = (0..self.program.weights.len()).map(|w| self.packed(w)).collect();
        let views: Vec<View> = (0..buffers.len()).map(|b| self.view(b, buffers[b].as_mut_ptr())).collect();
        let pointers: Vec<*const f32> = weights.iter().map(Aligned::as_ptr).collect();
        f(&Tile { views: &views, weights: &pointers, gathered: &[], image: IMAGE });
        buffers
    }

    /// Panics with the first difference.
    pub(crate) fn assert_same(&self, expected: &[f32], found: &[f32]) {
        let computed = self.place(self.dst()).computed;
        let (rows, cols) = (computed.y.len() as usize, computed.x.len() as usize);
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
        if let Some(i) = std::iter::zip(expected, found).position(differs) {
            let (c, y, x) = (
                i / (rows * cols),
                (i / cols % rows) as i64 + computed.y.start,
                (i % cols) as i64 + computed.x.start,
            );
            panic!(
                "{}: channel {c}, y {y}, x {x}: expected {:e} ({:08x}), found {:e} ({:08x})\n{:?}\nplaces {:?}\nbuffers {:?}\nexpressions {:?}",
                self.name,
                expected[i],
                expected[i].to_bits(),
                found[i],
                found[i].to_bits(),
                self.instr,
                (0..self.section.buffers.len())
                    .map(|b| self.place(BufferId(b as u32)).computed)
                    .collect::<Vec<Region>>(),
                self.section.buffers,
                self.program.expressions,
            );
        }
        assert_eq!(expected.len(), found.len());
    }

    /// What a buffer holds before the instruction runs.
    fn at(&self, b: BufferId, c: u64, y: i64, x: i64) -> f32 {
        self.values[b.index()][self.index(b, c, y, x)]
    }

    fn index(&self, b: BufferId, c: u64, y: i64, x: i64) -> usize {
        let (buffer, computed) = (&self.section.buffers[b.index()], self.place(b).computed);
        assert!(contains(computed, y, x) && c < buffer.channels, "{}: {b} has no {c}, {y}, {x}", self.name);
        let (y, x) = (y.rem_euclid(buffer.rows as i64) as u64, (x - computed.x.start) as u64);
        let lanes = u64::from(buffer.lanes);
        (((c / lanes * buffer.rows + y) * buffer.cols + x) * lanes + c % lanes) as usize
    }

    fn view(&self, b: usize, ptr: *mut f32) -> View {
        let (buffer, place) = (&self.section.buffers[b], self.place(BufferId(b as u32)));
        let mut view = View::new(buffer.channels, buffer.lanes, [buffer.rows, buffer.cols], buffer.extent());
        (view.ptr, view.outside) = (ptr, buffer.outside);
        view.place_rows(place.computed.y, place.computed.y, place.owned.y);
        view.place_columns(place.computed.x, place.owned.x);
        view
    }

    fn packed(&self, w: usize) -> Aligned {
        let weight = &self.program.weights[w];
        Aligned::new(&packing::pack(weight.packing, &weight.dims, self.weight(WeightId(w as u32))))
    }

    /// For each channel and pixel of the written buffer what it should hold: `inside` where it is valid, its `outside`
    /// elsewhere.
    fn collect(&self, value: impl Fn(u64, i64, i64) -> f32) -> Vec<f32> {
        let (dst, Place { computed, valid, .. }) = (self.dst(), self.place(self.dst()));
        let buffer = &self.section.buffers[dst.index()];
        let mut all = Vec::new();
        for c in 0..buffer.channels {
            for y in computed.y.start..computed.y.end {
                for x in computed.x.start..computed.x.end {
                    let specified =
                        contains(valid, y, x) || buffer.outside.is_some() || !self.writes_channel(c);
                    let v = if specified { value(c, y, x) } else { 0.0 };
                    all.push(if v.is_nan() { f32::NAN } else { v });
                }
            }
        }
        all
    }

    /// Whether the instruction writes channel `c` of its buffer; the others keep what they hold.
    fn writes_channel(&self, c: u64) -> bool {
        match &self.instr {
            Instr::Copy(copy) => (copy.channel..copy.channel + copy.channels).contains(&c),
            _ => true,
        }
    }
}

fn contains(region: Region, y: i64, x: i64) -> bool {
    (region.y.start..region.y.end).contains(&y) && (region.x.start..region.x.end).contains(&x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_consistent_and_repeatable() {
        for family in Family::ALL {
            for seed in 0..40 {
                let case = case(family, seed);
                case.assert_same(&case.expected(), &super::case(family, seed).expected());
            }
        }
    }
}
