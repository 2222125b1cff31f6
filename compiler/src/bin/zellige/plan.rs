//! `zellige plan`: what would happen.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use zellige_compiler::driver::{Failure, Opened, Report, TensorReport};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::machine::format_size;

use crate::options::{Binding, Compiling};
use crate::output::{self, Outcome};

/// Show what would happen: sections, tiles, halos, receptive field, bytes
#[derive(Args)]
pub(crate) struct Plan {
    /// Model (.zlg or .zir)
    model: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

impl Plan {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let Opened::Model(model) = Opened::open(&self.model)? else {
            return Err(Diagnostic::error(Code::E0005, "`plan` takes a model or a graph").into());
        };
        let graph = model.bind(&Vec::new(), &self.binding.bindings()?)?;
        let options = self.compiling.options()?;
        let (sections, report) = model.plan(&graph, &options)?;
        if self.json {
            let json = serde_json::to_string_pretty(&report);
            let json = json.map_err(|e| Diagnostic::error(Code::E0901, e.to_string()))?;
            output::say(&format!("{json}\n"))?;
            return Ok(Outcome::Done);
        }
        let smallest = options.for_passes().smallest_budgets(&graph);
        output::say(&text(&report, &sections.target, smallest))?;
        Ok(Outcome::Done)
    }
}

fn text(report: &Report, target: &zellige_compiler::ir::Target, smallest: Option<[u64; 2]>) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!(
        "machine {}: {} SRAM a worker, {} memory, {} workers",
        target.machine.name,
        format_size(target.sram),
        format_size(target.memory),
        target.threads
    ));
    for s in &report.sections {
        let [h, w] = s.tile;
        let [rows, cols] = s.grid;
        line(format!(
            "section {}: {} ops, {} tiles of {h}x{w} ({rows} x {cols}), recompute {:.3}, SRAM {} bytes",
            s.name,
            s.ops,
            rows * cols,
            s.recompute_ratio,
            s.sram_bytes
        ));
        s.inputs.iter().for_each(|t| line(format!("    reads  {}", tensor(t))));
        s.outputs.iter().for_each(|t| line(format!("    writes {}", tensor(t))));
        s.reduced.iter().for_each(|t| line(format!("    sums   {t}")));
        line(format!(
            "    modelled: {:.3} GFLOP, {:.1} MiB to and from memory, {:.2} ms",
            s.flops / 1e9,
            s.traffic / f64::from(1 << 20),
            s.seconds * 1e3
        ));
    }
    line(match report.receptive_field {
        Some([h, w]) => format!("receptive field: {h} x {w} pixels"),
        None => "receptive field: the whole image (there is a sum over space)".to_owned(),
    });
    let tiles: u64 = report.sections.iter().map(|s| s.grid[0] * s.grid[1]).sum();
    line(format!("{} sections, {tiles} tiles", report.sections.len()));
    line(format!(
        "{:.3} GFLOP without halos, recompute ratio {:.3}",
        report.flops / 1e9,
        report.recompute_ratio
    ));
    line(format!(
        "planned: {} bytes of SRAM a worker; {} bytes of device memory, and {} for inputs and outputs",
        report.sram_bytes, report.device_bytes, report.border_bytes
    ));
    if let Some([sram, memory]) = smallest {
        line(format!("smallest budgets: --sram {sram}, --memory {memory}"));
    }
    out
}

fn tensor(t: &TensorReport) -> String {
    let [h, w] = t.tile;
    let [oy, ox] = t.overlap;
    let padding = if t.padding == [0; 4] { String::new() } else { format!(", padding {:?}", t.padding) };
    format!("{}: {} in tiles of {h}x{w}, overlap {oy}x{ox}{padding}", t.name, t.shape)
}
