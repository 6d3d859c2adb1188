//! The terminal as a screen (`src/cli/screen.ts` describes it): trees of widgets come as data and
//! are drawn, keys go back, and requests are made beside it, so that a slow answer freezes
//! nothing. What the widgets show is the program's affair.

mod terminal;
mod widgets;

pub use terminal::restore;

use super::{
    host::{from_script, to_script},
    jobs::Jobs,
};
use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use ratatui::{backend::CrosstermBackend, Terminal};
use rquickjs::{prelude::Func, Ctx, Exception, Object, Result, Value};
use serde_json::json;
use std::{
    cell::RefCell,
    io::{self, Stdout},
    os::fd::AsFd,
    rc::Rc,
    sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// What the program waits for, as it gets it.
pub type News = serde_json::Value;

/// For as long as it lives the terminal is ours.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    news: Receiver<News>,
    jobs: Jobs,
}

impl Screen {
    fn open() -> io::Result<Screen> {
        let (tell, news) = channel();
        // First, so that every thread made from here on leaves the signals to the one for them.
        terminal::watch_signals(tell.clone())?;
        terminal::take()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).inspect_err(|_| {
            restore();
        })?;
        let keys = tell.clone();
        thread::Builder::new()
            .name("keys".into())
            .spawn(move || listen(&keys))
            .inspect_err(|_| restore())?;
        Ok(Screen {
            terminal,
            news,
            jobs: Jobs::new(tell),
        })
    }

    fn next(&mut self, timeout: Duration) -> News {
        let first = match self.news.recv_timeout(timeout) {
            Ok(news) => news,
            Err(RecvTimeoutError::Timeout) => return json!({"type": "none"}),
            Err(RecvTimeoutError::Disconnected) => return json!({"type": "closed"}),
        };
        if first["type"] == "resize" {
            // Also after the terminal was somebody else's for a while.
            let _ = self.terminal.clear();
        }
        self.jobs.note(&first);
        first
    }

    fn size(&self) -> serde_json::Value {
        match self.terminal.size() {
            Ok(size) => json!({"columns": size.width, "rows": size.height}),
            Err(_) => json!({"columns": 80, "rows": 24}),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Reads keys until nobody wants them any more, or the terminal is gone.
fn listen(tell: &Sender<News>) {
    while let Ok(keys) = read_keys() {
        for key in keys {
            if tell.send(key).is_err() {
                return;
            }
        }
    }
    let _ = tell.send(json!({"type": "closed"}));
}

/// Waits for keys. The terminal's end has to be looked for: read as a key, it would be nothing,
/// again and again.
fn read_keys() -> io::Result<Vec<News>> {
    let stdin = io::stdin();
    let mut wait = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut wait, PollTimeout::NONE) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let over = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let seen = wait[0].revents().unwrap_or(PollFlags::empty());
    if seen.intersects(over) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut keys = Vec::new();
    while event::poll(Duration::ZERO)? {
        if let event::Event::Key(key) = event::read()? {
            keys.extend(describe(&key));
        }
    }
    Ok(keys)
}

fn describe(key: &KeyEvent) -> Option<News> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let name = match key.code {
        KeyCode::Char(letter) => letter.to_string(),
        KeyCode::Esc => "Escape".into(),
        KeyCode::Enter => "Enter".into(),
        KeyCode::Tab => "Tab".into(),
        KeyCode::BackTab => "BackTab".into(),
        KeyCode::Backspace => "Backspace".into(),
        KeyCode::Delete => "Delete".into(),
        KeyCode::Up => "Up".into(),
        KeyCode::Down => "Down".into(),
        KeyCode::Left => "Left".into(),
        KeyCode::Right => "Right".into(),
        KeyCode::PageUp => "PageUp".into(),
        KeyCode::PageDown => "PageDown".into(),
        KeyCode::Home => "Home".into(),
        KeyCode::End => "End".into(),
        _ => return None,
    };
    let held = |modifier| key.modifiers.contains(modifier);
    Some(json!({
        "type": "key",
        "key": name,
        "ctrl": held(KeyModifiers::CONTROL),
        "alt": held(KeyModifiers::ALT),
    }))
}

/// `host.screen`.
pub fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let object = Object::new(ctx.clone())?;
    let screen: Rc<RefCell<Option<Screen>>> = Rc::default();
    let own = Rc::clone(&screen);
    object.set(
        "open",
        Func::from(move |ctx: Ctx<'js>| {
            let opened = Screen::open();
            let failed = opened.as_ref().err().map(super::client::host_error);
            *own.borrow_mut() = opened.ok();
            to_script(&ctx, &json!(failed))
        }),
    )?;
    let own = Rc::clone(&screen);
    object.set("close", Func::from(move || drop(own.borrow_mut().take())))?;
    let own = Rc::clone(&screen);
    object.set(
        "size",
        Func::from(move |ctx: Ctx<'js>| with(&ctx, &own, |screen| to_script(&ctx, &screen.size()))),
    )?;
    let own = Rc::clone(&screen);
    object.set(
        "draw",
        Func::from(move |ctx: Ctx<'js>, tree: Value<'js>| {
            let tree = from_script::<widgets::Widget>(&ctx, tree)?;
            with(&ctx, &own, |screen| {
                let drawn = screen.terminal.draw(|frame| {
                    let area = frame.area();
                    tree.draw(frame, area);
                });
                drawn
                    .map(drop)
                    .map_err(|error| Exception::throw_message(&ctx, &format!("draw: {error}")))
            })
        }),
    )?;
    let own = Rc::clone(&screen);
    object.set(
        "nextInput",
        Func::from(move |ctx: Ctx<'js>, timeout_ms: f64| {
            let timeout = Duration::from_secs_f64(timeout_ms.clamp(0.0, 3.6e6) / 1000.0);
            with(&ctx, &own, |screen| to_script(&ctx, &screen.next(timeout)))
        }),
    )?;
    object.set(
        "submit",
        Func::from(move |ctx: Ctx<'js>, ticket: u32, call: Value<'js>| {
            let call = from_script(&ctx, call)?;
            with(&ctx, &screen, |screen| Ok(screen.jobs.submit(ticket, call)))
        }),
    )?;
    host.set("screen", object)
}

fn with<'js, T>(
    ctx: &Ctx<'js>,
    screen: &RefCell<Option<Screen>>,
    work: impl FnOnce(&mut Screen) -> Result<T>,
) -> Result<T> {
    match screen.borrow_mut().as_mut() {
        Some(screen) => work(screen),
        None => Err(Exception::throw_message(ctx, "the screen is not open")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(code: KeyCode, modifiers: KeyModifiers) -> Option<News> {
        describe(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_have_names() {
        let shift = name(KeyCode::Char('S'), KeyModifiers::SHIFT).expect("a key");
        assert_eq!(shift["key"], "S");
        let ctrl = name(KeyCode::Char('c'), KeyModifiers::CONTROL).expect("a key");
        assert_eq!((&ctrl["key"], &ctrl["ctrl"]), (&json!("c"), &json!(true)));
        assert_eq!(name(KeyCode::F(1), KeyModifiers::NONE), None);
    }
}
