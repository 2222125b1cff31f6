use std::time::{Duration, Instant};

use expect_test::expect;

use super::{Limits, fields, list, refused, verify};
use crate::program::instr::Accumulate;
use crate::program::{
    Accumulator, AccumulatorId, AccumulatorKind, BufferId, BufferSteps, Instr, Interval, Program, Scheduled,
    Steps, sample,
};

/// Changes what a buffer of section 0 computes or owns along y.
fn edit(steps: &mut Steps, change: impl FnOnce(&mut Vec<Interval>)) {
    let mut all = list(steps);
    change(&mut all);
    *steps = Steps::compress(&all);
}

fn computed(p: &mut Program, buffer: usize, change: impl FnOnce(&mut Vec<Interval>)) {
    edit(&mut p.sections[0].y.buffers[buffer].computed, change);
}

fn owned(p: &mut Program, buffer: usize, change: impl FnOnce(&mut Vec<Interval>)) {
    edit(&mut p.sections[0].y.buffers[buffer].owned, change);
}

#[test]
fn steps() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: 0 steps of y, not between 1 and the largest extent, 20"],
        |p| p.sections[0].y.steps = 0,
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: 25 steps of x, not between 1 and the largest extent, 24"],
        |p| p.sections[0].x.steps = 25,
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b0: 3 computed intervals of x for 2 steps"],
        |p| p.sections[0].x.steps = 2,
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b1: 0 owned intervals of y for 3 steps"],
        |p| owned(p, 1, Vec::clear),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b0: 1 owned intervals of y for 3 steps"],
        |p| owned(p, 0, |o| o.push(Interval::new(0, 1))),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: the step tables are too long to be verified"],
        |p| {
            let huge = 1 << 39;
            let section = &mut p.sections[0];
            section.buffers[0].extent[0] = huge;
            section.buffers[1].extent[0] = huge;
            (p.tensors[0].dims.h, p.tensors[1].dims.h, section.y.steps) = (huge, huge, huge);
            for entry in &mut section.y.buffers {
                let period = vec![entry.computed.get(0)];
                let forever = Steps { period, advance: 1, repeats: huge, ..Steps::default() };
                *entry = BufferSteps { computed: forever.clone(), owned: forever };
            }
            section.y.buffers[0].owned = Steps::default();
            p.sections.pop();
        },
    );
}

#[test]
fn computed_intervals() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b0, step 0 of y: computes -1..9, and there is room for 9"],
        |p| p.sections[0].buffers[0].rows = 9,
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b0, step 1 of y: computes 7..18, and there is room for 10"],
        |p| computed(p, 0, |c| c[1].end += 1),
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: %b0, step 2 of y: -9223372036854775808..-9223372036854775798 is out of all bounds"
        ],
        |p| {
            computed(p, 0, |c| c[2] = Interval::new(i64::MIN, i64::MIN + 10));
        },
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b0, step 2 of y: 9..8 is out of all bounds"],
        |p| computed(p, 0, |c| c[2] = Interval::new(9, 8)),
    );
}

#[test]
fn owned_intervals() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b1, step 2 of y: owns 16..20, but steps before own everything below 15"],
        |p| owned(p, 1, |o| o[1].end = 15),
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: %b1, step 1 of y: owns 7..16, outside the extent or of what it holds (8..16)"
        ],
        |p| owned(p, 1, |o| o[1].start = 7),
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: %b1, step 2 of y: owns 16..21, outside the extent or of what it holds (16..20)"
        ],
        |p| owned(p, 1, |o| o[2].end = 21),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b1: the steps of y own everything below 19 of 20"],
        |p| owned(p, 1, |o| o[2].end = 19),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b1, step 1 of y: 16..8 is out of all bounds"],
        |p| owned(p, 1, |o| o[1] = Interval::new(16, 8)),
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: %b0, step 1 of y: owns 7..9, but steps before own everything below 8"],
        |p| {
            owned(p, 0, |o| o.extend([Interval::new(0, 8), Interval::new(7, 9), Interval::new(15, 20)]));
        },
    );
    refused(sample::two_sections(), &expect!["nothing wrong"], |p| {
        owned(p, 0, |o| o.extend([Interval::new(0, 8), Interval::new(9, 9), Interval::new(15, 20)]));
    });
}

#[test]
fn reads_are_covered() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 1, step 1 of y: reads 7..17 of %b0, which holds 8..18"],
        |p| {
            computed(p, 0, |c| c[1] = Interval::new(8, 18));
        },
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 1, step 0 of x: reads -2..8 of %b0, which holds -1..9"],
        |p| fields!(p, 0, 1, Conv2d).window.pad = [1, 2],
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 1, step 0 of y: reads -1..16 of %b0, which holds -1..9"],
        |p| fields!(p, 0, 1, Conv2d).window.stride = [2, 1],
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 1, step 0 of x: reads -1..11 of %b0, which holds -1..9"],
        |p| fields!(p, 0, 1, Conv2d).window.dilation = [1, 2],
    );
    // What a pool would read outside the extent need not be covered; what it reads inside must be.
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`: instruction 1, step 1 of y: reads 7..15 of %b0, which holds 8..16"],
        |p| fields!(p, 1, 1, Pool).window.pad = [1, 0],
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`: instruction 6, step 0 of x: reads 1..17 of %b3, which holds 0..16"],
        |p| fields!(p, 0, 6, Copy).shift = [0, 1],
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`: instruction 3, step 0 of y: reads 1..9 of %b1, which holds 0..8"],
        |p| {
            fields!(p, 0, 3, ConvTranspose2d).window.pad = [2, 0];
        },
    );
    // The repeated operand's only row.
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`: instruction 9, step 1 of y: reads 0..1 of %b7, which holds 1..2"],
        |p| {
            computed(p, 7, |c| c[1] = Interval::new(1, 2));
        },
    );
}

#[test]
fn padding_holds_what_is_read() {
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 1, step 0 of y: reads -1..9 of %b0, whose tensor ends at 20 and holds anything beyond, not 0.0"
        ],
        |p| p.sections[0].buffers[0].outside = None,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 1, step 0 of y: reads -1..9 of %b0, whose tensor ends at 20 and holds -0.0 beyond, not 0.0"
        ],
        |p| p.sections[0].buffers[0].outside = Some(-0.0),
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 1, step 0 of y: reads -1..9 of %b0, whose tensor ends at 20 and holds -inf beyond, not 0.0"
        ],
        |p| {
            p.sections[0].buffers[0].outside = Some(f32::NEG_INFINITY);
        },
    );
}

#[test]
fn tiles_cut_between_grains() {
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`: instruction 3, step 0 of y: 0..4 of %b1 does not end between grains of 8"],
        |p| {
            // Tiles of 4 rows.
            p.accumulators.push(Accumulator {
                name: "pooled".into(),
                kind: AccumulatorKind::Sum,
                images: 1,
                channels: 20,
                extent: [10, 12],
                offset: 0,
            });
            let instr = Instr::Accumulate(Accumulate { acc: AccumulatorId(0), src: BufferId(1) });
            let store = p.sections[1].body[2].clone();
            p.sections[1].body.push(Scheduled { instr, signal: None, ..store });
        },
    );
}

#[test]
fn a_long_axis_verifies_fast() {
    let program = sample::chain(100_000, 16, 60);
    assert_eq!(program.sections[0].y.steps, 6250);
    let limits = Limits { sram_bytes: 2 << 20, device_bytes: 0, work: None };
    let start = Instant::now();
    verify(&program, &limits).unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn rings_keep_what_later_steps_read() {
    let strip = || sample::with_rings(sample::two_sections());
    refused(
        strip(),
        &expect!["section 0 `s0`: %b0, step 0 of y: computes -1..9, and there is room for 9"],
        |p| p.sections[0].buffers[0].rows = 9,
    );
    refused(
        strip(),
        &expect!["section 0 `s0`: %b0, step 1 of y: computes 10..17 of a ring that was computed up to 9"],
        |p| {
            let steps = &mut p.sections[0].y.buffers[0].computed;
            let mut new = list(steps);
            new[1].start += 1;
            *steps = Steps::compress(&new);
        },
    );
    refused(
        strip(),
        &expect!["section 0 `s0`: instruction 1, step 1 of y: reads 7..17 of %b0, which holds 9..17"],
        |p| p.sections[0].buffers[0].ring = false,
    );
    refused(
        strip(),
        &expect![
            "section 0 `s0`, instruction 1 (conv2d): %b1 is written while %b0, in the same bytes, is read"
        ],
        |p| p.sections[0].buffers[1].offset = 0,
    );
}
