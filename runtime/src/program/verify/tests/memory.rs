use expect_test::expect;

use super::{LIMITS, Limits, fields, refused, verify};
use crate::program::{Instr, Role, TensorId, sample};

#[test]
fn limits() {
    let program = sample::two_sections();
    let error = |limits| verify(&program, &limits).unwrap_err().to_string();
    let [sram, device] = [program.sram_bytes, program.device_bytes];
    expect!["the program wants 20480 bytes of SRAM; there are 20479"]
        .assert_eq(&error(Limits { sram_bytes: sram - 1, ..LIMITS }));
    expect!["the program wants 65024 bytes of device memory; there are 65023"]
        .assert_eq(&error(Limits { device_bytes: device - 1, ..LIMITS }));
}

#[test]
fn buffers_lie_in_sram() {
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`, buffer %b1 is at 16384 + 4096, outside the 20416 bytes of SRAM"],
        |p| p.sram_bytes -= 64,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, buffer %b0 is at 18446744073709551552 + 16384, outside the 20480 bytes of SRAM"
        ],
        |p| p.sections[1].buffers[0].offset = u64::MAX - 63,
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, buffer %b1 is at 1604, which is no multiple of 64"],
        |p| p.sections[0].buffers[1].offset += 4,
    );
}

#[test]
fn residents_lie_in_device_memory() {
    refused(
        sample::two_sections(),
        &expect!["@t1 is at 3584 + 61440, outside the 64960 bytes of device memory"],
        |p| p.device_bytes -= 64,
    );
    refused(
        sample::two_sections(),
        &expect!["@w0 is at 18446744073709551552 + 3456, outside the 65024 bytes of device memory"],
        |p| p.weights[0].offset = u64::MAX - 63,
    );
    refused(sample::two_sections(), &expect!["@w1 is at 3488, which is no multiple of 64"], |p| {
        p.weights[1].offset += 32
    });
}

#[test]
fn residents_are_disjoint() {
    refused(
        sample::two_sections(),
        &expect!["@w0 and @w1 share bytes of device memory, and are alive in the same section"],
        |p| p.weights[1].offset = 0,
    );
    refused(
        sample::two_sections(),
        &expect!["@w0 and @t1 share bytes of device memory, and are alive in the same section"],
        |p| p.tensors[1].role = Role::Composite(64),
    );
    refused(
        sample::every_instruction(),
        &expect!["@a0 and @t1 share bytes of device memory, and are alive in the same section"],
        |p| {
            let offset = p.accumulators[0].offset;
            p.tensors[1].role = Role::Composite(offset);
        },
    );
    // Both composites are stored in section 0 and loaded in section 1.
    refused(
        sample::every_instruction(),
        &expect!["@t1 and @t2 share bytes of device memory, and are alive in the same section"],
        |p| {
            p.tensors[2].role = p.tensors[1].role;
        },
    );
}

#[test]
fn composites_that_do_not_meet_may_share() {
    // Three sections in a row: features is dead when the last one stores.
    let chain = |p: &mut crate::program::Program, first: bool| {
        let mut pooled = p.tensors[2].clone();
        pooled.name = "copy".into();
        p.tensors.push(pooled);
        let Role::Composite(features) = p.tensors[1].role else { panic!() };
        let bytes = p.tensors[1].bytes().unwrap();
        p.device_bytes += bytes;
        p.tensors[2].role = Role::Composite(features + bytes);
        let mut second = p.sections[1].clone();
        second.buffers[0] = crate::program::Buffer { rows: 4, cols: 8, ..second.buffers[1].clone() };
        second.buffers[0].offset = 0;
        for axis in [&mut second.y, &mut second.x] {
            axis.buffers[0] = axis.buffers[1].clone();
        }
        p.sections.push(second);
        fields!(p, 2, 0, Load).src = TensorId(2);
        fields!(p, 2, 2, Store).dst = TensorId(3);
        fields!(p, 2, 1, Pool).window = sample::window(1, 1, 0);
        p.tensors[3].role = Role::Composite(if first { features } else { features + bytes });
    };
    refused(sample::two_sections(), &expect!["nothing wrong"], |p| chain(p, true));
    refused(
        sample::two_sections(),
        &expect!["@t2 and @t3 share bytes of device memory, and are alive in the same section"],
        |p| chain(p, false),
    );
}

#[test]
fn tensors_are_stored_once_before_they_are_loaded() {
    refused(
        sample::two_sections(),
        &expect!["@t1 `features` is loaded in section 0, but stored in section 1"],
        |p| p.sections.swap(0, 1),
    );
    refused(sample::two_sections(), &expect!["@t1 `features` is never stored"], |p| {
        p.sections.remove(0);
    });
    refused(sample::two_sections(), &expect!["@t2 `pooled` is never stored"], |p| {
        p.sections.pop();
    });
    refused(sample::two_sections(), &expect!["@t2 `pooled` is stored twice, in sections 1 and 2"], |p| {
        let again = p.sections[1].clone();
        p.sections.push(again);
    });
    refused(
        sample::two_sections(),
        &expect!["@t1 `features` is loaded in section 0, but stored in section 0"],
        |p| {
            fields!(p, 0, 0, Load).src = TensorId(1);
            p.tensors[1].dims.c = 3;
            p.sections[0].buffers[1].channels = 3;
            (p.weights[0].dims[0], p.weights[1].dims[0]) = (3, 3);
            p.sections.pop();
            p.tensors.truncate(2);
        },
    );
}

#[test]
fn accumulators_are_filled_once_and_rounded_there() {
    refused(
        sample::every_instruction(),
        &expect!["@a0 is filled by two instructions, in sections 0 and 0"],
        |p| {
            let accumulate = p.sections[0].body[10].clone();
            p.sections[0].body.push(crate::program::Scheduled { signal: None, ..accumulate });
        },
    );
    refused(sample::every_instruction(), &expect!["section 1 rounds @a0, which it does not fill"], |p| {
        let end = std::mem::take(&mut p.sections[0].end);
        p.sections[1].end = end;
    });
}
