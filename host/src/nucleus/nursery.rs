//! The nucleus of a Lua script: it starts the script's children, gathers what they write, reaps them
//! and whatever was adopted, and hands signals on, on the main thread, whatever the script does on
//! its own. It has no brain; what it does is asked for by the script (`Desk`), one call at a time.

use super::{
    caught::{self, bit, Caught},
    children::{Children, Stdio},
    gather::{self, Gathered},
    monotonic_ms,
    settle::{self, Settling},
    spawn::{failure, Kin},
    startup,
};
use crate::protocol::{Event, Exit, Receipt, Scope, SpawnFailure, SpawnSpec};
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    libc,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
        memfd::{memfd_create, MFdFlags},
    },
    unistd::{self, getpgrp, getpid},
};
use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read, Seek, Write},
    mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
    },
    time::Duration,
};

/// As bytes of a brain's answers: a few starts at a time are a burst of work.
const WORK_OF_A_START: usize = 8 << 10;

const SIGNALS: u64 = 0;
const BELL: u64 = 1;
const FIRST_PIPE: u64 = 2;

/// Read from one pipe before others have their turn.
const PIECE: usize = 64 << 10;
const PIECES: usize = 16;

/// What the kernel sends to a whole group of processes at the terminal.
const OF_TERMINAL: [i32; 8] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGHUP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCONT,
    libc::SIGWINCH,
];
/// Those that end a PID 1 without children, though the kernel would protect it.
const ENDING: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];

/// What the script is told.
pub enum News {
    Exited {
        id: u32,
        exit: Exit,
    },
    /// What was wanted of a stream is there.
    Written {
        id: u32,
        stream: Stream,
    },
    Signal {
        number: i32,
    },
    /// A stop that was asked for is over.
    Stopped {
        key: u32,
        receipts: Vec<Receipt>,
    },
}

#[derive(Clone, Copy, PartialEq)]
pub enum Stream {
    Out,
    Err,
}

/// How a child is to be started.
pub struct Start {
    pub words: Vec<Vec<u8>>,
    /// Environment, folder and user.
    pub spec: SpawnSpec,
    pub input: Input,
    pub output: [Sink; 2],
    /// Of each stream, in memory.
    pub limit: usize,
    /// Our own name as the script knows it; it means this very program, wherever it is.
    pub own: Option<PathBuf>,
}

pub enum Input {
    Own,
    Nothing,
    Text(Vec<u8>),
}

/// Where output goes.
#[derive(Clone, Copy, PartialEq)]
pub enum Sink {
    Gathered,
    Own,
    Nothing,
    /// Of stderr: wherever stdout goes.
    Same,
}

pub struct Started {
    pub id: u32,
    pub pid: u32,
    pub output: [Option<Arc<Gathered>>; 2],
}

type Work = Box<dyn FnOnce(&mut Nursery) + Send>;

/// What one thread gives to the other, in order.
struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    arrived: Condvar,
}

impl<T> Queue<T> {
    fn new() -> Arc<Queue<T>> {
        Arc::new(Queue {
            items: Mutex::default(),
            arrived: Condvar::new(),
        })
    }

    fn put(&self, item: T) {
        self.items().push_back(item);
        self.arrived.notify_one();
    }

    /// The next one, if it comes within that time.
    fn take(&self, within: Option<Duration>) -> Option<T> {
        let items = self.items();
        let mut items = match within {
            Some(Duration::ZERO) => items,
            Some(within) => {
                let waited = self
                    .arrived
                    .wait_timeout_while(items, within, |items| items.is_empty());
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.arrived.wait_while(items, |items| items.is_empty());
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        items.pop_front()
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The script's side.
pub struct Desk {
    /// A script may fork: nobody works for the copy.
    owner: u32,
    work: Arc<Queue<Work>>,
    answers: Arc<Queue<Answer>>,
    bell: Arc<EventFd>,
    news: Arc<Queue<News>>,
    pending: Arc<AtomicU64>,
}

type Answer = Box<dyn Any + Send>;

impl Desk {
    /// Has something done, and waits for it. `None`: it went wrong, which stderr was told, or this is
    /// a copy of the process.
    pub fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Nursery) -> T + Send + 'static,
    ) -> Option<T> {
        if std::process::id() != self.owner {
            return None;
        }
        let work = move |nursery: &mut Nursery| {
            let done = panic::catch_unwind(AssertUnwindSafe(|| work(nursery)));
            let answer: Answer = Box::new(done.ok());
            nursery.answers.put(answer);
        };
        self.work.put(Box::new(work));
        let _ = self.bell.write(1);
        *self.answers.take(None)?.downcast::<Option<T>>().ok()?
    }

    /// The next piece of news, if it comes within that time.
    pub fn next(&self, within: Option<Duration>) -> Option<News> {
        let news = self.news.take(within);
        if let Some(News::Signal { number }) = news {
            self.pending.fetch_and(!bit(number), Ordering::Relaxed);
        }
        news
    }
}

pub struct Nursery {
    children: Children,
    epoll: Epoll,
    caught: Caught,
    bell: Arc<EventFd>,
    work: Arc<Queue<Work>>,
    answers: Arc<Queue<Answer>>,
    news: Arc<Queue<News>>,
    /// Signals that the script was told of and has not looked at.
    pending: Arc<AtomicU64>,
    /// Signals that are the script's affair.
    taken: u64,
    pipes: HashMap<u64, Pipe>,
    next_pipe: u64,
    next_id: u32,
    stops: Vec<Stop>,
    settling: Settling,
    piece: Vec<u8>,
}

struct Pipe {
    end: File,
    id: u32,
    stream: Stream,
    /// Nobody: what comes is dropped.
    gathered: Weak<Gathered>,
}

/// A stop of everything.
struct Stop {
    key: u32,
    /// Sets that are not known to be empty yet.
    left: Vec<u32>,
    receipts: Vec<Receipt>,
}

/// To be called before there is a second thread.
pub fn prepare() -> io::Result<(Nursery, Desk)> {
    settle::share_arena();
    let caught = Caught::catch()?;
    // Not being allowed to only means that orphans go to somebody else.
    let _ = startup::become_subreaper();
    let (work, answers, news) = (Queue::new(), Queue::new(), Queue::new());
    let mut settling = Settling::new();
    settling.on_answer(0, monotonic_ms());
    let bell = Arc::new(EventFd::from_flags(
        EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
    )?);
    let pending = Arc::new(AtomicU64::new(0));
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let readable = |key| EpollEvent::new(EpollFlags::EPOLLIN, key);
    epoll.add(&caught, readable(SIGNALS))?;
    epoll.add(&*bell, readable(BELL))?;
    let nursery = Nursery {
        children: Children::beside_a_script(),
        epoll,
        caught,
        bell: Arc::clone(&bell),
        work: Arc::clone(&work),
        answers: Arc::clone(&answers),
        news: Arc::clone(&news),
        pending: Arc::clone(&pending),
        taken: 0,
        pipes: HashMap::new(),
        next_pipe: FIRST_PIPE,
        next_id: 1,
        stops: Vec::new(),
        settling,
        piece: Vec::new(),
    };
    let desk = Desk {
        owner: std::process::id(),
        work,
        answers,
        bell,
        news,
        pending,
    };
    Ok((nursery, desk))
}

impl Nursery {
    /// Until the process ends, which is the script's affair. PID 1 does not end by a fault of its
    /// own: the panic's message is on stderr, and the next turn starts from the same tables.
    pub fn serve(&mut self) -> ! {
        loop {
            let turn = panic::catch_unwind(AssertUnwindSafe(|| self.turn()));
            if turn.is_err() {
                std::thread::sleep(super::PANIC_PAUSE);
            }
        }
    }

    fn turn(&mut self) {
        let mut events = [EpollEvent::empty(); 64];
        let count = match self.epoll.wait(&mut events, self.patience()) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(Errno::EBADF | Errno::EINVAL) => disowned(),
            Err(error) => panic!("nothing can be waited for: {error}"),
        };
        let keys = events.iter().take(count).map(EpollEvent::data);
        for key in keys {
            match key {
                SIGNALS => self.on_signals(),
                BELL => self.on_bell(),
                pipe => self.on_readable(pipe),
            }
        }
        let now = monotonic_ms();
        if self.children.next_deadline().is_some_and(|at| at <= now) {
            let events = self.children.on_deadline(now);
            self.take(events);
        }
        self.settling.on_deadline(now);
    }

    fn patience(&self) -> EpollTimeout {
        let deadlines = [self.children.next_deadline(), self.settling.next_deadline()];
        let Some(at) = deadlines.into_iter().flatten().min_by(f64::total_cmp) else {
            return EpollTimeout::NONE;
        };
        let ms = (at - monotonic_ms()).ceil().clamp(0.0, f64::from(i32::MAX));
        EpollTimeout::try_from(ms as i32).unwrap_or(EpollTimeout::ZERO)
    }

    fn on_bell(&mut self) {
        let _ = self.bell.read();
        while let Some(work) = self.work.take(Some(Duration::ZERO)) {
            work(self);
        }
    }

    fn tell(&self, news: News) {
        self.news.put(news);
    }

    // --- signals

    fn on_signals(&mut self) {
        let arrived = self.caught.read();
        // Whatever came, a CHLD may have found no room behind it.
        self.reap();
        for (signal, by_kernel) in arrived {
            if !signal.is_child() {
                self.on_signal(signal.number, by_kernel);
            }
        }
    }

    fn reap(&mut self) {
        let events = self.children.on_sigchld(monotonic_ms());
        if events.is_empty() {
            for id in self.children.robbed() {
                self.on_exit(id, Exit::Unknown(()));
            }
        }
        self.take(events);
    }

    fn on_signal(&mut self, number: i32, by_kernel: bool) {
        if self.taken & bit(number) != 0 {
            if self.pending.fetch_or(bit(number), Ordering::Relaxed) & bit(number) == 0 {
                self.tell(News::Signal { number });
            }
            return;
        }
        let of_terminal = by_kernel && OF_TERMINAL.contains(&number);
        let living = self.children.leaders();
        for (id, pid) in &living {
            // What the terminal sends to our group has reached those in it already.
            if !(of_terminal && is_in_our_group(*pid)) {
                self.children.signal(*id, &number.to_string(), Scope::Main);
            }
        }
        let stops = matches!(number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
        if living.is_empty() || (of_terminal && stops) {
            caught::act_by_default(number);
            if getpid().as_raw() == 1 && living.is_empty() && ENDING.contains(&number) {
                // SAFETY: nothing of ours is to be run any more, as after a signal.
                unsafe { libc::_exit(128 + number) };
            }
        }
    }

    /// Whether a signal is the script's affair from now on.
    pub fn take_signal(&mut self, number: i32, taken: bool) -> bool {
        let possible = caught::TOLD.contains(&number) && self.caught.take(number).is_ok();
        if possible && taken {
            self.taken |= bit(number);
        } else if possible {
            self.taken &= !bit(number);
        }
        possible
    }

    // --- children

    pub fn start(&mut self, start: Start) -> Result<Started, SpawnFailure> {
        let Start {
            words,
            spec,
            input,
            output,
            limit,
            own,
        } = start;
        let kin = Kin {
            words,
            own,
            ignored: self.caught.ignored,
        };
        let mut result = self.try_start(&spec, &kin, &input, output, limit);
        if result
            .as_ref()
            .is_err_and(|failure| failure.errno == libc::EMFILE)
            && self.children.raise_nofile()
        {
            result = self.try_start(&spec, &kin, &input, output, limit);
        }
        result
    }

    fn try_start(
        &mut self,
        spec: &SpawnSpec,
        kin: &Kin,
        input: &Input,
        output: [Sink; 2],
        limit: usize,
    ) -> Result<Started, SpawnFailure> {
        let input = opened(input).map_err(|error| no_descriptor("stdin", &error))?;
        let [out, err] = output;
        let mut out = opened_sink(out, libc::STDOUT_FILENO)
            .map_err(|error| no_descriptor("stdout", &error))?;
        let mut err = match err {
            Sink::Same => None,
            sink => Some(
                opened_sink(sink, libc::STDERR_FILENO)
                    .map_err(|error| no_descriptor("stderr", &error))?,
            ),
        };
        let stdio = Stdio::Given {
            input: input.as_ref().map(End::fd),
            out: out.write.fd(),
            err: err.as_ref().unwrap_or(&out).write.fd(),
        };
        let id = self.next_id;
        let pid = self
            .children
            .spawn_kin(id, spec, kin, stdio, monotonic_ms())?;
        self.next_id += 1;
        self.settling.on_answer(WORK_OF_A_START, monotonic_ms());
        let mut gather = |opened: Option<&mut Opened>, stream| {
            let end = opened?.read.take()?;
            let gathered = Arc::new(Gathered::new(limit, gather::named_folder()));
            self.watch(end, id, stream, &gathered);
            Some(gathered)
        };
        Ok(Started {
            id,
            pid,
            output: [
                gather(Some(&mut out), Stream::Out),
                gather(err.as_mut(), Stream::Err),
            ],
        })
    }

    fn watch(&mut self, end: OwnedFd, id: u32, stream: Stream, gathered: &Arc<Gathered>) {
        let key = self.next_pipe;
        self.next_pipe += 1;
        // Only a shortage of memory in the kernel can keep us from it; then it is as if the child
        // had closed it.
        if self
            .epoll
            .add(&end, EpollEvent::new(EpollFlags::EPOLLIN, key))
            .is_err()
        {
            gathered.close();
            return;
        }
        let pipe = Pipe {
            end: end.into(),
            id,
            stream,
            gathered: Arc::downgrade(gathered),
        };
        self.pipes.insert(key, pipe);
    }

    fn on_readable(&mut self, key: u64) {
        let Some(pipe) = self.pipes.get_mut(&key) else {
            return;
        };
        self.piece.resize(PIECE, 0);
        let gathered = pipe.gathered.upgrade();
        let (mut wanted, mut over) = (false, false);
        for _ in 0..PIECES {
            match pipe.end.read(&mut self.piece) {
                Ok(0) => over = true,
                Ok(count) => {
                    if let Some(gathered) = &gathered {
                        wanted |= gathered.append(&self.piece[..count]);
                    }
                    if count == PIECE {
                        continue;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => over = error.kind() != io::ErrorKind::WouldBlock,
            }
            break;
        }
        if over {
            wanted |= gathered.is_some_and(|gathered| gathered.close());
        }
        let (id, stream) = (pipe.id, pipe.stream);
        if over {
            self.pipes.remove(&key);
        }
        if wanted {
            self.tell(News::Written { id, stream });
        }
    }

    /// A signal to a child's process, if it has not ended.
    pub fn signal(&mut self, id: u32, number: i32) {
        self.children.signal(id, &number.to_string(), Scope::Main);
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Exited { id, exit, .. } => self.on_exit(id, exit),
                Event::Stopped { id, receipt, .. } => self.on_stopped(id, receipt),
                _ => {}
            }
        }
    }

    fn on_exit(&mut self, id: u32, exit: Exit) {
        // A stop that is at work for it goes on to the end.
        if !self.stops.iter().any(|stop| stop.left.contains(&id)) {
            self.children.forget(id);
        }
        self.tell(News::Exited { id, exit });
    }

    /// Ends every process below us; what the script's own thread has made is its own affair.
    /// `News::Stopped` with this key comes at the end.
    pub fn stop(&mut self, signal: i32, timeout_ms: f64) -> u32 {
        let key = self.next_id;
        self.next_id += 1;
        let mut left: Vec<u32> = self.children.leaders().iter().map(|(id, _)| *id).collect();
        left.push(key);
        let (signal, now) = (signal.to_string(), monotonic_ms());
        self.stops.push(Stop {
            key,
            left: left.clone(),
            receipts: Vec::new(),
        });
        for id in left {
            let events = match id == key {
                false => self.children.stop(id, &signal, timeout_ms, true, now),
                true => self.children.stop_rest(id, &signal, timeout_ms, now),
            };
            self.take(events);
        }
        key
    }

    fn on_stopped(&mut self, id: u32, receipt: Receipt) {
        for stop in &mut self.stops {
            if stop.left.contains(&id) {
                stop.left.retain(|other| *other != id);
                stop.receipts.push(receipt.clone());
            }
        }
        self.children.forget(id);
        let (over, stops) = mem::take(&mut self.stops)
            .into_iter()
            .partition(|stop| stop.left.is_empty());
        self.stops = stops;
        for Stop { key, receipts, .. } in over {
            self.tell(News::Stopped { key, receipts });
        }
    }
}

/// The script has closed what is not its own. Deaf to signals, ends and its calls we would only be in
/// the way.
fn disowned() -> ! {
    // Nobody may be there to be told.
    let _ = io::stderr().write_all(
        b"luavisors: the script has closed descriptors that are not its own (all above 2 are not)\n",
    );
    // SAFETY: no pointers. The script's thread may be anywhere, so nothing else of it is run.
    unsafe { libc::_exit(1) }
}

fn is_in_our_group(pid: i32) -> bool {
    let group = unistd::getpgid(Some(unistd::Pid::from_raw(pid)));
    group.is_ok_and(|group| group == getpgrp())
}

/// What a child gets.
enum End {
    Own(i32),
    Made(OwnedFd),
}

impl End {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            // SAFETY: used for the start that follows only; a script that has closed it meanwhile
            // gets an error from the child's own calls.
            End::Own(fd) => unsafe { BorrowedFd::borrow_raw(*fd) },
            End::Made(fd) => fd.as_fd(),
        }
    }
}

struct Opened {
    write: End,
    read: Option<OwnedFd>,
}

/// `None`: an empty one.
fn opened(input: &Input) -> io::Result<Option<End>> {
    let Input::Text(text) = input else {
        let own = matches!(input, Input::Own);
        return Ok(own.then_some(End::Own(libc::STDIN_FILENO)));
    };
    let mut file = File::from(memfd_create(c"input", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text)?;
    file.rewind()?;
    above_standard(file.into()).map(|fd| Some(End::Made(fd)))
}

fn opened_sink(sink: Sink, own: i32) -> io::Result<Opened> {
    let write = match sink {
        Sink::Gathered => {
            let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
            let read = above_standard(read)?;
            set_nonblocking(&read)?;
            let write = above_standard(write)?;
            return Ok(Opened {
                write: End::Made(write),
                read: Some(read),
            });
        }
        Sink::Own | Sink::Same => End::Own(own),
        Sink::Nothing => {
            let null = File::options().write(true).open("/dev/null")?;
            End::Made(above_standard(null.into())?)
        }
    };
    Ok(Opened { write, read: None })
}

/// A script may have closed one of the first three; ours must not take its place, as the child
/// exchanges those one after the other.
fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let copy = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(libc::STDERR_FILENO + 1))?;
    // SAFETY: the call has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

fn no_descriptor(step: &str, error: &io::Error) -> SpawnFailure {
    let errno = error
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw);
    failure(step, errno, error.to_string())
}
