//! Users and groups, read from /etc/passwd and /etc/group by ourselves: a static executable has no
//! name service switch to ask.

use super::spawn::failure;
use crate::protocol::{SpawnFailure, SpawnSpec};
use nix::{
    errno::Errno,
    libc,
    unistd::{getgroups, getresgid, getresuid},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

#[derive(Debug, Clone, PartialEq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
    shell: String,
}

/// What a child has to change to be who its spec says. `None`: nothing.
#[derive(Debug, Default, PartialEq)]
pub struct Identity {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Option<Vec<u32>>,
    /// Nobody asked for these groups and the user stays who he is: not being allowed to set them,
    /// as in some user namespaces, is no failure.
    pub groups_optional: bool,
    /// HOME and the like, where a user was named.
    pub environment: Vec<(&'static str, String)>,
}

/// True for a number too: it needs no entry.
pub fn user_exists(name: &str) -> bool {
    find_user(name).is_ok_and(|user| user.is_some()) || parse_id(name).is_some()
}

pub fn group_exists(name: &str) -> bool {
    find_group(name).is_ok_and(|group| group.is_some())
}

/// Whom the spec wants, against whom we are.
pub fn resolve(spec: &SpawnSpec) -> Result<Identity, SpawnFailure> {
    let gid = spec
        .group
        .as_deref()
        .map(|name| group_id(name, "group"))
        .transpose()?;
    let user = spec
        .user
        .as_deref()
        .map(|name| wanted_user(name, gid))
        .transpose()?;
    let gid = gid.or(user.as_ref().map(|user| user.gid));
    let groups = match (&spec.groups, &user) {
        (Some(names), _) => Some(
            names
                .iter()
                .map(|name| group_id(name, "groups"))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        (None, Some(user)) if !is_unprivileged_self(user) => Some(memberships(user, gid)?),
        _ => None,
    };
    Ok(Identity {
        groups_optional: spec.groups.is_none()
            && user.as_ref().is_some_and(|user| is_uid(user.uid)),
        uid: user
            .as_ref()
            .map(|user| user.uid)
            .filter(|uid| !is_uid(*uid)),
        gid: gid.filter(|gid| !is_gid(*gid)),
        groups: groups.filter(|groups| !are_groups(groups)),
        environment: user.map(environment_of).unwrap_or_default(),
    })
}

/// Somebody who is not root and wants to be himself keeps the groups he has: they may be more or
/// fewer than the file says, and he could not change them anyway.
fn is_unprivileged_self(user: &User) -> bool {
    is_uid(user.uid) && user.uid != 0
}

fn is_uid(uid: u32) -> bool {
    getresuid().is_ok_and(|ids| {
        [ids.real, ids.effective, ids.saved]
            .iter()
            .all(|id| id.as_raw() == uid)
    })
}

fn is_gid(gid: u32) -> bool {
    getresgid().is_ok_and(|ids| {
        [ids.real, ids.effective, ids.saved]
            .iter()
            .all(|id| id.as_raw() == gid)
    })
}

fn are_groups(wanted: &[u32]) -> bool {
    let sorted = |mut ids: Vec<u32>| {
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    getgroups().is_ok_and(|ours| {
        sorted(ours.iter().map(|id| id.as_raw()).collect()) == sorted(wanted.to_vec())
    })
}

fn environment_of(user: User) -> Vec<(&'static str, String)> {
    let or = |text: String, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text
        }
    };
    vec![
        ("HOME", or(user.home, "/")),
        ("USER", user.name.clone()),
        ("LOGNAME", user.name),
        ("SHELL", or(user.shell, "/bin/sh")),
    ]
}

fn wanted_user(name: &str, gid: Option<u32>) -> Result<User, SpawnFailure> {
    let broken = |error: io::Error| unreadable("user", "user", name, PASSWD, &error);
    if let Some(user) = find_user(name).map_err(broken)? {
        return Ok(user);
    }
    // A number needs no entry, but then nothing tells its group; 0 would be a bad guess.
    match (parse_id(name), gid) {
        (Some(uid), Some(gid)) => Ok(User {
            name: name.to_owned(),
            uid,
            gid,
            home: String::new(),
            shell: String::new(),
        }),
        (Some(_), None) => Err(failure(
            "user",
            Errno::UnknownErrno,
            format!(
                "user {name} has no entry in {PASSWD}, so its group is unknown: set \"group\" too"
            ),
        )),
        (None, _) => Err(failure(
            "user",
            Errno::UnknownErrno,
            format!("user \"{name}\" not found in {PASSWD}"),
        )),
    }
}

fn group_id(name: &str, step: &str) -> Result<u32, SpawnFailure> {
    let broken = |error: io::Error| unreadable(step, "group", name, GROUP, &error);
    find_group(name).map_err(broken)?.ok_or_else(|| {
        failure(
            step,
            Errno::UnknownErrno,
            format!("group \"{name}\" not found in {GROUP}"),
        )
    })
}

fn unreadable(step: &str, kind: &str, name: &str, file: &str, error: &io::Error) -> SpawnFailure {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let message = match errno {
        Errno::ENOENT => format!("{kind} \"{name}\" not found: the system has no {file}"),
        _ => format!(
            "{kind} \"{name}\" cannot be looked up: {file}: {}",
            errno.desc()
        ),
    };
    failure(step, errno, message)
}

/// By name first, then by number.
fn find_user(name: &str) -> io::Result<Option<User>> {
    let id = parse_id(name);
    let mut by_number = None;
    for user in lines(PASSWD, id.is_some())?.filter_map(|line| parse_user(&line)) {
        if user.name == name {
            return Ok(Some(user));
        }
        if by_number.is_none() && Some(user.uid) == id {
            by_number = Some(user);
        }
    }
    Ok(by_number)
}

fn find_group(name: &str) -> io::Result<Option<u32>> {
    let id = parse_id(name);
    for line in lines(GROUP, id.is_some())? {
        match parse_group(&line) {
            Some((found, gid, _)) if found == name => return Ok(Some(gid)),
            _ => {}
        }
    }
    Ok(id)
}

/// As initgroups(3) has it: the group itself, then every group that lists the user.
fn memberships(user: &User, gid: Option<u32>) -> Result<Vec<u32>, SpawnFailure> {
    let mut groups = vec![gid.unwrap_or(user.gid)];
    let lines = lines(GROUP, true)
        .map_err(|error| unreadable("groups", "user", &user.name, GROUP, &error))?;
    for line in lines {
        if let Some((_, gid, members)) = parse_group(&line) {
            if members.split(',').any(|member| member == user.name) && !groups.contains(&gid) {
                groups.push(gid);
            }
        }
    }
    Ok(groups)
}

/// Lines that are not UTF-8 are passed over. A missing file is an empty one where `optional`.
fn lines(path: &str, optional: bool) -> io::Result<impl Iterator<Item = String>> {
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if optional && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let lines = file.map(|file| BufReader::new(file).split(b'\n').map_while(Result::ok));
    Ok(lines
        .into_iter()
        .flatten()
        .filter_map(|line| String::from_utf8(line).ok()))
}

fn parse_user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let mut next = || fields.next();
    let (name, _password) = (next()?, next()?);
    let (uid, gid) = (parse_id(next()?)?, parse_id(next()?)?);
    let _comment = next()?;
    let (home, shell) = (next()?, next().unwrap_or(""));
    Some(User {
        name: name.to_owned(),
        uid,
        gid,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
    .filter(|user| !user.name.is_empty())
}

/// Name, number, members.
fn parse_group(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let gid = parse_id(fields.nth(1)?)?;
    Some((name, gid, fields.next().unwrap_or("")))
}

/// The highest number means "leave as it is" to the kernel, so nobody can have it.
fn parse_id(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| text.parse().ok())?
        .filter(|id| *id != libc::uid_t::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let user =
            parse_user("www:x:33:33:www-data:/var/www:/usr/sbin/nologin").expect("a good line");
        assert_eq!(
            (user.uid, user.gid, user.home.as_str()),
            (33, 33, "/var/www")
        );
        assert!(parse_user("www:x:33:33:c:/home").is_some_and(|user| user.shell.is_empty()));
        for bad in [
            "",
            "a",
            "a:x:1",
            "a:x:-1:1:::",
            "a:x:+1:1:::",
            ":x:1:1:::",
            "a:x:4294967295:1:::",
        ] {
            assert_eq!(parse_user(bad), None, "{bad}");
        }
        assert_eq!(parse_group("video:x:44:a,b"), Some(("video", 44, "a,b")));
        assert_eq!(parse_group("video:x:44"), Some(("video", 44, "")));
        assert_eq!(parse_group("video:x:"), None);
    }

    #[test]
    fn root_is_known_and_nobody_is_made_up() {
        assert!(user_exists("root") && group_exists("root"));
        assert!(user_exists("4242") && group_exists("4242"));
        assert!(!user_exists("no such user") && !group_exists("no such group"));
    }

    #[test]
    fn a_number_without_entry_needs_a_group() {
        let spec = |group: Option<&str>| SpawnSpec {
            user: Some("54321".to_owned()),
            group: group.map(str::to_owned),
            ..SpawnSpec::default()
        };
        let failure = resolve(&spec(None)).expect_err("no group");
        assert_eq!(failure.step, "user");
        let identity = resolve(&spec(Some("54322"))).expect("both are given");
        assert_eq!((identity.uid, identity.gid), (Some(54321), Some(54322)));
        assert!(identity.environment.contains(&("HOME", "/".to_owned())));
    }
}
