/** What surrounds a process is as the flags have it with docker: its files, its privileges, its namespaces. See same-process.test.ts. */

import { after } from "node:test";
import { AT, OLD, sameIn, testsBesideDocker, type Row } from "../support/beside-docker.ts";

const { test, end } = testsBesideDocker("same-surroundings");

after(end);

function same(sentence: string, rows: readonly Row[]): void {
  sameIn(test, sentence, rows);
}

/** Mount points and their flags, but for the root, and what is hidden below /proc, which is the same in other ways. */
const POINTS = "cut -d' ' -f 5,6 /proc/self/mountinfo | grep -v -e '^/ ' -e ^/proc/ | sort";
const SEED = "stat -c '%n %F %a %u %g' /vol /vol/deep /vol/deep/seed /vol/link; cat /vol/deep/seed";

same("what is mounted by default is docker's", [
  { flags: "", says: POINTS },
  { flags: "--read-only", says: POINTS },
  { flags: "--privileged -u alice", says: POINTS },
  { flags: "--read-only", says: "touch /x /dev/x /dev/shm/x /tmp/x /etc/hosts; ls /dev/x /dev/shm/x" },
  { flags: "--shm-size 1m", says: "df /dev/shm | tail -n 1" },
  { flags: "", says: "ls -l /dev | sed 's/ [A-Z][a-z][a-z] .*:[0-9][0-9]//'" },
  { flags: "", says: "stat -c '%n %a %u %g' /dev /dev/* /dev/shm /proc /sys /etc/hosts /etc/hostname / /etc" },
  { flags: "", says: "cat /etc/hostname; ls /etc | grep -v mtab" },
  { flags: "", says: "ls /etc/mtab", differs: "what an image has not is not laid into it" },
  { flags: "", says: "head -n 6 /etc/hosts" },
  {
    flags: "",
    says: "grep box /etc/hosts",
    differs: "a container's own name can be looked up, also where it has no address",
  },
  { flags: "", says: "cat /etc/resolv.conf" },
  { flags: "--add-host other:10.0.0.1 --add-host v6:::1", says: "tail -n 2 /etc/hosts" },
  { flags: "--dns 1.2.3.4 --dns-search a.b --dns-option ndots:2", says: "cat /etc/resolv.conf" },
  { flags: "--dns-search .", says: "cat /etc/resolv.conf" },
]);

same("volumes, binds and tmpfs are as asked", [
  { flags: "-v DIR/bound:/x", says: `${AT("/x")}; ls -n /x | awk '{print $1,$3,$4,$NF}'; touch /x/t && rm /x/t` },
  { flags: "-v DIR/bound:/x:ro", says: `${AT("/x")}; touch /x/t; touch /x/below/t`, differs: OLD },
  ...["Z", "z", "rshared", "rslave", "slave", "shared", "private", "ro,rslave", "rw,z", "consistent", "nocopy"].map(
    (option) => ({ flags: `-v DIR/bound:/x:${option}`, says: AT("/x") }),
  ),
  // A peer of the host's mount, so that each sees what the other mounts there.
  { flags: "-v DIR/bound:/x:rshared", says: "grep ' /x ' /proc/self/mountinfo | grep -o shared:.* | cut -d' ' -f 1" },
  { flags: "-v DIR/bound:/x:ro,rw", says: AT("/x") },
  { flags: "-v DIR/bound:/x:rshared,rslave", says: AT("/x") },
  { flags: "-v DIR/bound:/x:none", says: AT("/x") },
  { flags: "-v DIR/bound/file:/x/y/z", says: `${AT("/x/y/z")}; cat /x/y/z; stat -c '%a %u' /x /x/y` },
  {
    flags: "-v DIR/bound:/x -v DIR/bound:/x",
    says: "true",
    differs: "it is a mistake, and a newer docker says so too",
  },
  { flags: "-v DIR/bound:/", says: "true" },
  { flags: "-v DIR/bound:x", says: "true" },
  { flags: "-v /vol", says: SEED },
  { flags: "-v one:/vol", says: SEED },
  { flags: "-v one:/vol:ro", says: `${SEED}; touch /vol/x` },
  { flags: "-v two:/vol:nocopy", says: "stat -c '%a %u %g' /vol; ls -A /vol" },
  { flags: "-v three:/own", says: "stat -c '%a %u %g' /own; ls -n /own | awk '{print $1,$3,$4,$NF}'" },
  { flags: "-v four:/absent/deep", says: "stat -c '%n %a %u %g' /absent /absent/deep" },
  { flags: "-v five:/home/alice -u alice", says: "stat -c '%a %u %g' /home/alice" },
  { flags: "-v a:/x", says: "true", differs: "one letter is no name for docker volume create either" },
  { flags: "", image: "full", says: `${SEED}; stat -c '%n %a %u %g' /new; touch /vol/x && echo writable` },
  { flags: "-v six:/vol -v DIR/bound:/new", image: "full", says: `${SEED}; ls /new` },
  { flags: "--tmpfs /vol", image: "full", says: `ls /vol; ${AT("/vol")}` },
  { flags: "--mount type=bind,src=DIR/bound,dst=/x", says: AT("/x") },
  {
    flags: "--mount type=bind,source=DIR/bound,target=/x,readonly",
    says: `${AT("/x")}; touch /x/below/t`,
    differs: OLD,
  },
  { flags: "--mount type=bind,source=DIR/bound,destination=/x,ro=true", says: AT("/x") },
  { flags: "--mount type=bind,source=DIR/bound,destination=/x,readonly=false", says: AT("/x") },
  { flags: "--mount type=bind,source=DIR/bound,destination=/x,ro=yes", says: AT("/x") },
  { flags: "--mount Type=bind,SOURCE=DIR/bound,Dst=/x", says: AT("/x") },
  { flags: "--mount type=BIND,src=DIR/bound,dst=/x", says: AT("/x") },
  ...["rprivate", "private", "rshared", "shared", "rslave", "slave", "none"].map((propagation) => ({
    flags: `--mount type=bind,src=DIR/bound,dst=/x,bind-propagation=${propagation}`,
    says: AT("/x"),
  })),
  { flags: "--mount type=bind,src=DIR/bound,dst=/x,bind-nonrecursive", says: "mount | grep -c /x/below" },
  { flags: "--mount type=bind,src=DIR/none,dst=/x", says: "true" },
  { flags: "--mount type=bind,src=DIR/bound,dst=/x,volume-nocopy", says: "true" },
  { flags: "--mount type=bind,src=DIR/bound", says: "true" },
  { flags: "--mount type=bind,dst=/x", says: "true" },
  { flags: "--mount type=none,dst=/x", says: "true" },
  { flags: "--mount dst=/vol", says: SEED },
  { flags: "--mount src=seven,dst=/vol,volume-nocopy", says: "ls -A /vol" },
  { flags: "--mount type=volume,src=eight,dst=/vol,volume-nocopy=false,readonly", says: `${SEED}; touch /vol/x` },
  { flags: "--mount type=tmpfs,dst=/t", says: `${AT("/t")}; stat -c %a /t` },
  { flags: "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700", says: `${AT("/t")}; stat -c %a /t` },
  { flags: "--mount type=tmpfs,dst=/t,tmpfs-size=4096", says: AT("/t") },
  { flags: "--mount type=tmpfs,dst=/t,readonly", says: AT("/t") },
  { flags: "--mount type=tmpfs,dst=/vol", says: "stat -c '%a %u %g' /vol; ls -A /vol" },
  { flags: "--mount type=tmpfs,src=x,dst=/t", says: "true" },
  { flags: "--mount type=tmpfs,dst=/t,bind-propagation=shared", says: "true" },
  { flags: "--tmpfs /t", says: `${AT("/t")}; stat -c '%a %u %g' /t` },
  { flags: "--tmpfs /vol", says: `${AT("/vol")}; stat -c '%a %u %g' /vol; ls -A /vol` },
  { flags: "--tmpfs /t:size=1m,mode=0750,uid=1000,gid=50", says: `${AT("/t")}; stat -c '%a %u %g' /t` },
  { flags: "--tmpfs /t:rw,exec,suid,dev,size=10%", says: AT("/t") },
  { flags: "--tmpfs /t:ro,noatime,nr_inodes=100", says: AT("/t") },
  { flags: "--tmpfs t", says: "true" },
  { flags: "--tmpfs /run --tmpfs /tmp --read-only", says: "touch /run/x /tmp/x && stat -c '%n %a' /run /tmp" },
]);

const CAPS = "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status";

same("capabilities, seccomp and the rest that protects the host", [
  ...[
    "",
    "--cap-drop ALL",
    "--cap-drop all --cap-add chown --cap-add CAP_KILL",
    "--cap-add SYS_ADMIN --cap-drop cap_mknod",
    "--cap-add net_admin -u alice",
    "-u alice",
    "--cap-add net_raw --cap-drop net_raw",
    "--security-opt no-new-privileges",
    "--security-opt no-new-privileges:true",
    "--security-opt no-new-privileges=false",
    "--security-opt seccomp=unconfined",
    "--security-opt seccomp:unconfined",
    "--security-opt label=disable",
    "--security-opt apparmor=unconfined",
    "--security-opt label:disable",
  ].map((flags) => ({ flags, says: CAPS })),
  // Who is root has no more capabilities than the caller, which may lack some: dockerd 20.10 fails then.
  { flags: "--privileged -u alice", says: "grep -E '^(CapEff|NoNew|Seccomp:)' /proc/self/status" },
  { flags: "--privileged -u alice", says: "ls /dev | grep -v core | sort" },
  {
    flags: "--privileged -u alice --security-opt seccomp=unconfined --cap-drop ALL",
    says: "grep Seccomp: /proc/self/status",
  },
  {
    flags: "",
    says: "head -c1 /proc/kcore | wc -c; ls /proc/acpi /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/domainname",
  },
  {
    flags: "--security-opt systempaths=unconfined",
    says: "ls /sys/firmware | wc -l; echo x > /proc/sys/kernel/domainname",
  },
  {
    flags: "--device /dev/null:/dev/x:r --device /dev/zero",
    says: "cat /dev/x; echo > /dev/x; ls -ln /dev/x | cut -c1-20",
  },
  { flags: "--device /dev/null:/dev/x:w", says: "echo > /dev/x; cat /dev/x" },
  { flags: "--device /dev/null:rw", says: "echo > /dev/null" },
  { flags: "--device /dev/null:/dev/x:q", says: "true" },
  { flags: "--device /etc/passwd", says: "true" },
  { flags: "--device /dev/loop-control:/dev/deep/loop", says: "stat -c '%F %a %u %g' /dev/deep /dev/deep/loop" },
  {
    flags: "--device-cgroup-rule c~10:237~rwm",
    says: "mknod /x c 10 237 && head -c0 /x; mknod /y c 10 236; head -c0 /y",
  },
  { flags: "--device-cgroup-rule c10", says: "true" },
]);

const SYSCTLS = "cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range";
same("namespaces, names and sysctls", [
  { flags: "", says: SYSCTLS },
  {
    flags: "--sysctl net.ipv4.ip_forward=1 --sysctl kernel.shmmax=1000",
    says: "sysctl -n net.ipv4.ip_forward kernel.shmmax",
  },
  { flags: "--sysctl net.ipv4.ip_unprivileged_port_start=1000", says: SYSCTLS },
  { flags: "--hostname a.b.c --domainname d.e", says: "hostname; cat /proc/sys/kernel/domainname; cat /etc/hostname" },
  { flags: "-h short", says: "hostname", differs: "-h is help, as with runc" },
  { flags: "--hostname short", says: "hostname; echo $HOSTNAME" },
  { flags: "--network host", says: "hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start" },
  { flags: "--network host --hostname own", says: "hostname; cat /etc/hostname" },
  { flags: "--network host --sysctl net.ipv4.ip_forward=1", says: "true" },
  { flags: "--net none", says: "ls /sys/class/net" },
  { flags: "--uts host --hostname x", says: "true" },
  { flags: "--ipc none", says: "ls -d /dev/shm; grep -c ' /dev/shm ' /proc/mounts" },
  { flags: "--ipc private", says: AT("/dev/shm") },
  { flags: "--ipc shareable", says: AT("/dev/shm") },
  { flags: "--ipc host", says: "stat -f -c %T /dev/shm" },
  { flags: "--pid host", says: "[ $$ -gt 2 ] && echo host's" },
  { flags: "--cgroupns host", says: "[ $(cat /proc/self/cgroup) = 0::/ ] || echo host's" },
  { flags: "--cgroupns private", says: "cat /proc/self/cgroup" },
  { flags: "--cgroup-parent /tsrun-same", says: "cat /proc/self/cgroup" },
  { flags: "--pid none", says: "true" },
  { flags: "--uts none", says: "true" },
]);
