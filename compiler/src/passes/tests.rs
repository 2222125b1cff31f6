use expect_test::expect;
use zellige_runtime::program::verify::{Limits, verify as verify_program};
use zellige_runtime::program::{Data, Program, Source};

use super::{Module, Options, PIPELINE, find};
use crate::fixtures::{bound, options};
use crate::ir::{Graph, Sections, text, verify};

/// What [`PIPELINE`] makes of a graph, verified and printed and parsed after each pass.
fn run(graph: &Graph, options: &Options) -> Module {
    passes(PIPELINE.iter().map(|p| p.name), Module::Graph(graph.clone()), options)
}

fn passes<'a>(names: impl IntoIterator<Item = &'a str>, mut module: Module, options: &Options) -> Module {
    for name in names {
        let pass = find(name).expect("a pass");
        module = (pass.run)(module, options).unwrap_or_else(|e| panic!("{name}: {e:#?}"));
        verify::verify(&module).unwrap_or_else(|e| panic!("{name}: {e:#?}\n{}", text::print(&module)));
        round_trip(&module);
    }
    module
}

fn round_trip(module: &Module) {
    let printed = text::print(module);
    let parsed = text::parse(&printed).unwrap_or_else(|e| panic!("{e:#?}\n{printed}"));
    assert_eq!(text::print(&parsed), printed);
    assert!(parsed == *module, "{printed}");
}

fn sections(module: Module) -> Sections {
    match module {
        Module::Sections(ir) => ir,
        other => panic!("the {} level", other.level()),
    }
}

fn program(module: Module) -> Program {
    match module {
        Module::Program(program) => program,
        other => panic!("the {} level", other.level()),
    }
}

/// The program with values for its weights.
fn with_data(mut program: Program) -> Program {
    let ends = program.weights.iter().map(|w| match w.source {
        Source::Offset(offset) => offset + 4 * w.elements().expect("small"),
        Source::Inline(_) => 0,
    });
    program.data = Data::new(vec![0; ends.max().unwrap_or(0) as usize]);
    program
}

fn check_program(graph: &Graph, options: &Options) {
    let program = with_data(program(run(graph, options)));
    let limits = Limits { sram_bytes: u64::MAX, device_bytes: options.target.memory, work: None };
    if let Err(error) = verify_program(&program, &limits) {
        let listing = text::print(&Module::Program(program));
        panic!("{} with {:?}: {error}\n{listing}", graph.name, options.tile);
    }
    assert!(options.untiled || program.sram_bytes <= options.target.sram);
}

#[test]
fn the_planner_makes_programs_that_are_safe_to_run() {
    for graph in bound() {
        for sram in [48 << 10, 64 << 10, 1 << 20] {
            check_program(&graph, &options(sram, None));
        }
    }
}

#[test]
fn any_tile_makes_programs_that_are_safe_to_run() {
    for graph in bound() {
        for tile in [[1, 1], [3, 5], [8, 16], [16, 16], [1 << 20, 7]] {
            check_program(&graph, &options(1 << 30, Some(tile)));
        }
    }
}

#[test]
fn untiled_programs_are_safe_to_run() {
    for graph in bound() {
        check_program(&graph, &Options { untiled: true, ..options(1 << 10, None) });
    }
}

#[test]
fn cuts_anywhere_make_programs_that_are_safe_to_run() {
    for graph in bound() {
        for (_, node) in graph.ops.iter() {
            let cut_after = vec![graph.values[node.output].name.clone()];
            let options = Options { cut_after, ..options(1 << 20, Some([8, 8])) };
            let run = |module, name| (find(name).expect("a pass").run)(module, &options);
            // Passes may drop the op, and say so.
            let before = PIPELINE.iter().map(|pass| pass.name).take_while(|name| *name != "tile");
            let mut passes = before;
            if passes.try_fold(Module::Graph(graph.clone()), run).is_ok() {
                check_program(&graph, &options);
            }
        }
    }
}

/// The example of the documentation: the padded input is 36² with 20² tiles that overlap by 4, the intermediate 34² with 18²
/// tiles, one border line of it zeroed.
#[test]
fn two_convolutions_on_tiles_of_16() {
    let text = r#"
        sections (
            machine: (name: "tiny", sram: "64KiB", memory: "1GiB", bandwidth: 8e9, units: 1, lanes: 16, clock: 1e9),
            sram: 65536, memory: 1073741824, threads: 1,
        ) {
            graph two_convs {
                param @a.weight : f32[4, 4, 3, 3];
                param @b.weight : f32[4, 4, 3, 3];
                input %image : f32[1, 4, 32, 32];
                %a = conv2d %image @a.weight (
                    out: 4, kernel: [3, 3], stride: [1, 1], pad: [1, 1, 1, 1], dilation: [1, 1], groups: 1, bias: false,
                ) : f32[1, 4, 32, 32];
                %b = conv2d %a @b.weight (
                    out: 4, kernel: [3, 3], stride: [1, 1], pad: [1, 1, 1, 1], dilation: [1, 1], groups: 1, bias: false,
                ) : f32[1, 4, 32, 32];
                output y %b : f32[1, 4, 32, 32];
            }
            section s0 [%a, %b] (tile: [16, 16]) {}
        }
    "#;
    let module = text::parse(text).expect("sections");
    let options = options(64 << 10, None);
    let ir = sections(passes(["tile", "pad", "overlap", "allocate"], module, &options));
    let [image, a, b] = ["image", "a", "b"].map(|name| {
        let (value, _) = ir.graph.values.iter().find(|(_, v)| v.name == name).expect("a value");
        &ir.sections[0].tensors[&value]
    });
    assert_eq!((image.padded, image.tile, image.overlap), (Some([36, 36]), [20, 20], Some([4, 4])));
    assert_eq!((a.padded, a.tile, a.overlap), (Some([34, 34]), [18, 18], Some([2, 2])));
    assert_eq!(a.zero_out.as_ref().map(|z| z.border), Some([1; 4]));
    assert_eq!((b.padded, b.tile, b.overlap), (Some([32, 32]), [16, 16], Some([0, 0])));
    expect![[r#"
        sections (
          machine: (
            name: tiny,
            sram: "64KiB",
            memory: "1GiB",
            bandwidth: 8000000000.0,
            units: 1,
            lanes: 16,
            clock: 1000000000.0,
          ),
          sram: 65536,
          memory: 1073741824,
          threads: 1,
        ) {
          graph two_convs {
            param @a.weight : f32[4, 4, 3, 3];
            param @b.weight : f32[4, 4, 3, 3];
            input %image : f32[1, 4, 32, 32];
            %a = conv2d %image @a.weight (
              out: 4,
              kernel: [3, 3],
              stride: [1, 1],
              pad: [1, 1, 1, 1],
              dilation: [1, 1],
              groups: 1,
              bias: false,
            ) : f32[1, 4, 32, 32];
            %b = conv2d %a @b.weight (
              out: 4,
              kernel: [3, 3],
              stride: [1, 1],
              pad: [1, 1, 1, 1],
              dilation: [1, 1],
              groups: 1,
              bias: false,
            ) : f32[1, 4, 32, 32];
            output y %b : f32[1, 4, 32, 32];
          }
          section s0 [%a, %b] (tile: [16, 16], overlap: recompute, grid: [2, 2], sram_bytes: 24896) {
            tensor %image (
              role: input,
              anchor: false,
              reduced: false,
              extent: [32, 32],
              tile: [20, 20],
              origin: [-2, -2],
              readers: [(op: conv2d, kernel: [3, 3], stride: [1, 1])],
              steps: [
                (computed: (period: [-2..18], advance: 16, repeats: 2), owned: []),
                (computed: (period: [-2..18], advance: 16, repeats: 2), owned: []),
              ],
              overlap: [4, 4],
              padding: [2, 2, 2, 2],
              padded: [36, 36],
              zero_out: (value: 0.0, border: [1, 1, 1, 1]),
              storage: on_chip,
              buffer: (lanes: 4, offset: 0, bytes: 6400),
            );
            tensor %a (
              role: intermediate,
              anchor: false,
              reduced: false,
              extent: [32, 32],
              tile: [18, 18],
              origin: [-1, -1],
              readers: [(op: conv2d, kernel: [3, 3], stride: [1, 1])],
              steps: [
                (computed: (period: [-1..17], advance: 16, repeats: 2), owned: []),
                (computed: (period: [-1..17], advance: 16, repeats: 2), owned: []),
              ],
              overlap: [2, 2],
              padding: [1, 1, 1, 1],
              padded: [34, 34],
              zero_out: (value: 0.0, border: [1, 1, 1, 1]),
              storage: on_chip,
              buffer: (lanes: 4, offset: 6400, bytes: 5184),
            );
            tensor %b (
              role: output,
              anchor: true,
              reduced: false,
              extent: [32, 32],
              tile: [16, 16],
              origin: [0, 0],
              readers: [],
              steps: [
                (
                  computed: (period: [0..16], advance: 16, repeats: 2),
                  owned: (period: [0..16], advance: 16, repeats: 2),
                ),
                (
                  computed: (period: [0..16], advance: 16, repeats: 2),
                  owned: (period: [0..16], advance: 16, repeats: 2),
                ),
              ],
              overlap: [0, 0],
              padding: [0, 0, 0, 0],
              padded: [32, 32],
              storage: on_chip,
              buffer: (lanes: 4, offset: 0, bytes: 4096),
            );
          }
          device (weight_bytes: 4608, accumulator_bytes: 0, arena_bytes: 4608, border_bytes: 32768) {}
        }
    "#]]
    .assert_eq(&text::print(&Module::Sections(ir.clone())));
    expect![[r#"
        program two_convs (numerics: strict, sram_bytes: 24896, device_bytes: 4608) {
          machine (
            name: tiny,
            sram: "64KiB",
            memory: "1GiB",
            bandwidth: 8000000000.0,
            units: 1,
            lanes: 16,
            clock: 1000000000.0,
          );
          graph two_convs {
            param @a.weight : f32[4, 4, 3, 3];
            param @b.weight : f32[4, 4, 3, 3];
            input %image : f32[1, 4, 32, 32];
            %a = conv2d %image @a.weight (
              out: 4,
              kernel: [3, 3],
              stride: [1, 1],
              pad: [1, 1, 1, 1],
              dilation: [1, 1],
              groups: 1,
              bias: false,
            ) : f32[1, 4, 32, 32];
            %b = conv2d %a @b.weight (
              out: 4,
              kernel: [3, 3],
              stride: [1, 1],
              pad: [1, 1, 1, 1],
              dilation: [1, 1],
              groups: 1,
              bias: false,
            ) : f32[1, 4, 32, 32];
            output y %b : f32[1, 4, 32, 32];
          }
          tensor @t0 image (role: input, dims: [1, 4, 32, 32], lanes: 1);
          tensor @t1 y (role: output, dims: [1, 4, 32, 32], lanes: 1);
          weight @w0 a.weight (
            dims: [4, 4, 3, 3],
            packing: (conv: (groups: 1)),
            offset: 0,
            source: (offset: 0),
          );
          weight @w1 b.weight (
            dims: [4, 4, 3, 3],
            packing: (conv: (groups: 1)),
            offset: 2304,
            source: (offset: 576),
          );
          section s0 (images: 1) {
            buffer %b0 image (
              channels: 4,
              lanes: 4,
              rows: 20,
              cols: 20,
              extent: [32, 32],
              outside: 0.0,
              offset: 0,
            );
            buffer %b1 a (
              channels: 4,
              lanes: 4,
              rows: 18,
              cols: 18,
              extent: [32, 32],
              outside: 0.0,
              offset: 6400,
            );
            buffer %b2 b (channels: 4, lanes: 4, rows: 16, cols: 16, extent: [32, 32], offset: 0);
            y (steps: 2) {
              buffer %b0 (computed: (period: [-2..18], advance: 16, repeats: 2), owned: []);
              buffer %b1 (computed: (period: [-1..17], advance: 16, repeats: 2), owned: []);
              buffer %b2 (
                computed: (period: [0..16], advance: 16, repeats: 2),
                owned: (period: [0..16], advance: 16, repeats: 2),
              );
            }
            x (steps: 2) {
              buffer %b0 (computed: (period: [-2..18], advance: 16, repeats: 2), owned: []);
              buffer %b1 (computed: (period: [-1..17], advance: 16, repeats: 2), owned: []);
              buffer %b2 (
                computed: (period: [0..16], advance: 16, repeats: 2),
                owned: (period: [0..16], advance: 16, repeats: 2),
              );
            }
            %t0 = load (dst: %b0, src: @t0, wait_previous: [%t1, %t2]);
            conv2d (
              dst: %b1,
              src: %b0,
              weight: @w0,
              window: (kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1]),
              groups: 1,
              wait: [%t0],
              wait_previous: [%t0],
            );
            %t1 = conv2d (
              dst: %b2,
              src: %b1,
              weight: @w1,
              window: (kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1]),
              groups: 1,
              wait: [%t0],
              wait_previous: [%t0, %t2],
            );
            %t2 = store (dst: @t1, src: %b2, wait: [%t0, %t1], wait_previous: [%t0, %t1]);
          }
        }
    "#]]
    .assert_eq(&text::print(&passes(["lower"], Module::Sections(ir), &options)));
}
