//! Between device memory and buffers: a whole tensor is as large as the tensor of the buffer.

use super::{InstrError, Rule, check_tensor_shape};
use crate::program::instr::{Load, Store};
use crate::program::verify::scope::Scope;
use crate::program::{BufferId, Role, TensorId};

impl Rule for Load {
    fn mnemonic(&self) -> &'static str {
        "load"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (tensor, buffer) = (scope.tensor(self.src)?, scope.buffer(self.dst)?);
        check_tensor_shape(self.src, tensor.dims, buffer, &[scope.section.images, 1])
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

pub(super) fn check_writable(id: TensorId, role: Role) -> Result<(), InstrError> {
    match role {
        Role::Composite(_) | Role::Spilled | Role::Output => Ok(()),
        Role::Input | Role::Constant(_) => Err(InstrError::ReadOnly(id)),
    }
}
