/**
 * The flags of `run --image` have docker's meaning: each row is run by dockerd with runc and by tsrun, and what the command
 * prints and how it ends is the same. Where it is not, the row says why. Here: what the process is.
 */

import { after } from "node:test";
import { AT, OLD, sameIn, testsBesideDocker, type Row } from "../support/beside-docker.ts";

const { test, end } = testsBesideDocker("same-process");

after(end);

function same(sentence: string, rows: readonly Row[]): void {
  sameIn(test, sentence, rows);
}

const ENV = "env | sort";

same("variables come from the image, files, the caller and the line", [
  { flags: "", says: ENV },
  { flags: "-e A=b -e A=c -e B= -e C=x=y", says: ENV },
  { flags: "-e TERM -e NOT_SET", says: ENV },
  { flags: "--env-file DIR/variables", says: ENV },
  { flags: "--env-file DIR/variables -e A=line", says: ENV },
  { flags: "--env=A=b", image: "entry", says: [] },
  { flags: "--entrypoint env -e A -e EMPTY", image: "entry", says: [] },
  { flags: "--entrypoint= -e HOME=/x -e HOSTNAME=y -e PATH=/bin", image: "entry", says: ENV },
  { flags: "-e =x", says: ENV },
  { flags: "--env-file DIR/none", says: ENV },
]);

same("the command is the image's entrypoint and command, or what takes their places", [
  { flags: "", image: "entry", says: [] },
  { flags: "", image: "entry", says: ["other"] },
  { flags: "--entrypoint printf", image: "entry", says: [] },
  { flags: "--entrypoint printf", image: "entry", says: ["x%s", "y"] },
  { flags: "--entrypoint=", image: "entry", says: ["echo", "z"] },
  { flags: "--entrypoint=", image: "entry", says: [] },
  { flags: "", image: "shell", says: [] },
  { flags: "", image: "shell", says: ["more"] },
  { flags: "--init", says: "[ $$ -gt 1 ] && echo below; (sleep 0 &); sleep 1; ps -o stat | grep -c Z; exit 7" },
  { flags: "--init", says: ["none"] },
  { flags: "--init", says: "kill -9 $$" },
]);

same("a command ends with its code, and what cannot be run with docker's", [
  { flags: "", says: "exit 3" },
  { flags: "", says: "kill -TERM $$; sleep 1; exit 5" },
  { flags: "", says: ["none"] },
  { flags: "", says: ["/none"] },
  { flags: "", says: ["/etc"] },
  { flags: "", says: ["/noexec"] },
  { flags: "", says: ["/script"] },
  { flags: "", says: [""] },
  { flags: "-w /etc/passwd", says: "true" },
  { flags: "-u nobody", says: "true" },
  { flags: "-u root:nobody", says: "true" },
  { flags: "--cap-add NONE", says: "true" },
  { flags: "--memory 1", says: "true" },
  { flags: "-v a:b:c:d", says: "true" },
  { flags: "--tmpfs /x:none", says: "true" },
  { flags: "--sysctl vm.swappiness=1", says: "true" },
  { flags: "--sysctl net.ipv4.ip_forward", says: "true" },
  { flags: "--hostname a~b", says: "true", differs: "no such name could be looked up" },
  { flags: "--ulimit nofile=2:1", says: "true" },
  { flags: "--device /dev/none", says: "true", differs: OLD },
  { flags: "--security-opt none", says: "true" },
  { flags: "--stop-signal NONE", says: "true" },
]);

const WHO = "id -u; id -g; id -G; echo $HOME; pwd";

same("who it is, and where", [
  { flags: "", says: WHO },
  ...["alice", "1000", "1000:0", "alice:staff", "1234", "1234:5678", "homeless", "0:50", ":50", "root", "alice:"].map(
    (user) => ({ flags: `-u ${user}`, says: WHO }),
  ),
  { flags: "-u alice --group-add tty --group-add 77", says: WHO },
  { flags: "--group-add none", says: WHO },
  { flags: "", image: "full", says: WHO },
  { flags: "", image: "full", says: "stat -c '%n %a %u %g' /work /work/here" },
  { flags: "-w /made/deep", says: "pwd; stat -c '%n %a %u %g' /made /made/deep" },
  { flags: "-u alice -w /made/deep", says: "pwd; stat -c '%n %a %u %g' /made /made/deep" },
  { flags: "-w /vol/link", says: "pwd; pwd -P" },
  { flags: "-w relative", says: "pwd" },
  { flags: "-e HOME=/x -u alice", says: "echo $HOME" },
]);

same("limits of the process", [
  { flags: "", says: "umask; cat /proc/self/oom_score_adj" },
  { flags: "--ulimit nofile=100:200", says: "ulimit -n; ulimit -Hn" },
  { flags: "--ulimit nofile=100", says: "ulimit -n; ulimit -Hn" },
  {
    flags: "--ulimit core=0 --ulimit cpu=10:20 --ulimit fsize=1024",
    says: "grep -e core -e cpu -e file.size /proc/self/limits",
  },
  { flags: "--oom-score-adj 500", says: "cat /proc/self/oom_score_adj" },
  { flags: "--oom-score-adj 2000", says: "true" },
  { flags: "", says: "readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; cat" },
  { flags: "-a stdout", says: "echo out", differs: "its output is the caller's in any case" },
]);

same("flags are written as docker's users write them", [
  { flags: "-eA=b -w/tmp -u1000", says: "echo $A; pwd; id -u" },
  { flags: "-vDIR/bound:/x:ro", says: AT("/x") },
  { flags: "-ie A=b", says: "echo $A" },
  { flags: "--read-only=false --init=0", says: "touch /x && echo written" },
  { flags: "--no-healthcheck", says: "echo unwatched" },
  { flags: "--expose 80", says: "true", differs: "there is no network for others to come by" },
  { flags: "--label a=b -l c --label-file DIR/labels", says: "true" },
  { flags: "--pids-limit 100 --pids-limit -1", says: "true" },
]);
