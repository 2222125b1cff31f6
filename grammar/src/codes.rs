//! All codes of diagnostics.
//!
//! A code is one line of the table below and one page in `grammar/codes/`, whose first
//! line repeats code and title. The groups: `E00` options and files, `E01` syntax, `E02`
//! names and arguments, `E03` shapes and types, `E04` weights, `E05` inputs and outputs,
//! `E06` IR texts, `E07` planning, `E08` program files, `E09` running, `E10` ONNX.
//! A code keeps its meaning for ever; one that is no longer needed leaves a gap.

macro_rules! codes {
    ($($code:ident $title:literal,)*) => {
        /// The code of a diagnostic, such as `E0103`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// All codes, in order.
            #[must_use]
            pub const fn all() -> &'static [Self] {
                &[$(Self::$code,)*]
            }

            /// The code as users see it: `E0103`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)*
                }
            }

            /// What the code stands for, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$code => $title,)*
                }
            }

            /// The page that `zellige explain` shows, in Markdown.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$code => include_str!(concat!("../codes/", stringify!($code), ".md")),)*
                }
            }
        }
    };
}

codes! {
    E0001 "cannot read a file",
    E0002 "cannot write a file",
    E0003 "bad value of an option",
    E0004 "options contradict each other",
    E0005 "unknown kind of file",
    E0006 "unknown error code",
    E0007 "a required option is missing",
    E0008 "unknown option or subcommand",

    E0101 "unexpected token",
    E0102 "missing semicolon",
    E0103 "unclosed bracket",
    E0104 "number too large",
    E0105 "keyword used as a name",
    E0106 "closing bracket that closes nothing",
    E0107 "named argument written with `=`",
    E0108 "statement without effect",
    E0109 "unexpected character",
    E0110 "malformed string",
    E0111 "malformed number",
    E0112 "bad escape or interpolation in a string",
    E0113 "nested too deeply",
    E0114 "foreign comment",
    E0115 "not a dimension",
    E0116 "statement out of place",
    E0117 "text too large",
    E0118 "values in parentheses without names",

    E0201 "unknown op or block",
    E0202 "unknown argument",
    E0203 "unknown name",
    E0204 "name defined twice",
    E0205 "too many arguments",
    E0206 "missing argument",
    E0207 "value of the wrong kind",
    E0208 "argument given twice",
    E0209 "value that the argument does not take",
    E0210 "assignment to a name that does not exist",
    E0211 "number of returned values",
    E0212 "parameter path used twice",
    E0213 "not known at compile time",
    E0214 "no model, or more than one",
    E0215 "block that calls itself",
    E0216 "too many operations",
    E0217 "another framework's name for an argument",
    E0218 "missing return",
    E0219 "value that is never used",
    E0220 "training section needed, or not allowed",
    E0221 "compile-time arithmetic failed",
    E0222 "output that no op computes",
    E0223 "loss that is not a single number",
    E0224 "unknown optimizer or schedule",
    E0225 "incomplete training section",
    E0226 "op with parameters in a training section",
    E0227 "nothing to train",

    E0301 "shape mismatch",
    E0302 "channels do not match",
    E0303 "wrong number of dimensions",
    E0304 "output is not what was declared",
    E0305 "constraint on sizes is not met",
    E0306 "window larger than its input",
    E0307 "groups do not divide channels",
    E0308 "size is not divisible",
    E0309 "shapes do not broadcast",
    E0310 "element type not allowed here",
    E0311 "dimension out of range",
    E0312 "padding too large for its mode",
    E0313 "axis out of range",

    E0401 "missing weight",
    E0402 "surplus weight",
    E0403 "weight of the wrong shape",
    E0404 "weight of the wrong element type",
    E0405 "malformed safetensors file",
    E0406 "checkpoint that cannot be continued",
    E0407 "pattern that fits no parameter",

    E0501 "malformed image",
    E0502 "malformed NPY file",
    E0503 "wrong number of channels",
    E0504 "missing input or output",
    E0505 "unbound dimension",
    E0506 "size that the model cannot take",
    E0507 "unknown input or output",
    E0508 "dimension bound to two sizes",
    E0509 "kind of image not supported",
    E0510 "wrong element type of an input",
    E0511 "unusable training data",
    E0512 "malformed log of a training",

    E0601 "unknown statement or op in IR text",
    E0602 "undefined value in IR text",
    E0603 "invalid attribute in IR text",
    E0604 "value defined twice in IR text",
    E0605 "attribute given twice",
    E0606 "result that is not a `%` name",
    E0607 "malformed statement in IR text",
    E0608 "invalid graph",
    E0609 "invalid sections",
    E0610 "invalid program in IR text",
    E0611 "unknown pass",
    E0612 "pass does not fit the level of the IR",

    E0701 "on-chip memory too small",
    E0702 "device memory too small",
    E0703 "section without a target tile",
    E0704 "invalid tile",
    E0705 "plan does not fit the graph",
    E0706 "unknown or malformed machine",
    E0707 "unknown place to cut",
    E0708 "op without a gradient",
    E0709 "loss that nothing changes",

    E0801 "not a program file",
    E0802 "program file of another version",
    E0803 "damaged program file",
    E0804 "malformed program file",
    E0805 "program rejected by the verifier",
    E0806 "program is for other sizes",
    E0807 "program is for other weights",

    E0901 "interrupted",
    E0902 "writing failed during a run",
    E0903 "results differ",
    E0904 "program refuted",
    E0905 "engine not available",
    E0906 "out of memory",
    E0907 "reading failed during a run",
    E0908 "internal error",
    E0909 "training diverged",

    E1001 "malformed ONNX file",
    E1002 "ONNX operator not supported",
    E1003 "ONNX attribute not supported",
}

impl Code {
    /// The code with this id, in upper or lower case.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::all().iter().copied().find(|code| code.id().eq_ignore_ascii_case(id.trim()))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests;
