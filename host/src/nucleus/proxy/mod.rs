//! Listeners that pass bytes between their clients and a backend, which is asked for when the
//! first client comes.
//!
//! Here stands the table, in the nucleus, from which a fresh brain learns what there is. The work is done on a
//! thread of its own (`hub`), which exists from the first proxy on: whatever streams, the loop that reaps and
//! stops waits for nothing.

mod dial;
mod hub;
mod link;
mod listener;
mod pipes;
#[cfg(test)]
mod tests;

use super::{monotonic_ms, Nucleus};
use crate::protocol::{Event, Proxy, ProxyFacts, ProxyRecord};
use hub::Hub;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::{
    collections::BTreeMap,
    io, mem,
    os::fd::{AsFd, BorrowedFd},
    panic::{self, AssertUnwindSafe},
    sync::{
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
        Arc, Mutex, PoisonError,
    },
    thread::{self, JoinHandle},
};
use tokio::sync::mpsc::UnboundedSender;

/// Its calls go a few frames deep.
const STACK: usize = 128 << 10;

/// What the thread counts, read here.
#[derive(Default)]
struct Counters {
    listening: AtomicBool,
    active: AtomicU32,
    total: AtomicU64,
    to_backend: AtomicU64,
    from_backend: AtomicU64,
}

/// From the nucleus to the thread.
enum Order {
    Open {
        name: String,
        service: Arc<str>,
        proxy: Proxy,
        counters: Arc<Counters>,
    },
    Close {
        name: String,
    },
    Up {
        name: String,
        up: bool,
    },
    Refuse {
        name: String,
    },
    Finish,
}

/// From the thread to the nucleus.
pub enum News {
    Wanted {
        name: String,
    },
    Idle {
        name: String,
    },
    Failed {
        name: String,
        failures: Vec<String>,
    },
    /// The thread has ended by a fault of its own.
    Broken,
}

/// What is to be done, and the bell that tells of it.
struct Orders {
    waiting: Mutex<Vec<Order>>,
    bell: EventFd,
}

impl Orders {
    fn new() -> io::Result<Orders> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Orders {
            waiting: Mutex::new(Vec::new()),
            bell: EventFd::from_value_and_flags(0, flags)?,
        })
    }

    fn put(&self, order: Order) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(order);
        // It can only fail by being rung already.
        let _ = self.bell.write(1);
    }

    fn take(&self) -> Vec<Order> {
        let _ = self.bell.read();
        mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

struct Worker {
    orders: Arc<Orders>,
    thread: JoinHandle<()>,
}

struct Entry {
    record: ProxyRecord,
    counters: Arc<Counters>,
}

pub struct Proxies {
    news: UnboundedSender<News>,
    table: BTreeMap<String, Entry>,
    worker: Option<Worker>,
}

impl Proxies {
    pub fn new(news: UnboundedSender<News>) -> Proxies {
        Proxies {
            news,
            table: BTreeMap::new(),
            worker: None,
        }
    }

    /// One that is there exactly so goes on as it is, its numbers too.
    pub fn open(&mut self, name: String, service: String, proxy: Proxy) {
        if let Some(entry) = self.table.get_mut(&name) {
            let record = &entry.record;
            let mut same = proxy.clone();
            same.up = record.proxy.up;
            if record.service == service && record.proxy == same {
                return self.set_up(&name, proxy.up);
            }
        }
        let record = ProxyRecord {
            name: name.clone(),
            service,
            proxy,
            wanted: false,
            idle: false,
        };
        let entry = Entry {
            record,
            counters: Arc::default(),
        };
        let order = entry.order();
        self.table.insert(name, entry);
        self.tell(order);
    }

    pub fn close(&mut self, name: &str) {
        if self.table.remove(name).is_some() {
            let name = name.to_owned();
            self.tell(Order::Close { name });
        }
    }

    pub fn set_up(&mut self, name: &str, up: bool) {
        if let Some(entry) = self.table.get_mut(name) {
            entry.record.proxy.up = up;
            entry.record.wanted = false;
            entry.record.idle = false;
            let name = name.to_owned();
            self.tell(Order::Up { name, up });
        }
    }

    pub fn refuse(&mut self, name: &str) {
        if let Some(entry) = self.table.get_mut(name) {
            entry.record.wanted = false;
            let name = name.to_owned();
            self.tell(Order::Refuse { name });
        }
    }

    pub fn records(&self) -> Vec<ProxyRecord> {
        let all = self.table.values();
        all.map(|entry| entry.record.clone()).collect()
    }

    pub fn facts(&self) -> Vec<ProxyFacts> {
        self.table.values().map(Entry::facts).collect()
    }

    /// `None`: it is about a proxy that is closed meanwhile, or was settled here.
    pub fn on_news(&mut self, news: News) -> Option<Event> {
        let at = monotonic_ms();
        match news {
            News::Wanted { name } => {
                self.table.get_mut(&name)?.record.wanted = true;
                Some(Event::ProxyWanted { name, at })
            }
            News::Idle { name } => {
                let service = self.table.get(&name)?.record.service.clone();
                let all = self.table.values_mut().map(|entry| &mut entry.record);
                for record in all.filter(|record| record.service == service) {
                    record.proxy.up = false;
                    record.idle = record.name == name;
                }
                Some(Event::ProxyIdle { name, at })
            }
            News::Failed { name, failures } => {
                self.table.contains_key(&name).then_some(())?;
                Some(Event::ProxyFailed { name, at, failures })
            }
            News::Broken => {
                self.worker = None;
                self.tell_all();
                None
            }
        }
    }

    fn tell_all(&mut self) {
        let orders: Vec<Order> = self.table.values().map(Entry::order).collect();
        orders.into_iter().for_each(|order| self.tell(order));
    }

    fn tell(&mut self, order: Order) {
        if self.worker.is_none() {
            match start(self.news.clone()) {
                Ok(worker) => self.worker = Some(worker),
                Err(error) => return self.fail(order, &error),
            }
        }
        if let Some(worker) = &self.worker {
            worker.orders.put(order);
        }
    }

    fn fail(&self, order: Order, error: &io::Error) {
        if let Order::Open { name, .. } = order {
            let failures = vec![format!("no thread for proxies: {error}")];
            let _ = self.news.send(News::Failed { name, failures });
        }
    }
}

/// Sockets' files go with the process.
impl Drop for Proxies {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Proxies {
    /// Lets go of all addresses, and of all connections.
    pub fn finish(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.orders.put(Order::Finish);
            let _ = worker.thread.join();
        }
    }
}

impl Entry {
    fn order(&self) -> Order {
        Order::Open {
            name: self.record.name.clone(),
            service: self.record.service.as_str().into(),
            proxy: self.record.proxy.clone(),
            counters: Arc::clone(&self.counters),
        }
    }

    fn facts(&self) -> ProxyFacts {
        let counters = &self.counters;
        ProxyFacts {
            name: self.record.name.clone(),
            listening: counters.listening.load(Ordering::Relaxed),
            active: counters.active.load(Ordering::Relaxed),
            total: counters.total.load(Ordering::Relaxed),
            bytes_to_backend: counters.to_backend.load(Ordering::Relaxed),
            bytes_from_backend: counters.from_backend.load(Ordering::Relaxed),
        }
    }
}

fn start(news: UnboundedSender<News>) -> io::Result<Worker> {
    let orders = Arc::new(Orders::new()?);
    let inbox = Arc::clone(&orders);
    let mut hub = Hub::new(inbox, news.clone())?;
    let thread = thread::Builder::new()
        .name("proxy".into())
        .stack_size(STACK)
        .spawn(move || {
            // A panic's message is on stderr already.
            let ended = panic::catch_unwind(AssertUnwindSafe(|| hub.run()));
            if !matches!(ended, Ok(true)) {
                let _ = news.send(News::Broken);
            }
        })?;
    Ok(Worker { orders, thread })
}

impl Nucleus {
    pub(super) fn on_proxy(&mut self, news: News) {
        if let News::Broken = news {
            self.say("a fault in the proxies: their connections are lost, they open anew".into());
        }
        if let Some(event) = self.proxies.on_news(news) {
            self.mind.push(event);
        }
    }
}
