//! Device tensors as views, and the caller's arrays bound to them by name.

use std::sync::Arc;

use super::section::TileIndex;
use super::staging::Backing;
use super::{EngineError, Input, Output, Side};
use crate::memory::View;
use crate::program::{Axis, Dims, Interval, Program, Region, Role, Steps, Tensor, TensorId};

/// A device tensor: where its first image would lie in one piece, how far the next piece is, and where its values are.
#[derive(Clone)]
pub(super) struct DeviceTensor<'a> {
    view: View,
    images: u64,
    grid: Option<Arc<Grid>>,
    stride: i64,
    backing: Backing<'a>,
    bound: bool,
}

/// The blocks of a tensor that is kept tile by tile.
struct Grid {
    rows: Steps,
    columns: Steps,
}

/// What of a tensor lies in one piece: an image, or a block of it.
pub(super) struct Piece {
    /// Its view.
    pub(super) view: View,
    /// Where it begins, in f32s.
    pub(super) first: u64,
}

impl<'a> DeviceTensor<'a> {
    /// A tensor of a verified program, in no memory yet.
    pub(super) fn unbound(program: &Program, tensor: &Tensor) -> Self {
        let Dims { n, c, h, w } = tensor.dims;
        let extent = Region { y: Interval::new(0, h as i64), x: Interval::new(0, w as i64) };
        let view = View::packed(c, tensor.lanes, extent, extent);
        let grid = tensor.blocks.map(|blocks| {
            let section = &program.sections[blocks.section as usize];
            let steps = |axis: &Axis| axis.buffers[blocks.buffer.index()].computed.clone();
            Arc::new(Grid { rows: steps(&section.y), columns: steps(&section.x) })
        });
        let [rows, cols] = tensor.blocks.map_or([h, w], |blocks| blocks.size);
        let stride = c.next_multiple_of(u64::from(tensor.lanes)) * rows * cols;
        Self { view, images: n, grid, stride: stride as i64, backing: Backing::Memory, bound: false }
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

    /// Its extent.
    pub(super) fn extent(&self) -> Region {
        self.view.extent
    }

    /// Channels side by side.
    pub(super) fn lanes(&self) -> u64 {
        self.view.lanes as u64
    }

    /// What a tile loads from: the image, or the tile's block.
    pub(super) fn of_tile(&self, tile: TileIndex) -> Piece {
        let image = self.image_of(tile.image);
        match &self.grid {
            None => self.piece(image, self.view),
            Some(grid) => self.block(grid, image, tile.y, tile.x),
        }
    }

    /// The pieces of an image that have pixels of a region.
    pub(super) fn with_pixels_of(&self, image: u64, region: Region) -> impl Iterator<Item = Piece> {
        let image = self.image_of(image);
        let whole = self.grid.is_none().then(|| self.piece(image, self.view));
        let blocks = self.grid.as_deref().into_iter().flat_map(move |grid| {
            let (rows, columns) = (grid.rows.meeting(region.y), grid.columns.meeting(region.x));
            rows.flat_map(move |i| columns.clone().map(move |j| self.block(grid, image, i, j)))
        });
        whole.into_iter().chain(blocks)
    }

    fn block(&self, grid: &Grid, image: u64, i: u64, j: u64) -> Piece {
        let tile = Region { y: grid.rows.get(i), x: grid.columns.get(j) };
        let View { ptr, lanes, channels, extent, .. } = self.view;
        let view = View::packed(channels as u64, lanes as u32, tile.intersect(extent), extent);
        let number = (image * grid.rows.len() + i) * grid.columns.len() + j;
        self.piece(number, View { ptr, ..view })
    }

    /// Piece number `n`, of the view that it would have if it were the first.
    fn piece(&self, n: u64, view: View) -> Piece {
        let first = n * self.stride as u64;
        // A verified program addresses pieces that there are, so this stays inside the tensor's memory.
        Piece { view: View { ptr: view.ptr.wrapping_add(first as usize), ..view }, first }
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
