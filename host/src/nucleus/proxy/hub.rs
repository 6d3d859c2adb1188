//! All proxies on one thread: its own epoll instance, sockets that never block, turns that are
//! bounded. A busy stream costs the nucleus nothing but processor time, which the kernel shares out.
//!
//! Every socket is watched once, for everything, edge-triggered; what the kernel has told is kept
//! with the socket (`End`) until a call says otherwise. So a connection costs one `epoll_ctl` per
//! socket in its whole life.

use super::{
    dial::{self, Dialled, Place},
    link::{End, Fate, Flows, Tally},
    listener::{text, Listener},
    pipes::{Pipes, Room},
    Counters, News, Order, Orders,
};
use crate::{
    nucleus::{listen::reason, monotonic_ms},
    protocol::{Address, Proxy},
};
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{atomic::Ordering, Arc},
};
use tokio::sync::mpsc::UnboundedSender;

/// What one connection moves in each direction before others have their turn.
const TURN_BYTES: usize = 1 << 20;
/// Clients that one address accepts before others have their turn.
const TURN_CLIENTS: usize = 16;
const EVENTS: usize = 256;
/// Clients of one proxy that wait for its backend. Further ones wait in the kernel's queue.
const WAITING_MAX: usize = 4096;
/// Between attempts at a backend that is about to be there.
const PAUSE_FIRST_MS: f64 = 1.0;
const PAUSE_MAX_MS: f64 = 100.0;
/// What a backend that is up has at least to take a connection.
const DIAL_MS: f64 = 1000.0;
/// Until a shortage of descriptors may be over.
const SHORTAGE_MS: f64 = 100.0;

/// What an event of the kernel's is about. Numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Orders,
    Listener(u64),
    Client(u64),
    Backend(u64),
}

impl Token {
    fn pack(self) -> u64 {
        match self {
            Token::Orders => 0,
            Token::Listener(id) => id << 2 | 1,
            Token::Client(id) => id << 2 | 2,
            Token::Backend(id) => id << 2 | 3,
        }
    }

    fn unpack(data: u64) -> Token {
        let id = data >> 2;
        match data & 3 {
            1 => Token::Listener(id),
            2 => Token::Client(id),
            3 => Token::Backend(id),
            _ => Token::Orders,
        }
    }
}

/// What is to be gone on with in the next turn.
#[derive(Debug, Clone, Copy)]
enum Work {
    Accept(u64),
    Link(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Link(u64),
    Idle(u64),
    Shortage,
}

/// Deadlines, each of which can be taken back.
#[derive(Default)]
struct Timers(BTreeSet<(u64, Due)>);

impl Timers {
    fn arm(&mut self, at: f64, due: Due) -> u64 {
        let at = (at * 1000.0).max(0.0) as u64;
        self.0.insert((at, due));
        at
    }

    fn cancel(&mut self, at: u64, due: Due) {
        self.0.remove(&(at, due));
    }

    fn pop(&mut self, now: f64) -> Option<Due> {
        let first = *self.0.first()?;
        if first.0 as f64 > now * 1000.0 {
            return None;
        }
        self.0.remove(&first);
        Some(first.1)
    }

    /// Rounded up, or a turn would come in vain.
    fn timeout(&self, now: f64) -> EpollTimeout {
        let Some((at, _)) = self.0.first() else {
            return EpollTimeout::NONE;
        };
        let wait = (*at as f64 / 1000.0 - now).max(0.0).ceil();
        EpollTimeout::try_from(wait as u64).unwrap_or(EpollTimeout::MAX)
    }
}

/// One proxy, and after its end what is left of its connections.
struct Slot {
    name: String,
    service: Arc<str>,
    proxy: Proxy,
    counters: Arc<Counters>,
    closed: bool,
    listeners: Vec<u64>,
    up: bool,
    /// The backend has taken a connection since it came up.
    proven: bool,
    /// `Wanted` was told.
    told: bool,
    /// Clients whose backend is not there yet, in the order they came.
    waiting: BTreeSet<u64>,
    active: u32,
    idle_at: Option<u64>,
}

impl Slot {
    /// Its backend takes connections at once.
    fn is_open(&self) -> bool {
        self.up && self.proven
    }
}

struct OpenListener {
    slot: u64,
    listener: Listener,
    queued: bool,
}

enum Stage {
    /// For the backend, or for the next attempt.
    Waits,
    Dials(End),
    Open(End),
}

struct Link {
    slot: u64,
    client: End,
    stage: Stage,
    flows: Flows,
    /// It waits until its deadline; else one attempt decides.
    patient: bool,
    deadline: f64,
    pause: f64,
    /// The next of the backend's places.
    place: usize,
    timer: Option<u64>,
    queued: bool,
}

impl Link {
    /// It has not asked the backend yet, since it is said to be up.
    fn is_fresh(&self) -> bool {
        matches!(self.stage, Stage::Waits) && self.pause == PAUSE_FIRST_MS
    }
}

pub struct Hub {
    epoll: Epoll,
    orders: Arc<Orders>,
    news: UnboundedSender<News>,
    slots: HashMap<u64, Slot>,
    names: HashMap<String, u64>,
    /// Connections by the service that they are for.
    busy: HashMap<Arc<str>, u32>,
    listeners: HashMap<u64, OpenListener>,
    links: HashMap<u64, Link>,
    pipes: Pipes,
    room: Room,
    timers: Timers,
    work: VecDeque<Work>,
    /// What waits for a shortage to pass.
    short: Vec<Work>,
    next_id: u64,
}

impl Hub {
    pub fn new(orders: Arc<Orders>, news: UnboundedSender<News>) -> io::Result<Hub> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(
            orders.bell(),
            EpollEvent::new(EpollFlags::EPOLLIN, Token::Orders.pack()),
        )?;
        let room = Room::new();
        Ok(Hub {
            epoll,
            orders,
            news,
            slots: HashMap::new(),
            names: HashMap::new(),
            busy: HashMap::new(),
            listeners: HashMap::new(),
            links: HashMap::new(),
            pipes: Pipes::new(room),
            room,
            timers: Timers::default(),
            work: VecDeque::new(),
            short: Vec::new(),
            next_id: 1,
        })
    }

    /// Until it is told to finish: true. Otherwise it cannot go on.
    pub fn run(&mut self) -> bool {
        loop {
            if let Some(finished) = self.turn() {
                return finished;
            }
        }
    }

    /// `None`: go on.
    fn turn(&mut self) -> Option<bool> {
        let timeout = match self.work.is_empty() {
            true => self.timers.timeout(monotonic_ms()),
            false => EpollTimeout::ZERO,
        };
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            // The instance is ours and open; there is no other error.
            Err(_) => return Some(false),
        };
        let mut ordered = false;
        for event in &events[..count] {
            match Token::unpack(event.data()) {
                Token::Orders => ordered = true,
                Token::Listener(id) => self.queue_accept(id),
                Token::Client(id) => self.on_client(id, event.events()),
                Token::Backend(id) => self.on_backend(id, event.events()),
            }
        }
        // Afterwards, as they may put another socket in the place of one that was just told of.
        if ordered && !self.obey_all() {
            return Some(true);
        }
        for _ in 0..self.work.len() {
            match self.work.pop_front() {
                Some(Work::Accept(id)) => self.accept(id),
                Some(Work::Link(id)) => self.advance(id),
                None => break,
            }
        }
        let now = monotonic_ms();
        while let Some(due) = self.timers.pop(now) {
            self.on_due(due, now);
        }
        None
    }

    fn on_client(&mut self, id: u64, told: EpollFlags) {
        if let Some(link) = self.links.get_mut(&id) {
            link.client.note(told);
            self.queue_link(id);
        }
    }

    fn on_backend(&mut self, id: u64, told: EpollFlags) {
        let stage = self.links.get_mut(&id).map(|link| &mut link.stage);
        if let Some(Stage::Dials(backend) | Stage::Open(backend)) = stage {
            backend.note(told);
            self.queue_link(id);
        }
    }

    fn queue_accept(&mut self, id: u64) {
        if let Some(open) = self.listeners.get_mut(&id) {
            if !std::mem::replace(&mut open.queued, true) {
                self.work.push_back(Work::Accept(id));
            }
        }
    }

    fn queue_link(&mut self, id: u64) {
        if let Some(link) = self.links.get_mut(&id) {
            if !std::mem::replace(&mut link.queued, true) {
                self.work.push_back(Work::Link(id));
            }
        }
    }

    fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    // ---- orders

    /// False: this is the end.
    fn obey_all(&mut self) -> bool {
        for order in self.orders.take() {
            if matches!(order, Order::Finish) {
                return false;
            }
            self.obey(order);
        }
        true
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open {
                name,
                service,
                proxy,
                counters,
            } => self.open(name, service, proxy, counters),
            Order::Close { name } => self.close(&name),
            Order::Up { name, up } => {
                if let Some(&id) = self.names.get(&name) {
                    self.set_up(id, up);
                }
            }
            Order::Refuse { name } => self.refuse(&name),
            Order::Finish => {}
        }
    }

    fn open(&mut self, name: String, service: Arc<str>, proxy: Proxy, counters: Arc<Counters>) {
        let id = match self.names.get(&name) {
            Some(&id) => id,
            None => self.new_id(),
        };
        self.leave_service(id);
        let former = self.slots.remove(&id);
        let (active, waiting, kept) = match former {
            Some(slot) => (slot.active, slot.waiting, slot.listeners),
            None => (0, BTreeSet::new(), Vec::new()),
        };
        counters.active.store(active, Ordering::Relaxed);
        if active > 0 {
            *self.busy.entry(Arc::clone(&service)).or_default() += active;
        }
        self.names.insert(name.clone(), id);
        let up = proxy.up;
        let slot = Slot {
            name,
            service,
            proxy,
            counters,
            closed: false,
            listeners: Vec::new(),
            up: false,
            proven: false,
            told: false,
            waiting,
            active,
            idle_at: None,
        };
        self.slots.insert(id, slot);
        self.listen(id, kept);
        // Who was on the way to the former backend begins anew.
        self.set_up(id, false);
        if up {
            self.set_up(id, true);
            self.prove(id);
        }
        self.want(id);
    }

    /// Its connections are no longer those of its service; nor is it idle with it.
    fn leave_service(&mut self, id: u64) {
        self.disarm_idle(id);
        if let Some(slot) = self.slots.get(&id) {
            let (service, active) = (Arc::clone(&slot.service), slot.active);
            self.count_busy(&service, -i64::from(active));
        }
    }

    /// On its addresses; those of the former proxy that are wanted again stay as they are.
    fn listen(&mut self, id: u64, mut kept: Vec<u64>) {
        let Some(slot) = self.slots.get(&id) else {
            return;
        };
        let wanted = slot.proxy.listen.clone();
        let is_wanted = |open: &OpenListener| wanted.contains(&open.listener.address);
        let listeners = &mut self.listeners;
        kept.retain(|kept| {
            let stays = listeners.get(kept).is_some_and(is_wanted);
            if !stays {
                listeners.remove(kept);
            }
            stays
        });
        let mut failures = Vec::new();
        for address in &wanted {
            let is_there = |kept: &u64| {
                let open = self.listeners.get(kept);
                open.is_some_and(|open| open.listener.address == *address)
            };
            if kept.iter().any(is_there) {
                continue;
            }
            match self.listen_at(id, address) {
                Ok(listener) => kept.push(listener),
                Err(failure) => failures.push(failure),
            }
        }
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.counters
                .listening
                .store(!kept.is_empty(), Ordering::Relaxed);
            slot.listeners = kept;
            if !failures.is_empty() {
                let name = slot.name.clone();
                let _ = self.news.send(News::Failed { name, failures });
            }
        }
    }

    fn listen_at(&mut self, slot: u64, address: &Address) -> Result<u64, String> {
        let listener = Listener::open(address)?;
        let id = self.new_id();
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        self.epoll
            .add(
                &listener.fd,
                EpollEvent::new(flags, Token::Listener(id).pack()),
            )
            .map_err(|error| format!("{}: {}", text(address), reason(&error.into())))?;
        let open = OpenListener {
            slot,
            listener,
            queued: false,
        };
        self.listeners.insert(id, open);
        Ok(id)
    }

    fn close(&mut self, name: &str) {
        let Some(id) = self.names.remove(name) else {
            return;
        };
        self.disarm_idle(id);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.closed = true;
            for listener in std::mem::take(&mut slot.listeners) {
                self.listeners.remove(&listener);
            }
        }
        self.close_waiting(id);
        self.drop_if_over(id);
    }

    fn refuse(&mut self, name: &str) {
        if let Some(&id) = self.names.get(name) {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.told = false;
            }
            self.close_waiting(id);
        }
    }

    fn close_waiting(&mut self, id: u64) {
        let waiting = self.slots.get_mut(&id).map(|slot| slot.waiting.clone());
        for link in waiting.into_iter().flatten() {
            self.drop_link(link);
        }
    }

    fn drop_if_over(&mut self, id: u64) {
        let is_over = |slot: &Slot| slot.closed && slot.active == 0;
        if self.slots.get(&id).is_some_and(is_over) {
            self.slots.remove(&id);
        }
    }

    fn set_up(&mut self, id: u64, up: bool) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.told = false;
        let was_up = std::mem::replace(&mut slot.up, up);
        if up {
            if !was_up {
                self.arm_idle(id);
                self.dial_first(id);
            }
            return;
        }
        slot.proven = false;
        let waiting: Vec<u64> = slot.waiting.iter().copied().collect();
        for link in waiting {
            self.wait_on(link, None);
        }
        self.disarm_idle(id);
    }

    /// Asks for the backend, if somebody waits for it and nobody was told.
    fn want(&mut self, id: u64) {
        if let Some(slot) = self.slots.get_mut(&id) {
            if !slot.up && !slot.told && !slot.closed && !slot.waiting.is_empty() {
                slot.told = true;
                let name = slot.name.clone();
                let _ = self.news.send(News::Wanted { name });
            }
        }
    }

    // ---- idling

    fn count_busy(&mut self, service: &str, change: i64) {
        let Some(busy) = self.busy.get_mut(service) else {
            return;
        };
        *busy = u32::try_from(i64::from(*busy) + change).unwrap_or(0);
        if *busy == 0 {
            self.busy.remove(service);
        }
    }

    fn slots_of(&self, service: &str) -> Vec<u64> {
        let all = self.slots.iter();
        all.filter(|(_, slot)| *slot.service == *service)
            .map(|(id, _)| *id)
            .collect()
    }

    fn arm_idle(&mut self, id: u64) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let rests = slot.up && !slot.closed && !self.busy.contains_key(&slot.service);
        if rests && slot.idle_at.is_none() && slot.proxy.idle_ms > 0.0 {
            let at = monotonic_ms() + slot.proxy.idle_ms;
            slot.idle_at = Some(self.timers.arm(at, Due::Idle(id)));
        }
    }

    fn disarm_idle(&mut self, id: u64) {
        let timer = self.slots.get_mut(&id).and_then(|slot| slot.idle_at.take());
        if let Some(at) = timer {
            self.timers.cancel(at, Due::Idle(id));
        }
    }

    fn on_idle(&mut self, id: u64) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.idle_at = None;
        let (name, service) = (slot.name.clone(), Arc::clone(&slot.service));
        for id in self.slots_of(&service) {
            self.set_up(id, false);
        }
        let _ = self.news.send(News::Idle { name });
    }

    // ---- clients

    fn accept(&mut self, id: u64) {
        if !self.listeners.contains_key(&id) {
            return;
        }
        if !self.room.for_clients(self.epoll.0.as_fd()) {
            return self.fall_short(Work::Accept(id));
        }
        for _ in 0..TURN_CLIENTS {
            let Some(open) = self.listeners.get_mut(&id) else {
                return;
            };
            let is_full = |slot: &Slot| slot.waiting.len() >= WAITING_MAX;
            if self.slots.get(&open.slot).is_some_and(is_full) {
                return self.fall_short(Work::Accept(id));
            }
            match open.listener.accept() {
                Ok(Some(fd)) => {
                    let slot = open.slot;
                    self.welcome(slot, fd);
                }
                Ok(None) => {
                    open.queued = false;
                    return;
                }
                Err(_) => return self.fall_short(Work::Accept(id)),
            }
        }
        self.work.push_back(Work::Accept(id));
    }

    /// It is gone on with in a moment.
    fn fall_short(&mut self, work: Work) {
        if self.short.is_empty() {
            self.timers.arm(monotonic_ms() + SHORTAGE_MS, Due::Shortage);
        }
        self.short.push(work);
    }

    fn welcome(&mut self, slot_id: u64, fd: OwnedFd) {
        let id = self.new_id();
        let Some(slot) = self.slots.get_mut(&slot_id) else {
            return;
        };
        if slot.proxy.single && slot.active > 0 {
            return;
        }
        if watch(&self.epoll, &fd, Token::Client(id)).is_err() {
            return;
        }
        let patient = !slot.is_open();
        // A connection takes a moment even where nobody is to wait for the backend.
        let shortest = if patient { 0.0 } else { DIAL_MS };
        let link = Link {
            slot: slot_id,
            client: End::new(fd),
            stage: Stage::Waits,
            flows: Flows::default(),
            patient,
            deadline: monotonic_ms() + slot.proxy.connect_timeout_ms.max(shortest),
            pause: PAUSE_FIRST_MS,
            place: 0,
            timer: None,
            queued: false,
        };
        slot.active += 1;
        slot.waiting.insert(id);
        slot.counters.total.fetch_add(1, Ordering::Relaxed);
        slot.counters.active.store(slot.active, Ordering::Relaxed);
        self.links.insert(id, link);
        self.on_busier(slot_id);
        if patient {
            self.wait_on(id, None);
            self.want(slot_id);
            self.dial_first(slot_id);
        } else {
            self.dial(id);
        }
    }

    fn on_busier(&mut self, id: u64) {
        let Some(slot) = self.slots.get(&id) else {
            return;
        };
        if let Some(busy) = self.busy.get_mut(&slot.service) {
            *busy += 1;
            return;
        }
        let service = Arc::clone(&slot.service);
        for id in self.slots_of(&service) {
            self.disarm_idle(id);
        }
        self.busy.insert(service, 1);
    }

    fn drop_link(&mut self, id: u64) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        if let Some(at) = link.timer {
            self.timers.cancel(at, Due::Link(id));
        }
        let slot_id = link.slot;
        drop(link);
        if self.links.is_empty() {
            self.links.shrink_to(EVENTS);
            self.work.shrink_to(EVENTS);
        }
        let Some(slot) = self.slots.get_mut(&slot_id) else {
            return;
        };
        slot.active -= 1;
        slot.counters.active.store(slot.active, Ordering::Relaxed);
        let was_first = slot.waiting.first() == Some(&id);
        slot.waiting.remove(&id);
        let service = Arc::clone(&slot.service);
        self.count_busy(&service, -1);
        if was_first {
            self.dial_first(slot_id);
        }
        if !self.busy.contains_key(&service) {
            for id in self.slots_of(&service) {
                self.arm_idle(id);
            }
        }
        self.drop_if_over(slot_id);
    }

    // ---- the way to the backend

    /// While the backend may be about to come up, one client asks for all whether it has.
    fn dial_first(&mut self, slot: u64) {
        let Some(slot) = self.slots.get(&slot) else {
            return;
        };
        if !slot.up || slot.proven {
            return;
        }
        if let Some(&first) = slot.waiting.first() {
            if self.links.get(&first).is_some_and(Link::is_fresh) {
                self.dial(first);
            }
        }
    }

    fn dial(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(slot) = self.slots.get(&link.slot) else {
            return;
        };
        let places = dial::places(&slot.proxy.backend).unwrap_or_default();
        let result = match places.get(link.place) {
            Some(place) => self.dial_at(id, place),
            None => Err(Errno::EADDRNOTAVAIL),
        };
        if let Err(error) = result {
            self.on_refused(id, error, places.len());
        }
    }

    fn dial_at(&mut self, id: u64, place: &Place) -> nix::Result<()> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let (fd, connected) = match dial::dial(place)? {
            Dialled::Connected(fd) => (fd, true),
            Dialled::UnderWay(fd) => (fd, false),
        };
        watch(&self.epoll, &fd, Token::Backend(id))?;
        let backend = End::new(fd);
        if connected {
            self.connect(id, backend);
        } else {
            link.stage = Stage::Dials(backend);
            let deadline = link.deadline;
            self.arm_link(id, deadline);
        }
        Ok(())
    }

    fn arm_link(&mut self, id: u64, at: f64) {
        if let Some(link) = self.links.get_mut(&id) {
            if let Some(former) = link.timer.take() {
                self.timers.cancel(former, Due::Link(id));
            }
            link.timer = Some(self.timers.arm(at, Due::Link(id)));
        }
    }

    /// The next place, a later attempt, or none any more.
    fn on_refused(&mut self, id: u64, error: Errno, places: usize) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.stage = Stage::Waits;
        link.place += 1;
        if link.place < places {
            return self.dial(id);
        }
        link.place = 0;
        if link.patient || dial::is_passing(error) {
            let pause = link.pause;
            link.pause = (pause * 2.0).min(PAUSE_MAX_MS);
            self.wait_on(id, Some(pause));
        } else {
            // It took the connection, but not for long.
            if error == Errno::ECONNRESET {
                link.client.reset_on_close();
            }
            self.drop_link(id);
        }
    }

    /// For so long, or for the backend; never beyond its deadline.
    fn wait_on(&mut self, id: u64, pause: Option<f64>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.stage = Stage::Waits;
        link.patient = true;
        if pause.is_none() {
            link.pause = PAUSE_FIRST_MS;
            link.place = 0;
        }
        let deadline = link.deadline;
        let at = pause.map_or(deadline, |pause| deadline.min(monotonic_ms() + pause));
        self.arm_link(id, at);
    }

    fn connect(&mut self, id: u64, mut backend: End) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        backend.can_write = true;
        link.stage = Stage::Open(backend);
        if let Some(at) = link.timer.take() {
            self.timers.cancel(at, Due::Link(id));
        }
        let slot_id = link.slot;
        let Some(slot) = self.slots.get_mut(&slot_id) else {
            return;
        };
        slot.waiting.remove(&id);
        self.prove(slot_id);
        self.move_bytes(id);
    }

    /// It takes connections: all who wait are let through.
    fn prove(&mut self, slot: u64) {
        let Some(slot) = self.slots.get_mut(&slot) else {
            return;
        };
        if !std::mem::replace(&mut slot.proven, true) {
            let waiting: Vec<u64> = slot.waiting.iter().copied().collect();
            waiting.into_iter().for_each(|link| self.queue_link(link));
        }
    }

    // ---- connections

    fn advance(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.queued = false;
        match &mut link.stage {
            Stage::Open(_) => self.move_bytes(id),
            Stage::Waits if link.client.failed => self.drop_link(id),
            Stage::Dials(backend) if link.client.failed => {
                backend.reset_on_close();
                self.drop_link(id);
            }
            Stage::Dials(backend) => {
                if backend.can_write || backend.failed {
                    self.on_dialled(id);
                }
            }
            Stage::Waits => {
                // Its backend may have taken another one meanwhile. Its client's bytes wait, too.
                let slot = self.slots.get(&link.slot);
                if link.is_fresh() && slot.is_some_and(Slot::is_open) {
                    self.dial(id);
                }
            }
        }
    }

    fn on_dialled(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Stage::Dials(backend) = std::mem::replace(&mut link.stage, Stage::Waits) else {
            return;
        };
        match dial::outcome(&backend.fd) {
            Ok(()) => self.connect(id, backend),
            Err(error) => {
                let slot = self.slots.get(&link.slot);
                let places = slot.and_then(|slot| dial::places(&slot.proxy.backend).ok());
                drop(backend);
                self.on_refused(id, error, places.map_or(0, |places| places.len()));
            }
        }
    }

    fn move_bytes(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (Stage::Open(backend), Some(slot)) = (&mut link.stage, self.slots.get(&link.slot))
        else {
            return;
        };
        let tally = Tally {
            to_backend: &slot.counters.to_backend,
            from_backend: &slot.counters.from_backend,
        };
        let pipes = &mut self.pipes;
        match link
            .flows
            .run(&mut link.client, backend, pipes, &tally, TURN_BYTES)
        {
            Fate::Waits => {}
            Fate::More => self.queue_link(id),
            Fate::Starved => {
                link.queued = true;
                self.fall_short(Work::Link(id));
            }
            Fate::Closes => self.drop_link(id),
            Fate::ClientReset => {
                backend.reset_on_close();
                self.drop_link(id);
            }
            Fate::BackendReset => {
                if link.client.is_drained() {
                    link.client.reset_on_close();
                }
                self.drop_link(id);
            }
        }
    }

    // ---- time

    fn on_due(&mut self, due: Due, now: f64) {
        match due {
            Due::Link(id) => self.on_link_due(id, now),
            Due::Idle(id) => self.on_idle(id),
            Due::Shortage => self.work.extend(self.short.drain(..)),
        }
    }

    fn on_link_due(&mut self, id: u64, now: f64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.timer = None;
        // Timers are kept to the microsecond.
        if now + 0.001 >= link.deadline {
            self.drop_link(id);
        } else {
            self.dial(id);
        }
    }
}

/// For all that may ever happen to it.
fn watch(epoll: &Epoll, fd: &OwnedFd, token: Token) -> nix::Result<()> {
    let flags =
        EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
    epoll.add(fd, EpollEvent::new(flags, token.pack()))
}
