//! Arrays in memory.

use super::IoError;
use super::window::{Window, WindowSource, stretches};
use crate::program::Dims;

/// An array of f32 in planar order: element `(n, c, y, x)` at `((n · C + c) · H + y) · W + x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Shape.
    pub dims: Dims,
    /// Elements.
    pub data: Vec<f32>,
}

impl Array {
    /// An array of zeros, of at most `limit` bytes.
    pub fn zeros(dims: Dims, limit: u64) -> Result<Self, IoError> {
        let elements = elements(dims).unwrap_or(u64::MAX);
        let bytes = elements.saturating_mul(size_of::<f32>() as u64);
        if bytes > limit {
            return Err(IoError::TooLarge { bytes, limit });
        }
        let out_of_memory = || IoError::OutOfMemory(bytes);
        let len = usize::try_from(elements).map_err(|_| out_of_memory())?;
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| out_of_memory())?;
        data.resize(len, 0.0);
        Ok(Self { dims, data })
    }
}

impl WindowSource for Array {
    fn dims(&self) -> Dims {
        self.dims
    }

    fn read(&self, window: &Window, values: &mut [f32]) -> Result<(), IoError> {
        stretches(self.dims, window, |first, range| {
            let found = self.data.get(first as usize..).and_then(|data| data.get(..range.len()));
            values[range].copy_from_slice(found.ok_or(IoError::Truncated)?);
            Ok(())
        })
    }
}

/// Number of elements, `None` if it overflows.
pub(super) fn elements(dims: Dims) -> Option<u64> {
    [dims.n, dims.c, dims.h, dims.w].into_iter().try_fold(1, u64::checked_mul)
}
