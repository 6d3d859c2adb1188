//! How a supervisor's tables travel to its successor: one memory file, and descriptors beside it.
//!
//! The file is a head of fixed size, then pieces of plain bytes (log rings, unfinished lines),
//! then one JSON document that points to the pieces. Descriptors are numbers in the document's
//! list; whoever takes over has them under the same numbers (after an execve) or gets them in the
//! list's order (from a keeper).

use nix::sys::memfd::{memfd_create, MFdFlags};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        unix::fs::FileExt,
    },
};

/// In front of everything, with the form's number. Another number is another form.
const MAGIC: &[u8; 8] = b"oneup\0\0\x01";
const HEAD: u64 = 32;
/// Of the document: what is larger was not written by us.
const DOCUMENT_MAX: u64 = 256 << 20;

/// A piece of bytes in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    at: u64,
    length: u64,
}

/// Which of the descriptors that travel along.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Passed(u32);

/// Collects what is to travel.
pub struct Packer {
    file: BufWriter<File>,
    at: u64,
    fds: Vec<RawFd>,
    failed: Option<io::Error>,
}

/// All that travels: the file, and the descriptors in order. They belong to the tables they were
/// packed from.
pub struct Pack {
    pub file: File,
    pub fds: Vec<RawFd>,
}

impl Packer {
    pub fn new() -> io::Result<Packer> {
        let file = File::from(memfd_create(c"oneup", MFdFlags::MFD_CLOEXEC)?);
        let mut file = BufWriter::with_capacity(64 << 10, file);
        file.write_all(&[0; HEAD as usize])?;
        Ok(Packer {
            file,
            at: HEAD,
            fds: Vec::new(),
            failed: None,
        })
    }

    /// It must stay open under its number.
    pub fn fd(&mut self, fd: impl AsFd) -> Passed {
        self.fds.push(fd.as_fd().as_raw_fd());
        Passed((self.fds.len() - 1) as u32)
    }

    /// What goes wrong is told by `finish`.
    pub fn bytes(&mut self, parts: &[&[u8]]) -> Span {
        let span = Span {
            at: self.at,
            length: parts.iter().map(|part| part.len() as u64).sum(),
        };
        for part in parts {
            if let (None, Err(error)) = (&self.failed, self.file.write_all(part)) {
                self.failed = Some(error);
            }
        }
        self.at += span.length;
        span
    }

    pub fn finish(mut self, document: &impl Serialize) -> io::Result<Pack> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        serde_json::to_writer(
            &mut self.file,
            &Envelope {
                fds: &self.fds,
                document,
            },
        )?;
        let file = self.file.into_inner().map_err(|error| error.into_error())?;
        let mut head = [0; HEAD as usize];
        head[..8].copy_from_slice(MAGIC);
        head[8..16].copy_from_slice(&self.at.to_le_bytes());
        file.write_all_at(&head, 0)?;
        Ok(Pack {
            file,
            fds: self.fds,
        })
    }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    fds: &'a [RawFd],
    document: &'a T,
}

#[derive(Deserialize)]
struct Opened<T> {
    fds: Vec<RawFd>,
    document: T,
}

/// The numbers the descriptors had where the file was written.
pub fn fds_of(file: &File) -> io::Result<Vec<RawFd>> {
    Ok(open::<serde::de::IgnoredAny>(file)?.fds)
}

pub fn document_of<T: DeserializeOwned>(file: &File) -> io::Result<T> {
    Ok(open(file)?.document)
}

fn open<T: DeserializeOwned>(file: &File) -> io::Result<Opened<T>> {
    let mut head = [0; HEAD as usize];
    file.read_exact_at(&mut head, 0)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "it is of another form than this version knows",
        ));
    }
    let at = rest
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let length = file.metadata()?.len().saturating_sub(at);
    if at < HEAD || length > DOCUMENT_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, "its head is wrong"));
    }
    let mut text = vec![0; length as usize];
    file.read_exact_at(&mut text, at)?;
    Ok(serde_json::from_slice(&text)?)
}

/// What arrived, to be taken out piece by piece.
pub struct Unpacker {
    file: File,
    size: u64,
    fds: Vec<Option<OwnedFd>>,
}

impl Unpacker {
    pub fn new(file: File, fds: Vec<Option<OwnedFd>>) -> Unpacker {
        let size = file.metadata().map_or(0, |about| about.len());
        Unpacker { file, size, fds }
    }

    /// Once. `None`: it has not arrived.
    pub fn fd(&mut self, which: Passed) -> Option<OwnedFd> {
        self.fds.get_mut(which.0 as usize)?.take()
    }

    /// Nothing, where nothing like it is in the file.
    pub fn bytes(&self, span: Span) -> Vec<u8> {
        let within = span.at.checked_add(span.length);
        if within.is_none_or(|end| end > self.size) {
            return Vec::new();
        }
        let mut bytes = vec![0; span.length as usize];
        match self.file.read_exact_at(&mut bytes, span.at) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }
}

/// Maps whose keys are no strings, as JSON has no others.
pub mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<'a, M, K, V, S>(map: &'a M, to: S) -> Result<S::Ok, S::Error>
    where
        &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        K: Serialize + 'a,
        V: Serialize + 'a,
        S: Serializer,
    {
        to.collect_seq(map)
    }

    pub fn deserialize<'de, M, K, V, D>(from: D) -> Result<M, D::Error>
    where
        M: FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{pipe, read, write};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Document {
        name: String,
        piece: Span,
        end: Passed,
    }

    #[test]
    fn what_is_packed_arrives() {
        let (from, to) = pipe().expect("a pipe");
        let mut packer = Packer::new().expect("memory");
        let document = Document {
            name: "a".into(),
            piece: packer.bytes(&[b"one ", b"two"]),
            end: packer.fd(&to),
        };
        let pack = packer.finish(&document).expect("memory");
        assert_eq!(fds_of(&pack.file).expect("a pack"), [to.as_raw_fd()]);
        let arrived: Document = document_of(&pack.file).expect("a pack");
        assert_eq!(arrived, document);
        let mut unpacker = Unpacker::new(pack.file, vec![Some(to)]);
        assert_eq!(unpacker.bytes(arrived.piece), b"one two");
        let beyond = Span {
            at: u64::MAX,
            length: 2,
        };
        assert_eq!(unpacker.bytes(beyond), b"");
        let to = unpacker.fd(arrived.end).expect("it was passed");
        assert!(unpacker.fd(arrived.end).is_none(), "there is one of it");
        write(&to, b"x").expect("the pipe");
        let mut byte = [0];
        assert_eq!(read(&from, &mut byte), Ok(1));
    }

    #[test]
    fn other_files_are_refused() {
        let file = File::from(memfd_create(c"other", MFdFlags::MFD_CLOEXEC).expect("memory"));
        assert!(fds_of(&file).is_err(), "nothing in it");
        file.write_all_at(&[1; 100], 0).expect("memory");
        let error = fds_of(&file).expect_err("no pack");
        assert!(error.to_string().contains("another form"), "{error}");
        file.write_all_at(MAGIC, 0).expect("memory");
        assert!(fds_of(&file).is_err(), "a document beyond its end");
    }
}
