//! A program for each violation, and what is said about it.

use serde_json::json;
use zellige_runtime::program::instr::{AxisId, Operand};
use zellige_runtime::program::{
    BufferId, Instr, Interval, Program, Section, Source, Steps, TensorId, WeightId,
};

use super::*;
use crate::base::Shape;
use crate::fixtures::{Net, options};
use crate::ir::Module;
use crate::passes::PIPELINE;

/// Two padded convolutions, a PReLU, a sum with the input, its mean times it, and what is concatenated with that, padded.
fn graph() -> Graph {
    let mut net = Net::new("all_sorts");
    let x = net.input("image", Shape::new(1, 4, 20, 24));
    let a = net.conv(x, 4, 3, 1, "a");
    let a = net.op("prelu", json!({}), &[a], "prelu");
    let b = net.conv(a, 4, 3, 1, "b");
    let sum = net.op("sub", json!({}), &[b, x], "");
    let mean = net.op("global_avg_pool", json!({}), &[sum], "");
    let scaled = net.op("mul", json!({}), &[sum, mean], "");
    let both = net.op("concat", json!({}), &[scaled, x], "");
    let pad = net.op("pad", json!({"top": 1, "left": 0, "bottom": 2, "right": 3}), &[both], "");
    net.output("y", pad).graph
}

fn compiled(graph: &Graph) -> Program {
    let options = options(1 << 20, Some([8, 8]));
    let module = PIPELINE
        .iter()
        .fold(Module::Graph(graph.clone()), |module, pass| (pass.run)(module, &options).expect("a plan"));
    let Module::Program(program) = module else { panic!("the pipeline ends in a program") };
    program
}

fn proved(program: &Program) -> Result<Proof, CheckError> {
    let Ok(Module::Graph(graph)) = crate::ir::text::parse(&program.graph) else { panic!("there is a graph") };
    check(program, &graph, None)
}

/// The error of the program after `change`, in words.
#[track_caller]
fn error(change: impl Fn(&mut Program)) -> String {
    let mut program = compiled(&graph());
    proved(&program).expect("it is right before");
    change(&mut program);
    match proved(&program) {
        Err(error) => error.to_string(),
        Ok(proof) => panic!("it is wrong: {proof:?}"),
    }
}

fn holds(error: &str, part: &str) {
    assert!(error.contains(part), "`{error}` does not say `{part}`");
}

/// The nth instruction of a kind.
fn nth(program: &mut Program, n: usize, is: impl Fn(&Instr) -> bool) -> &mut Instr {
    let all = program.sections.iter_mut().flat_map(|s| &mut s.body).map(|s| &mut s.instr);
    all.filter(|i| is(i)).nth(n).expect("there are enough")
}

fn conv(program: &mut Program, n: usize) -> &mut zellige_runtime::program::instr::Conv2d {
    match nth(program, n, |i| matches!(i, Instr::Conv2d(_))) {
        Instr::Conv2d(conv) => conv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_pipeline_makes_is_proved() {
    let proof = proved(&compiled(&graph())).expect("it is right");
    assert_eq!(proof.outputs, 1);
    assert!(proof.sections >= 2 && proof.coordinates > 500, "{proof:?}");
}

#[test]
fn operations_are_the_graphs() {
    holds(&error(|p| conv(p, 0).window.pad = [0, 1]), "which is nothing that the graph asks for; nearest is");
    holds(&error(|p| conv(p, 0).groups = 2), "laid out as Conv { groups: 1 }");
    holds(&error(|p| conv(p, 0).bias = None), "nothing that the graph asks for");
    holds(&error(|p| conv(p, 0).epilogue = None), "");
    holds(&error(|p| conv(p, 0).window.kernel = [0, 0]), "knows no instruction with these attributes");
    let other = |p: &mut Program| {
        let weight = conv(p, 1).weight;
        conv(p, 0).weight = weight;
    };
    holds(&error(other), "with `@b.weight`");
}

#[test]
fn operands_are_the_graphs() {
    let swapped = |p: &mut Program| {
        let epilogue = conv(p, 1).epilogue.as_mut().expect("the difference is fused");
        let Operand::Buffer(_) = epilogue.operands[0] else { panic!("{epilogue:?}") };
        epilogue.operands.clear();
    };
    holds(&error(swapped), "operands do not go together");
    holds(&error(|p| conv(p, 0).src = BufferId(99)), "there is no %b99");
    holds(&error(|p| conv(p, 0).weight = WeightId(99)), "there is no @w99");
    let alias = |p: &mut Program| {
        let src = conv(p, 0).src;
        let dst = conv(p, 0).dst;
        let offset = p.sections[0].buffers[src.index()].offset;
        p.sections[0].buffers[dst.index()].offset = offset;
    };
    holds(&error(alias), "whose bytes it reads");
}

#[test]
fn coordinates_are_there_when_they_are_read() {
    let moved = |p: &mut Program| {
        let src = conv(p, 0).src.index();
        let table = &mut p.sections[0].y.buffers[src].computed;
        let all: Vec<Interval> = table.iter().map(|i| i.shift(1)).collect();
        *table = Steps::compress(&all);
    };
    holds(&error(moved), " of its result it reads 6 of %b0, which then holds 7..19");
    let shown = |value| {
        move |p: &mut Program| {
            let src = conv(p, 0).src.index();
            p.sections[0].buffers[src].outside = value;
        }
    };
    holds(&error(shown(None)), "outside the extent 24, where anything may be, not 0.0");
    holds(&error(shown(Some(-0.0))), "where -0.0 is, not 0.0");
    let small = |p: &mut Program| p.sections[0].buffers[0].rows -= 1;
    holds(&error(small), "which has room for");
    holds(&error(|p| p.sections[0].y.steps += 1), "do not have one entry a buffer and one interval a step");
}

#[test]
fn what_leaves_a_section_leaves_once() {
    let stored = |p: &Program| {
        let mut buffers = p.sections[0].body.iter().filter_map(|s| match &s.instr {
            Instr::Store(store) => Some(store.src.index()),
            _ => None,
        });
        buffers.next_back().expect("something is stored")
    };
    let owned = |change: fn(&mut Vec<Interval>)| {
        move |p: &mut Program| {
            let buffer = stored(p);
            let table = &mut p.sections[0].x.buffers[buffer].owned;
            let mut all: Vec<Interval> = table.iter().collect();
            change(&mut all);
            *table = Steps::compress(&all);
        }
    };
    holds(&error(owned(|all| all[0].end -= 1)), "no step owns coordinate");
    // What is owned twice was computed twice.
    let twice = |p: &mut Program| {
        let buffer = stored(p);
        let axis = &mut p.sections[0].x;
        let table = &mut axis.buffers[buffer].owned;
        let mut all: Vec<Interval> = table.iter().collect();
        all[1] = all[0];
        *table = Steps::compress(&all);
        for buffer in &mut axis.buffers {
            let mut all: Vec<Interval> = buffer.computed.iter().collect();
            all[1] = all[0];
            buffer.computed = Steps::compress(&all);
        }
    };
    holds(&error(twice), "owned by another step too");
    // Everything in both of two steps, of which one owns the columns before `cut`.
    let cut = |cut: i64| {
        move |p: &mut Program| {
            let sums = |s: &&mut Section| s.body.iter().any(|s| matches!(s.instr, Instr::Accumulate(_)));
            let section = p.sections.iter_mut().find(sums).expect("something is summed");
            section.x.steps = 2;
            for (b, table) in section.x.buffers.iter_mut().enumerate() {
                let whole = table.computed.iter().fold(Interval::default(), Interval::hull);
                table.computed = Steps::compress(&[whole, whole]);
                if !table.owned.is_empty() {
                    table.owned = Steps::compress(&[Interval::new(0, cut), Interval::new(cut, 24)]);
                }
                section.buffers[b].cols = whole.len() as u64;
                section.buffers[b].offset = (b as u64) << 20;
            }
        }
    };
    let mut whole_grains = compiled(&graph());
    cut(8)(&mut whole_grains);
    proved(&whole_grains).expect("grains are whole");
    holds(&error(cut(12)), "cuts a grain of 8");
    let unsaved = |p: &mut Program| {
        for section in &mut p.sections {
            section.body.retain(|s| !matches!(s.instr, Instr::Store(_)));
        }
    };
    holds(&error(unsaved), "holds nothing at this section's start");
    let unfilled = |p: &mut Program| {
        for section in &mut p.sections {
            section.body.retain(|s| !matches!(s.instr, Instr::Accumulate(_)));
        }
    };
    holds(&error(unfilled), "is not filled");
    holds(&error(|p| p.sections.truncate(1)), "nothing is stored there");
}

#[test]
fn memory_holds_what_was_written_last() {
    let unordered = |p: &mut Program| p.sections[0].body.reverse();
    holds(&error(unordered), "were not written in this tile");
    let weights = |p: &mut Program| {
        let first =
            p.weights.iter().position(|w| matches!(w.source, Source::Offset(_))).expect("a parameter");
        p.weights[first].source = Source::Offset(4);
    };
    holds(&error(weights), "share bytes with those of");
    let packed = |p: &mut Program| p.weights[1].offset = p.weights[0].offset;
    holds(&error(packed), "share bytes of device memory");
    let named = |p: &mut Program| p.weights[0].name = "else".into();
    holds(&error(named), "the graph has no parameter `else`");
    let unnamed = |p: &mut Program| p.tensors[0].name = "else".into();
    holds(&error(unnamed), "no input of this name");
    let tensor = |to: u32| {
        move |p: &mut Program| match nth(p, 0, |i| matches!(i, Instr::Store(_))) {
            Instr::Store(store) => store.dst = TensorId(to),
            other => panic!("{other:?}"),
        }
    };
    holds(&error(tensor(0)), "holds nothing at this section's start");
    holds(&error(tensor(99)), "it stores @t99, and there is no such tensor");
}

#[test]
fn the_weights_file_says_where_parameters_are() {
    let program = compiled(&graph());
    let Ok(Module::Graph(graph)) = crate::ir::text::parse(&program.graph) else { panic!("there is a graph") };
    let place = |name: &str| {
        let weight = program.weights.iter().find(|w| w.name == name)?;
        if let Source::Offset(offset) = weight.source { Some(offset) } else { None }
    };
    assert!(check(&program, &graph, Some(&place)).is_ok());
    let elsewhere = |name: &str| place(name).map(|offset| offset + 4);
    let error = check(&program, &graph, Some(&elsewhere)).expect_err("they are elsewhere");
    assert!(matches!(error, CheckError::Weight { error: WeightError::Misplaced(_), .. }), "{error}");
}

#[test]
fn access_relations_are_compared_with_what_ops_mean() {
    use crate::base::AxisMap;
    use meaning::{Convolution, Meaning, Pool, PoolKind, Window};
    let window = Window { kernel: [3, 5], stride: [2, 1], dilation: [1, 2], pad: [1, 0] };
    let map = |axis: AxisId| {
        let i = axis.index();
        AxisMap::Window {
            kernel: window.kernel[i],
            stride: window.stride[i],
            dilation: window.dilation[i],
            pad: window.pad[i],
        }
    };
    let pool = Meaning::Pool(Pool { kind: PoolKind::Max, window });
    let transposed = Meaning::Convolution(Convolution { transposed: true, window, groups: 1 });
    for axis in AxisId::BOTH {
        for o in -3..9 {
            let (mut meant, mut stated) = (Vec::new(), Vec::new());
            pool.sources(0, axis.index(), o, 7, &mut meant);
            relation::sources(map(axis), o, 7, &mut stated);
            assert_eq!(meant, stated);
            // What is read backwards is what reads.
            let mut readers = Vec::new();
            transposed.sources(0, axis.index(), o, 7, &mut readers);
            for reader in -12..24 {
                let mut read = Vec::new();
                pool.sources(0, axis.index(), reader, 7, &mut read);
                assert_eq!(read.contains(&o), readers.contains(&reader), "{axis} {o} {reader}");
            }
        }
    }
}
