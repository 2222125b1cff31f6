use expect_test::expect;

use super::{fields, refused};
use crate::program::instr::{Along, FoldKind, Operand, PoolKind, Statistic};
use crate::program::verify::{Limits, verify};
use crate::program::{
    AccumulatorId, AccumulatorKind, BufferId, ExprId, Instr, Packing, Role, Steps, TensorId, WeightId, sample,
};

#[test]
fn ids() {
    refused(sample::two_sections(), &expect!["section 0 `s0`, instruction 0 (load): there is no %b2"], |p| {
        fields!(p, 0, 0, Load).dst = BufferId(2)
    });
    refused(sample::two_sections(), &expect!["section 0 `s0`, instruction 0 (load): there is no @t3"], |p| {
        fields!(p, 0, 0, Load).src = TensorId(3)
    });
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, instruction 2 (store): there is no %b4294967295"],
        |p| fields!(p, 0, 2, Store).src = BufferId(u32::MAX),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, instruction 1 (conv2d): there is no @w2"],
        |p| fields!(p, 0, 1, Conv2d).weight = WeightId(2),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, instruction 1 (conv2d): there is no @w2"],
        |p| fields!(p, 0, 1, Conv2d).bias = Some(WeightId(2)),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, instruction 1 (conv2d): there is no @e1"],
        |p| {
            fields!(p, 0, 1, Conv2d).epilogue.as_mut().unwrap().expr = ExprId(1);
        },
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): there is no %b99"],
        |p| {
            fields!(p, 0, 2, Conv2d).epilogue.as_mut().unwrap().operands =
                vec![Operand::Buffer(BufferId(99))];
        },
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`, instruction 10 (accumulate): there is no @a1"],
        |p| {
            fields!(p, 0, 10, Accumulate).acc = AccumulatorId(1);
        },
    );
    refused(sample::every_instruction(), &expect!["section 0 `s0`, reduction 0: there is no @a1"], |p| {
        p.sections[0].end[0].acc = AccumulatorId(1)
    });
    refused(sample::every_instruction(), &expect!["section 0 `s0`, reduction 0: there is no @t7"], |p| {
        p.sections[0].end[0].dst = TensorId(7)
    });
}

#[test]
fn windows() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, instruction 1 (conv2d): the stride is 0, not between 1 and 1048576"],
        |p| fields!(p, 0, 1, Conv2d).window.stride = [0, 1],
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, instruction 1 (conv2d): the dilation is 0, not between 1 and 1048576"],
        |p| fields!(p, 0, 1, Conv2d).window.dilation = [1, 0],
    );
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`, instruction 1 (pool): the kernel is 0, not between 1 and 1048576"],
        |p| fields!(p, 1, 1, Pool).window.kernel = [0, 2],
    );
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`, instruction 1 (pool): the kernel is 1025, not between 1 and 1024"],
        |p| fields!(p, 1, 1, Pool).window.kernel = [2, 1025],
    );
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`, instruction 1 (pool): the stride is 4294967295, not between 1 and 1048576"],
        |p| fields!(p, 1, 1, Pool).window.stride = [u32::MAX; 2],
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, instruction 1 (pool): the padding is -9223372036854775808, not between -1099511627776 and 1099511627776"
        ],
        |p| fields!(p, 1, 1, Pool).window.pad = [i64::MIN, 0],
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`, instruction 8 (pool): the margin is -1, not between 0 and 1048576"],
        |p| {
            fields!(p, 0, 8, Pool).kind = PoolKind::Average { margin: [0, 0, -1, 0] };
        },
    );
}

#[test]
fn convolutions() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): 4 channels do not make 0 groups"],
        |p| fields!(p, 0, 2, Conv2d).groups = 0,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): 4 channels do not make 3 groups"],
        |p| fields!(p, 0, 2, Conv2d).groups = 3,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): @w0 is [8, 2, 3, 3] where [8, 4, 3, 3] is needed"],
        |p| fields!(p, 0, 2, Conv2d).groups = 1,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): @w0 is [8, 2, 3, 3] where [8, 2, 3, 5] is needed"],
        |p| fields!(p, 0, 2, Conv2d).window.kernel = [3, 5],
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 2 (conv2d): @w0 is packed as Plain where Conv { groups: 2 } is needed"
        ],
        |p| p.weights[0].packing = Packing::Plain,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 2 (conv2d): @w1 is packed as Channels where GroupedChannels { groups: 2 } is needed"
        ],
        |p| p.weights[1].packing = Packing::Channels,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): @w0 is [8, 2, 3, 3] where [8] is needed"],
        |p| fields!(p, 0, 2, Conv2d).bias = Some(WeightId(0)),
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 3 (conv_transpose2d): @w3 is [8, 4, 2, 2] where [8, 2, 2, 2] is needed"
        ],
        |p| fields!(p, 0, 3, ConvTranspose2d).groups = 2,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 3 (conv_transpose2d): @w3 is packed as Conv { groups: 1 } where ConvTranspose { groups: 1 } is needed"
        ],
        |p| p.weights[3].packing = Packing::Conv { groups: 1 },
    );
}

#[test]
fn operands() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 9 (map): the expression has 2 inputs, the instruction gives 1"],
        |p| {
            fields!(p, 0, 9, Map).operands.pop();
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 2 (conv2d): the expression has 2 inputs, the instruction gives 1"
        ],
        |p| {
            fields!(p, 0, 2, Conv2d).epilogue.as_mut().unwrap().operands.clear();
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (conv2d): @w2 is packed as Plain where Channels is needed"],
        |p| p.weights[2].packing = Packing::Plain,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 9 (map): values, one a channel: 8 where 2 is needed"],
        |p| {
            fields!(p, 0, 9, Map).operands[1] = Operand::Channels(WeightId(2));
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 9 (map): %b2: the number of channels is 4, neither 1 nor the result's 2"
        ],
        |p| {
            fields!(p, 0, 9, Map).operands[1] = Operand::Buffer(BufferId(2));
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 9 (map): %b5: the height is 64, neither 1 nor the result's 32"],
        |p| {
            fields!(p, 0, 9, Map).operands[1] = Operand::Buffer(BufferId(5));
        },
    );
}

#[test]
fn resampling() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (resize): the coordinates' numerator is -1, not between 0 and 4611686018427387904"
        ],
        |p| fields!(p, 0, 4, Resize).coordinates[1].num = -1,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (resize): the coordinates' denominator is 0, not between 1 and 144115188075855872"
        ],
        |p| fields!(p, 0, 4, Resize).coordinates[0].den = 0,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (resize): the coordinates' offset is -9223372036854775808, not between -4611686018427387904 and 4611686018427387904"
        ],
        |p| fields!(p, 0, 4, Resize).coordinates[1].offset = i64::MIN,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (resize): output 47 lies at pixel 47 of the source, which has 24"
        ],
        |p| fields!(p, 0, 4, Resize).coordinates[1].num = 2,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (resize): output 0 lies at pixel -1 of the source, which has 16"
        ],
        |p| fields!(p, 0, 4, Resize).coordinates[0].offset = -1,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 4 (resize): channels: 4 where 8 is needed"],
        |p| fields!(p, 0, 4, Resize).src = BufferId(1),
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 3 (pixel_unshuffle): the factor is 0, not between 1 and 1048576"
        ],
        |p| fields!(p, 1, 3, PixelUnshuffle).factor = 0,
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 3 (pixel_unshuffle): channels of the result: 8 where 18 is needed"
        ],
        |p| fields!(p, 1, 3, PixelUnshuffle).factor = 3,
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 3 (pixel_unshuffle): extent of the source: 48 where 46 is needed"
        ],
        |p| p.sections[1].buffers[3].extent = [16, 23],
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 7 (pixel_shuffle): the factor is 0, not between 1 and 1048576"],
        |p| fields!(p, 0, 7, PixelShuffle).factor = 0,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 7 (pixel_shuffle): channels of the source: 8 where 32 is needed"
        ],
        |p| fields!(p, 0, 7, PixelShuffle).factor = 4,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 7 (pixel_shuffle): extent of the result: 95 where 96 is needed"
        ],
        |p| p.sections[0].buffers[5].extent = [64, 95],
    );
}

#[test]
fn folds() {
    let sample = sample::whole_axes;
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (fold): values along the axis: 19 where 20 is needed"],
        |p| fields!(p, 0, 2, Fold).length = 19,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (fold): values along the axis: 20 where 12 is needed"],
        |p| fields!(p, 0, 2, Fold).along = Along::Rows,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (fold): width of the result: 24 where 1 is needed"],
        |p| fields!(p, 0, 2, Fold).dst = BufferId(3),
    );
    refused(sample(), &expect!["section 0 `s0`, instruction 2 (fold): channels: 4 where 1 is needed"], |p| {
        fields!(p, 0, 2, Fold).along = Along::Channels;
        fields!(p, 0, 2, Fold).length = 4;
    });
    refused(
        sample(),
        &expect!["section 0 `s0`: instruction 2, step 0 of x: reads 0..20 of %b0, which holds 1..21"],
        |p| {
            let columns = &mut p.sections[0].x.buffers[0].computed;
            *columns = Steps::compress(&columns.iter().map(|c| c.shift(1)).collect::<Vec<_>>());
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 2 (fold): the last position is 33554431, not between 0 and 16777216"
        ],
        |p| {
            let long = 1 << 25;
            p.tensors[0].dims.w = long;
            p.sections[0].buffers[0].extent[1] = long;
            let fold = fields!(p, 0, 2, Fold);
            (fold.length, fold.kind) = (long, FoldKind::Argmax);
        },
    );
}

#[test]
fn products() {
    let sample = sample::whole_axes;
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 3 (matmul): columns of the left operand: 1 where 2 is needed"],
        |p| fields!(p, 0, 3, Matmul).inner = 2,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 3 (matmul): rows of the right operand: 1 where 20 is needed"],
        |p| {
            fields!(p, 0, 3, Matmul).a = BufferId(0);
            fields!(p, 0, 3, Matmul).inner = 20;
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 3 (matmul): %b2: the number of channels is 3, neither 1 nor the result's 4"
        ],
        |p| {
            p.tensors[1].dims.c = 3;
            p.sections[0].buffers[2].channels = 3;
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 3 (matmul): height of the result: 12 where 13 is needed"],
        |p| {
            p.tensors[0].dims.h = 13;
            p.sections[0].buffers[0].extent[0] = 13;
            p.sections[0].buffers[1].extent[0] = 13;
        },
    );
}

#[test]
fn copies() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 6 (copy): the first channel written is 5, not between 0 and 4"],
        |p| fields!(p, 0, 6, Copy).channel = 5,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 6 (copy): the first channel written is 9223372036854775807, not between 0 and 4"
        ],
        |p| fields!(p, 0, 6, Copy).channel = u64::MAX,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 6 (copy): the first channel read is 1, not between 0 and 0"],
        |p| fields!(p, 0, 6, Copy).from = 1,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 6 (copy): the number of channels is 5, not between 1 and 4"],
        |p| fields!(p, 0, 6, Copy).channels = 5,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 6 (copy): the number of channels is 0, not between 1 and 4"],
        |p| fields!(p, 0, 6, Copy).channels = 0,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 6 (copy): the shift is 9223372036854775807, not between -1099511627776 and 1099511627776"
        ],
        |p| fields!(p, 0, 6, Copy).shift = [i64::MAX, 0],
    );
}

#[test]
fn transfers() {
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`, instruction 0 (load): @t0 is [1, 3, 20, 23] where [1, 3, 20, 24] is needed"
        ],
        |p| p.tensors[0].dims.w = 23,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`, instruction 0 (load): @t0 is [2, 3, 20, 24] where [1, 3, 20, 24] is needed"
        ],
        |p| p.tensors[0].dims.n = 2,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`, instruction 2 (store): @t1 is [2, 20, 20, 24] where [1, 20, 20, 24] is needed"
        ],
        |p| p.tensors[1].dims.n = 2,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, instruction 2 (store): @t2 is not a composite or an output: it cannot be written"
        ],
        |p| p.tensors[2].role = Role::Input,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`, instruction 2 (store): @t0 is not a composite or an output: it cannot be written"
        ],
        |p| fields!(p, 0, 2, Store).dst = TensorId(0),
    );
}

#[test]
fn reductions() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 10 (accumulate): images of the accumulator: 1 where 2 is needed"
        ],
        |p| p.accumulators[0].images = 1,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 10 (accumulate): channels of the accumulator: 1 where 2 is needed"
        ],
        |p| p.accumulators[0].channels = 1,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 10 (accumulate): height of the accumulator: 31 where 32 is needed"
        ],
        |p| p.accumulators[0].extent[0] = 31,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, reduction 0: Max does not follow from an accumulator of kind Moments"],
        |p| p.sections[0].end[0].statistic = Statistic::Max,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, reduction 0: Variance does not follow from an accumulator of kind Sum"],
        |p| {
            p.accumulators[0].kind = AccumulatorKind::Sum;
            p.sections[0].end[0].statistic = Statistic::Variance;
        },
    );
    for group in [0, 3] {
        let found = format!("section 0 `s0`, reduction 0: 2 channels cannot be taken {group} at a time");
        let mut program = sample();
        program.sections[0].end[0].group = group;
        let error = verify(&program, &Limits::of(&program.machine)).expect_err("the group does not divide");
        assert_eq!(error.to_string(), found);
    }
    refused(
        sample(),
        &expect!["section 0 `s0`, reduction 0: @t1 is [2, 2, 32, 48] where [2, 2, 1, 1] is needed"],
        |p| p.sections[0].end[0].dst = TensorId(1),
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, reduction 0: @t4 is not a composite or an output: it cannot be written"],
        |p| p.sections[0].end[0].dst = TensorId(4),
    );
}

#[test]
fn aliasing() {
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, instruction 1 (pool): %b1 is written while %b0, in the same bytes, is read"
        ],
        |p| {
            let offset = p.sections[1].buffers[0].offset;
            p.sections[1].buffers[1].offset = offset + 64;
        },
    );
    refused(
        sample::every_instruction(),
        &expect![
            "section 0 `s0`, instruction 5 (copy): %b4 is written while %b4, in the same bytes, is read"
        ],
        |p| {
            fields!(p, 0, 5, Copy).src = BufferId(4);
        },
    );
}
