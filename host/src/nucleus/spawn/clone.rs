//! The making of a child that borrows this memory, on a stack of its own. `spawn.rs` says why.

use super::{
    child::{child, Plan},
    Order, Spawned,
};
use nix::{
    errno::Errno,
    libc::{self, c_int, c_void},
};
use std::{
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// The child's stack, with a page below it that nothing may touch.
pub(super) struct Stack(*mut c_void);

const STACK_SIZE: usize = 64 << 10;
/// A page on every architecture.
const GUARD_SIZE: usize = 64 << 10;

impl Stack {
    pub(super) fn new() -> Option<Stack> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping at a place of the kernel's choice; the guard is within it.
        unsafe {
            let start = libc::mmap(
                ptr::null_mut(),
                GUARD_SIZE + STACK_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                -1,
                0,
            );
            if start == libc::MAP_FAILED {
                return None;
            }
            libc::mprotect(start, GUARD_SIZE, libc::PROT_NONE);
            Some(Stack(start))
        }
    }

    fn bottom(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD_SIZE)
    }

    fn top(&self) -> *mut c_void {
        self.bottom().wrapping_byte_add(STACK_SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which no child uses any more: `make` waits for it.
        unsafe { libc::munmap(self.0, GUARD_SIZE + STACK_SIZE) };
    }
}

/// Makes the child and waits until it has left this memory.
pub(super) fn make(plan: &Plan<'_>, stack: &Stack, order: &Order<'_>) -> Result<Spawned, Errno> {
    // Changing the user in a process that shares our memory makes that memory undumpable.
    let changes_user = plan.identity.uid.is_some() || plan.identity.gid.is_some();
    // SAFETY: no pointers.
    let restore_dumpable = changes_user && unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } == 1;
    let mask = block_everything();
    let spawned = clone_anywhere(plan, stack, order);
    restore_mask(mask);
    if restore_dumpable {
        // SAFETY: no pointers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
    spawned
}

fn clone_anywhere(plan: &Plan<'_>, stack: &Stack, order: &Order<'_>) -> Result<Spawned, Errno> {
    if let Some(cgroup) = order.cgroup {
        match clone_into(plan, stack, cgroup) {
            Ok(pid) => {
                return Ok(Spawned {
                    pid,
                    in_cgroup: true,
                    unjoined: 0,
                })
            }
            // Shortages would meet the other way, too.
            Err(errno @ (Errno::EAGAIN | Errno::ENOMEM)) => return Err(errno),
            // All the rest means that this way is closed: an old kernel, a filter of system calls,
            // a cgroup that takes no processes.
            Err(_) => {}
        }
    }
    let pid = clone_plainly(plan, stack)?;
    Ok(Spawned {
        pid,
        in_cgroup: false,
        unjoined: 0,
    })
}

/// The same as vfork, with a stack of its own.
fn clone_plainly(plan: &Plan<'_>, stack: &Stack) -> Result<i32, Errno> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let plan = ptr::from_ref(plan).cast_mut().cast();
    // SAFETY: the stack is ours and unused; the plan lives until the child has left this memory,
    // before which this call does not return.
    match unsafe { libc::clone(child, stack.top(), flags, plan) } {
        -1 => Err(Errno::last()),
        pid => Ok(pid),
    }
}

pub const CAN_SPAWN_INTO_CGROUP: bool = cfg!(target_arch = "x86_64");

#[cfg(target_arch = "x86_64")]
fn clone_into(plan: &Plan<'_>, stack: &Stack, cgroup: BorrowedFd<'_>) -> Result<i32, Errno> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    /// As the kernel has had it since 5.7.
    #[repr(C)]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    let args = CloneArgs {
        flags: (libc::CLONE_VM | libc::CLONE_VFORK) as u64 | CLONE_INTO_CGROUP,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.bottom() as u64,
        stack_size: STACK_SIZE as u64,
        cgroup: cgroup.as_raw_fd() as u64,
        ..CloneArgs::default()
    };
    let result: i64;
    // SAFETY: as in `clone_plainly`. The C library has no call for this. The child comes out of
    // the system call with 0 and the top of its stack, which is aligned as a call wants it, runs
    // `child`, which does not return, and never touches this frame.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") ptr::from_ref(plan),
            in("r13") child as extern "C" fn(*mut c_void) -> c_int,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match i32::try_from(result) {
        Ok(pid) if pid > 0 => Ok(pid),
        Ok(errno) => Err(Errno::from_raw(-errno)),
        Err(_) => Err(Errno::EINVAL),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn clone_into(_: &Plan<'_>, _: &Stack, _: BorrowedFd<'_>) -> Result<i32, Errno> {
    Err(Errno::ENOSYS)
}

/// Really every signal, also the two of the C library, which `pthread_sigmask` leaves out.
fn block_everything() -> u64 {
    let (all, mut before) = (u64::MAX, 0u64);
    // SAFETY: two masks of the kernel's size.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &all,
            &mut before,
            8usize,
        )
    };
    before
}

fn restore_mask(mask: u64) {
    let nothing = ptr::null_mut::<c_void>();
    // SAFETY: a mask of the kernel's size.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &mask,
            nothing,
            8usize,
        )
    };
}
