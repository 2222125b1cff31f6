//! Device tensors as views, and the caller's arrays bound to them by name.

use super::{ArrayView, ArrayViewMut, EngineError, Side};
use crate::memory::View;
use crate::program::{Dims, Interval, Program, Region, Role, Tensor, TensorId};

/// A device tensor: the view of its first image, and how far the next is.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceTensor {
    view: View,
    images: u64,
    image_stride: i64,
}

impl DeviceTensor {
    /// A tensor of a verified program, in no memory yet.
    pub(super) fn unbound(tensor: &Tensor) -> Self {
        let Dims { n, c, h, w } = tensor.dims;
        let extent = Region { y: Interval::new(0, h as i64), x: Interval::new(0, w as i64) };
        let mut view = View::new(c, tensor.lanes, [h, w], extent);
        view.place_rows(extent.y, extent.y, Interval::default());
        view.place_columns(extent.x, Interval::default());
        let blocks = c.div_ceil(u64::from(tensor.lanes)) as i64;
        Self { view, images: n, image_stride: blocks * view.block_stride }
    }

    /// Lays the tensor into the memory at `first`.
    pub(super) fn bind(&mut self, first: *mut f32) {
        self.view.ptr = first;
    }

    /// The view of one image; a tensor of one image serves all of them.
    pub(super) fn image(&self, image: u64) -> View {
        let image = if self.images == 1 { 0 } else { image };
        // A verified program addresses images that there are, so this stays inside the tensor's memory.
        let ptr = self.view.ptr.wrapping_offset(image as isize * self.image_stride as isize);
        View { ptr, ..self.view }
    }
}

/// The device tensors of a run, indexed by `TensorId`.
#[derive(Clone, Debug)]
pub(super) struct Tensors(Vec<DeviceTensor>);

// SAFETY: views are addresses; those who read and write through them promise that no two threads meet.
unsafe impl Send for Tensors {}
// SAFETY: as above.
unsafe impl Sync for Tensors {}

impl Tensors {
    pub(super) fn with_capacity(n: usize) -> Self {
        Self(Vec::with_capacity(n))
    }

    pub(super) fn push(&mut self, tensor: DeviceTensor) {
        self.0.push(tensor);
    }

    /// The view of one image of a tensor.
    pub(super) fn image(&self, id: TensorId, image: u64) -> View {
        self.0[id.index()].image(image)
    }

    /// Binds the caller's arrays: each input and output of the program exactly once, in its size.
    pub(super) fn bind(
        &mut self,
        program: &Program,
        inputs: &[(&str, ArrayView<'_>)],
        outputs: &mut [(&str, ArrayViewMut<'_>)],
    ) -> Result<(), EngineError> {
        for (name, array) in inputs {
            // Inputs are only read: a verified program stores to no input.
            let first = array.data.as_ptr().cast_mut();
            self.bind_one(program, Side::Input, name, array.dims, array.data.len(), first)?;
        }
        for (name, array) in outputs {
            let first = array.data.as_mut_ptr();
            self.bind_one(program, Side::Output, name, array.dims, array.data.len(), first)?;
        }
        match program.tensors.iter().zip(&self.0).find(|(_, placed)| placed.view.ptr.is_null()) {
            Some((tensor, _)) => {
                let side = if tensor.role == Role::Output { Side::Output } else { Side::Input };
                Err(EngineError::Missing { side, name: tensor.name.clone() })
            }
            None => Ok(()),
        }
    }

    fn bind_one(
        &mut self,
        program: &Program,
        side: Side,
        name: &str,
        dims: Dims,
        len: usize,
        first: *mut f32,
    ) -> Result<(), EngineError> {
        let mut named = program.tensors.iter().zip(&mut self.0).filter(|(t, _)| side_of(t) == Some(side));
        let Some((tensor, placed)) = named.find(|(t, _)| t.name == name) else {
            let of_side = program.tensors.iter().filter(|t| side_of(t) == Some(side));
            let known = of_side.map(|t| t.name.clone()).collect();
            return Err(EngineError::Unknown { side, name: name.to_owned(), known });
        };
        if tensor.dims != dims {
            return Err(EngineError::Size {
                side,
                name: name.to_owned(),
                expected: tensor.dims,
                found: dims,
            });
        }
        if dims.elements() != Some(len as u64) {
            return Err(EngineError::Length { side, name: name.to_owned(), dims, found: len });
        }
        if !placed.view.ptr.is_null() {
            return Err(EngineError::Twice { side, name: name.to_owned() });
        }
        placed.bind(first);
        Ok(())
    }
}

fn side_of(tensor: &Tensor) -> Option<Side> {
    match tensor.role {
        Role::Input => Some(Side::Input),
        Role::Output => Some(Side::Output),
        Role::Composite(_) | Role::Constant(_) => None,
    }
}
