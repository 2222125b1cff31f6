//! `zellige verify --windows N`: windows of the outputs of a run that is too large to be repeated untiled.

use std::path::PathBuf;

use zellige_compiler::driver::{
    CompileOptions, Cropped, Failure, Model, Observed, Statistic, engine_failure, io_failure,
};
use zellige_compiler::ir::{Graph, Output};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{EngineKind, Executable, Options};
use zellige_runtime::io::{Array, NpySource, Window, WindowSource};
use zellige_runtime::machine::format_size;
use zellige_runtime::program::{Dims, Interval, Program, Region, Tensor};

use crate::borders::{self, InputFile, Sink, Source};
use crate::difference::Difference;
use crate::execute;
use crate::options::{Binding, Compiling, Running, given};
use crate::output::{self, Outcome, count};

/// Rows and columns of a window, where the output has as many.
const SIDE: u64 = 256;

/// What is asked for.
pub(crate) struct Request<'a> {
    pub(crate) model: &'a Model,
    pub(crate) inputs: Vec<InputFile>,
    /// Files in which outputs are kept: of all, or of none.
    pub(crate) outputs: Vec<(String, PathBuf)>,
    pub(crate) binding: &'a Binding,
    pub(crate) compiling: &'a Compiling,
    pub(crate) running: &'a Running,
    /// Windows of each output.
    pub(crate) count: u32,
}

/// The tiled run, done.
struct Tiled {
    program: Program,
    inputs: Vec<(String, Source)>,
    outputs: Vec<(String, Source)>,
}

/// What windows are computed with.
struct Reference<'a> {
    request: &'a Request<'a>,
    /// The network as it is, whose parameters all windows use.
    bound: &'a Graph,
    observed: &'a Observed,
    tiled: &'a Tiled,
    options: &'a CompileOptions,
}

impl Request<'_> {
    pub(crate) fn verify(&self, reference: &CompileOptions) -> Result<Outcome, Failure> {
        let options = self.compiling.options()?;
        let bound = self.model.bind(&given(&self.inputs)?, &self.binding.bindings()?)?;
        let asked = bound.outputs.len();
        let observed = Observed::of(self.model.simplify(&bound, &options)?);
        let (program, _) = self.model.compile_part(&observed.graph, &bound, &options)?;
        let Some(tiled) = self.run(program, &observed.statistics)? else { return Ok(Outcome::Interrupted) };

        let reference = Reference {
            request: self,
            bound: &bound,
            observed: &observed,
            tiled: &tiled,
            options: reference,
        };
        let (mut windows, mut values) = (0, 0);
        for output in &observed.graph.outputs[..asked] {
            let source = named(&tiled.outputs, &output.name)?;
            for region in choose(source.dims(), self.count) {
                let Some(cropped) = Cropped::new(&observed.graph, output, region) else { break };
                let Some(expected) = reference.run(output, &cropped)? else {
                    return Ok(Outcome::Interrupted);
                };
                let found = read(source, region)?;
                let inside = read(&expected, moved(region, cropped.output))?;
                if let Some(first) = difference(&output.name, region, &found, &inside) {
                    output::say(&format!("{}\n", first.describe(&tiled.program)))?;
                    return Ok(Outcome::Different);
                }
                windows += 1;
                values += found.data.len() as u64;
            }
        }
        let tiles: u64 = tiled.program.sections.iter().map(|s| s.images * s.y.steps * s.x.steps).sum();
        output::say(&format!(
            "identical: {} of {SIDE}x{SIDE}, {} in {} ({} in {})\n",
            count(windows, "window"),
            count(values, "value"),
            count(asked as u64, "output"),
            count(tiles, "tile"),
            count(tiled.program.sections.len() as u64, "section"),
        ))?;
        Ok(Outcome::Done)
    }

    /// Runs tiled; `None` if the user stopped it.
    fn run(&self, program: Program, statistics: &[Statistic]) -> Result<Option<Tiled>, Failure> {
        let spill = self.compiling.spill.as_deref();
        let options = self.running.options(self.compiling.threads, &program.machine);
        let options = Options { spill: self.compiling.spill.clone(), ..options };
        let open = |file: &InputFile| Ok((file.name.clone(), file.open(&program, spill)?));
        let inputs = self.inputs.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        let path = |name: &str| self.outputs.iter().find(|(n, _)| n == name).map(|(_, path)| path);
        let sink = |tensor: &Tensor| {
            let sink = match path(&tensor.name) {
                Some(path) => Sink::npy(tensor, path),
                None if program.streamed && statistics.iter().all(|s| s.output != tensor.name) => {
                    Sink::scratch(tensor, spill)
                }
                None => Sink::in_memory(tensor),
            };
            sink.map(|sink| (tensor.name.clone(), sink))
        };
        let mut sinks = borders::outputs(&program).map(sink).collect::<Result<Vec<_>, Failure>>()?;
        let mut executable = Executable::load(program.clone(), &options).map_err(|e| engine_failure(&e))?;
        if execute::run(&mut executable, &inputs, &mut sinks)?.is_none() {
            return Ok(None);
        }
        let source = |(name, sink): (String, Sink)| {
            let source = match (sink, path(&name)) {
                (Sink::Array(array), _) => Source::Array(array),
                (Sink::Scratch(scratch), _) => Source::Windows(Box::new(scratch)),
                (Sink::Windows(sink), path) => {
                    sink.finish().map_err(|e| io_failure(&e, true))?;
                    let kept = NpySource::open(path.map_or("".as_ref(), PathBuf::as_path));
                    Source::Windows(Box::new(kept.map_err(|e| io_failure(&e, false))?))
                }
            };
            Ok((name, source))
        };
        let outputs = sinks.into_iter().map(source).collect::<Result<_, Failure>>()?;
        Ok(Some(Tiled { program, inputs, outputs }))
    }
}

impl Reference<'_> {
    /// The output of a part of the network; `None` if the user stopped it.
    fn run(&self, output: &Output, cropped: &Cropped) -> Result<Option<Array>, Failure> {
        let (program, _) = self.request.model.compile_part(&cropped.graph, self.bound, self.options)?;
        let bytes = program.sram_bytes.saturating_add(program.device_bytes);
        if bytes > self.options.machine.memory {
            return Err(too_large(output, bytes));
        }
        let read = |(name, region): &(String, Region)| {
            Ok((name.clone(), Source::Array(read(self.source(name)?, *region)?)))
        };
        let inputs = cropped.inputs.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
        let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
        let mut executable = Executable::load(program, &jit).map_err(|e| engine_failure(&e))?;
        let mut sinks = execute::output_arrays(executable.program())?;
        if execute::run(&mut executable, &inputs, &mut sinks)?.is_none() {
            return Ok(None);
        }
        let array = |(_, sink)| if let Sink::Array(array) = sink { Some(array) } else { None };
        Ok(sinks.into_iter().find_map(array))
    }

    /// What an input of a part is read from: the same input of the whole, or a statistic that the run gave out.
    fn source(&self, name: &str) -> Result<&dyn WindowSource, Failure> {
        match self.observed.statistics.iter().find(|s| s.value == name) {
            Some(statistic) => named(&self.tiled.outputs, &statistic.output),
            None => named(&self.tiled.inputs, name),
        }
    }
}

fn too_large(output: &Output, bytes: u64) -> Failure {
    let message = format!(
        "a window of output `{}` depends on so much that computing it untiled takes {}",
        output.name,
        format_size(bytes)
    );
    Diagnostic::error(Code::E0906, message)
        .hint("some op reads all rows or columns, or changes their number by a ratio that repeats too rarely")
        .into()
}

fn named<'s>(sources: &'s [(String, Source)], name: &str) -> Result<&'s dyn WindowSource, Failure> {
    let found = sources.iter().find(|(n, _)| n == name).map(|(_, source)| source.windows());
    found.ok_or_else(|| Diagnostic::error(Code::E0908, format!("there is no tensor `{name}`")).into())
}

/// The pixels `region` of all images and channels.
fn read(source: &dyn WindowSource, region: Region) -> Result<Array, Failure> {
    let dims = Dims { h: region.y.len() as u64, w: region.x.len() as u64, ..source.dims() };
    let mut array = Array::zeros(dims, u64::MAX).map_err(|e| io_failure(&e, false))?;
    let image = array.data.len() / (dims.n.max(1) as usize);
    for (n, values) in array.data.chunks_mut(image.max(1)).enumerate() {
        let window = Window { image: n as u64, channels: 0..dims.c, region };
        source.read(&window, values).map_err(|e| io_failure(&e, false))?;
    }
    Ok(array)
}

/// A region counted from where another begins.
fn moved(region: Region, from: Region) -> Region {
    Region { y: region.y.shift(-from.y.start), x: region.x.shift(-from.x.start) }
}

/// `found` is the part `region` of an output.
fn difference(output: &str, region: Region, found: &Array, expected: &Array) -> Option<Difference> {
    let mut first = Difference::of_output(output, found, expected, |_, _| false)?;
    first.at[2] += region.y.start as u64;
    first.at[3] += region.x.start as u64;
    Some(first)
}

/// Windows of an output: its corners, where offsets pass 2^32 values, the middles of its edges, and random ones, the same in
/// every run.
fn choose(dims: Dims, count: u32) -> Vec<Region> {
    let (h, w) = (SIDE.min(dims.h), SIDE.min(dims.w));
    let [y, x] = [dims.h - h, dims.w - w];
    let mut starts = vec![[0, 0], [0, x], [y, 0], [y, x]];
    let plane = dims.h.saturating_mul(dims.w);
    if dims.n.saturating_mul(dims.c).saturating_mul(plane) > 1 << 32 {
        let at = (1 << 32) % plane;
        starts.push([(at / dims.w).saturating_sub(h / 2).min(y), (at % dims.w).saturating_sub(w / 2).min(x)]);
    }
    starts.extend([[0, x / 2], [y / 2, 0], [y / 2, x], [y, x / 2]]);
    let mut seen = Vec::new();
    starts.retain(|start| {
        let new = !seen.contains(start);
        seen.push(*start);
        new
    });
    let mut rng = fastrand::Rng::with_seed(0);
    starts.resize_with(count as usize, || [rng.u64(..=y), rng.u64(..=x)]);
    let interval = |start: u64, len: u64| Interval::new(start as i64, (start + len) as i64);
    starts.into_iter().map(|[y, x]| Region { y: interval(y, h), x: interval(x, w) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_in_the_output_and_at_its_corners() {
        let dims = Dims { n: 1, c: 1, h: 100_000, w: 90_000 };
        let windows = choose(dims, 50);
        assert_eq!(windows.len(), 50);
        let all = Region { y: Interval::new(0, 100_000), x: Interval::new(0, 90_000) };
        for window in &windows {
            assert_eq!((window.y.len(), window.x.len()), (256, 256));
            assert_eq!(window.intersect(all), *window);
        }
        assert_eq!(windows[3].y.end, 100_000);
        assert_eq!(windows[3].x.end, 90_000);
        let (y, x) = ((1i64 << 32) / 90_000, (1i64 << 32) % 90_000);
        assert!(
            windows[4].y.contains(Interval::new(y, y + 1)) && windows[4].x.contains(Interval::new(x, x + 1))
        );
    }

    #[test]
    fn a_small_output_is_a_window() {
        let windows = choose(Dims { n: 1, c: 2, h: 9, w: 300 }, 3);
        assert!(windows.iter().all(|w| w.y == Interval::new(0, 9)));
        assert_eq!(windows[1].x, Interval::new(44, 300));
    }
}
