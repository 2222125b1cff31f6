//! `--stats` and `bench --json`: one JSON object.

use std::time::Instant;

use serde_json::{Value, json};
use zellige_compiler::driver::Report;
use zellige_runtime::engine::RunStats;

/// How a program came about.
pub(crate) struct Compiled {
    /// Milliseconds.
    pub(crate) compile_ms: f64,
    /// Its plan, where it was compiled here.
    pub(crate) report: Option<Report>,
}

impl Compiled {
    /// Before this command ran.
    pub(crate) fn before() -> Self {
        Self { compile_ms: 0.0, report: None }
    }

    /// By now, begun at `start`.
    pub(crate) fn since(start: Instant, report: Report) -> Self {
        Self { compile_ms: start.elapsed().as_secs_f64() * 1e3, report: Some(report) }
    }
}

/// Figures of one or more runs.
pub(crate) struct Stats<'a> {
    compiled: &'a Compiled,
    load_ms: f64,
    runs: &'a [RunStats],
}

impl<'a> Stats<'a> {
    /// Of some runs of a program; at least one.
    pub(crate) fn new(compiled: &'a Compiled, load_ms: f64, runs: &'a [RunStats]) -> Self {
        Self { compiled, load_ms, runs }
    }

    /// Median of the runs, in milliseconds.
    pub(crate) fn run_ms(&self) -> f64 {
        let mut times: Vec<u64> = self.runs.iter().map(|r| r.nanoseconds).collect();
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, |&ns| ns as f64 / 1e6)
    }

    /// The object.
    pub(crate) fn json(&self) -> Value {
        let Some(last) = self.runs.last() else { return Value::Null };
        let report = self.compiled.report.as_ref();
        let runs: Vec<f64> = self.runs.iter().map(|r| round(r.nanoseconds as f64 / 1e6)).collect();
        let sections: Vec<Value> = last
            .sections
            .iter()
            .map(|s| {
                let plan = report.and_then(|r| r.sections.iter().find(|p| p.name == s.name));
                json!({
                    "name": s.name,
                    "tile": plan.map(|p| p.tile),
                    "grid": plan.map(|p| p.grid),
                    "overlap": plan.and_then(|p| p.inputs.first()).map(|t| t.overlap),
                    "strategy": plan.map(|p| p.overlap),
                    "recompute_ratio": plan.map(|p| p.recompute_ratio),
                    "recompute_along": plan.map(|p| p.recompute_along),
                    "tiles": s.tiles,
                    "sram_bytes": s.sram_bytes,
                    "ms": round(s.nanoseconds as f64 / 1e6),
                })
            })
            .collect();
        json!({
            "compile_ms": round(self.compiled.compile_ms),
            "load_ms": round(self.load_ms),
            "run_ms": round(self.run_ms()),
            "runs_ms": runs,
            "threads": last.threads,
            "flops": report.map(|r| r.flops),
            "recompute_ratio": report.map(|r| r.recompute_ratio),
            "planned_sram_bytes": last.planned_sram_bytes,
            "peak_sram_bytes": last.peak_sram_bytes,
            "planned_device_bytes": last.planned_device_bytes,
            "peak_device_bytes": last.peak_device_bytes,
            "planned_anonymous_bytes": last.planned_device_bytes + last.threads as u64 * last.planned_sram_bytes,
            "measured_anonymous_bytes": last.measured_anonymous_bytes,
            "peak_rss_bytes": last.peak_rss_bytes,
            "sections": sections,
        })
    }
}

/// To a microsecond.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}
