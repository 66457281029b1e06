//! The state-delta actor: what is heard on the mesh is judged here before it is handed on.
//!
//! No context is hosted yet, so that nothing that is heard is for this node: all of it is ignored, which hands
//! it on to nobody and blames nobody.

mod ingress;
mod intake;

pub(crate) use ingress::bridge;
pub(crate) use intake::intake;
