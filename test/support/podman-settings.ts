/**
 * The containers.conf that a host without cgroup controllers and CAP_SYS_RESOURCE needs, whatever the runtime. Locks lie below
 * /run: who finds none of its containers on the first call frees all that are in /dev/shm, also another world's. It ends within
 * `[engine]`: more of that may follow.
 */
export const PODMAN_SETTINGS = `
[containers]
pids_limit = 0
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
`;
