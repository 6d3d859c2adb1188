//! One request, for a probe, and those that its answer redirects to: is it answered as expected?

use super::{brief::one_line, http::Io, probe, tls};
use crate::{
    pattern,
    protocol::{HttpMethod, HttpProbe},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1,
    header::{HeaderName, HeaderValue, ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT},
    http::uri::{Scheme, Uri},
    Method, Request, Response, StatusCode,
};
use std::{
    future::{poll_fn, Future},
    io,
    pin::{pin, Pin},
    task::{ready, Context, Poll},
    thread,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::oneshot,
};

/// Of a body, that a pattern is looked for in.
const BODY_MAX: usize = 64 << 10;
/// Of an answer with all its framing. Who sends more wants to keep us busy.
const ANSWER_MAX: usize = 1 << 20;
/// With more than this a pattern gets a thread of its own, as the worst take their time.
const MATCHED_HERE_MAX: usize = 8 << 10;
const STACK: usize = 256 << 10;

/// What an answer says.
enum Said {
    Found(String),
    /// Look there.
    Moved(String),
}

/// What was found, or why it is not as expected; a sentence each.
pub async fn ask(probe: &HttpProbe) -> Result<String, String> {
    let mut there = probe.clone();
    for followed in 0..=probe.redirects {
        let result = ask_once(&there).await;
        let told = |reason| match followed {
            0 => reason,
            _ => format!("{reason} (redirected to {})", address(&there)),
        };
        match result.map_err(told)? {
            Said::Found(found) => return Ok(found),
            Said::Moved(location) => there = moved(&there, &location)?,
        }
    }
    Err(format!("more than {} redirections", probe.redirects))
}

async fn ask_once(probe: &HttpProbe) -> Result<Said, String> {
    let stream = probe::connect(&probe.host, probe.port)
        .await
        .map_err(|error| probe::reason(&error))?;
    match probe.tls {
        false => exchange(probe, stream).await,
        true => over_tls(probe, stream).await,
    }
}

async fn over_tls(probe: &HttpProbe, stream: TcpStream) -> Result<Said, String> {
    // What it takes to verify (a hundred certificates) goes as soon as nobody needs it.
    let _cleanup = tls::Cleanup;
    let result = {
        let stream = tls::connect(probe, stream).await?;
        exchange(probe, stream).await
    };
    result
}

async fn exchange<S>(probe: &HttpProbe, stream: S) -> Result<Said, String>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let request = request(probe)?;
    let handshake = http1::handshake(Io(Bounded::new(stream))).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
    let work = async {
        let response = sender.send_request(request).await;
        judge(probe, response.map_err(|error| broken(&error))?).await
    };
    let (mut work, mut connection) = (pin!(work), pin!(connection));
    let mut is_open = true;
    // One task for both, so that nothing outlives the probe. The connection's failure is also the
    // request's.
    poll_fn(|context| {
        is_open = is_open && connection.as_mut().poll(context).is_pending();
        work.as_mut().poll(context)
    })
    .await
}

/// A stream that fails when too much came.
struct Bounded<S> {
    stream: S,
    left: usize,
}

impl<S> Bounded<S> {
    fn new(stream: S) -> Bounded<S> {
        Bounded {
            stream,
            left: ANSWER_MAX,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            let reason = format!("{ANSWER_MAX} bytes came, and no end of the answer");
            return Poll::Ready(Err(io::Error::other(reason)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let count = buffer.filled().len() - before;
        self.left = self.left.saturating_sub(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn request(probe: &HttpProbe) -> Result<Request<Empty<Bytes>>, String> {
    let unusable = |what: &dyn std::fmt::Display| format!("the request cannot be made: {what}");
    let method = match probe.method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
    };
    let mut request = Request::builder()
        .method(method)
        .uri(probe.path.as_str())
        .body(Empty::new())
        .map_err(|error| unusable(&error))?;
    let headers = request.headers_mut();
    headers.insert(HOST, host(probe).parse().map_err(|error| unusable(&error))?);
    headers.insert(USER_AGENT, HeaderValue::from_static("oneup"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    for (name, value) in &probe.headers {
        let name = HeaderName::try_from(name).map_err(|error| unusable(&error))?;
        let value = HeaderValue::try_from(value).map_err(|error| unusable(&error))?;
        headers.insert(name, value);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

fn host(probe: &HttpProbe) -> String {
    let host = match probe.host.contains(':') {
        true => format!("[{}]", probe.host),
        false => probe.host.clone(),
    };
    match (probe.tls, probe.port) {
        (false, 80) | (true, 443) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

/// `http://host:8080/path`
fn address(probe: &HttpProbe) -> String {
    let scheme = if probe.tls { "https" } else { "http" };
    one_line(&format!("{scheme}://{}{}", host(probe), probe.path), 100)
}

/// Where an answer sends us to.
fn moved(probe: &HttpProbe, location: &str) -> Result<HttpProbe, String> {
    let nowhere = || format!("redirected to nowhere: \"{}\"", one_line(location, 100));
    let target = location.split('#').next().unwrap_or_default();
    let uri: Uri = absolute(probe, target).parse().map_err(|_| nowhere())?;
    let tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return Err(nowhere()),
    };
    let name = uri.host().ok_or_else(nowhere)?;
    let host = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let is_same = (tls, &host, port) == (probe.tls, &probe.host, probe.port);
    let headers = match is_same {
        true => probe.headers.clone(),
        // They may be secrets.
        false => Default::default(),
    };
    Ok(HttpProbe {
        tls,
        host,
        port,
        headers,
        path: path.to_owned(),
        ..probe.clone()
    })
}

/// A reference to something, as seen from where the probe went.
fn absolute(probe: &HttpProbe, reference: &str) -> String {
    let scheme = if probe.tls { "https" } else { "http" };
    let here = probe.path.split('?').next().unwrap_or("/");
    if reference.contains("://") {
        return reference.to_owned();
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let path = match reference.as_bytes().first() {
        Some(b'/') => reference.to_owned(),
        Some(b'?') => format!("{here}{reference}"),
        Some(_) => format!(
            "{}/{reference}",
            here.rsplit_once('/').map_or("", |(folder, _)| folder)
        ),
        None => probe.path.clone(),
    };
    format!("{scheme}://{}{path}", host(probe))
}

/// Where the answer sends us to, if it does and that is to be followed.
fn redirection<'a>(probe: &HttpProbe, response: &'a Response<Incoming>) -> Option<&'a str> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if !redirects || probe.redirects == 0 {
        return None;
    }
    response.headers().get(LOCATION)?.to_str().ok()
}

async fn judge(probe: &HttpProbe, response: Response<Incoming>) -> Result<Said, String> {
    if let Some(location) = redirection(probe, &response) {
        return Ok(Said::Moved(location.to_owned()));
    }
    let status = response.status();
    let number = status.as_u16();
    let is_good = probe
        .status
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&number));
    if !is_good {
        return Err(format!(
            "{}, expected {}",
            named(status),
            ranges(&probe.status)
        ));
    }
    if let Some(pattern) = &probe.body {
        let body = beginning(response.into_body()).await?;
        if !matches(pattern.clone(), body).await? {
            return Err(format!(
                "{}, but the body does not match \"{}\"",
                named(status),
                one_line(pattern, 100)
            ));
        }
    }
    Ok(Said::Found(named(status)))
}

/// `200 OK`
fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn ranges(ranges: &[(u16, u16)]) -> String {
    let range = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

async fn beginning(mut body: Incoming) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let data = frame.into_data().unwrap_or_default();
        let room = BODY_MAX - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
        if bytes.len() >= BODY_MAX {
            break;
        }
    }
    Ok(bytes)
}

async fn matches(pattern: String, body: Vec<u8>) -> Result<bool, String> {
    if body.len() <= MATCHED_HERE_MAX {
        return is_match(&pattern, &body);
    }
    let (sender, receiver) = oneshot::channel();
    let work = move || drop(sender.send(is_match(&pattern, &body)));
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    thread.map_err(|error| format!("no thread to look at the body with: {error}"))?;
    receiver
        .await
        .unwrap_or_else(|_| Err("looking at the body failed".into()))
}

fn is_match(pattern: &str, body: &[u8]) -> Result<bool, String> {
    let pattern =
        pattern::compile(pattern).map_err(|error| format!("the body's pattern: {error}"))?;
    Ok(pattern.is_match(&String::from_utf8_lossy(body)))
}

fn broken(error: &hyper::Error) -> String {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    match cause {
        Some(cause) => probe::reason(cause),
        None if error.is_incomplete_message() || error.is_canceled() => {
            "the connection was closed before an answer came".into()
        }
        None if error.is_parse() => "what came is no HTTP answer".into(),
        None => one_line(&error.to_string(), 200),
    }
}
