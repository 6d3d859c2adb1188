//! Probes against real programs, servers and sockets.

use super::{
    super::probe::{Finished, Probes},
    *,
};
use crate::protocol::{HttpMethod, HttpProbe, Notify, Probe};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    sync::Arc,
};
use tokio::{
    runtime,
    sync::mpsc::{unbounded_channel, UnboundedReceiver},
    task::LocalSet,
};
use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    ServerConfig, ServerConnection, StreamOwned,
};

struct Prober {
    world: World,
    probes: Probes,
    finished: UnboundedReceiver<Finished>,
}

/// What a probe came to.
#[derive(Debug)]
struct Answer {
    ok: bool,
    reason: String,
    took_ms: f64,
    timed_out: bool,
    pressure: Option<f64>,
}

fn probing(body: impl AsyncFnOnce(&mut Prober)) {
    isolated(|| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let (sender, finished) = unbounded_channel();
        let mut prober = Prober {
            world: World::new(),
            probes: Probes::new(sender),
            finished,
        };
        LocalSet::new().block_on(&runtime.expect("a runtime"), body(&mut prober));
    });
}

impl Prober {
    fn start(&mut self, key: &str, probe: Probe, timeout_ms: f64) {
        let now = self.world.now();
        let children = &mut self.world.children;
        let events = self
            .probes
            .start(children, key.to_owned(), probe, timeout_ms, now);
        self.take(events);
    }

    fn take(&mut self, events: Vec<Event>) {
        let now = self.world.now();
        let events = self.probes.intercept(&mut self.world.children, events, now);
        self.world.events.extend(events);
    }

    async fn turn(&mut self) {
        self.world.turn_within(1.0);
        let events = std::mem::take(&mut self.world.events);
        self.take(events);
        let now = self.world.now();
        let events = self.probes.on_deadline(&mut self.world.children, now);
        self.take(events);
        tokio::time::sleep(Duration::from_millis(1)).await;
        while let Ok(finished) = self.finished.try_recv() {
            let event = self.probes.on_finished(finished);
            self.world.events.extend(event);
        }
    }

    async fn answer(&mut self, wanted: &str) -> Answer {
        let start = Instant::now();
        loop {
            let is_it = |event: &Event| matches!(event, Event::Probed { key, .. } if key == wanted);
            if let Some(position) = self.world.events.iter().position(is_it) {
                if let Event::Probed {
                    ok,
                    reason,
                    took_ms,
                    timed_out,
                    pressure,
                    ..
                } = self.world.events.remove(position)
                {
                    return Answer {
                        ok,
                        reason,
                        took_ms,
                        timed_out,
                        pressure,
                    };
                }
            }
            assert!(
                start.elapsed() < DEADLINE,
                "no answer; events: {:?}",
                self.world.events
            );
            self.turn().await;
        }
    }

    async fn probe(&mut self, probe: Probe, timeout_ms: f64) -> Answer {
        self.start("probe", probe, timeout_ms);
        self.answer("probe").await
    }

    async fn http(&mut self, probe: HttpProbe) -> Answer {
        self.probe(Probe::Http(Box::new(probe)), 10_000.0).await
    }

    async fn exec(&mut self, script: &str, timeout_ms: f64) -> Answer {
        let spec = Box::new(self.world.sh(script));
        self.probe(Probe::Exec { spec }, timeout_ms).await
    }

    async fn until(&mut self, done: impl Fn(&mut World) -> bool) {
        let start = Instant::now();
        while !done(&mut self.world) {
            assert!(start.elapsed() < DEADLINE, "waited too long");
            self.turn().await;
        }
    }

    async fn file(&mut self, name: &str) {
        let path = self.world.path(name);
        self.until(|_| path.exists()).await;
        fs::remove_file(path).expect("our file");
    }
}

fn http(port: u16) -> HttpProbe {
    HttpProbe {
        method: HttpMethod::Get,
        redirects: 0,
        set: 0,
        tls: false,
        host: "127.0.0.1".into(),
        port,
        path: "/health?deep=1".into(),
        headers: BTreeMap::new(),
        status: vec![(200, 399)],
        body: None,
        ca_file: None,
        insecure: false,
    }
}

/// Answers every connection with this, and keeps what was asked in a file.
fn server(world: &World, answer: impl Into<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (answer, asked) = (answer.into(), world.path("asked"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let request = read_head(&mut stream);
            let _ = fs::write(&asked, request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// Says this to everybody, the second part again and again.
fn endless(first: &str, again: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (first, again) = (first.to_owned(), again.repeat(100));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = read_head(&mut stream);
            let _ = stream.write_all(first.as_bytes());
            while stream.write_all(again.as_bytes()).is_ok() {}
        }
    });
    port
}

/// Says this to everybody, whatever was asked.
fn talker(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0]);
            let _ = stream.write_all(text.as_bytes());
        }
    });
    port
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLocation: /elsewhere\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn http_statuses() {
    probing(async |prober| {
        let good = server(&prober.world, answer("204 No Content", ""));
        let found = prober.http(http(good)).await;
        assert!(found.ok && found.reason == "204 No Content", "{found:?}");
        assert!(found.took_ms > 0.0 && !found.timed_out && found.pressure.is_none());
        let asked = fs::read_to_string(prober.world.path("asked")).expect("it was asked");
        assert!(
            asked.starts_with("GET /health?deep=1 HTTP/1.1\r\n"),
            "{asked}"
        );
        assert!(
            asked.contains(&format!("host: 127.0.0.1:{good}\r\n")),
            "{asked}"
        );

        let bad = server(&prober.world, answer("500 Internal Server Error", ""));
        let found = prober.http(http(bad)).await;
        assert!(!found.ok);
        assert_eq!(found.reason, "500 Internal Server Error, expected 200-399");
        let mut wanted = http(bad);
        wanted.status = vec![(200, 299), (500, 500)];
        assert!(prober.http(wanted).await.ok);

        // Redirects are answers like others.
        let moved = server(&prober.world, answer("302 Found", ""));
        let mut strict = http(moved);
        strict.status = vec![(200, 299), (404, 404)];
        assert!(prober.http(http(moved)).await.ok);
        assert_eq!(
            prober.http(strict).await.reason,
            "302 Found, expected 200-299,404"
        );
    });
}

#[test]
fn http_headers_and_bodies() {
    probing(async |prober| {
        let long = format!("{}needle", "x".repeat(40_000));
        let port = server(&prober.world, answer("200 OK", &long));
        let mut probe = http(port);
        probe.host = "localhost".into();
        probe.headers.insert("Host".into(), "example.org".into());
        probe.headers.insert("X-Token".into(), "a b".into());
        probe.body = Some("x+needle$".into());
        let found = prober.http(probe.clone()).await;
        assert!(found.ok, "{found:?}");
        let asked = fs::read_to_string(prober.world.path("asked")).expect("it was asked");
        assert!(
            asked.contains("host: example.org\r\n") && asked.contains("x-token: a b\r\n"),
            "{asked}"
        );
        probe.body = Some("haystack".into());
        assert_eq!(
            prober.http(probe.clone()).await.reason,
            "200 OK, but the body does not match \"haystack\""
        );
        probe.headers.insert("bad name".into(), "x".into());
        assert!(prober
            .http(probe)
            .await
            .reason
            .starts_with("the request cannot be made"));

        // Only the beginning is looked at, and the rest is not waited for.
        let endless = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsmall{}",
            "x".repeat(70_000)
        );
        let mut probe = http(server(&prober.world, endless));
        probe.body = Some("^small".into());
        let found = prober.http(probe.clone()).await;
        assert!(found.ok, "{found:?}");
    });
}

/// Answers each path with what there is for it, and keeps what was asked in the file `asked`.
fn signpost(world: &World, answers: &[(&str, String)]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let answers: Vec<_> = answers
        .iter()
        .map(|(path, text)| (format!(" {path} "), text.replace("PORT", &port.to_string())))
        .collect();
    let asked = world.path("asked");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let request = read_head(&mut stream);
            let _ = fs::write(&asked, &request);
            let found = answers.iter().find(|(path, _)| request.contains(path));
            let missing = answer("404 Not Found", "");
            let text = found.map_or(&missing, |(_, text)| text);
            let _ = stream.write_all(text.as_bytes());
        }
    });
    port
}

fn sign(status: &str, location: &str) -> String {
    format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn http_head() {
    probing(async |prober| {
        // Its length is that of what a GET would get.
        let port = server(
            &prober.world,
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        );
        let mut probe = http(port);
        probe.method = HttpMethod::Head;
        let found = prober.http(probe).await;
        assert!(found.ok && found.reason == "200 OK", "{found:?}");
        let asked = fs::read_to_string(prober.world.path("asked")).expect("what was asked");
        assert!(
            asked.starts_with("HEAD /health?deep=1 HTTP/1.1\r\n"),
            "{asked}"
        );
    });
}

#[test]
fn http_redirections() {
    probing(async |prober| {
        let port = signpost(
            &prober.world,
            &[
                ("/health?deep=1", sign("302 Found", "/a/b?c#d")),
                ("/a/b?c", sign("301 Moved Permanently", "e")),
                (
                    "/a/e",
                    sign("307 Temporary Redirect", "http://127.0.0.1:PORT/f"),
                ),
                ("/f", sign("308 Permanent Redirect", "//127.0.0.1:PORT/g")),
                ("/g", sign("303 See Other", "?h")),
                ("/g?h", answer("200 OK", "there")),
                ("/round", sign("302 Found", "/round")),
                ("/odd", sign("302 Found", "gopher://127.0.0.1/")),
                ("/bad", sign("302 Found", "/worse")),
                ("/worse", answer("500 Internal Server Error", "")),
                (
                    "/plain",
                    "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".into(),
                ),
            ],
        );
        let probe = |path: &str, redirects: u32| HttpProbe {
            path: path.into(),
            redirects,
            ..http(port)
        };
        let start = "/health?deep=1";
        let mut all = probe(start, 5);
        all.body = Some("^there$".into());
        let found = prober.http(all).await;
        assert!(found.ok && found.reason == "200 OK", "{found:?}");
        assert_eq!(prober.http(probe(start, 0)).await.reason, "302 Found");
        let found = prober.http(probe(start, 4)).await;
        assert_eq!(found.reason, "more than 4 redirections");
        let found = prober.http(probe("/round", 20)).await;
        assert_eq!(found.reason, "more than 20 redirections");
        let found = prober.http(probe("/odd", 1)).await;
        assert_eq!(
            found.reason,
            "redirected to nowhere: \"gopher://127.0.0.1/\""
        );
        let found = prober.http(probe("/bad", 1)).await;
        let expected = format!(
            "500 Internal Server Error, expected 200-399 (redirected to http://127.0.0.1:{port}/worse)"
        );
        assert_eq!(found.reason, expected);
        let found = prober.http(probe("/plain", 1)).await;
        assert!(found.ok && found.reason == "302 Found", "{found:?}");
    });
}

/// A header may be a secret: it is for whom it was written for.
#[test]
fn http_headers_do_not_go_elsewhere() {
    probing(async |prober| {
        let other = server(&prober.world, answer("200 OK", ""));
        let here = signpost(
            &prober.world,
            &[
                (
                    "/away",
                    sign("302 Found", &format!("http://127.0.0.1:{other}/x")),
                ),
                ("/on", sign("302 Found", "/there")),
                ("/there", answer("200 OK", "")),
            ],
        );
        for (path, keeps) in [("/away", false), ("/on", true)] {
            let mut probe = http(here);
            probe.path = path.into();
            probe.redirects = 1;
            probe.headers.insert("X-Secret".into(), "1".into());
            assert!(prober.http(probe).await.ok);
            let asked = fs::read_to_string(prober.world.path("asked")).expect("what was asked");
            assert_eq!(asked.to_lowercase().contains("x-secret"), keeps, "{asked}");
        }
    });
}

#[test]
fn http_failures() {
    probing(async |prober| {
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("it")
            .port();
        assert_eq!(prober.http(http(port)).await.reason, "connection refused");
        let garbage = server(&prober.world, "I am no web server\r\n\r\n");
        assert_eq!(
            prober.http(http(garbage)).await.reason,
            "what came is no HTTP answer"
        );
        let silent = server(&prober.world, "");
        let found = prober.http(http(silent)).await;
        assert_eq!(
            found.reason,
            "the connection was closed before an answer came"
        );
        // Those that never come to an end, and would keep us busy for as long as they may.
        let found = prober
            .http(http(endless("", "HTTP/1.1 100 Continue\r\n\r\n")))
            .await;
        assert_eq!(found.reason, "1048576 bytes came, and no end of the answer");
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut probe = http(endless(chunked, &format!("1;{}\r\na\r\n", "x".repeat(100))));
        probe.body = Some("b".into());
        assert!(!prober.http(probe).await.ok);
        // One that never answers.
        let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
        let probe = http(mute.local_addr().expect("its address").port());
        let found = prober.probe(Probe::Http(Box::new(probe)), 150.0).await;
        assert_eq!(found.reason, "no answer within 150ms");
        assert!(
            !found.ok && found.timed_out && found.took_ms >= 150.0,
            "{found:?}"
        );
        let has_pressure = Path::new("/proc/pressure/cpu").exists();
        assert_eq!(found.pressure.is_some(), has_pressure);
    });
}

/// Certificates made for the test.
fn certificates(folder: &Path) -> bool {
    let script = r#"set -e; cd "$1"
        new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "$@"; }
        new -keyout ca.key -out ca.pem -subj /CN=authority
        new -keyout own.key -out own.pem -subj /CN=own -addext subjectAltName=DNS:localhost
        sign() {
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $1.key -out $1.csr -subj /CN=$1
            echo "subjectAltName=$2" >ext
            openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 -extfile ext -out $1.pem
        }
        sign good DNS:localhost,IP:127.0.0.1 30
        sign other DNS:example.org 30
        sign old DNS:localhost -1"#;
    let result = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(folder)
        .output();
    let output = result.expect("a shell");
    let done = output.status.success();
    if !done {
        say(&format!(
            "not tested: no certificates: {}\n",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    done
}

fn tls_server(folder: &Path, name: &str) -> u16 {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let certificate = CertificateDer::from_pem_file(file("pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream: StreamOwned<ServerConnection, TcpStream> =
                StreamOwned::new(session, stream);
            if !read_head(&mut stream).is_empty() {
                let _ = stream.write_all(answer("200 OK", "secret").as_bytes());
                let _ = stream.flush();
            }
        }
    });
    port
}

#[test]
fn https() {
    probing(async |prober| {
        let folder = prober.world.folder.clone();
        if !certificates(&folder) {
            return;
        }
        let path = |name: &str| Some(folder.join(name).display().to_string());
        let https = |name: &str| HttpProbe {
            tls: true,
            host: "localhost".into(),
            ca_file: path("ca.pem"),
            body: Some("^secret$".into()),
            ..http(tls_server(&folder, name))
        };
        let found = prober.http(https("good")).await;
        assert!(found.ok && found.reason == "200 OK", "{found:?}");
        let mut by_address = https("good");
        by_address.host = "127.0.0.1".into();
        let found = prober.http(by_address).await;
        assert!(found.ok, "{found:?}");

        let found = prober.http(https("old")).await;
        assert_eq!(found.reason, "certificate of localhost: expired");
        let found = prober.http(https("other")).await;
        assert_eq!(
            found.reason,
            "certificate of localhost: it is for another name"
        );
        let found = prober.http(https("own")).await;
        assert!(
            found
                .reason
                .starts_with("certificate of localhost: signed by nobody"),
            "{found:?}"
        );
        // One that was made for itself and is trusted as such.
        let mut own = https("own");
        own.ca_file = path("own.pem");
        let found = prober.http(own.clone()).await;
        assert!(found.ok, "{found:?}");
        own.host = "127.0.0.1".into();
        assert!(!prober.http(own.clone()).await.ok);
        own.insecure = true;
        assert!(prober.http(own).await.ok);

        // The system's own list, and one that a variable names.
        let mut ours = https("good");
        ours.ca_file = None;
        env::remove_var("SSL_CERT_FILE");
        assert!(!prober.http(ours.clone()).await.ok);
        env::set_var("SSL_CERT_FILE", folder.join("ca.pem"));
        assert!(prober.http(ours.clone()).await.ok);
        ours.ca_file = path("nothing.pem");
        let found = prober.http(ours.clone()).await;
        assert!(
            found.reason.contains("nothing.pem: no such file"),
            "{found:?}"
        );
        ours.ca_file = path("good.key");
        let found = prober.http(ours).await;
        assert!(found.reason.contains("no certificate in it"), "{found:?}");

        let plain = HttpProbe {
            port: talker("I speak no TLS\r\n\r\n"),
            ..https("good")
        };
        assert_eq!(prober.http(plain).await.reason, "what came is no TLS");
    });
}

#[test]
fn commands_are_judged_by_their_end() {
    probing(async |prober| {
        let found = prober.exec("echo fine", 10_000.0).await;
        assert!(
            found.ok && (0.1..30_000.0).contains(&found.took_ms),
            "{found:?}"
        );
        let found = prober
            .exec("echo first; echo 'no database' >&2; echo; exit 3", 10_000.0)
            .await;
        assert_eq!(
            found.reason,
            "the probe's command left with code 3: no database"
        );
        let found = prober.exec("kill -9 $$", 10_000.0).await;
        assert_eq!(found.reason, "the probe's command was ended by KILL");
        // More than a pipe holds.
        let found = prober
            .exec(
                "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; exit 1",
                30_000.0,
            )
            .await;
        assert_eq!(
            found.reason,
            "the probe's command left with code 1: line 20000"
        );
        let mut spec = prober.world.sh("");
        spec.argv = vec!["/nonexistent".into()];
        let found = prober
            .probe(
                Probe::Exec {
                    spec: Box::new(spec),
                },
                1000.0,
            )
            .await;
        assert!(
            found
                .reason
                .starts_with("cannot run the probe: no such program"),
            "{found:?}"
        );
        prober
            .until(|world| world.children.records().is_empty())
            .await;
    });
}

#[test]
fn a_command_that_hangs_is_ended_with_all_its_children() {
    probing(async |prober| {
        let script = "echo looking; (setsid sleep 1000 & echo $! >$T/new; mv $T/new $T/pid); yes no & sleep 1000";
        prober.start(
            "probe",
            Probe::Exec {
                spec: Box::new(prober.world.sh(script)),
            },
            700.0,
        );
        let path = prober.world.path("pid");
        prober.until(|_| path.exists()).await;
        let pid: u32 = fs::read_to_string(path)
            .expect("our file")
            .trim()
            .parse()
            .expect("a pid");
        let found = prober.answer("probe").await;
        assert!(
            found.timed_out && (500.0..30_000.0).contains(&found.took_ms),
            "{found:?}"
        );
        assert_eq!(found.reason, "no end within 700ms: no");
        prober
            .until(|world| world.children.records().is_empty() && !lives(pid))
            .await;
    });
}

#[test]
fn listening_sockets_of_the_set_count() {
    probing(async |prober| {
        // What others listen on is not the set's.
        let _other = TcpListener::bind("127.0.0.1:0").expect("a port");
        for (steps, expected) in [
            ("listen 127.0.0.1:0", "listens on 127.0.0.1:"),
            ("listen [::1]:0", "listens on [::1]:"),
            ("listen-unix socket", "listens on a Unix socket"),
        ] {
            // By a descendant in a session of its own.
            let mut spec = prober.world.sh("setsid $IMP & wait");
            spec.environment
                .insert("IMP".into(), imp::command().join(" "));
            spec.environment.insert(
                imp::STEPS.into(),
                format!("touch silent; wait go; {steps}; touch listening; sleep"),
            );
            let (id, _) = prober.world.spawn(&spec);
            prober.file("silent").await;
            let found = prober.probe(Probe::Listen { set: id }, 1000.0).await;
            assert!(
                !found.ok && found.reason == "no process of it listens on a socket",
                "{found:?}"
            );
            fs::write(prober.world.path("go"), "").expect("our folder");
            prober.file("listening").await;
            let found = prober.probe(Probe::Listen { set: id }, 1000.0).await;
            assert!(found.ok && found.reason.starts_with(expected), "{found:?}");
            fs::remove_file(prober.world.path("go")).expect("our file");
        }
    });
}

#[test]
fn listening_sockets_in_another_network_count() {
    if !is_root() {
        return;
    }
    probing(async |prober| {
        let words = imp::command();
        let mut argv = ["unshare", "--net"].map(str::to_owned).to_vec();
        argv.extend(words);
        let mut spec = prober
            .world
            .imp("touch silent; wait go; listen 0.0.0.0:8080; touch listening; sleep");
        spec.argv = argv;
        let (id, _) = prober.world.spawn(&spec);
        prober.file("silent").await;
        assert!(!prober.probe(Probe::Listen { set: id }, 1000.0).await.ok);
        fs::write(prober.world.path("go"), "").expect("our folder");
        prober.file("listening").await;
        let found = prober.probe(Probe::Listen { set: id }, 1000.0).await;
        assert_eq!(
            (found.ok, found.reason.as_str()),
            (true, "listens on 0.0.0.0:8080")
        );
    });
}

#[test]
fn a_socket_that_we_passed_on_does_not_count() {
    probing(async |prober| {
        let socket = Notify::Socket {
            path: None,
            watchdog_ms: None,
        };
        let mut spec = prober
            .world
            .imp("store-listen FDSTORE=1; barrier; touch stored; sleep");
        spec.notify = Some(socket);
        let (id, _) = prober.world.spawn(&spec);
        prober.file("stored").await;
        // It has opened this one itself.
        assert!(prober.probe(Probe::Listen { set: id }, 1000.0).await.ok);
        spec.environment.insert(
            imp::STEPS.into(),
            "touch passed; wait go; listen 127.0.0.1:0; touch own; sleep".into(),
        );
        let (id, _) = prober.world.spawn(&spec);
        prober.file("passed").await;
        assert!(!prober.probe(Probe::Listen { set: id }, 1000.0).await.ok);
        fs::write(prober.world.path("go"), "").expect("our folder");
        prober.file("own").await;
        assert!(prober.probe(Probe::Listen { set: id }, 1000.0).await.ok);
    });
}

#[test]
fn pressure_is_told_where_the_kernel_knows() {
    probing(async |prober| {
        let (id, _) = prober.world.spawn(&spec(&["/bin/sleep", "1000"]));
        let found = prober.probe(Probe::Pressure { set: id }, 1000.0).await;
        assert!(found.ok && !found.timed_out);
        let has_pressure = Path::new("/proc/pressure/cpu").exists();
        assert_eq!(found.pressure.is_some(), has_pressure);
        assert!(
            found
                .pressure
                .is_none_or(|share| (0.0..=100.0).contains(&share)),
            "{found:?}"
        );
        // One that was there before.
        let found = prober.probe(Probe::Pressure { set: 999 }, 1000.0).await;
        assert_eq!(found.pressure.is_some(), has_pressure);
    });
}

#[test]
fn files_and_ports() {
    probing(async |prober| {
        let path = prober.world.path("there").display().to_string();
        let file = Probe::File { path: path.clone() };
        let found = prober.probe(file.clone(), 1000.0).await;
        assert_eq!(
            (found.ok, found.reason),
            (false, format!("{path}: no such file or directory"))
        );
        fs::write(&path, "").expect("our folder");
        assert!(prober.probe(file, 1000.0).await.ok);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let tcp = Probe::Tcp {
            host: "127.0.0.1".into(),
            port,
            set: 0,
        };
        let found = prober.probe(tcp.clone(), 1000.0).await;
        assert!(found.ok && found.took_ms > 0.0, "{found:?}");
        drop(listener);
        let found = prober.probe(tcp, 1000.0).await;
        assert_eq!(
            found.reason,
            format!("127.0.0.1:{port}: connection refused")
        );
    });
}
