//! Giving back what start-up and bursts of work needed, so that an idle supervisor is small.

use nix::libc;
use std::slice;

/// Quiet for so long after work: the burst is over.
const QUIET_MS: f64 = 200.0;
/// Less work than this, in bytes of the brain's answers, leaves nothing behind that is worth a
/// wake-up.
const BURST_BYTES: usize = 64 << 10;

/// Notices when a burst of work is over.
pub struct Settling {
    bytes: usize,
    at: Option<f64>,
}

impl Settling {
    /// Start-up is a burst of its own.
    pub fn new() -> Settling {
        Settling {
            bytes: BURST_BYTES,
            at: None,
        }
    }

    pub fn on_answer(&mut self, bytes: usize, now: f64) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= BURST_BYTES {
            self.at = Some(now + QUIET_MS);
        }
    }

    pub fn next_deadline(&self) -> Option<f64> {
        self.at
    }

    pub fn on_deadline(&mut self, now: f64) {
        if self.at.is_some_and(|at| at <= now) {
            *self = Settling { bytes: 0, at: None };
            give_back();
        }
    }
}

/// One arena for both threads: what one frees, the other uses. They hardly ever allocate at the
/// same time. To be called before there is a second thread.
pub fn share_arena() {
    // SAFETY: no pointers.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Frees what is free inside the heap, and unmaps the executable's own pages. They are clean and
/// stay in the page cache; those in use come back with a minor fault each, those that only
/// start-up needed (the command line, the configuration's reader) do not.
pub fn give_back() {
    // SAFETY: no pointers.
    unsafe { libc::malloc_trim(0) };
    for segment in program_headers()
        .iter()
        .filter(|segment| segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_W == 0)
    {
        const PAGE: usize = 4096;
        let start = segment.p_vaddr as usize & !(PAGE - 1);
        let end = (segment.p_vaddr + segment.p_memsz) as usize;
        // SAFETY: the range is a segment of this static, not relocatable executable that nobody
        // writes to; a page of it that is dropped is read again from the file. Failure costs
        // nothing but memory.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
    }
}

/// This executable's program headers, as the kernel told them at its start.
fn program_headers() -> &'static [libc::Elf64_Phdr] {
    // SAFETY: no pointers.
    let (address, count) = unsafe {
        (
            libc::getauxval(libc::AT_PHDR),
            libc::getauxval(libc::AT_PHNUM),
        )
    };
    // In a test build the executable is relocated, so that its headers are not its addresses.
    if address == 0 || cfg!(not(target_feature = "crt-static")) {
        return &[];
    }
    // SAFETY: AT_PHDR and AT_PHNUM describe the table that the kernel mapped with the executable;
    // it lives as long as the process.
    unsafe { slice::from_raw_parts(address as *const libc::Elf64_Phdr, count as usize) }
}
