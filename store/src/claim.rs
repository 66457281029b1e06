//! The right to write to a context.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mangrove_protocol::id::ContextId;

use crate::shared::Shared;

/// The right to write to a context: one at a time. It ends when its pen is gone and all that was handed in with
/// it is answered, so that whoever writes next sees what came of that.
#[derive(Debug)]
pub(crate) struct Claim {
    shared: Arc<Shared>,
    id: ContextId,
    in_flight: AtomicBool,
}

impl Claim {
    /// Takes it, unless somebody has it.
    pub(crate) fn take(shared: &Arc<Shared>, id: ContextId) -> Option<Arc<Self>> {
        let is_free = shared.written_to.lock().insert(id);
        let claim = || Self { shared: Arc::clone(shared), id, in_flight: AtomicBool::new(false) };
        is_free.then(|| Arc::new(claim()))
    }

    pub(crate) const fn id(&self) -> ContextId {
        self.id
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Something is handed in; says whether nothing was on its way.
    pub(crate) fn begin(&self) -> bool {
        !self.in_flight.swap(true, Ordering::AcqRel)
    }

    /// Nothing is on its way any more.
    pub(crate) fn end(&self) {
        self.in_flight.store(false, Ordering::Release);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.written_to.lock().remove(&self.id);
    }
}
