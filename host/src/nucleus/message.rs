//! One message a connection on the control socket: the client writes all of it and closes its
//! side, gets one message back, and that is the end. What the bytes mean is found out by the brain.

use super::http::{Hangup, Peer, ReplyBody, Shared, PROBLEM};
use super::rpc;
use crate::characters;
use crate::protocol::Call;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::UnixStream;

/// Names of services, and nothing else, make one long.
const LONGEST: usize = 8 << 10;
/// For all of the message to come, and for all of the answer to be taken.
const TIME: Duration = Duration::from_secs(10);

/// A client that is slow, silent or too long-winded is left without an answer.
pub async fn serve(shared: Rc<Shared>, stream: UnixStream, peer: Peer, hangup: Hangup) {
    let serving = async {
        let message = tokio::time::timeout(TIME, read_all(&stream)).await;
        if let Ok(Ok(Some(message))) = message {
            // What fails here is the client's connection.
            let _ = answer(&shared, &stream, peer, &message).await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = hangup.wait() => {}
    }
}

/// `None`: longer than allowed.
async fn read_all(stream: &UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match rpc::read(stream, &mut piece).await? {
            0 => return Ok(Some(message)),
            count if message.len() + count > LONGEST => return Ok(None),
            count => message.extend_from_slice(&piece[..count]),
        }
    }
}

async fn answer(
    shared: &Rc<Shared>,
    stream: &UnixStream,
    peer: Peer,
    message: &[u8],
) -> io::Result<()> {
    let bytes = characters::of_bytes(message);
    let reply = shared.ask(peer, Call::Message { bytes }).await;
    // A problem is told in a form that these clients do not know.
    if reply.content_type == PROBLEM {
        return Ok(());
    }
    let Ok(mut body) = ReplyBody::new(shared, reply.parts) else {
        return Ok(());
    };
    let writing = async {
        while let Some(bytes) = body.next().await {
            rpc::write(stream, &bytes).await?;
        }
        Ok(())
    };
    // Who does not take it is left.
    tokio::time::timeout(TIME, writing).await.unwrap_or(Ok(()))
}
