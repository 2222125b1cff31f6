//! Expressions evaluated a few vectors at a time: one short loop a node, its values in scratch that stays in the L1 cache.

use super::simd::{LANES, Simd};
use crate::scalar::{Binary, Compare, Expr, Node, Unary};

/// Vectors evaluated together.
pub(super) const CHUNK: usize = 16;

/// f32s of a chunk.
pub(super) const CHUNK_LEN: usize = CHUNK * LANES;

/// Where a node's values come from.
#[derive(Clone, Copy, Debug)]
enum Arg {
    /// Operand of the expression.
    Input(usize),
    /// One vector of the constants.
    Const(usize),
    /// A chunk made by an earlier step.
    Slot(usize),
}

/// One loop over a chunk.
#[derive(Clone, Copy, Debug)]
enum Step {
    Copy(Arg),
    Unary(Unary, [Arg; 1]),
    Binary(Binary, [Arg; 2]),
    Fma([Arg; 3]),
    Select(Compare, [Arg; 4]),
}

/// The vectors of an operand: `stride` f32s apart, 0 where one serves all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) ptr: *const f32,
    pub(super) stride: usize,
}

impl Stream {
    /// No operand.
    pub(super) const NONE: Self = Self { ptr: std::ptr::null(), stride: 0 };
}

/// An expression as loops: nodes that nobody uses are left out, and slots are used again.
#[derive(Debug)]
pub(super) struct Compiled {
    /// All steps but the last, each with the slot that it fills.
    steps: Vec<(Step, usize)>,
    /// The step that gives the result.
    last: Step,
    constants: Vec<f32>,
    slots: usize,
}

impl Compiled {
    pub(super) fn new(expr: &Expr) -> Self {
        let nodes = expr.nodes();
        let mut uses = vec![0usize; nodes.len()];
        for i in (0..nodes.len()).rev() {
            if uses[i] > 0 || i + 1 == nodes.len() {
                nodes[i].operands().for_each(|r| uses[r as usize] += 1);
            }
        }
        let mut this =
            Self { steps: Vec::new(), last: Step::Copy(Arg::Const(0)), constants: Vec::new(), slots: 0 };
        let mut args: Vec<Arg> = Vec::with_capacity(nodes.len());
        let mut free = Vec::new();
        for (i, &node) in nodes.iter().enumerate() {
            let is_last = i + 1 == nodes.len();
            let step = match node {
                Node::Input(n) => Step::Copy(Arg::Input(n as usize)),
                Node::Const(c) => Step::Copy(this.constant(c)),
                Node::Unary(op, a) => Step::Unary(op, [a].map(|r| args[r as usize])),
                Node::Binary(op, a, b) => Step::Binary(op, [a, b].map(|r| args[r as usize])),
                Node::Fma(a, b, c) => Step::Fma([a, b, c].map(|r| args[r as usize])),
                Node::Select(op, a, b, y, n) => Step::Select(op, [a, b, y, n].map(|r| args[r as usize])),
            };
            if is_last {
                this.last = step;
                break;
            }
            let arg = match step {
                // Dead nodes too: whatever stands for them, nobody looks.
                Step::Copy(arg) => arg,
                _ if uses[i] == 0 => Arg::Const(0),
                _ => {
                    // A loop reads element by element before it writes, so a slot may be filled by its last reader.
                    for r in node.operands() {
                        uses[r as usize] -= 1;
                        if let (0, Arg::Slot(slot)) = (uses[r as usize], args[r as usize]) {
                            free.push(slot);
                        }
                    }
                    let slot = free.pop().unwrap_or_else(|| {
                        this.slots += 1;
                        this.slots - 1
                    });
                    this.steps.push((step, slot));
                    Arg::Slot(slot)
                }
            };
            args.push(arg);
        }
        this
    }

    fn constant(&mut self, c: f32) -> Arg {
        self.constants.push(c);
        Arg::Const(self.constants.len() - 1)
    }

    /// f32s of scratch.
    pub(super) fn scratch(&self) -> usize {
        self.constants.len() * LANES + self.slots * CHUNK_LEN
    }

    /// Writes the constants to scratch, before the first [`Self::evaluate`].
    pub(super) fn prepare(&self, scratch: &mut [f32]) {
        for (vector, &c) in scratch.chunks_exact_mut(LANES).zip(&self.constants) {
            vector.fill(c);
        }
    }

    /// Computes `vectors` vectors, at most [`CHUNK`], to `out`; the result may overwrite an operand of stride 16.
    ///
    /// # Safety
    ///
    /// `inputs` are valid for reading so many vectors, and `out` for writing them; `scratch` is what
    /// [`Self::prepare`] left.
    #[inline(always)]
    pub(super) unsafe fn evaluate<S: Simd>(
        &self,
        simd: S,
        inputs: &[Stream],
        out: *mut f32,
        vectors: usize,
        scratch: &mut [f32],
    ) {
        let base = scratch.as_mut_ptr();
        let slot = |n: usize| base.wrapping_add(self.constants.len() * LANES + n * CHUNK_LEN);
        let stream = |arg: Arg| match arg {
            Arg::Input(n) => inputs[n],
            Arg::Const(n) => Stream { ptr: base.wrapping_add(n * LANES), stride: 0 },
            Arg::Slot(n) => Stream { ptr: slot(n), stride: LANES },
        };
        for &(step, to) in &self.steps {
            // SAFETY: slots and constants lie in `scratch`, which is as long as `Self::scratch` says.
            unsafe { run(simd, step, stream, slot(to), vectors) };
        }
        // SAFETY: the caller's promise.
        unsafe { run(simd, self.last, stream, out, vectors) };
    }
}

/// # Safety
///
/// The streams of the step's arguments are valid for reading `vectors` vectors, and `out` for writing them.
#[inline(always)]
unsafe fn run<S: Simd>(simd: S, step: Step, stream: impl Fn(Arg) -> Stream, out: *mut f32, vectors: usize) {
    // SAFETY: the caller's promise, for each of the loops.
    macro_rules! each {
        ($args:expr, |$v:ident| $value:expr) => {{
            let args = $args.map(&stream);
            for i in 0..vectors {
                // SAFETY: the caller's promise.
                let $v = args.map(|a| unsafe { simd.load(a.ptr.add(i * a.stride)) });
                // SAFETY: the caller's promise.
                unsafe { simd.store(out.add(i * LANES), $value) };
            }
        }};
    }
    match step {
        Step::Copy(a) => each!([a], |v| v[0]),
        Step::Unary(op, args) => match op {
            Unary::Neg => each!(args, |v| simd.neg(v[0])),
            Unary::Abs => each!(args, |v| simd.abs(v[0])),
            Unary::Sqrt => each!(args, |v| simd.sqrt(v[0])),
            Unary::Floor => each!(args, |v| simd.floor(v[0])),
            Unary::Round => each!(args, |v| simd.round(v[0])),
            Unary::Exp2i => each!(args, |v| simd.exp2i(v[0])),
        },
        Step::Binary(op, args) => match op {
            Binary::Add => each!(args, |v| simd.add(v[0], v[1])),
            Binary::Sub => each!(args, |v| simd.sub(v[0], v[1])),
            Binary::Mul => each!(args, |v| simd.mul(v[0], v[1])),
            Binary::Div => each!(args, |v| simd.div(v[0], v[1])),
            Binary::Min => each!(args, |v| simd.min(v[0], v[1])),
            Binary::Max => each!(args, |v| simd.max(v[0], v[1])),
        },
        Step::Fma(args) => each!(args, |v| simd.fma(v[0], v[1], v[2])),
        Step::Select(op, args) => match op {
            Compare::Lt => each!(args, |v| simd.select(Compare::Lt, v[0], v[1], v[2], v[3])),
            Compare::Le => each!(args, |v| simd.select(Compare::Le, v[0], v[1], v[2], v[3])),
            Compare::Eq => each!(args, |v| simd.select(Compare::Eq, v[0], v[1], v[2], v[3])),
        },
    }
}
