//! The shared cases against the scalar reference, every primitive of expressions against its definition on the values
//! where definitions differ, and refusals.

use super::{Jit, JitError};
use crate::memory::{Kernel, Tile, View};
use crate::program::instr::{Load, Map, Operand};
use crate::program::{
    Buffer, BufferId, ExprId, Instr, Interval, Program, Region, Section, TensorId, WeightId,
};
use crate::scalar::{Binary, Compare, Expr, Node, Unary};
use crate::testing::{Case, Family, case, check, check_products};

fn compile(case: &Case) -> Option<Box<dyn Kernel>> {
    compile_with(Jit::new().unwrap(), case)
}

fn compile_with(mut jit: Jit, case: &Case) -> Option<Box<dyn Kernel>> {
    jit.add(&case.program, &case.section, &case.instr).unwrap();
    jit.finish().unwrap().pop()
}

macro_rules! families {
    ($($name:ident $family:ident;)*) => {$(
        #[test]
        fn $name() {
            check(Family::$family, 300, compile);
        }
    )*};
}

families! {
    conv2d_is_the_reference Conv2d;
    conv_transpose2d_is_the_reference ConvTranspose2d;
    pool_is_the_reference Pool;
    resize_is_the_reference Resize;
    pixel_shuffle_is_the_reference PixelShuffle;
    pixel_unshuffle_is_the_reference PixelUnshuffle;
    copy_is_the_reference Copy;
    map_is_the_reference Map;
    fold_is_the_reference Fold;
    matmul_is_the_reference Matmul;
    max_pool_dx_is_the_reference MaxPoolDx;
    adjoint_is_the_reference Adjoint;
    dropout_is_the_reference Dropout;
}

#[test]
fn conv_dw_is_the_reference() {
    check_products(100, |case| {
        let mut jit = Jit::new().unwrap();
        jit.add(&case.program, &case.section, &case.instr).unwrap();
        jit.finish().unwrap().pop()
    });
}

/// A compiler for the oldest processor of the architecture, without FMA and SSE4.1: code calls functions of the host.
fn baseline() -> Jit {
    Jit::for_isa(cranelift_native::builder_with_options(false).unwrap()).unwrap()
}

#[test]
fn processors_without_fma_give_the_same_bits() {
    for family in Family::ALL {
        check(family, 40, |case| compile_with(baseline(), case));
    }
}

/// Zeros, denormals, halves that tie, numbers that do not fit an i32, exponents at the ends, infinities, NaN.
const VALUES: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    2.5,
    -126.0,
    127.0,
    1e-40,
    -1e-40,
    f32::MIN_POSITIVE,
    f32::MAX,
    -3e9,
    8_388_609.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// Every primitive, over as many of inputs 0, 1, 2 as it takes.
fn primitives() -> Vec<Expr> {
    let unary = [Unary::Neg, Unary::Abs, Unary::Sqrt, Unary::Floor, Unary::Round, Unary::Exp2i];
    let binary = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Min, Binary::Max];
    let compare = [Compare::Lt, Compare::Le, Compare::Eq];
    let last = unary.into_iter().map(|op| Node::Unary(op, 0));
    let last = last.chain(binary.into_iter().map(|op| Node::Binary(op, 0, 1)));
    let last = last.chain(compare.into_iter().map(|op| Node::Select(op, 0, 1, 2, 0)));
    let last = last.chain([Node::Fma(0, 1, 2)]);
    let inputs = [Node::Input(0), Node::Input(1), Node::Input(2)];
    last.map(|node| Expr::new(inputs.into_iter().chain([node]).collect()).unwrap()).collect()
}

/// The program of a map over three operands of 16 channels, rows and columns.
fn map_program(expr: &Expr, lanes: u32) -> (Program, Section, Instr) {
    let Case { mut program, mut section, .. } = case(Family::Map, 0);
    program.expressions = vec![expr.clone()];
    let buffer = Buffer {
        name: String::new(),
        channels: 16,
        lanes,
        rows: 16,
        cols: 16,
        extent: [16, 16],
        outside: None,
        ring: false,
        offset: 0,
    };
    section.buffers = vec![buffer; 4];
    let operands = (0..3).map(|b| Operand::Buffer(BufferId(b))).collect();
    (program, section, Instr::Map(Map { dst: BufferId(3), operands, expr: ExprId(0) }))
}

/// Channel, row and column of an element are the indices of its operands' values.
fn run_map(jit: Jit, expr: &Expr, lanes: u32) -> Vec<(f32, [f32; 3])> {
    let (program, section, instr) = map_program(expr, lanes);
    let mut jit = jit;
    jit.add(&program, &section, &instr).unwrap();
    let kernel = jit.finish().unwrap().pop().unwrap();

    let lanes = lanes as usize;
    let place = |c: usize, y: usize, x: usize| ((c / lanes * 16 + y) * 16 + x) * lanes + c % lanes;
    let elements = || (0..4096).map(|i| [i / 256, i / 16 % 16, i % 16]);
    let mut memory = vec![vec![0.0f32; 4096]; 4];
    for indices @ [c, y, x] in elements() {
        for (operand, i) in memory.iter_mut().zip(indices) {
            operand[place(c, y, x)] = VALUES[i];
        }
    }
    let whole = Region { y: Interval::new(0, 16), x: Interval::new(0, 16) };
    let view = |(id, memory): (usize, &mut Vec<f32>)| {
        let buffer = &section.buffers[id];
        let mut view = View::new(16, buffer.lanes, [16, 16], whole);
        view.ptr = memory.as_mut_ptr();
        view.place_rows(whole.y, whole.y, whole.y);
        view.place_columns(whole.x, whole.x);
        view
    };
    let views: Vec<View> = memory.iter_mut().enumerate().map(view).collect();
    let tile = Tile { views: &views, weights: &[], gathered: &[], image: 0 };
    // SAFETY: the views are those of the vectors above, laid out as the buffers say.
    unsafe { kernel.run(&tile, &mut []) };
    elements().map(|[c, y, x]| (memory[3][place(c, y, x)], [c, y, x].map(|i| VALUES[i]))).collect()
}

#[test]
fn primitives_are_their_definitions() {
    let bits = |v: f32| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() };
    for expr in primitives() {
        for lanes in [1, 16] {
            for jit in [Jit::new().unwrap(), baseline()] {
                for (found, inputs) in run_map(jit, &expr, lanes) {
                    let expected = expr.eval(&inputs);
                    assert_eq!(bits(found), bits(expected), "{expr:?} of {inputs:?}, {lanes} lanes");
                }
            }
        }
    }
}

/// Why an instruction of the family's first case is refused once `change` has changed it.
fn refusal(family: Family, change: impl FnOnce(&mut Case)) -> JitError {
    let mut case = case(family, 0);
    change(&mut case);
    Jit::new().unwrap().add(&case.program, &case.section, &case.instr).unwrap_err()
}

#[test]
fn what_code_cannot_stand_on_is_refused() {
    let missing = refusal(Family::Conv2d, |case| {
        if let Instr::Conv2d(conv) = &mut case.instr {
            conv.weight = WeightId(1000);
        }
    });
    assert_eq!(missing.to_string(), "@w1000 does not exist");

    let stride = refusal(Family::ConvTranspose2d, |case| {
        if let Instr::ConvTranspose2d(conv) = &mut case.instr {
            conv.window.stride = [1, 0];
        }
    });
    assert!(matches!(stride, JitError::Malformed(_)), "{stride}");

    let inputs = refusal(Family::Map, |case| {
        case.program.expressions = vec![Expr::new(vec![Node::Input(99)]).unwrap()];
        if let Instr::Map(map) = &mut case.instr {
            map.expr = ExprId(0);
        }
    });
    assert!(matches!(inputs, JitError::Malformed(_)), "{inputs}");

    let transfer = refusal(Family::Map, |case| {
        case.instr = Instr::Load(Load { dst: BufferId(0), src: TensorId(0), addressing: None });
    });
    assert!(matches!(transfer, JitError::NotCompute), "{transfer}");
}
