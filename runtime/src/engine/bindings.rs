//! Device tensors as views, and the caller's arrays bound to them by name.

use super::staging::Backing;
use super::{EngineError, Input, Output, Side};
use crate::memory::View;
use crate::program::{Dims, Interval, Program, Region, Role, Tensor, TensorId};

/// A device tensor: the view of its first image, how far the next is, and where its values are.
#[derive(Clone)]
pub(super) struct DeviceTensor<'a> {
    view: View,
    images: u64,
    image_stride: i64,
    backing: Backing<'a>,
    bound: bool,
}

impl<'a> DeviceTensor<'a> {
    /// A tensor of a verified program, in no memory yet.
    pub(super) fn unbound(tensor: &Tensor) -> Self {
        let Dims { n, c, h, w } = tensor.dims;
        let extent = Region { y: Interval::new(0, h as i64), x: Interval::new(0, w as i64) };
        let mut view = View::new(c, tensor.lanes, [h, w], extent);
        view.place_rows(extent.y, extent.y, Interval::default());
        view.place_columns(extent.x, Interval::default());
        let blocks = c.div_ceil(u64::from(tensor.lanes)) as i64;
        Self {
            view,
            images: n,
            image_stride: blocks * view.block_stride,
            backing: Backing::Memory,
            bound: false,
        }
    }

    /// Lays the tensor into the memory at `first`.
    pub(super) fn bind(&mut self, first: *mut f32) {
        (self.view.ptr, self.bound) = (first, true);
    }

    /// Has its values elsewhere than in memory.
    pub(super) fn back(&mut self, backing: Backing<'a>) {
        (self.backing, self.bound) = (backing, true);
    }

    /// Where its values are.
    pub(super) fn backing(&self) -> &Backing<'a> {
        &self.backing
    }

    /// The image of the tensor that serves an image of the section: a tensor of one image serves all of them.
    pub(super) fn image_of(&self, image: u64) -> u64 {
        if self.images == 1 { 0 } else { image }
    }

    /// Where that image begins, in f32s.
    pub(super) fn first(&self, image: u64) -> u64 {
        self.image_of(image) * self.image_stride as u64
    }

    /// The view of one image.
    pub(super) fn image(&self, image: u64) -> View {
        let image = self.image_of(image);
        // A verified program addresses images that there are, so this stays inside the tensor's memory.
        let ptr = self.view.ptr.wrapping_offset(image as isize * self.image_stride as isize);
        View { ptr, ..self.view }
    }
}

/// The device tensors of a run, indexed by `TensorId`.
#[derive(Clone)]
pub(super) struct Tensors<'a>(Vec<DeviceTensor<'a>>);

// SAFETY: views are addresses; those who read and write through them promise that no two threads meet. Sources, sinks and files
// are shared by threads as they are.
unsafe impl Send for Tensors<'_> {}
// SAFETY: as above.
unsafe impl Sync for Tensors<'_> {}

impl<'a> Tensors<'a> {
    pub(super) fn with_capacity(n: usize) -> Self {
        Self(Vec::with_capacity(n))
    }

    pub(super) fn push(&mut self, tensor: DeviceTensor<'a>) {
        self.0.push(tensor);
    }

    /// A tensor.
    pub(super) fn get(&self, id: TensorId) -> &DeviceTensor<'a> {
        &self.0[id.index()]
    }

    /// Binds the caller's arrays: each input and output of the program exactly once, in its size.
    pub(super) fn bind(
        &mut self,
        program: &Program,
        inputs: &[(&str, Input<'a>)],
        outputs: &mut [(&str, Output<'a>)],
    ) -> Result<(), EngineError> {
        for (name, input) in inputs {
            match input {
                Input::Array(array) => {
                    let placed = self.find(program, Side::Input, name, array.dims)?;
                    check_len(Side::Input, name, array.dims, array.data.len())?;
                    // Inputs are only read: a verified program stores to no input.
                    placed.bind(array.data.as_ptr().cast_mut());
                }
                Input::Windows(source) => {
                    self.find(program, Side::Input, name, source.dims())?.back(Backing::Source(*source));
                }
            }
        }
        for (name, output) in outputs {
            match output {
                Output::Array(array) => {
                    let placed = self.find(program, Side::Output, name, array.dims)?;
                    check_len(Side::Output, name, array.dims, array.data.len())?;
                    placed.bind(array.data.as_mut_ptr());
                }
                Output::Windows(sink) => {
                    self.find(program, Side::Output, name, sink.dims())?.back(Backing::Sink(*sink));
                }
            }
        }
        match program.tensors.iter().zip(&self.0).find(|(_, placed)| !placed.bound) {
            Some((tensor, _)) => {
                let side = if tensor.role == Role::Output { Side::Output } else { Side::Input };
                Err(EngineError::Missing { side, name: tensor.name.clone() })
            }
            None => Ok(()),
        }
    }

    /// The input or output of that name and size, which is not bound yet.
    fn find(
        &mut self,
        program: &Program,
        side: Side,
        name: &str,
        dims: Dims,
    ) -> Result<&mut DeviceTensor<'a>, EngineError> {
        let mut named = program.tensors.iter().zip(&mut self.0).filter(|(t, _)| side_of(t) == Some(side));
        let Some((tensor, placed)) = named.find(|(t, _)| t.name == name) else {
            let of_side = program.tensors.iter().filter(|t| side_of(t) == Some(side));
            let known = of_side.map(|t| t.name.clone()).collect();
            return Err(EngineError::Unknown { side, name: name.to_owned(), known });
        };
        let name = || name.to_owned();
        if tensor.dims != dims {
            return Err(EngineError::Size { side, name: name(), expected: tensor.dims, found: dims });
        }
        if placed.bound { Err(EngineError::Twice { side, name: name() }) } else { Ok(placed) }
    }
}

fn check_len(side: Side, name: &str, dims: Dims, found: usize) -> Result<(), EngineError> {
    if dims.elements() == Some(found as u64) {
        return Ok(());
    }
    Err(EngineError::Length { side, name: name.to_owned(), dims, found })
}

fn side_of(tensor: &Tensor) -> Option<Side> {
    match tensor.role {
        Role::Input => Some(Side::Input),
        Role::Output => Some(Side::Output),
        Role::Composite(_) | Role::Spilled | Role::Constant(_) => None,
    }
}
