//! A feed as it comes from the node.

use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

use ureq::{Body, BodyReader};

use super::sse::{Event, Parser};
use crate::exit::Kind;
use crate::failure::Failure;

/// A node says something every quarter of a minute. One that says nothing for so long is not there any more.
pub(super) const SILENCE: Duration = Duration::from_secs(50);

/// A feed as it comes.
pub(crate) struct Feed {
    body: BodyReader<'static>,
    parser: Parser,
    waiting: VecDeque<Event>,
    buffer: Box<[u8]>,
}

impl Feed {
    pub(super) fn new(body: Body) -> Self {
        let buffer = vec![0; 64 << 10].into_boxed_slice();
        let (parser, waiting) = (Parser::default(), VecDeque::new());
        Self { body: body.into_reader(), parser, waiting, buffer }
    }

    /// Waits for what comes next; nothing once the node has ended it.
    pub(crate) fn event(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
            let read = self.body.read(&mut self.buffer);
            let read = read.map_err(|why| broken(&ureq::Error::from(why)))?;
            let Some(bytes) = self.buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(None);
            };
            self.parser.take(bytes, &mut self.waiting).map_err(|why| {
                Failure::new(Kind::Internal, "the feed cannot be read").because(why)
            })?;
        }
    }
}

fn broken(why: &ureq::Error) -> Failure {
    let failure = Failure::new(Kind::NotReachable, "the connection to the node is lost");
    match why {
        ureq::Error::Timeout(_) => {
            failure.because(format!("nothing came for {} s", SILENCE.as_secs()))
        }
        ureq::Error::Io(why) => failure.because(why),
        why => failure.because(why),
    }
}
