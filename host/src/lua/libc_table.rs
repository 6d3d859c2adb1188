//! dlopen(3) and its like for the static executable: `ffi.C` and `ffi.load` find what was linked in.
//! In a dynamically linked build the C library's own do it, and this is empty.

#![cfg(target_feature = "crt-static")]

use nix::libc;
use std::{
    cell::RefCell,
    ffi::{c_char, c_int, c_void, CStr, CString},
    ptr,
};

include!(concat!(env!("OUT_DIR"), "/symbols.rs"));

extern "C" {
    /// The addresses to `NAMES`.
    static oneup_symbols: [*const c_void; NAMES.len()];
}

/// What the C library could only do by a name service, done by its files.
const OURS: [(&str, *const c_void); 8] = [
    ("dlclose", dlclose as *const c_void),
    ("dlerror", dlerror as *const c_void),
    ("dlopen", dlopen as *const c_void),
    ("dlsym", dlsym as *const c_void),
    ("getgrgid", getgrgid as *const c_void),
    ("getgrnam", getgrnam as *const c_void),
    ("getpwnam", getpwnam as *const c_void),
    ("getpwuid", getpwuid as *const c_void),
];

/// All of them are the C library, and answer from the one table.
const OF_THE_C_LIBRARY: [&str; 7] = [
    "libc",
    "libm",
    "libpthread",
    "librt",
    "libdl",
    "libutil",
    "ld-linux-x86-64",
];

/// What stands for the C library; only its address matters.
static C_LIBRARY: u8 = 0;

thread_local! {
    /// What the next dlerror says, and what the last one has said.
    static FAILURE: RefCell<[Option<CString>; 2]> = const { RefCell::new([None, None]) };
}

fn fail(message: String) {
    // A null byte cannot be in a name that C passed.
    let message = CString::new(message).unwrap_or_default();
    FAILURE.with_borrow_mut(|failure| failure[0] = Some(message));
}

#[no_mangle]
extern "C" fn dlerror() -> *const c_char {
    FAILURE.with_borrow_mut(|failure| {
        failure[1] = failure[0].take();
        failure[1].as_deref().map_or(ptr::null(), CStr::as_ptr)
    })
}

/// # Safety
/// As in C: null or a string.
#[no_mangle]
unsafe extern "C" fn dlopen(file: *const c_char, _mode: c_int) -> *mut c_void {
    let library = ptr::addr_of!(C_LIBRARY).cast_mut().cast();
    if file.is_null() {
        return library;
    }
    let file = CStr::from_ptr(file).to_string_lossy();
    let name = file.rsplit('/').next().unwrap_or_default();
    let name = name.split(".so").next().unwrap_or_default();
    if OF_THE_C_LIBRARY.contains(&name) {
        return library;
    }
    fail(format!(
        "cannot load {file}: this oneup is linked statically and has the C library only; the \
         dynamically linked one can load it (npm run build:dynamic)"
    ));
    ptr::null_mut()
}

#[no_mangle]
extern "C" fn dlclose(_library: *mut c_void) -> c_int {
    0
}

/// # Safety
/// As in C: a string.
#[no_mangle]
unsafe extern "C" fn dlsym(_library: *mut c_void, name: *const c_char) -> *mut c_void {
    let name = CStr::from_ptr(name).to_string_lossy();
    if let Some(address) = address(&name) {
        return address.cast_mut();
    }
    fail(format!(
        "undefined symbol: {name} (it is not among the {} of the C library that this statically \
         linked oneup has; the dynamically linked one has all: npm run build:dynamic)",
        NAMES.len() + OURS.len()
    ));
    ptr::null_mut()
}

fn address(name: &str) -> Option<*const c_void> {
    if let Ok(at) = OURS.binary_search_by_key(&name, |(name, _)| name) {
        return Some(OURS[at].1);
    }
    let at = NAMES.binary_search(&name).ok()?;
    // SAFETY: a table that nobody writes to.
    Some(unsafe { oneup_symbols[at] }).filter(|address| !address.is_null())
}

/// The first entry of a file that is meant. It is overwritten by the next call, as in C.
unsafe fn look_up<T>(
    file: &CStr,
    next: unsafe extern "C" fn(*mut libc::FILE) -> *mut T,
    is_meant: impl Fn(&T) -> bool,
) -> *mut T {
    let file = libc::fopen(file.as_ptr(), c"re".as_ptr());
    if file.is_null() {
        return ptr::null_mut();
    }
    let found = loop {
        let entry = next(file);
        if entry.is_null() || is_meant(&*entry) {
            break entry;
        }
    };
    libc::fclose(file);
    found
}

extern "C" {
    fn fgetpwent(file: *mut libc::FILE) -> *mut libc::passwd;
    fn fgetgrent(file: *mut libc::FILE) -> *mut libc::group;
}

const PASSWD: &CStr = c"/etc/passwd";
const GROUP: &CStr = c"/etc/group";

unsafe extern "C" fn getpwnam(name: *const c_char) -> *mut libc::passwd {
    look_up(PASSWD, fgetpwent, |entry| {
        libc::strcmp(entry.pw_name, name) == 0
    })
}

unsafe extern "C" fn getpwuid(uid: libc::uid_t) -> *mut libc::passwd {
    look_up(PASSWD, fgetpwent, |entry| entry.pw_uid == uid)
}

unsafe extern "C" fn getgrnam(name: *const c_char) -> *mut libc::group {
    look_up(GROUP, fgetgrent, |entry| {
        libc::strcmp(entry.gr_name, name) == 0
    })
}

unsafe extern "C" fn getgrgid(gid: libc::gid_t) -> *mut libc::group {
    look_up(GROUP, fgetgrent, |entry| entry.gr_gid == gid)
}
