//! The state-delta actor: what is heard on the mesh is judged here before it is handed on.
//!
//! Signatures are looked at on threads that may take long, but for a message now and then that comes alone. What is accepted goes to whoever works on the context;
//! what there is no room for is not lost: it is remembered that something is missing and who has it, and it is
//! compared for.

mod check;
mod ingress;
mod intake;
mod missing;
mod recent;
#[cfg(test)]
mod tests;

pub(crate) use ingress::{Message, bridge};
pub(crate) use intake::Intake;
