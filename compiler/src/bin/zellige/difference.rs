//! The first value in which two runs differ.

use zellige_runtime::io::Array;
use zellige_runtime::program::{Axis, Instr, Program, Role, Section};

/// The outputs of a run, by their names.
pub(crate) type Arrays = Vec<(String, Array)>;

/// The first value that differs.
pub(crate) struct Difference {
    pub(crate) output: String,
    /// Image, channel, row, column.
    pub(crate) at: [u64; 4],
    pub(crate) tiled: f32,
    pub(crate) untiled: f32,
}

/// Where summands cancel, as those of a bias before a batch norm, rounding is all that is left of them. An output may change by as much as
/// if its largest value were this share of the largest of all that change.
const CANCELLED: f32 = 1e-2;

/// The first difference; with a tolerance, the first beyond so much of an output's largest value.
pub(crate) fn difference(tiled: &Arrays, untiled: &Arrays, tolerance: Option<f32>) -> Option<Difference> {
    let exact = |_, _| false;
    let pairs = tiled.iter().zip(untiled).map(|((name, a), (_, b))| (name, a, b));
    let changed: Vec<_> =
        pairs.filter(|(name, a, b)| Difference::of_output(name, a, b, exact).is_some()).collect();
    let most = changed.iter().map(|(.., b)| largest(b)).fold(0f32, f32::max);
    changed.into_iter().find_map(|(name, a, b)| {
        let allowed = tolerance.map(|t| t * largest(b).max(CANCELLED * most));
        let is_near = |x: f32, y: f32| allowed.is_some_and(|allowed| (x - y).abs() <= allowed);
        Difference::of_output(name, a, b, is_near)
    })
}

fn largest(array: &Array) -> f32 {
    array.data.iter().fold(0f32, |most, value| most.max(value.abs()))
}

impl Difference {
    /// The first of an output: values that have not the same bits, nor are near enough.
    pub(crate) fn of_output(
        name: &str,
        tiled: &Array,
        untiled: &Array,
        is_near: impl Fn(f32, f32) -> bool,
    ) -> Option<Self> {
        let differ = |(x, y): (&f32, &f32)| x.to_bits() != y.to_bits() && !is_near(*x, *y);
        let i = tiled.data.iter().zip(&untiled.data).position(differ)?;
        let (d, n) = (tiled.dims, i as u64);
        let at = [n / (d.c * d.h * d.w), n / (d.h * d.w) % d.c, n / d.w % d.h, n % d.w];
        Some(Self { output: name.to_owned(), at, tiled: tiled.data[i], untiled: untiled.data[i] })
    }

    /// With the section and the tile that wrote the value.
    pub(crate) fn describe(&self, program: &Program) -> String {
        let [n, c, y, x] = self.at;
        let home = program.sections.iter().find_map(|s| self.tile(program, s)).unwrap_or_default();
        format!(
            "different: output `{}` at [{n}, {c}, {y}, {x}]: tiled {:?} ({:08x}), untiled {:?} ({:08x}){home}",
            self.output,
            self.tiled,
            self.tiled.to_bits(),
            self.untiled,
            self.untiled.to_bits()
        )
    }

    /// The tile of a section that stores the value, in words.
    fn tile(&self, program: &Program, section: &Section) -> Option<String> {
        let buffer = section.body.iter().find_map(|i| match &i.instr {
            Instr::Store(store) => {
                let tensor = &program.tensors[store.dst.index()];
                let home = tensor.role == Role::Output && tensor.name == self.output;
                home.then_some(store.src.index())
            }
            _ => None,
        })?;
        let step = |axis: &Axis, at: u64| {
            axis.buffers[buffer].owned.iter().position(|o| o.start <= at as i64 && (at as i64) < o.end)
        };
        let (row, column) = (step(&section.y, self.at[2])?, step(&section.x, self.at[3])?);
        Some(format!(", tile ({row}, {column}) of section {}", section.name))
    }
}
