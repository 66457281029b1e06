//! Requests in progress, counted, so that stopping can wait for them and for nothing else: not for connections
//! that are merely kept open.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use tokio::sync::watch;

/// Requests in progress. Cheap to clone; the clones count together.
#[derive(Debug, Clone)]
pub(crate) struct InFlight(Arc<watch::Sender<usize>>);

/// One of them, until its answer has been written.
#[derive(Debug)]
pub(crate) struct Request(Arc<watch::Sender<usize>>);

impl Default for InFlight {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl InFlight {
    /// One more.
    pub(crate) fn begin(&self) -> Request {
        self.0.send_modify(|count| *count += 1);
        Request(Arc::clone(&self.0))
    }

    /// Until there are none.
    pub(crate) async fn none(&self) {
        // The sender is not dropped while this is.
        self.0.subscribe().wait_for(|count| *count == 0).await.ok();
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// The body of an answer, which ends the request when it has been written.
pub(crate) struct Body {
    body: BoxBody,
    _request: Request,
}

impl Body {
    pub(crate) const fn new(body: BoxBody, request: Request) -> Self {
        Self { body, _request: request }
    }
}

impl MessageBody for Body {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
