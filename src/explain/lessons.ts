/** A paragraph for each mechanism: what it is, why it is there, what would happen without it, and where that stands. */
export interface Lesson {
  readonly heading: string;
  readonly text: string;
  readonly sources: readonly string[];
}

export const LESSONS = {
  protection: {
    heading: "The runtime protects itself",
    text:
      "For a moment the child of this program lives in the container and is still this program: through " +
      "/proc/PID/exe a process inside could then open the runtime's own file, and write to it as soon as nobody " +
      "runs it. The next container would be started by the attacker's program, as root of the host. So the program " +
      "runs from a read-only mount that has no path: what /proc/PID/exe leads to cannot be written, now or later.",
    sources: ["CVE-2019-5736", "open_tree(2)", "execveat(2)"],
  },
  checks: {
    heading: "Everything is read and checked before anything is changed",
    text:
      "A container is described by a bundle: a directory with config.json and, as a rule, the root file system. " +
      "The runtime turns config.json into a list of steps first, and carries it out afterwards. Most of what you " +
      "are reading is that list. What is wrong with config.json is found here, when there is nothing to clean up.",
    sources: ["OCI runtime-spec, bundle.md", "runtime#runtimeErrors"],
  },
  image: {
    heading: "From an image",
    text:
      "An image is layers, each a directory of files or an archive with an index, and a configuration that says what to run. Both were checked and " +
      "stored when it was loaded. A config.json is made of the configuration and of the options of the command line, " +
      "and from there on all is as with a bundle. The layers are shared by all containers of the image and never " +
      "written to: what a container writes goes to a directory of its own, which is gone with it.",
    sources: ["OCI image-spec, conversion.md", "Documentation/filesystems/overlayfs.rst"],
  },
  foreground: {
    heading: "The foreground",
    text:
      "run stays beside the container as a shell stays beside a command. It passes on the signals that it gets " +
      "(Ctrl-C, for example), and it takes in the processes that lose their parent, so that none of them is left " +
      "behind as a zombie.",
    sources: ["signalfd(2)", "prctl(2), PR_SET_CHILD_SUBREAPER"],
  },
  state: {
    heading: "The container has a plan and a name, before there is anything of it",
    text:
      "There is no daemon: what is known of a container stands in a directory, as a rule below /run, which is gone " +
      "after a reboot like the container itself. It is written before each effect. So whenever this program dies, " +
      "even killed, delete --force finds what has been made and takes it away; without that a cgroup or a process " +
      "could be left that nobody knows.",
    sources: ["runtime#runtimeState", "rename(2)", "fsync(2)", "flock(2)"],
  },
  cgroup: {
    heading: "A control group",
    text:
      "A cgroup is a group of processes that the kernel accounts and limits together. It is a directory of the " +
      "file system cgroup2; what may be set are files in it. Children of its processes are in it too, so nobody " +
      "gets out by fork. Without it one container could take all memory and all processors, and nobody could say " +
      "which processes belong to it.",
    sources: ["cgroups(7)", "Documentation/admin-guide/cgroup-v2.rst"],
  },
  limits: {
    heading: "Limits",
    text:
      "Each limit is one value written to one file. They are in force before there is a process that they apply " +
      "to, so that not even the first instruction of the container runs without them.",
    sources: ["Documentation/admin-guide/cgroup-v2.rst, Controllers"],
  },
  deviceFilter: {
    heading: "Which devices may be used",
    text:
      "A device node is a door to a driver of the host's kernel, and whoever may call mknod makes any door: " +
      "/dev/sda, say, with the host's files on it. So the kernel asks a small program, attached to the cgroup, " +
      "each time when somebody opens or makes a device. What no rule allows is denied, also where config.json has " +
      "no rules.",
    sources: ["bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE", "GHSA-g54h-m393-cpwq"],
  },
  namespaces: {
    heading: "A child in new namespaces",
    text:
      "A namespace is a part of what the kernel shows to a process, had by some processes and not by others. Most " +
      "of what is called a container is one process with namespaces of its own. Most are made together with the " +
      "child, by one call, and in the same call the child begins its life in the cgroup: moving it there " +
      "afterwards would leave a gap, and make the kernel wait for all processors (some 10 ms). Two come later, and " +
      "init makes them itself: a cgroup namespace, whose root is the cgroup of the process that makes it, and a " +
      "network namespace, which takes long.",
    sources: ["namespaces(7)", "clone(2)", "cgroup_namespaces(7)"],
  },
  userNamespace: {
    heading: "A user namespace: ids of its own",
    text:
      "In a user namespace ids have another meaning: the root inside is an ordinary user outside, and what it " +
      "breaks out of it breaks out of as that user. Which id stands for which is written once, to uid_map and " +
      "gid_map, by a process outside. Until then the child has no valid id at all, and so it waits.",
    sources: ["user_namespaces(7)"],
  },
  init: {
    heading: "Init begins",
    text:
      "The child is called init: in a new pid namespace it is process 1. It sets up the container from inside, and " +
      "then becomes the process that you asked for. What it cannot do from inside its parent does; the two talk " +
      "over a pair of sockets. If a step fails, init sends what went wrong instead of what is expected, the parent " +
      "takes everything away again, and you read it as the command's error.",
    sources: ["pid_namespaces(7)", "unix(7), SOCK_SEQPACKET", "src/container/protocol.ts"],
  },
  session: {
    heading: "Nothing of the caller's session",
    text:
      "A process has more from its parent than one sees: a keyring with keys of the kernel (kerberos tickets, for " +
      "example), and a controlling terminal, into which it could type commands for the shell outside (TIOCSTI). " +
      "Neither is in a namespace. Init gets rid of both.",
    sources: ["session-keyring(7)", "setsid(2)", "CVE-2017-5226"],
  },
  ownNamespaces: {
    heading: "Namespaces that init makes itself",
    text:
      "Now that init is in its cgroup, that can become the root of what it sees: /proc/self/cgroup says / and not " +
      "where on the host the container is. And a network namespace is much work for the kernel, about a third of a " +
      "millisecond: init makes that too, while its parent is busy with the device filter and the state.",
    sources: ["cgroup_namespaces(7)", "network_namespaces(7)"],
  },
  network: {
    heading: "The network",
    text:
      "A new network namespace has one interface, lo, and that is down: not even 127.0.0.1 answers. More is not " +
      "the runtime's business: others (CNI plugins, docker's network driver) put one end of a veth pair into the " +
      "namespace, by a hook or before.",
    sources: ["network_namespaces(7)", "netdevice(7)"],
  },
  root: {
    heading: "The root file system",
    text:
      "Init has mounts of its own, but so far they are a copy of the host's, and the copies are tied to each " +
      "other: what is mounted here could appear there. That is stopped first (what the host mounts may still " +
      "appear here). Then the container's root file system is made a mount, because only a mount can become the " +
      "root. From here on every path of the container is looked up below a descriptor of that mount, once, by " +
      "openat2(2) with RESOLVE_IN_ROOT: no link in an image can lead out of it.",
    sources: ["mount_namespaces(7)", "openat2(2)", "CVE-2021-30465"],
  },
  mounts: {
    heading: "What is mounted in it",
    text:
      "An image has files, but no processes, devices or terminals to show: those are file systems of the kernel, " +
      "and are mounted. Each is made first and attached afterwards, complete with its flags, to a descriptor of " +
      "its place: there is no moment in which it is there without them, and no path that could be exchanged " +
      "meanwhile. The order is that of config.json, since one mount may cover a part of another.",
    sources: ["config#configMounts", "fsopen(2)", "mount_setattr(2)", "move_mount(2)"],
  },
  devices: {
    heading: "Devices",
    text:
      "Programs expect some devices everywhere: /dev/null above all. Nodes are made for those, and for what " +
      "config.json lists. The disk of the host is not among them.",
    sources: ["config-linux#configLinuxDefaultDevices", "mknod(2)"],
  },
  meanwhile: {
    heading: "What the parent has done meanwhile",
    text:
      "Parent and init have worked side by side. Before it makes a device, init waits for its parent: the filter of " +
      "devices must be in force, and the state must lead to init, so that whoever deletes the container finds it.",
    sources: ["runtime#runtimeLifecycle", "prctl(2), PR_SET_PDEATHSIG"],
  },
  hooks: {
    heading: "Hooks have their turn",
    text:
      "All is mounted, and the host's files are still in reach: the moment for programs of others, called hooks, " +
      "which may change the container (a graphics driver is put into it this way). prestart and createRuntime run " +
      "outside, by the parent; createContainer runs inside. Each gets the container's state as JSON on its " +
      "standard input; one that fails ends the creation.",
    sources: ["config#configHooks", "runtime#runtimeLifecycle"],
  },
  terminal: {
    heading: "A terminal",
    text:
      "A terminal has two sides. The process gets the one, as its standard input, output and error and as its " +
      "controlling terminal, so that Ctrl-C works; whoever called gets the other. It comes from the container's " +
      "own devpts, which is checked, and its other side is opened without a path: in a /dev/pts that an image " +
      "forges a name could lead anywhere.",
    sources: ["pty(7)", "ioctl_tty(2), TIOCGPTPEER", "CVE-2025-52565"],
  },
  names: {
    heading: "Names",
    text:
      "The host name is in the uts namespace: it changes for the container only. Without a uts namespace it would " +
      "change for the host, so a config.json that wants that is refused.",
    sources: ["uts_namespaces(7)", "sethostname(2)"],
  },
  sysctl: {
    heading: "Parameters of the kernel",
    text:
      "Some parameters below /proc/sys are separate for each namespace, and only those may be set for a container. " +
      "They are written through a procfs that init has made itself, the container's or one that is attached nowhere, by " +
      "its descriptor, because something else may lie over /proc/sys by now.",
    sources: ["proc(5)", "CVE-2025-52881", "CVE-2022-0811"],
  },
  masks: {
    heading: "What is hidden or cannot be written",
    text:
      "Not all of /proc and /sys is in a namespace: some files tell about the host (/proc/kcore is its memory), or " +
      "change it (/proc/sysrq-trigger can reboot it). They are covered, or made read-only, after the parameters " +
      "were set.",
    sources: ["config-linux#configLinuxMaskedPaths", "CVE-2025-31133"],
  },
  lastTouch: {
    heading: "The last touch",
    text:
      "Whatever has to be made in the root file system is there now; if it is to be read-only, it becomes so at " +
      "the end.",
    sources: ["config#configRoot"],
  },
  pivot: {
    heading: "The host's files go out of reach",
    text:
      "pivot_root makes the container's file system the root of the mount namespace, and puts the host's over it, " +
      "from where it is taken away. After that there is no path to a file of the host. chroot alone would only " +
      "change what / means for this process: a process with CAP_SYS_CHROOT gets out of it by a second chroot.",
    sources: ["pivot_root(2)", "chroot(2)"],
  },
  noNewPrivileges: {
    heading: "No new privileges",
    text:
      "From now on execve gives no rights that the process has not got: set-user-ID programs and capabilities of " +
      "files are without effect, for it and all its children, and nothing takes that back. Without it a program " +
      "such as su makes a user of the container root of the container.",
    sources: ["prctl(2), PR_SET_NO_NEW_PRIVS", "Documentation/userspace-api/no_new_privs.rst"],
  },
  seccomp: {
    heading: "Which system calls are allowed",
    text:
      "All containers share one kernel, and its door is some 400 system calls, many of which hardly any program " +
      "needs. A filter is a program that the kernel runs at each call, with its number and arguments, and that " +
      "answers whether it is allowed. It stays for good, and children have it too. Most holes of the kernel that " +
      "led out of containers were in rare calls. Without no_new_privs the filter needs CAP_SYS_ADMIN to be loaded, " +
      "so it comes before the capabilities go; with it, it comes last, and has to allow nothing of what the " +
      "runtime calls but execve.",
    sources: ["seccomp(2)", "config-linux#configLinuxSeccomp", "runc#2750 (why ENOSYS)"],
  },
  capabilities: {
    heading: "Capabilities: the parts of root's power",
    text:
      "The power of root is divided into some 40 capabilities. A container's root keeps a few. Permitted are those " +
      "that a process may use, effective those that it uses now, inheritable and ambient those that it may pass on " +
      "by execve, and the bounding set is what no execve can go beyond. It is dropped while init still has " +
      "CAP_SETPCAP, which it takes. The other sets come after the change of the user, which clears them. Without " +
      "this, root in the container could load a module into the host's kernel.",
    sources: ["capabilities(7)", "CVE-2022-24769"],
  },
  rlimits: {
    heading: "The last things for root",
    text: "A limit holds for the runtime too as soon as it is set. So limits come late, when nothing is to be opened any more.",
    sources: ["getrlimit(2)", "config#configPOSIXProcess"],
  },
  ids: {
    heading: "The user",
    text:
      "Init becomes the user of the process: first its groups, then the group, then the user, since each change " +
      "takes the right to make the ones before. The numbers stand in config.json; the runtime looks up no names. " +
      "The working directory must be one inside: getcwd(2) tells.",
    sources: ["credentials(7)", "setresuid(2)", "CVE-2024-21626"],
  },
  program: {
    heading: "The program is found",
    text:
      "The program is looked up inside, as execvp(3) does. It is done now, so that a name which is not there is an " +
      "error of this command, and not of start.",
    sources: ["config#configProcess", "execvp(3)"],
  },
  created: {
    heading: "The container is created",
    text:
      "All is made, and nothing of the container has run. Whoever called may look at it now, connect a network, " +
      "and start it when all is ready: that is why the specification has two operations, create and start.",
    sources: ["runtime#runtimeCreate", "runtime#runtimeStart"],
  },
  execve: {
    heading: "Init becomes the process",
    text:
      "execve keeps the process and exchanges the program: pid, namespaces, cgroup, ids and filter stay, the " +
      "runtime is gone from it. What stays open would stay open for the program, and a descriptor of a directory " +
      "of the host would be a way out: so all are closed in the end, and then nothing of the runtime comes any " +
      "more but the filter and execve.",
    sources: ["execve(2)", "CVE-2024-21626", "runtime-linux#runtimeLinuxFileDescriptors"],
  },
  running: {
    heading: "The container runs",
    text:
      "For the host it is an ordinary process, visible in ps, in other namespaces. When process 1 of a pid " +
      "namespace ends, the kernel kills all others in it. A namespace lives as long as a process is in it or a " +
      "file holds it.",
    sources: ["pid_namespaces(7)", "runtime#runtimeLifecycle"],
  },
  deletion: {
    heading: "The container is deleted",
    text: "What create made is taken away, in the opposite order, and the name is free again.",
    sources: ["runtime#runtimeDelete"],
  },
} as const satisfies Record<string, Lesson>;

/** The mechanisms, by which the steps are grouped. */
export type Topic = keyof typeof LESSONS;
