//! Timers by the wall clock: they follow when somebody sets it, and run on while the machine
//! sleeps. One descriptor of the kernel's stands for the earliest of them; without a timer there
//! is none.

use super::{clock_ms, duration, timers::Timers};
use crate::protocol::Event;
use nix::{
    errno::Errno,
    sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    time::ClockId as Clock,
    unistd::read,
};
use std::{
    future::pending,
    os::fd::{AsFd, AsRawFd, RawFd},
};
use tokio::io::unix::AsyncFd;

/// Less than this the clocks may differ by the way they are read.
const SLEPT_MIN_MS: f64 = 100.0;
/// Without a descriptor to be had it is tried again.
const RETRY_MS: f64 = 1000.0;

struct Alarm(TimerFd);

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[derive(Default)]
pub struct Wall {
    timers: Timers,
    alarm: Option<AsyncFd<Alarm>>,
    /// What the alarm is set to.
    armed: Option<f64>,
    was_set: bool,
    /// How long the machine had slept, in all, when we last looked.
    slept: f64,
}

impl Wall {
    pub fn arm(&mut self, key: String, wall: f64) {
        if self.timers.next().is_none() {
            self.slept = slept_ms();
        }
        self.timers.arm(key, wall);
        self.settle();
    }

    pub fn cancel(&mut self, key: &str) {
        self.timers.cancel(key);
        self.settle();
    }

    pub fn clear(&mut self) {
        *self = Wall::default();
    }

    /// Comes back when there may be something to do.
    pub async fn alarm(&self) {
        match &self.alarm {
            Some(alarm) => {
                if let Ok(mut ready) = alarm.readable().await {
                    ready.clear_ready();
                }
            }
            None => pending().await,
        }
    }

    /// When this wants to be looked at without an alarm, ms of CLOCK_MONOTONIC.
    pub fn next_deadline(&self, now: f64) -> Option<f64> {
        let is_missed = self.armed.is_none() && self.timers.next().is_some();
        is_missed.then_some(now + RETRY_MS)
    }

    /// What is due. Costs next to nothing where nothing is.
    pub fn due(&mut self, now: f64, wall: f64) -> Vec<Event> {
        if self.timers.next().is_none() {
            return Vec::new();
        }
        self.due_after(now, wall, slept_ms())
    }

    fn due_after(&mut self, now: f64, wall: f64, slept: f64) -> Vec<Event> {
        self.read_alarm();
        let mut events = Vec::new();
        let was_asleep = slept - self.slept > SLEPT_MIN_MS;
        self.slept = slept;
        if std::mem::take(&mut self.was_set) || was_asleep {
            self.armed = None;
            events.push(Event::ClockSet { at: now });
        }
        while let Some(key) = self.timers.pop_due(wall) {
            events.push(Event::Timer { key, at: now });
        }
        self.settle();
        events
    }

    fn read_alarm(&mut self) {
        let Some(alarm) = &self.alarm else {
            return;
        };
        // Not by the library's own call, which takes a clock that was set for an alarm.
        match read(alarm.get_ref().0.as_fd(), &mut [0; 8]) {
            Ok(_) => self.armed = None,
            Err(Errno::ECANCELED) => self.was_set = true,
            // Nothing has happened.
            Err(_) => {}
        }
    }

    /// Sets the alarm to the earliest timer.
    fn settle(&mut self) {
        let Some(next) = self.timers.next() else {
            (self.alarm, self.armed) = (None, None);
            return;
        };
        if self.armed == Some(next) {
            return;
        }
        self.armed = None;
        if self.alarm.is_none() {
            self.alarm = alarm();
        }
        let Some(alarm) = &self.alarm else {
            return;
        };
        // Zero would mean no alarm at all.
        let at = duration(next.max(1.0));
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let expiration = Expiration::OneShot(TimeSpec::from_duration(at));
        match alarm.get_ref().0.set(expiration, flags) {
            Ok(()) => self.armed = Some(next),
            // It is set nonetheless; the clock was, too, just now.
            Err(Errno::ECANCELED) => (self.armed, self.was_set) = (Some(next), true),
            Err(_) => {}
        }
    }
}

fn alarm() -> Option<AsyncFd<Alarm>> {
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags).ok()?;
    // SAFETY: hands out the one descriptor it owns and keeps open as long as it lives.
    unsafe { AsyncFd::register(Alarm(timer)) }.ok()
}

/// How long the machine has slept since its start.
fn slept_ms() -> f64 {
    clock_ms(Clock::CLOCK_BOOTTIME) - clock_ms(Clock::CLOCK_MONOTONIC)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{monotonic_ms, wall_ms},
        *,
    };
    use nix::libc;
    use std::{
        future::Future,
        sync::{Mutex, PoisonError},
        time::Duration,
    };
    use tokio::{runtime, time::timeout};

    /// There is one clock for all tests, and one of them sets it.
    static CLOCK: Mutex<()> = Mutex::new(());

    fn run(test: impl Future<Output = ()>) {
        let _alone = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let limit = Duration::from_secs(30);
        let result = runtime
            .expect("a runtime")
            .block_on(async { timeout(limit, test).await });
        result.expect("in time");
    }

    fn due(wall: &mut Wall) -> Vec<String> {
        let name = |event| match event {
            Event::Timer { key, .. } => key,
            Event::ClockSet { .. } => "clock".to_owned(),
            other => panic!("{other:?}"),
        };
        wall.due(monotonic_ms(), wall_ms())
            .into_iter()
            .map(name)
            .collect()
    }

    async fn next(wall: &mut Wall) -> Vec<String> {
        loop {
            wall.alarm().await;
            let events = due(wall);
            if !events.is_empty() {
                return events;
            }
        }
    }

    #[test]
    fn timers_come_in_order_and_leave_nothing_behind() {
        run(async {
            let mut wall = Wall::default();
            let now = wall_ms();
            wall.arm("later".into(), now + 60.0);
            wall.arm("sooner".into(), now + 30.0);
            wall.arm("never".into(), now + 45.0);
            wall.arm("past".into(), -5.0);
            assert!(wall.alarm.is_some());
            wall.cancel("never");
            assert_eq!(next(&mut wall).await, ["past"]);
            assert_eq!(next(&mut wall).await, ["sooner"]);
            assert!(wall_ms() >= now + 30.0);
            assert_eq!(next(&mut wall).await, ["later"]);
            assert!(wall.alarm.is_none() && wall.next_deadline(0.0).is_none());
            wall.arm("a".into(), now + 1e9);
            wall.cancel("a");
            assert!(wall.alarm.is_none());
            wall.arm("a".into(), now + 1e9);
            wall.clear();
            assert!(wall.alarm.is_none() && due(&mut wall).is_empty());
        });
    }

    /// A microsecond forth, or back.
    fn set_clock(seconds: i64, micros: i64) -> bool {
        // SAFETY: all zero is a valid timex, and the call fills it.
        unsafe {
            let mut change: libc::timex = std::mem::zeroed();
            change.modes = libc::ADJ_SETOFFSET;
            change.time.tv_sec = seconds;
            change.time.tv_usec = micros;
            libc::adjtimex(&mut change) >= 0
        }
    }

    #[test]
    fn a_clock_that_was_set_is_told() {
        run(async {
            let mut wall = Wall::default();
            wall.arm("a".into(), wall_ms() + 1e9);
            assert!(due(&mut wall).is_empty());
            if !set_clock(0, 1) {
                eprintln!("not tested: not allowed to set the clock");
                return;
            }
            assert_eq!(next(&mut wall).await, ["clock"]);
            assert!(due(&mut wall).is_empty());
            // The timers stay.
            wall.arm("b".into(), wall_ms() + 20.0);
            assert_eq!(next(&mut wall).await, ["b"]);
            assert!(set_clock(-1, 999_999));
            assert_eq!(next(&mut wall).await, ["clock"]);
            assert!(wall.timers.next().is_some());
        });
    }

    #[test]
    fn a_sleep_is_noticed_before_what_it_made_due() {
        run(async {
            let mut wall = Wall::default();
            let now = wall_ms();
            wall.arm("a".into(), now + 60_000.0);
            wall.arm("b".into(), now + 1e9);
            let slept = wall.slept;
            assert!(wall.due_after(1.0, now, slept + 50.0).is_empty());
            let events = wall.due_after(2.0, now + 3_600_000.0, slept + 3_600_000.0);
            assert!(
                matches!(&events[..], [Event::ClockSet { .. }, Event::Timer { key, .. }] if key == "a"),
                "{events:?}"
            );
            assert!(wall
                .due_after(3.0, now + 3_600_001.0, slept + 3_600_000.0)
                .is_empty());
        });
    }
}
