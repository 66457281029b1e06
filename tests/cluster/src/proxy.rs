//! Something between two nodes that stalls, delays and cuts.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Read at a time.
const PIECE_BYTES: usize = 16 * 1024;
/// Pieces under way in each direction. When there are more, whoever sends has to wait.
const PIECES: usize = 1_024;
/// How long the other side may take to let somebody in.
const CONNECTING: Duration = Duration::from_secs(5);

/// What a proxy does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Pass,
    /// Passes it on so much later, in each direction.
    Delay(Duration),
    /// Keeps every connection, takes new ones, and passes nothing on, not even that one has ended. What
    /// has come meanwhile is passed on after this.
    Stall,
    /// Ends every connection, and each new one at once.
    Cut,
}

/// Something between two nodes that stalls, delays and cuts: it listens on a port of its own, and connects
/// to one address for everybody who comes.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    state: Mutex<State>,
    /// The mode is another, or a connection was cut.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    is_closing: bool,
    accepted: u64,
    passed_bytes: u64,
    pairs: Vec<Arc<Pair>>,
    threads: Vec<JoinHandle<()>>,
}

/// Somebody who came, and the connection made for them.
#[derive(Debug)]
struct Pair {
    near: TcpStream,
    far: TcpStream,
    is_cut: AtomicBool,
}

/// A piece of what came, and when it is to be passed on.
type Piece = (Instant, Vec<u8>);

impl Proxy {
    /// Begins to pass on to `to`.
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            mode: Mode::Pass,
            is_closing: false,
            accepted: 0,
            passed_bytes: 0,
            pairs: Vec::new(),
            threads: Vec::new(),
        };
        let shared = Arc::new(Shared { to, state: Mutex::new(state), changed: Condvar::new() });
        let attending = Arc::clone(&shared);
        let attend = move || {
            for came in listener.incoming() {
                if !attending.let_in(came.ok()) {
                    return;
                }
            }
        };
        let door = thread::Builder::new().name("proxy-door".to_owned()).spawn(attend).unwrap();
        Self { address, shared, door: Some(door) }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a multiaddress for the peer behind it.
    pub fn multiaddr(&self, peer: &str) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", self.address.port())
    }

    /// From now on it does this.
    pub fn switch(&self, mode: Mode) {
        let mut state = self.shared.state.lock();
        state.mode = mode;
        if mode == Mode::Cut {
            state.cut();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// How many have come so far.
    pub fn accepted(&self) -> u64 {
        self.shared.state.lock().accepted
    }

    /// How much was passed on so far, in both directions.
    pub fn passed_bytes(&self) -> u64 {
        self.shared.state.lock().passed_bytes
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state.lock().is_closing = true;
        self.switch(Mode::Cut);
        // Whoever waits at the door finds out by this that it is to be closed.
        drop(TcpStream::connect_timeout(&self.address, CONNECTING));
        let threads = |shared: &Shared| std::mem::take(&mut shared.state.lock().threads);
        let door = self.door.take().into_iter().map(JoinHandle::join);
        let ended = door.chain(threads(&self.shared).into_iter().map(JoinHandle::join));
        assert!(
            ended.filter(Result::is_err).count() == 0 || thread::panicking(),
            "a proxy panicked"
        );
    }
}

impl Shared {
    /// Takes in who came; whether more are to be awaited.
    fn let_in(self: &Arc<Self>, came: Option<TcpStream>) -> bool {
        let Some(near) = came else { return true };
        let far = self.announce();
        let mut state = self.state.lock();
        state.accepted += 1;
        // It may have been cut meanwhile.
        if let Some(far) = far.filter(|_| state.mode != Mode::Cut) {
            let pair = Arc::new(Pair { near, far, is_cut: AtomicBool::new(false) });
            state.pairs.retain(|pair| !pair.is_cut.load(Ordering::Relaxed));
            state.pairs.push(Arc::clone(&pair));
            state.threads.extend(self.pump(&pair));
        }
        !state.is_closing
    }

    /// A connection to the other side, for somebody who is to be let in.
    fn announce(&self) -> Option<TcpStream> {
        let is_cut = self.state.lock().mode == Mode::Cut;
        let connected = (!is_cut).then(|| TcpStream::connect_timeout(&self.to, CONNECTING));
        connected?.ok()
    }

    /// Passes on what comes from either side.
    fn pump(self: &Arc<Self>, pair: &Arc<Pair>) -> Vec<JoinHandle<()>> {
        let clone = |stream: &TcpStream| stream.try_clone().unwrap();
        let mut threads = Vec::new();
        let mut spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned());
            threads.push(thread.spawn(work).unwrap());
        };
        for (from, to) in [(&pair.near, &pair.far), (&pair.far, &pair.near)] {
            to.set_nodelay(true).unwrap_or_default();
            let (from, to) = (clone(from), clone(to));
            let (sender, receiver) = sync_channel(PIECES);
            let shared = Arc::clone(self);
            spawn("proxy-hears", Box::new(move || shared.hear(from, &sender)));
            let (shared, pair) = (Arc::clone(self), Arc::clone(pair));
            spawn("proxy-says", Box::new(move || shared.say(to, receiver, &pair)));
        }
        threads
    }

    fn hear(&self, mut from: TcpStream, pieces: &SyncSender<Piece>) {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let heard = piece.get(..length).unwrap_or_default().to_vec();
            if pieces.send((Instant::now() + self.delay(), heard)).is_err() {
                return;
            }
        }
    }

    fn say(&self, mut to: TcpStream, pieces: Receiver<Piece>, pair: &Pair) {
        for (due, piece) in pieces {
            if !self.wait(due, pair) {
                return;
            }
            // Before it can be heard: whoever has heard it finds it counted.
            self.state.lock().passed_bytes += piece.len() as u64;
            if to.write_all(&piece).is_err() {
                return self.cut(pair);
            }
        }
        // That nothing more comes is passed on like everything else.
        if self.wait(Instant::now(), pair) {
            to.shutdown(Shutdown::Write).unwrap_or_default();
        }
    }

    fn delay(&self) -> Duration {
        match self.state.lock().mode {
            Mode::Delay(delay) => delay,
            Mode::Pass | Mode::Stall | Mode::Cut => Duration::ZERO,
        }
    }

    /// Waits until something may be passed on that is due then; whether it may at all.
    fn wait(&self, due: Instant, pair: &Pair) -> bool {
        let mut state = self.state.lock();
        while !pair.is_cut.load(Ordering::Relaxed) {
            if state.mode == Mode::Stall {
                self.changed.wait(&mut state);
            } else if Instant::now() >= due {
                return true;
            } else {
                self.changed.wait_until(&mut state, due);
            }
        }
        false
    }

    fn cut(&self, pair: &Pair) {
        let state = self.state.lock();
        pair.cut();
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn cut(&mut self) {
        self.pairs.drain(..).for_each(|pair| pair.cut());
    }
}

impl Pair {
    /// Ends it. Whoever waits has to be told.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        for stream in [&self.near, &self.far] {
            // It may have ended already.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}
