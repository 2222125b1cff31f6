//! `zellige plan`: what would happen.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use zellige_compiler::analysis::materialized::{Needed, Ways};
use zellige_compiler::analysis::planner::{Alternatives, Cut, Having};
use zellige_compiler::base::units::{bytes, operations};
use zellige_compiler::driver::{Failure, Opened, Report, SectionReport, TensorReport};
use zellige_compiler::ir::{Materialize, Overlap, Target};
use zellige_grammar::{Code, Diagnostic};

use crate::options::{Binding, Compiling, Step};
use crate::output::{self, MessageFormat, Outcome, count};

/// Show what would happen: sections, tiles, halos, receptive field, bytes
#[derive(Args)]
pub(crate) struct Plan {
    /// Model (.zlg or .zir)
    model: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

/// SRAM and device memory below which there is no plan.
type Smallest = Option<[u64; 2]>;

impl Plan {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let Opened::Model(model) = messages.open_step(&self.model, self.step.train)? else {
            return Err(Diagnostic::error(Code::E0005, "`plan` takes a model or a graph").into());
        };
        let options = self.compiling.options()?;
        let graph = model.bind(&Vec::new(), &self.binding.bindings()?)?;
        let (sections, report) = model.plan(&graph, &options)?;
        let options = options.for_passes();
        let smallest = options.smallest_budgets(&sections.graph);
        let alternatives = options.alternatives(&sections);
        let text = match self.json {
            true => json(&report, &alternatives, smallest),
            false => text(&report, &alternatives, &sections.target, smallest),
        };
        output::say(&text)?;
        Ok(Outcome::Done)
    }
}

fn json(report: &Report, alternatives: &[Alternatives], smallest: Smallest) -> String {
    let mut value = json!(report);
    for (i, other) in alternatives.iter().enumerate() {
        value["sections"][i]["next_best"] = json!(other.next_best);
        value["sections"][i]["cut_after"] = json!(other.cut_after);
        value["sections"][i]["materialized"] = json!(other.materialized);
    }
    value["smallest_sram_bytes"] = json!(smallest.map(|s| s[0]));
    value["smallest_memory_bytes"] = json!(smallest.map(|s| s[1]));
    format!("{value:#}\n")
}

fn text(report: &Report, alternatives: &[Alternatives], target: &Target, smallest: Smallest) -> String {
    let mut lines = vec![format!(
        "machine {}: {} with {} of SRAM each, {} of memory",
        target.machine.name,
        count(target.threads.into(), "worker"),
        bytes(target.sram),
        bytes(target.memory)
    )];
    for (i, of_section) in report.sections.iter().enumerate() {
        section(of_section, &mut lines);
        if let Some(other) = alternatives.get(i) {
            let next = report.sections.get(i + 1).map_or("", |s| &s.name);
            why(of_section, other, next, &mut lines);
        }
    }
    let tiles: u64 = report.sections.iter().map(|s| s.grid[0] * s.grid[1]).sum();
    let [sram, memory] =
        [0, 1].map(|i| smallest.map_or(String::new(), |s| format!("; the smallest that would do: {}", s[i])));
    lines.extend([
        match report.receptive_field {
            Some([h, w]) => format!("receptive field: {h} x {w} pixels"),
            None => "receptive field: the whole image (there is a sum over space)".to_owned(),
        },
        format!("total: {}, {}", count(report.sections.len() as u64, "section"), count(tiles, "tile")),
        format!(
            "work: {} without halos, recompute ratio {:.3}",
            operations(report.flops),
            report.recompute_ratio
        ),
        format!("--sram: {} bytes a worker are used{sram}", report.sram_bytes),
        format!("--memory: {}{memory}", device_memory(report)),
    ]);
    lines.join("\n") + "\n"
}

/// What lies in device memory, and what does not.
fn device_memory(report: &Report) -> String {
    let spilled = match report.spilled_bytes {
        0 => String::new(),
        n => format!(", {} of section boundaries lie in temporary files", bytes(n)),
    };
    if report.streamed {
        let borders = bytes(report.border_bytes);
        return format!(
            "{} bytes are used; {borders} of inputs and outputs are streamed{spilled}",
            report.device_bytes
        );
    }
    let all = report.memory_bytes();
    format!("{all} bytes are used, {} of them for inputs and outputs{spilled}", report.border_bytes)
}

fn section(section: &SectionReport, lines: &mut Vec<String>) {
    let [h, w] = section.tile;
    let [rows, columns] = section.grid;
    let how = match section.colours {
        Some([rows, columns]) => format!(", added up in {rows} x {columns} colours"),
        None if section.overlap == Overlap::Reuse => ", rows reused".to_owned(),
        None => String::new(),
    };
    let direction = section.direction.map(|d| format!(" ({d})")).unwrap_or_default();
    lines.push(format!(
        "section {}{direction}: {}, {} of {h}x{w} ({rows} x {columns}{how}), {} of SRAM",
        section.name,
        count(section.ops as u64, "op"),
        count(rows * columns, "tile"),
        bytes(section.sram_bytes)
    ));
    let reads = section.inputs.iter().map(|t| format!("    reads  {}", tensor(t)));
    let writes = section.outputs.iter().map(|t| format!("    writes {}", tensor(t)));
    let sums = section.reduced.iter().map(|t| format!("    sums   {t}"));
    lines.extend(reads.chain(writes).chain(sums));
    if !section.again.is_empty() {
        lines.push(format!("    again  {}", section.again.join(", ")));
    }
    lines.push(format!(
        "    modelled: {} (recompute ratio {:.3}, along y {:.3}, along x {:.3}), {} to and from memory, {}",
        operations(section.flops),
        section.recompute_ratio,
        section.recompute_along[0],
        section.recompute_along[1],
        bytes(section.traffic as u64),
        milliseconds(section.seconds)
    ));
}

/// What the modelled time is made of, and what else there was.
fn why(section: &SectionReport, other: &Alternatives, next: &str, lines: &mut Vec<String>) {
    lines.push(format!(
        "    time: the larger of compute {} + overhead {}, and traffic {}",
        milliseconds(section.compute_seconds),
        milliseconds(section.overhead_seconds),
        milliseconds(section.transfer_seconds)
    ));
    lines.push(match &other.next_best {
        None => "    next best: nothing else fits or is allowed".to_owned(),
        Some(best) => {
            let [h, w] = best.tile;
            let how = if best.overlap == Overlap::Reuse { "rows reused" } else { "halos recomputed" };
            format!("    next best: tiles of {h}x{w}, {how}, {}", milliseconds(best.seconds))
        }
    });
    lines.extend(other.materialized.iter().map(having));
    let reason = match other.cut_after {
        None => return,
        Some(Cut::Weighed { apart, joined }) => {
            format!("{} with {next} as it is, {} as one section", milliseconds(apart), milliseconds(joined))
        }
        Some(Cut::Sram) => format!("no tile of one section with {next} fits the SRAM"),
        Some(Cut::Asked) => "asked for".to_owned(),
        Some(Cut::Forced) => {
            format!("{next} reads what must be complete in memory, or has another number of images")
        }
    };
    lines.push(format!("    cut after it: {reason}"));
}

/// How the section has a tensor of the forward pass, and what each way would take.
fn having(Having { tensor, how, seconds }: &Having) -> String {
    let how = match how {
        Materialize::Keep => "kept",
        Materialize::Tiles => "kept tile by tile",
        Materialize::Recompute => "computed again",
    };
    let Ways { needed, keep, tiles, recompute } = *seconds;
    let tiles = tiles.map_or(String::new(), |s| format!(" or {} tile by tile", milliseconds(s)));
    let kept = format!("is modelled at {}{tiles}", milliseconds(keep));
    let kept = match needed {
        None => format!("storing and loading it {kept}"),
        Some(Needed::Here) => format!("the forward pass reads it here too; storing and loading it {kept}"),
        Some(Needed::Elsewhere) => format!("it is stored in any case, and loading it {kept}"),
    };
    format!("    {tensor} is {how}: {kept}, computing it again at {}", milliseconds(recompute))
}

/// Seconds as milliseconds to three digits.
fn milliseconds(seconds: f64) -> String {
    let ms = seconds * 1e3;
    let digits = (2 - ms.max(1e-3).log10().floor() as i32).clamp(0, 5) as usize;
    format!("{ms:.digits$} ms")
}

fn tensor(t: &TensorReport) -> String {
    let [h, w] = t.tile;
    let overlap = match t.overlap {
        [0, 0] => String::new(),
        [oy, ox] => format!(", overlap {oy}x{ox}"),
    };
    let padding = match t.padding {
        [0, 0, 0, 0] => String::new(),
        [top, left, bottom, right] => {
            format!(", padding top {top}, left {left}, bottom {bottom}, right {right}")
        }
    };
    let kept = match t.materialized {
        Some(Materialize::Tiles) => " (kept tile by tile for the backward pass)",
        Some(_) => " (kept for the backward pass)",
        None => "",
    };
    format!("{}: {}{kept} in tiles of {h}x{w}{overlap}{padding}", t.name, t.shape)
}
