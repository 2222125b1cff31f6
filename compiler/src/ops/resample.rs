//! Resampling: PyTorch's `interpolate`, and ONNX's asymmetric coordinates.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{AxisId, Coordinate, Filter, Instr, Resize};

use super::conv::AXES;
use super::gradient::scaled;
use super::resample_gradient::UpsampleDx;
use super::scale::{Scale, gcd};
use super::window::AvgPool2d;
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, Differentiable, FromAttrs, Gradients, Inputs, Lowering, Op,
    OpDef, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Bindings, Dim, Shape};

const MODES: &[&str] = &["nearest", "nearest-exact", "bilinear", "bicubic"];
const COORDINATES: &[&str] = &["half_pixel", "asymmetric"];

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::new(
        "upsample",
        "Resampling to `scale` times as many pixels, or to `size`.",
        Inputs::Named(&["x"]),
        vec![
            ArgSpec::new("scale", ArgKind::Scale).elsewhere(&["scale_factor", "scales"]),
            ArgSpec::new("mode", ArgKind::Word(MODES)),
            ArgSpec::new("size", ArgKind::Sizes).elsewhere(&["sizes"]),
            ArgSpec::new("align_corners", ArgKind::Bool),
            ArgSpec::new("coordinates", ArgKind::Word(COORDINATES))
                .elsewhere(&["coordinate_transformation_mode"]),
        ],
        Upsample::from_args,
    )]
}

/// How values between pixels are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    Nearest,
    NearestExact,
    Bilinear,
    Bicubic,
}

/// Where pixels lie: their centres at whole numbers and a half, or at whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Coordinates {
    #[default]
    HalfPixel,
    Asymmetric,
}

/// Resampling. One of `scale` and `size` is given; attributes at their defaults are not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upsample {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<[Scale; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<[Dim; 2]>,
    #[serde(default, skip_serializing_if = "is_default")]
    mode: Mode,
    #[serde(default, skip_serializing_if = "is_default")]
    align_corners: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    coordinates: Coordinates,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Upsample {
    fn from_args(args: &Args) -> Result<Self, ArgError> {
        let mode = match args.word("mode", MODES)? {
            None | Some("nearest") => Mode::Nearest,
            Some("nearest-exact") => Mode::NearestExact,
            Some("bilinear") => Mode::Bilinear,
            Some(_) => Mode::Bicubic,
        };
        let coordinates = args.word("coordinates", COORDINATES)?;
        if coordinates.is_some() && mode.filter() == Filter::Nearest {
            let message =
                "is for bilinear and bicubic: \"nearest\" is asymmetric, \"nearest-exact\" is half_pixel";
            return Err(ArgError::new("coordinates", message));
        }
        Ok(Self {
            scale: args.scales("scale")?.map(|scales| scales.map(Scale)),
            size: args.sizes("size")?,
            mode,
            align_corners: args.bool("align_corners")?.unwrap_or(false),
            coordinates: match coordinates {
                Some("asymmetric") => Coordinates::Asymmetric,
                _ => Coordinates::HalfPixel,
            },
        })
    }

    /// To whole multiples of the size, each pixel repeated; `None` if there are too many.
    pub(super) fn by(factors: [f64; 2]) -> Option<Self> {
        let scale = factors.map(Scale);
        scale.iter().all(|scale| scale.check().is_ok()).then_some(Self {
            scale: Some(scale),
            size: None,
            mode: Mode::Nearest,
            align_corners: false,
            coordinates: Coordinates::HalfPixel,
        })
    }

    /// Size of the output along an axis, given the input's.
    fn output(&self, axis: usize, input: &Dim) -> Result<Dim, ShapeError> {
        match (&self.size, self.scale) {
            (Some(size), _) => Ok(size[axis].clone()),
            (None, Some(scale)) => scale[axis].size(input),
            (None, None) => Ok(input.clone()),
        }
    }

    /// What is computed of the pixels around a coordinate.
    pub(super) fn filter(&self) -> Filter {
        self.mode.filter()
    }

    /// How often each pixel is repeated along the axes, if that is all there is to it.
    fn repeats(&self, input: Sizes, output: Sizes) -> Option<[u32; 2]> {
        let along = |axis: AxisId| {
            let at = self.coordinate(axis, input);
            let (inputs, outputs) = (input[2 + axis.index()], output[2 + axis.index()]);
            let factor = u32::try_from(at.den / at.num.max(1)).ok()?;
            let whole = at.den == i64::from(factor) * at.num
                && at.offset < at.num
                && u64::from(factor) * inputs == outputs;
            (whole && self.filter() == Filter::Nearest).then_some(factor)
        };
        Some([along(AxisId::Y)?, along(AxisId::X)?])
    }

    /// Where outputs lie among the pixels of the input, once sizes are known.
    pub(super) fn coordinate(&self, axis: AxisId, input: Sizes) -> Coordinate {
        let axis = axis.index();
        let input = input[2 + axis] as i64;
        let output = self.output(axis, &input.into()).ok().and_then(|size| size.constant()).unwrap_or(input);
        if self.align_corners {
            return if output > 1 { coordinate(input - 1, 0, output - 1) } else { coordinate(0, 0, 1) };
        }
        let (outputs, inputs) = self.scale.map_or((output, input), |scale| scale[axis].ratio());
        match (self.mode, self.coordinates) {
            (Mode::NearestExact, _) => coordinate(2 * inputs, inputs, 2 * outputs),
            (Mode::Nearest, _) | (_, Coordinates::Asymmetric) => coordinate(inputs, 0, outputs),
            (_, Coordinates::HalfPixel) => coordinate(2 * inputs, inputs - outputs, 2 * outputs),
        }
    }
}

impl Mode {
    fn filter(self) -> Filter {
        match self {
            Self::Nearest | Self::NearestExact => Filter::Nearest,
            Self::Bilinear => Filter::Linear,
            Self::Bicubic => Filter::Cubic,
        }
    }
}

/// In lowest terms.
fn coordinate(num: i64, offset: i64, den: i64) -> Coordinate {
    let divisor = gcd(gcd(num, offset.abs()), den).max(1);
    Coordinate { num: num / divisor, offset: offset / divisor, den: den / divisor }
}

impl FromAttrs for Upsample {
    fn check(&self) -> Result<(), ArgError> {
        match (&self.scale, &self.size) {
            (None, None) => {
                return Err(ArgError::new(
                    "scale",
                    "is missing, and so is `size`: one of them must be given",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(ArgError::new("size", "is given besides `scale`: one of them is enough"));
            }
            (Some(scale), None) => scale.iter().try_for_each(|scale| scale.check())?,
            (None, Some(size)) => {
                if let Some(size) = size.iter().find(|size| size.constant().is_some_and(|n| n < 1)) {
                    return Err(ArgError::new("size", format!("is at least 1, found {size}")));
                }
            }
        }
        if self.align_corners && self.mode.filter() == Filter::Nearest {
            return Err(ArgError::new("align_corners", "is for bilinear and bicubic"));
        }
        if self.align_corners && self.coordinates == Coordinates::Asymmetric {
            return Err(ArgError::new(
                "coordinates",
                "is given besides `align_corners`: one of them is enough",
            ));
        }
        Ok(())
    }
}

impl Op for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        let mut size = |axis: usize, input: &Dim| {
            let size = self.output(axis, input)?;
            if self.scale.is_some_and(|scale| scale[axis].0 >= 1.0) {
                return Ok(size);
            }
            let because = format!("it is the number of {} of a resampled tensor", AXES[axis]);
            requirements.at_least(&size, 1, because).map(|()| size)
        };
        Ok(Shape { h: size(0, &x.h)?, w: size(1, &x.w)?, ..x.clone() })
    }

    fn access(&self, _: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
        let (at, taps) = (self.coordinate(axis, inputs[0]), self.mode.filter().taps());
        AxisMap::Resampled {
            num: at.num,
            offset: at.offset,
            den: at.den,
            first: taps.start,
            taps: taps.len(),
        }
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        match self.mode.filter() {
            Filter::Nearest => 0,
            // Along the rows and along the columns.
            filter => 2 * 2 * filter.taps().len() as u64 * output[1],
        }
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        vec![Instr::Resize(Resize {
            dst: operands.dst,
            src: operands.srcs[0],
            filter: self.mode.filter(),
            coordinates: AxisId::BOTH.map(|axis| self.coordinate(axis, operands.inputs[0])),
        })]
    }

    /// The sum over a pixel's repetitions is their mean, scaled, where the scaling is exact.
    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (input, output) = (at.shape(builder, 0).sizes()?, at.output_sizes(builder)?);
        let repeats =
            self.repeats(input, output).filter(|by| by.iter().all(|factor| factor.is_power_of_two()));
        let dx = match repeats {
            Some(by) => {
                let mean = builder.op(Arc::new(AvgPool2d::by(by)), &[at.gradient], &[]);
                scaled(builder, mean, f64::from(by[0]) * f64::from(by[1]))
            }
            None => {
                let [_, c, h, w] = input;
                let dx = UpsampleDx { forward: self.clone(), size: [c, h, w] };
                builder.op(Arc::new(dx), &[at.gradient], &[])
            }
        };
        Some(Gradients::of_input(dx))
    }

    /// Interpolation is not: zero times what lies beside a pixel may be NaN.
    fn is_identity(&self, inputs: &[Shape]) -> bool {
        let same_size = match (&self.size, self.scale) {
            (Some(size), _) => *size == [inputs[0].h.clone(), inputs[0].w.clone()],
            (None, scale) => scale == Some([Scale(1.0); 2]),
        };
        same_size && self.mode.filter() == Filter::Nearest
    }

    fn resized(&self, output: [u64; 2]) -> Option<Arc<dyn Op>> {
        self.size.as_ref()?;
        let size = output.map(|size| Dim::from(i64::try_from(size).unwrap_or(i64::MAX)));
        Some(Arc::new(Self { size: Some(size), ..self.clone() }))
    }

    fn substitute(&self, bindings: &Bindings) -> Option<Arc<dyn Op>> {
        let size = self.size.as_ref().filter(|size| size.iter().any(|size| size.constant().is_none()))?;
        let size = [0, 1].map(|axis| size[axis].substitute(bindings));
        Some(Arc::new(Self { size: Some(size), ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsample(scale: Option<f64>, size: Option<i64>, mode: Mode) -> Upsample {
        Upsample {
            scale: scale.map(|scale| [Scale(scale); 2]),
            size: size.map(|size| [size.into(), size.into()]),
            mode,
            align_corners: false,
            coordinates: Coordinates::HalfPixel,
        }
    }

    #[test]
    fn coordinates_are_in_lowest_terms() {
        let at = |op: &Upsample, rows| {
            let Coordinate { num, offset, den } = op.coordinate(AxisId::Y, [1, 1, rows, 1]);
            (num, offset, den)
        };
        assert_eq!(at(&upsample(Some(2.0), None, Mode::Nearest), 9), (1, 0, 2));
        assert_eq!(at(&upsample(Some(2.0), None, Mode::NearestExact), 9), (2, 1, 4));
        assert_eq!(at(&upsample(Some(2.0), None, Mode::Bilinear), 9), (2, -1, 4));
        assert_eq!(at(&upsample(Some(0.5), None, Mode::Bicubic), 9), (4, 1, 2));
        assert_eq!(at(&upsample(None, Some(12), Mode::Bilinear), 9), (6, -1, 8));
        let corners = Upsample { align_corners: true, ..upsample(None, Some(17), Mode::Bilinear) };
        assert_eq!(at(&corners, 9), (1, 0, 2));
        let one = Upsample { align_corners: true, ..upsample(None, Some(1), Mode::Bilinear) };
        assert_eq!(at(&one, 9), (0, 0, 1));
        let asymmetric =
            Upsample { coordinates: Coordinates::Asymmetric, ..upsample(Some(2.5), None, Mode::Bicubic) };
        assert_eq!(at(&asymmetric, 9), (2, 0, 5));
    }

    #[test]
    fn outputs_lie_among_the_pixels() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..20_000 {
            let bits = rng.u32(1..41);
            let rows = rng.i64(1..1 << bits);
            let scale = if rng.bool() { 1.0 / 256.0 + rng.f64() * 3.0 } else { 1.0 + rng.f64() * 4095.0 };
            let mode = [Mode::Nearest, Mode::NearestExact, Mode::Bilinear, Mode::Bicubic][rng.usize(0..4)];
            let op = upsample(Some(scale), None, mode);
            let outputs = op.output(0, &rows.into()).unwrap().constant().unwrap();
            let at = op.coordinate(AxisId::Y, [1, 1, rows as u64, 1]);
            let lowest = if mode.filter() == Filter::Nearest { 0 } else { -1 };
            assert!(
                outputs == 0 || (at.floor(0) >= lowest && at.floor(outputs - 1) < rows),
                "{op:?} of {rows}"
            );
        }
    }
}
