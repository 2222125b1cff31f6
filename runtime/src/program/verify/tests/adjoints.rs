//! Gradients that gather: maps of other sizes or beyond what their forward instructions allow, and tiles that hold too little.

use expect_test::expect;

use super::{fields, refused};
use crate::program::instr::{Border, Coordinate, Filter, Taps};
use crate::program::{BufferId, sample};

#[test]
fn maps_are_those_of_the_tensors() {
    let sample = sample::adjoints;
    refused(sample(), &expect![""], |p| fields!(p, 0, 4, Adjoint).axes[0].inputs = 15);
    refused(sample(), &expect![""], |p| fields!(p, 0, 4, Adjoint).axes[1].outputs = 31);
    refused(sample(), &expect![""], |p| {
        fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: 3, border: Border::Wrapped };
    });
    refused(sample(), &expect![""], |p| {
        fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: -1, border: Border::Clamped };
    });
    refused(sample(), &expect![""], |p| {
        fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: 16, border: Border::Mirrored };
    });
    refused(sample(), &expect![""], |p| {
        let at = Coordinate { num: 16, offset: 0, den: 0 };
        fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Resized { at, filter: Filter::Linear };
    });
    refused(sample(), &expect![""], |p| {
        let at = Coordinate { num: 16, offset: 0, den: 15 };
        fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Resized { at, filter: Filter::Linear };
    });
    refused(sample(), &expect![""], |p| {
        let averaged = Taps::Averaged { kernel: 7, stride: 0, pad: 0, margin: [0; 2] };
        fields!(p, 0, 4, Adjoint).axes[0].taps = averaged;
    });
    refused(sample(), &expect![""], |p| p.sections[0].buffers[2].channels = 3);
}

#[test]
fn what_is_gathered_is_there() {
    let sample = sample::adjoints;
    refused(sample(), &expect![""], |p| {
        // The pixel that is furthest out folds furthest in.
        fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: 0, border: Border::Mirrored };
    });
    refused(sample(), &expect![""], |p| fields!(p, 0, 3, MaxPoolDx).window.kernel = [5, 3]);
    refused(sample(), &expect![""], |p| fields!(p, 0, 3, MaxPoolDx).window.pad = [-3, 1]);
    refused(sample(), &expect![""], |p| fields!(p, 0, 3, MaxPoolDx).x = BufferId(1));
    refused(sample(), &expect![""], |p| fields!(p, 0, 3, MaxPoolDx).dy = BufferId(3));
}
