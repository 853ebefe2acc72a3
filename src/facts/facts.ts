/** What planning needs to know about the host. Read once, by probe.ts. */
export interface Facts {
  /** uname(2): "6.18.44", "x86_64". */
  readonly kernelRelease: string;
  readonly machine: string;
  readonly euid: number;
  /** Where the unified hierarchy is mounted. */
  readonly cgroupMount: string;
  /** The caller's own cgroup in it, from /proc/self/cgroup. */
  readonly ownCgroup: string;
  /** Controllers of the unified hierarchy's root. */
  readonly controllers: readonly string[];
}
