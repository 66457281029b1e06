//! The lock of an inbox: never poisoned, since panics are contained here.

pub(crate) use parking_lot::Mutex;
