//! What the worker gives up before it opens anything that others have made.

use crate::error::{Context, Result};
use rustix::fs::{Gid, Mode, Uid};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit, umask};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs, set_thread_res_gid,
    set_thread_res_uid,
};

/// Files of any owner, mode and kind, and `trusted.*` attributes (that is what `SYS_ADMIN` is for).
const NEEDED: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SYS_ADMIN);

/// Confines this process; before any other thread is started, since each has capabilities of its own. With `identity`
/// it is another user from then on, with the same capabilities.
pub fn confine(identity: Option<(u32, u32)>) -> Result<()> {
    if let Some((uid, gid)) = identity {
        become_user(uid, gid).doing(|| format!("Cannot become {uid}:{gid}"))?;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "Cannot tie the worker's life to its parent's")?;
    umask(Mode::empty());
    let has = capabilities(None).doing(|| "Cannot read the worker's capabilities")?;
    if has.effective.contains(CapabilitySet::SYS_ADMIN) {
        own_mounts()?;
    }
    drop_capabilities(has)?;
    set_no_new_privs(true).doing(|| "Cannot give up new privileges")?;
    // A descriptor for each level of a tree that is copied or removed.
    let files = getrlimit(Resource::Nofile);
    let most = Rlimit { current: files.maximum, maximum: files.maximum };
    setrlimit(Resource::Nofile, most).doing(|| "Cannot raise the number of open files")
}

/// Another uid, and all that root may do: capabilities(7), "Effect of user ID changes on capabilities".
fn become_user(uid: u32, gid: u32) -> rustix::io::Result<()> {
    let has = capabilities(None)?;
    set_keep_capabilities(true)?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    set_capabilities(None, has)
}

/// A mount that comes or goes on the host is not followed, and nothing here reaches the host.
fn own_mounts() -> Result<()> {
    #[expect(deprecated, reason = "its successor is unsafe for the sake of UnshareFlags::FILES, which is not used")]
    rustix::thread::unshare(UnshareFlags::NEWNS).doing(|| "Cannot enter a mount namespace")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .doing(|| "Cannot make the mount namespace private")
}

fn drop_capabilities(has: CapabilitySets) -> Result<()> {
    if has.effective.contains(CapabilitySet::SETPCAP) {
        for bit in (0..u64::BITS).map(|shift| 1 << shift) {
            let one = CapabilitySet::from_bits_retain(bit);
            if !NEEDED.contains(one) && remove_capability_from_bounding_set(one).is_err() {
                // The kernel knows no capability of that number, nor a higher one (capabilities(7)).
                break;
            }
        }
    }
    clear_ambient_capability_set().doing(|| "Cannot drop ambient capabilities")?;
    let kept = has.permitted.intersection(NEEDED);
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).doing(|| "Cannot drop capabilities")
}
