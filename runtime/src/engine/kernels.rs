//! Which code runs an instruction: a native kernel where there is one and it is wanted, compiled code otherwise.

use super::{EngineError, EngineKind};
use crate::jit::Jit;
use crate::kernels::{self, Isa};
use crate::memory::Kernel;
use crate::program::{Instr, Program, Section};

/// The kernels of a program's compute instructions, in program order.
pub(super) fn prepare(
    program: &Program,
    engine: EngineKind,
    isa: Isa,
) -> Result<Vec<Box<dyn Kernel>>, EngineError> {
    let native = |section: &Section, instr: &Instr| match engine {
        EngineKind::Native => kernels::prepare(isa, program, section, instr),
        EngineKind::Jit => None,
    };
    let mut prepared = Vec::new();
    let mut jit = None;
    for section in &program.sections {
        for instr in section.body.iter().map(|s| &s.instr).filter(|i| is_compute(i)) {
            let kernel = native(section, instr);
            if kernel.is_none() {
                compiler(&mut jit)?.add(program, section, instr)?;
            }
            prepared.push(kernel);
        }
    }
    let mut compiled = jit.map_or(Ok(Vec::new()), Jit::finish)?.into_iter();
    Ok(prepared.into_iter().filter_map(|kernel| kernel.or_else(|| compiled.next())).collect())
}

/// The compiler, made when it is first needed.
fn compiler(jit: &mut Option<Jit>) -> Result<&mut Jit, EngineError> {
    Ok(match jit {
        Some(jit) => jit,
        None => jit.insert(Jit::new()?),
    })
}

/// Whether an instruction works on buffers alone; the engine itself runs the others.
fn is_compute(instr: &Instr) -> bool {
    !matches!(instr, Instr::Load(_) | Instr::Store(_) | Instr::StoreRmw(_) | Instr::Accumulate(_))
}
