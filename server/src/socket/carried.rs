//! What goes on in a socket, carried by its connection.
//!
//! The work of a socket is the body of the response that opened it. A connection asks its body for more whenever it has
//! room, in the one task that reads and writes; so what the work says goes out in the very turn in which it was said.
//! A task for the work alone would be woken, and would wake the connection: with a hundred who are told the same, that
//! is a hundred turns more before the last has heard.
//!
//! Two things come of it. While a connection has no room, the work has no turn: it waits, as it should. And it cannot
//! see by itself that this takes too long, so a [`Watch`] does, from outside.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// Bytes that are said ahead of the connection. Whoever wants to say more waits.
const AHEAD: usize = 16 << 10;
/// Who takes nothing for so long is let go, and comes back with its cursors.
const STUCK: Duration = Duration::from_secs(30);

/// When a bell was rung that was not.
const SILENT: u64 = u64::MAX;

/// The work of a socket.
type Work = Pin<Box<dyn Future<Output = ()>>>;

/// What was said, and not taken by the connection yet. Cheap to clone; the clones are one.
#[derive(Clone, Default)]
pub(super) struct Outgoing(Rc<RefCell<BytesMut>>);

/// Work, as the body of a response. Dropped, it ends.
pub(super) struct Carried {
    hold: Rc<Hold>,
    waker: Waker,
    /// The body that came with the handshake. While it is there, what is heard of the other side goes on.
    _open: Option<BoxBody>,
}

/// Sees whether work has its turn.
pub(super) struct Watch(Rc<Hold>);

/// What is carried, as long as it is.
struct Hold {
    work: RefCell<Option<Work>>,
    outgoing: Outgoing,
    bell: Arc<Bell>,
    over: Notify,
}

/// Tells that work has something to do, and since when.
struct Bell {
    since: Instant,
    /// When it was rung first since it was answered, in milliseconds.
    rung: AtomicU64,
    /// The task of the connection.
    task: AtomicWaker,
}

/// Makes work the body of a response.
pub(super) fn carry(
    outgoing: Outgoing,
    work: impl Future<Output = ()> + 'static,
) -> (Carried, Watch) {
    let bell = Arc::new(Bell {
        since: Instant::now(),
        // It has not begun.
        rung: AtomicU64::new(0),
        task: AtomicWaker::new(),
    });
    let waker = Waker::from(Arc::clone(&bell));
    let work = RefCell::new(Some(Box::pin(work) as Work));
    let hold = Rc::new(Hold { work, outgoing, bell, over: Notify::new() });
    (Carried { hold: Rc::clone(&hold), waker, _open: None }, Watch(hold))
}

impl Outgoing {
    /// Says something, once there is room. By the work that is carried with this, and by nobody else: that has its turn
    /// when there is room again, so nobody is woken.
    pub(super) async fn put(&self, kind: OpCode, bytes: &[u8]) {
        poll_fn(|_| if self.is_full() { Poll::Pending } else { Poll::Ready(()) }).await;
        Parser::write_message(&mut self.0.borrow_mut(), bytes, kind, true, false);
    }

    /// The last that is said.
    pub(super) fn close(&self, code: CloseCode, why: &str) {
        let reason = CloseReason { code, description: Some(why.to_owned()) };
        Parser::write_close(&mut self.0.borrow_mut(), Some(reason), false);
    }

    fn is_full(&self) -> bool {
        self.0.borrow().len() >= AHEAD
    }

    fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What goes next, and no more of it at a time than is said ahead: whoever takes a long message slowly is seen to take
    /// it.
    fn take(&self) -> Bytes {
        let mut said = self.0.borrow_mut();
        let next = match said.len() {
            ..=AHEAD => std::mem::take(&mut *said),
            _ => said.split_to(AHEAD),
        };
        next.freeze()
    }
}

impl Carried {
    /// Keeps the body that came with the handshake.
    pub(super) fn keeping(mut self, open: BoxBody) -> Self {
        self._open = Some(open);
        self
    }
}

impl MessageBody for Carried {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let hold = &self.hold;
        // In this order: whoever rings from here on wakes this task again.
        hold.bell.task.register(context.waker());
        if hold.bell.answer() {
            hold.go_on(&self.waker);
        }
        let was_full = hold.outgoing.is_full();
        let said = hold.outgoing.take();
        if was_full || !hold.outgoing.is_empty() {
            // The connection comes again by itself, when it has room.
            hold.bell.mark();
        }
        match said.is_empty() {
            false => Poll::Ready(Some(Ok(said))),
            true if hold.work.borrow().is_none() => Poll::Ready(None),
            true => Poll::Pending,
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.hold.let_go();
    }
}

impl Hold {
    /// A turn of the work.
    fn go_on(&self, waker: &Waker) {
        let mut held = self.work.borrow_mut();
        let Some(work) = held.as_mut() else { return };
        if work.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            *held = None;
            self.over.notify_one();
        }
    }

    /// Ends the work, wherever it is.
    fn let_go(&self) {
        let work = self.work.take();
        drop(work);
        self.over.notify_one();
    }
}

impl Watch {
    /// Until the work is over. Work that had something to do and had no turn for long is let go.
    pub(super) async fn until_over(self) {
        loop {
            let left = STUCK.saturating_sub(self.0.bell.unanswered());
            if left.is_zero() {
                return self.0.let_go();
            }
            tokio::select! {
                () = self.0.over.notified() => return,
                () = sleep(left) => {}
            }
        }
    }
}

impl Bell {
    /// Whether it was rung. It is not any more.
    fn answer(&self) -> bool {
        self.rung.swap(SILENT, Ordering::AcqRel) != SILENT
    }

    /// How long it has been ringing.
    fn unanswered(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.rung.load(Ordering::Acquire)))
    }

    /// There is something to do. What was done before is seen by whoever answers, so this always writes, even if it was
    /// rung before.
    fn mark(&self) {
        self.rung.fetch_min(self.now(), Ordering::AcqRel);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(SILENT)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mark();
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::poll_immediate;

    use super::*;

    /// Work that says what it is told to, and counts its turns.
    struct House {
        carried: Carried,
        watch: Option<Watch>,
        turns: Rc<Cell<u32>>,
        more: Rc<Notify>,
        alive: std::rc::Weak<()>,
    }

    async fn say(line: &Outgoing, message: &[u8], times: usize) {
        for _ in 0..times {
            line.put(OpCode::Text, message).await;
        }
    }

    impl House {
        /// After each ring of the bell it says so many messages of so many bytes.
        fn new(messages: usize, bytes: usize) -> Self {
            let outgoing = Outgoing::default();
            let (turns, more, life) = (Rc::new(Cell::new(0)), Rc::new(Notify::new()), Rc::new(()));
            let alive = Rc::downgrade(&life);
            let (line, seen, rung) = (outgoing.clone(), Rc::clone(&turns), Rc::clone(&more));
            let message = vec![b'x'; bytes];
            let mut work = Box::pin(async move {
                let _life = life;
                loop {
                    rung.notified().await;
                    say(&line, &message, messages).await;
                }
            });
            let counted = poll_fn(move |context| {
                seen.set(seen.get() + 1);
                work.as_mut().poll(context)
            });
            let (carried, watch) = carry(outgoing, counted);
            Self { carried, watch: Some(watch), turns, more, alive }
        }

        /// What the connection is given when it asks: bytes; nothing if there are none; the end.
        async fn ask(&mut self) -> Option<Option<usize>> {
            let next = poll_fn(|context| Pin::new(&mut self.carried).poll_next(context));
            poll_immediate(next).await.map(|said| said.map(|said| said.unwrap().len()))
        }

        fn watched(&mut self) -> impl Future<Output = ()> + use<> {
            self.watch.take().unwrap().until_over()
        }
    }

    #[tokio::test]
    async fn it_has_a_turn_when_there_is_something_to_do_and_room() {
        let mut house = House::new(3, 100);
        assert_eq!(house.ask().await, None);
        assert_eq!(house.turns.get(), 1, "it has begun");
        assert_eq!(house.ask().await, None);
        assert_eq!(house.turns.get(), 1, "nothing has happened");
        house.more.notify_one();
        assert_eq!(house.ask().await, Some(Some(3 * 102)), "all at once");
        assert_eq!(house.ask().await, None);
        assert_eq!(house.turns.get(), 2);
    }

    #[tokio::test]
    async fn it_says_no_more_ahead_than_it_may_and_goes_on_when_that_was_taken() {
        let mut house = House::new(5, 10 << 10);
        house.ask().await;
        house.more.notify_one();
        let message = (10 << 10) + 4;
        for taken in [1, 2, 3] {
            assert_eq!(house.ask().await, Some(Some(AHEAD)), "{taken}");
        }
        assert_eq!(house.ask().await, Some(Some(5 * message - 3 * AHEAD)));
        assert_eq!(house.ask().await, None);
        assert!(house.alive.upgrade().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_let_go_and_who_is_told_nothing_is_not() {
        let mut house = House::new(1, 10);
        house.ask().await;
        let mut watched = Box::pin(house.watched());
        let hour = Duration::from_secs(3_600);
        assert!(tokio::time::timeout(hour, &mut watched).await.is_err(), "there is nothing to do");
        let nearly = STUCK - Duration::from_millis(10);
        for _ in 0..3 {
            house.more.notify_one();
            assert!(tokio::time::timeout(nearly, &mut watched).await.is_err());
            assert_eq!(house.ask().await, Some(Some(12)), "it was taken in time");
        }
        house.more.notify_one();
        assert!(tokio::time::timeout(nearly, &mut watched).await.is_err());
        // What comes later changes nothing.
        house.more.notify_one();
        assert!(tokio::time::timeout(Duration::from_millis(20), watched).await.is_ok());
        assert!(house.alive.upgrade().is_none(), "all that it had is gone");
        assert_eq!(house.ask().await, Some(None), "the connection is told that this is the end");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_long_message_slowly_is_not_let_go_and_who_stops_is() {
        let mut house = House::new(1, 10 * AHEAD);
        house.ask().await;
        let mut watched = Box::pin(house.watched());
        house.more.notify_one();
        let nearly = STUCK - Duration::from_millis(10);
        for _ in 0..10 {
            assert_eq!(house.ask().await, Some(Some(AHEAD)), "a piece at a time");
            assert!(tokio::time::timeout(nearly, &mut watched).await.is_err(), "it was taken");
        }
        assert!(tokio::time::timeout(2 * STUCK, watched).await.is_ok());
        assert!(house.alive.upgrade().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_the_connection_is() {
        let mut house = House::new(1, 10);
        let watched = house.watched();
        drop(house.carried);
        watched.await;
        assert!(house.alive.upgrade().is_none());
    }

    #[tokio::test]
    async fn the_last_word_is_said_before_the_end() {
        let outgoing = Outgoing::default();
        let line = outgoing.clone();
        let work = async move { line.close(CloseCode::Away, "the node is stopping") };
        let (mut carried, watch) = carry(outgoing, work);
        let mut ask = async || poll_fn(|context| Pin::new(&mut carried).poll_next(context)).await;
        let said = ask().await.unwrap().unwrap();
        assert_eq!(said[..4], [0x88, 22, 0x03, 0xe9]);
        assert!(ask().await.is_none());
        watch.until_over().await;
    }
}
