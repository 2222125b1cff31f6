use expect_test::expect;

use super::{LIMITS, Scheduled, fields, refused};
use crate::program::instr::{Copy, Load, Map, Operand};
use crate::program::{Buffer, BufferId, BufferSteps, ExprId, Instr, Program, Steps, TensorId, Token, sample};

fn body(p: &mut Program) -> &mut Vec<Scheduled> {
    &mut p.sections[0].body
}

fn unscheduled(instr: Instr) -> Scheduled {
    Scheduled { instr, wait: vec![], wait_previous: vec![], signal: None }
}

#[test]
fn reads_follow_writes() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 0 reads %b0, of which 3 of 3 channels were not written before"],
        |p| {
            body(p).remove(0);
        },
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`: instruction 6 reads %b4, of which 4 of 8 channels were not written before"],
        |p| {
            body(p).remove(6);
        },
    );
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`: instruction 7 reads %b4, of which 1 of 8 channels were not written before"],
        |p| fields!(p, 0, 6, Copy).channel = 3,
    );
    // A buffer in the bytes of one that is still wanted.
    refused(
        sample::every_instruction(),
        &expect!["section 0 `s0`: instruction 5 reads %b2, which instruction 4 overwrote"],
        |p| {
            p.sections[0].buffers[3].offset = p.sections[0].buffers[2].offset;
        },
    );
    // And of one that is not.
    refused(sample::every_instruction(), &expect!["nothing wrong"], |p| {
        p.sections[0].buffers[6].offset = p.sections[0].buffers[2].offset;
    });
}

#[test]
fn rings_are_written_by_nobody_else() {
    // The features once more, in the bytes of the image.
    let again = |p: &mut Program| {
        p.sram_bytes = LIMITS.sram_bytes;
        let section = &mut p.sections[0];
        let offset = section.buffers[0].offset;
        section.buffers[1].offset = LIMITS.sram_bytes / 2;
        section.buffers.push(Buffer { name: "again".to_owned(), offset, ..section.buffers[1].clone() });
        for axis in [&mut section.y, &mut section.x] {
            axis.buffers.push(BufferSteps { owned: Steps::default(), ..axis.buffers[1].clone() });
        }
        let operands = vec![Operand::Buffer(BufferId(1))];
        section.body.insert(2, unscheduled(Instr::Map(Map { dst: BufferId(2), operands, expr: ExprId(0) })));
    };
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 0 writes %b0 without waiting for instruction 2 of the tile before, which writes %b2, in the same bytes"
        ],
        again,
    );
    refused(
        sample::with_rings(sample::two_sections()),
        &expect!["section 0 `s0`: instruction 2 overwrites %b0, which keeps its rows for later steps"],
        again,
    );
}

#[test]
fn tokens_exist_once() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 1 waits for %t7, which no instruction signals"],
        |p| body(p)[1].wait = vec![Token(7)],
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: instruction 0 waits for %t7, which no instruction signals"],
        |p| body(p)[0].wait_previous = vec![Token(7)],
    );
    refused(sample::two_sections(), &expect!["section 0 `s0`: instructions 0 and 1 both signal %t0"], |p| {
        body(p)[1].signal = Some(Token(0))
    });
}

#[test]
fn waiting_never_points_forward() {
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 0 waits for %t2, which instruction 2 signals later in the same tile"
        ],
        |p| body(p)[0].wait = vec![Token(2)],
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 1 waits for %t1, which instruction 1 signals later in the same tile"
        ],
        |p| body(p)[1].wait.push(Token(1)),
    );
}

#[test]
fn queues_are_ordered_within_a_tile() {
    // Read after write: the convolution does not wait for the load.
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 1 reads %b0 without waiting for instruction 0, which writes %b0, in the same bytes"
        ],
        |p| body(p)[1].wait.clear(),
    );
    // The store does not wait for the convolution.
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 2 reads %b1 without waiting for instruction 1, which writes %b1, in the same bytes"
        ],
        |p| body(p)[2].wait = vec![Token(0)],
    );
    // Write after read: a second load into the buffer that is read.
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 2 writes %b0 without waiting for instruction 1, which reads %b0, in the same bytes"
        ],
        |p| {
            let again =
                unscheduled(Instr::Load(Load { dst: BufferId(0), src: TensorId(0), addressing: None }));
            body(p).insert(2, again);
        },
    );
}

#[test]
fn queues_are_ordered_from_tile_to_tile() {
    // The next tile's load may overtake the convolution.
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 0 writes %b0 without waiting for instruction 1 of the tile before, which reads %b0, in the same bytes"
        ],
        |p| body(p)[0].wait_previous.clear(),
    );
    // It need not wait for the store; the convolution does.
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 1 writes %b1 without waiting for instruction 2 of the tile before, which reads %b1, in the same bytes"
        ],
        |p| body(p)[0].wait_previous = vec![Token(1)],
    );
    refused(sample::two_sections(), &expect!["nothing wrong"], |p| {
        body(p)[0].wait_previous = vec![Token(1)];
        body(p)[1].wait_previous = vec![Token(2)];
    });
}

#[test]
fn other_buffers_in_the_same_bytes_count() {
    // The input is copied first, so that its load may run ahead; unless the copy's result lies in the load's bytes.
    let doubled = |p: &mut Program| {
        let section = &mut p.sections[0];
        let copy = section.buffers[0].clone();
        let end = section.buffers.iter().map(|b| b.offset + b.bytes().unwrap()).max().unwrap();
        section.buffers.push(Buffer { offset: end.next_multiple_of(64), ..copy });
        for axis in [&mut section.y, &mut section.x] {
            axis.buffers.push(axis.buffers[0].clone());
        }
        p.sram_bytes = 60 << 10;
        let (dst, src, channels) = (BufferId(2), BufferId(0), section.buffers[0].channels);
        let copy = Copy { dst, src, channel: 0, from: 0, channels, shift: [0, 0], outside: 0.0, fold: None };
        let mut copy = unscheduled(Instr::Copy(copy));
        (copy.wait, copy.signal) = (vec![Token(0)], Some(Token(9)));
        body(p).insert(1, copy);
        fields!(p, 0, 2, Conv2d).src = dst;
        body(p)[0].wait_previous = vec![Token(9)];
        body(p)[2].wait_previous = vec![Token(2)];
    };
    refused(sample::two_sections(), &expect!["nothing wrong"], doubled);
    refused(
        sample::two_sections(),
        &expect![
            "section 0 `s0`: instruction 0 writes %b0 without waiting for instruction 2 of the tile before, which writes %b1, in the same bytes"
        ],
        |p| {
            doubled(p);
            // The convolution's result where the load writes.
            p.sections[0].buffers[1].offset = 0;
        },
    );
}
