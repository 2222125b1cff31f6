//! Between device memory and buffers: a whole tensor is as large as the tensor of the buffer.

use super::{InstrError, Rule, attribute, check_tensor_shape, equal};
use crate::program::instr::{Addressing, Load, Store, StoreRmw};
use crate::program::verify::MAX_COORDINATE;
use crate::program::verify::scope::Scope;
use crate::program::{Buffer, BufferId, Dims, Role, Tensor, TensorId};

impl Rule for Load {
    fn mnemonic(&self) -> &'static str {
        "load"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (tensor, buffer) = (scope.tensor(self.src)?, scope.buffer(self.dst)?);
        let images = [scope.section.images, 1];
        match self.addressing {
            None => check_tensor_shape(self.src, tensor.dims, buffer, &images),
            Some(addressing) => check_addressing(addressing, self.src, tensor, buffer, &images),
        }
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }

    fn loads(&self) -> Option<TensorId> {
        Some(self.src)
    }
}

impl Rule for Store {
    fn mnemonic(&self) -> &'static str {
        "store"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (tensor, buffer) = (scope.tensor(self.dst)?, scope.buffer(self.src)?);
        check_writable(self.dst, tensor.role)?;
        check_tensor_shape(self.dst, tensor.dims, buffer, &[scope.section.images])
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }

    fn exports(&self) -> Option<BufferId> {
        Some(self.src)
    }

    fn stores(&self) -> Option<TensorId> {
        Some(self.dst)
    }
}

impl Rule for StoreRmw {
    fn mnemonic(&self) -> &'static str {
        "store_rmw"
    }

    /// What is added to is read again, which a caller's output need not allow.
    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (tensor, buffer) = (scope.tensor(self.dst)?, scope.buffer(self.src)?);
        if !matches!(tensor.role, Role::Composite(_) | Role::Spilled) {
            return Err(InstrError::NotReadable(self.dst));
        }
        check_tensor_shape(self.dst, tensor.dims, buffer, &[scope.section.images])
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        2
    }

    fn exports(&self) -> Option<BufferId> {
        Some(self.src)
    }

    fn adds_up(&self) -> bool {
        true
    }

    fn stores(&self) -> Option<TensorId> {
        Some(self.dst)
    }
}

pub(super) fn check_writable(id: TensorId, role: Role) -> Result<(), InstrError> {
    match role {
        Role::Composite(_) | Role::Spilled | Role::Output => Ok(()),
        Role::Input | Role::Constant(_) => Err(InstrError::ReadOnly(id)),
    }
}

/// Whether the tensor has all the elements that an addressing finds for the buffer.
fn check_addressing(
    addressing: Addressing,
    id: TensorId,
    tensor: &Tensor,
    buffer: &Buffer,
    images: &[u64],
) -> Result<(), InstrError> {
    let Dims { c, h, w, .. } = tensor.dims;
    if addressing.is_planar() {
        equal("lanes of a tensor that is reshaped", 1, tensor.lanes.into())?;
    }
    let dims = match addressing {
        Addressing::Owned if buffer.ring => return Err(InstrError::OwnedRing),
        Addressing::Owned => tensor.dims,
        Addressing::Transposed => Dims { h: w, w: h, ..tensor.dims },
        Addressing::Wrapped { shift } => {
            for shift in shift {
                attribute("the shift", shift, -MAX_COORDINATE, MAX_COORDINATE)?;
            }
            Dims { h: buffer.extent[0], w: buffer.extent[1], ..tensor.dims }
        }
        Addressing::Reshaped => {
            let volume = |sizes: [u64; 3]| sizes.into_iter().fold(1, u64::saturating_mul);
            let [rows, cols] = buffer.extent;
            equal("elements of an image", volume([buffer.channels, rows, cols]), volume([c, h, w]))?;
            Dims { c: buffer.channels, h: rows, w: cols, ..tensor.dims }
        }
    };
    check_tensor_shape(id, dims, buffer, images)
}
