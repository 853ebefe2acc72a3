/**
 * i386 reaches the calls of sockets and of System V IPC in two ways: each by a number of its own (Linux 4.3 and 5.1),
 * and all through socketcall(2) and ipc(2), whose first argument says which is meant. A profile names the calls only,
 * and would be without effect on the second way if it were not applied there too. libseccomp, arch-x86.c, abi_rule_add.
 *
 * What cannot be had: the arguments themselves. socketcall(2) passes them in memory, which BPF does not read, so that
 * `socket` allowed for some families only cannot be told from `socket` for all. libseccomp then lets all through;
 * here such a rule does not count for the second way, so that the default action holds. A rule with arguments that
 * forbids, forbids there whatever the arguments: nothing slips through. A profile that lists socketcall or ipc itself
 * has it its own way.
 */

import type { Case, Condition } from "./seccomp-conditions.ts";
import { permits, type Verdict, type Verdicts } from "./seccomp-verdicts.ts";

/** SYS_SOCKET … of linux/net.h, in order from 1. */
const SOCKETCALL =
  "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt \
getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";

/** SEMOP … of linux/ipc.h, in order from 1; the numbers between are not used. */
const IPC =
  "semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget shmctl";

/**
 * Takes what a profile says; returns the same with `socketcall` and `ipc` of i386 doing what it says of the calls
 * behind them.
 */
export function withMultiplexed(verdicts: Verdicts): Verdicts {
  const { byName, otherwise } = verdicts;
  const found: [name: string, verdict: Verdict][] = [];
  // The kernel takes the lower half of ipc's first argument only: ipc/syscall.c, ksys_ipc.
  for (const [name, calls, mask] of [
    ["socketcall", SOCKETCALL, 0xffff_ffff],
    ["ipc", IPC, 0xffff],
  ] as const) {
    const own = byName.get(name);
    if (own !== undefined && own !== otherwise && own.cases.length === 0) continue;
    const cases = [...(own?.cases ?? []), ...casesOf(verdicts, calls, mask)];
    if (cases.length > 0) found.push([name, { cases, answer: otherwise.answer }]);
  }
  return found.length === 0 ? verdicts : { ...verdicts, byName: new Map([...byName, ...found]) };
}

function casesOf({ byName, otherwise }: Verdicts, calls: string, mask: number): Case[] {
  const cases: Case[] = [];
  for (const [i, name] of calls.split(" ").entries()) {
    const verdict = byName.get(name);
    if (verdict === undefined || verdict === otherwise) continue;
    const answer =
      verdict.cases.length === 0 ? verdict.answer : verdict.cases.find((one) => !permits(one.answer))?.answer;
    if (answer !== undefined) cases.push({ answer, conditions: [isCall(i + 1, mask)] });
  }
  return cases;
}

function isCall(number: number, mask: number): Condition {
  if (mask === 0xffff_ffff) return { index: 0, op: "EQ", high: 0, low: number, wantedHigh: 0, wantedLow: 0 };
  return { index: 0, op: "MASKED_EQ", high: 0, low: mask, wantedHigh: 0, wantedLow: number };
}
