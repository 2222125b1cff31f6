//! `zellige check`: the proof that a program computes its graph.

use std::path::PathBuf;

use clap::Args;
use zellige_compiler::check::Proof;
use zellige_compiler::driver::{Failure, Opened, Pipeline, passes_named, prove};
use zellige_compiler::ir::{Level, Module};
use zellige_grammar::{Code, Diagnostic, SourceFile};
use zellige_runtime::program::{Program, Section};

use crate::options::{Binding, Compiling, Step};
use crate::output::{self, MessageFormat, Outcome, count};

/// Prove that a program computes its graph, for all tiles, from the program and the graph alone
#[derive(Args)]
pub(crate) struct Check {
    /// Model (.zlg), IR (.zir) or program (.zlp); a model is compiled first
    file: PathBuf,
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

impl Check {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let program = self.program(messages)?;
        match prove(&program)? {
            Ok(proof) => {
                output::say(&text(&program, &proof))?;
                Ok(Outcome::Done)
            }
            Err(error) => {
                let message = format!("`{}` is not proved to compute its graph: {error}", program.name);
                messages.report(&[Diagnostic::error(Code::E0904, message)], &SourceFile::default());
                Ok(Outcome::Refuted)
            }
        }
    }

    fn program(&self, messages: MessageFormat) -> Result<Program, Failure> {
        match messages.open_step(&self.file, self.step.train)? {
            Opened::Program(program) => {
                self.compiling.refuse_compiled(&self.binding)?;
                Ok(*program)
            }
            Opened::Ir(module, source) => {
                self.compiling.refuse_planned(&module, &self.binding)?;
                self.lowered(*module, &source)
            }
            Opened::Model(model) => {
                let graph = model.bind(&Vec::new(), &self.binding.bindings()?)?;
                Ok(model.compile(&graph, &self.compiling.options()?)?.0)
            }
        }
    }

    fn lowered(&self, module: Module, source: &SourceFile) -> Result<Program, Failure> {
        let mut passes = passes_named(None, None)?;
        passes.retain(|p| p.level == Level::Sections && module.level() == Level::Sections);
        let options = self.compiling.options()?.for_passes();
        let pipeline = Pipeline { passes, options: &options, verify_each: false, after: &mut |_, _| {} };
        match pipeline.run(module).map_err(|d| Failure::new(d, source))? {
            Module::Program(program) => Ok(program),
            other => {
                let message = format!("the passes end at the {} level", other.level());
                Err(Diagnostic::error(Code::E0612, message).into())
            }
        }
    }
}

fn text(program: &Program, proof: &Proof) -> String {
    let tiles = |s: &Section| s.images.saturating_mul(s.y.steps).saturating_mul(s.x.steps);
    let sums = match proof.sums {
        0 => String::new(),
        n => format!(
            "{} over tiles: exactly the contributions of each element, in the order of colours\n",
            count(n, "sum")
        ),
    };
    let tiles = program.sections.iter().map(tiles).fold(0, u64::saturating_add);
    format!(
        "proved: `{}` computes its graph: {} written exactly once, for all of {} in {}\n\
         {} with {} along the axes: {} read, each there when it is read\n\
         access relations of the graph: {} compared with what its ops mean\n{sums}",
        program.name,
        count(proof.outputs, "output"),
        count(tiles, "tile"),
        count(proof.sections, "section"),
        count(proof.instructions, "instruction"),
        count(proof.steps, "step"),
        count(proof.coordinates, "coordinate"),
        count(proof.relations, "coordinate"),
    )
}
