//! The diagnostics socket: how the node is asked how it is, also when nothing else answers.
//!
//! A Unix socket in the home, which only its owner can open. What is asked is a line; the answer is `OK` or `ERR`,
//! a length, and so many bytes:
//!
//! ```text
//! contexts
//! OK 15
//! {"contexts":[]}
//! dance
//! ERR 81
//! {"hint":"ask for `help`","kind":"invalidParams","message":"`dance` is not known"}
//! ```

mod client;
mod command;
mod place;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::drive::Ended;
use crate::stop::Stop;
pub use client::{AskError, ask};
pub(crate) use command::Asked;
pub use command::{Answer, LogFilter};
pub(crate) use place::Place;

/// A question is no longer than this.
const MOST_BYTES: u64 = 4_096;
/// So many can ask at a time.
const MOST_AT_A_TIME: usize = 16;
/// Who says nothing for so long is done.
const SILENCE: Duration = Duration::from_secs(60);
/// Who takes so long to read an answer is gone.
const SLOW: Duration = Duration::from_secs(10);

/// Answers questions until told to stop. Without its socket the node goes on.
pub(crate) async fn serve(place: io::Result<Place>, asked: Arc<Asked>, stop: Stop) -> Ended {
    let served = match place {
        Ok(place) => {
            listen(place, asked, stop).await;
            Ok(())
        }
        Err(why) => Err(why),
    };
    match served {
        Ok(()) => Ended::Stopped,
        Err(why) => {
            tracing::error!(%why, "nobody can ask how the node is, which serves on");
            Ended::Stopped
        }
    }
}

async fn listen(place: Place, asked: Arc<Asked>, stop: Stop) {
    let permits = Arc::new(Semaphore::new(MOST_AT_A_TIME));
    let mut talks = JoinSet::new();
    loop {
        let permit = Arc::clone(&permits).acquire_owned();
        let accepted = async {
            // The semaphore is never closed.
            let permit = permit.await.ok();
            (place.listener().accept().await, permit)
        };
        tokio::select! {
            biased;
            () = stop.told() => break,
            Some(ended) = talks.join_next() => {
                if let Err(why) = ended {
                    tracing::error!(%why, "a question was not answered");
                }
            }
            (accepted, permit) = accepted => {
                let Ok((stream, _)) = accepted else {
                    // Too many files are open, perhaps: that passes.
                    sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let asked = Arc::clone(&asked);
                talks.spawn(async move {
                    // Whoever breaks off has lost interest.
                    talk(stream, &asked).await.ok();
                    drop(permit);
                });
            }
        }
    }
    // An answer that is on its way gets there.
    let finishing = async { while talks.join_next().await.is_some() {} };
    timeout(Duration::from_millis(100), finishing).await.ok();
}

/// Answers one who asks.
async fn talk(stream: UnixStream, asked: &Asked) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut lines).take(MOST_BYTES);
        let reading = bounded.read_until(b'\n', &mut line);
        let Ok(read) = timeout(SILENCE, reading).await else { return Ok(()) };
        if read? == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n") || (line.len() as u64) < MOST_BYTES;
        let answer = match (is_whole, std::str::from_utf8(&line)) {
            (true, Ok(line)) => {
                let answer = timeout(SLOW, asked.answer(line.trim())).await;
                answer.unwrap_or_else(|_| Answer::busy())
            }
            (false, _) => Answer::refused("the line is too long", "a question takes 4096 bytes"),
            (true, Err(_)) => Answer::refused("the line is no UTF-8", "write text"),
        };
        let written = timeout(SLOW, write.write_all(answer.framed().as_bytes())).await;
        written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        // What comes after a line that is too long belongs to it.
        if !is_whole {
            return Ok(());
        }
    }
}
