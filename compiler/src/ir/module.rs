//! The three levels under one name.

use zellige_runtime::program::Program;

use super::{Graph, Sections};

/// A network at one of the three levels of the IR.
#[derive(Clone, Debug, PartialEq)]
pub enum Module {
    /// Ops over values.
    Graph(Graph),
    /// Ops in sections, with tilings as far as passes have decided them.
    Sections(Sections),
    /// Instructions.
    Program(Program),
}

impl Module {
    /// Name of the level.
    pub fn level(&self) -> Level {
        match self {
            Self::Graph(_) => Level::Graph,
            Self::Sections(_) => Level::Sections,
            Self::Program(_) => Level::Program,
        }
    }
}

/// A level of the IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Ops over values.
    Graph,
    /// Ops in sections.
    Sections,
    /// Instructions.
    Program,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Graph => "graph",
            Self::Sections => "sections",
            Self::Program => "program",
        })
    }
}
