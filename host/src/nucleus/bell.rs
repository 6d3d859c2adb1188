//! Wakes everybody who waits for news. One thread, no queue: whoever is woken looks for itself
//! what is new.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

#[derive(Default)]
pub struct Bell {
    waiting: RefCell<Vec<(usize, Waker)>>,
}

impl Bell {
    pub fn ring(&self) {
        for (_, waker) in self.waiting.take() {
            waker.wake();
        }
    }
}

/// One waiter's place at the bell. It takes no room there when it is not waiting, and none once
/// it is dropped.
pub struct Waiter(Rc<Bell>);

impl Waiter {
    pub fn new(bell: &Rc<Bell>) -> Box<Waiter> {
        Box::new(Waiter(bell.clone()))
    }

    /// The task is woken by the next `ring`, once. Being boxed, a waiter is known by its address.
    pub fn wait(self: &mut Box<Self>, cx: &Context<'_>) {
        let key = self.key();
        let mut waiting = self.0.waiting.borrow_mut();
        match waiting.iter_mut().find(|(other, _)| *other == key) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => waiting.push((key, cx.waker().clone())),
        }
    }

    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let key = self.key();
        self.0
            .waiting
            .borrow_mut()
            .retain(|(other, _)| *other != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn rings_for_those_who_wait_and_forgets_the_dropped() {
        let bell = Rc::new(Bell::default());
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let cx = Context::from_waker(&waker);
        let (mut a, mut b) = (Waiter::new(&bell), Waiter::new(&bell));
        a.wait(&cx);
        a.wait(&cx);
        b.wait(&cx);
        assert_eq!(bell.waiting.borrow().len(), 2);
        drop(b);
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(bell.waiting.borrow().is_empty());
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
