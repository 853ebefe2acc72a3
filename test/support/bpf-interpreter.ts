/** Classic BPF as the kernel takes and runs it for seccomp(2): net/core/filter.c, kernel/seccomp.c. */

export interface SeccompData {
  readonly nr: number;
  readonly arch: number;
  /** Six arguments of 64 bits, unsigned. */
  readonly args: readonly bigint[];
}

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Takes struct sock_filter[]; throws where bpf_check_classic() or seccomp_check_filter() would refuse it. */
export function decode(bytes: Uint8Array): Instruction[] {
  if (bytes.length === 0 || bytes.length % 8 !== 0) throw new Error(`${bytes.length} bytes are no program`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length / 8;
  if (count > 4096) throw new Error(`${count} instructions are too many`);
  const program = Array.from({ length: count }, (_, i): Instruction => ({
    code: view.getUint16(8 * i, true),
    jt: view.getUint8(8 * i + 2),
    jf: view.getUint8(8 * i + 3),
    k: view.getUint32(8 * i + 4, true),
  }));
  for (const [i, instruction] of program.entries()) check(instruction, i, count);
  if (program.at(-1)?.code !== 0x06) throw new Error("The last instruction must return");
  return program;
}

function check({ code, jt, jf, k }: Instruction, at: number, count: number): void {
  const name = `Instruction ${at} (0x${code.toString(16)})`;
  if (code === 0x20) {
    if (k % 4 !== 0 || k >= 64) throw new Error(`${name} loads from outside of struct seccomp_data`);
  } else if (code === 0x05) {
    if (at + 1 + k >= count) throw new Error(`${name} jumps out of the program`);
  } else if ([0x15, 0x25, 0x35, 0x45].includes(code)) {
    if (at + 1 + Math.max(jt, jf) >= count) throw new Error(`${name} jumps out of the program`);
  } else if (code !== 0x06 && code !== 0x54) {
    throw new Error(`${name} is not known`);
  }
}

/** Runs a program; returns its answer and the number of instructions on the way. */
export function run(program: readonly Instruction[], data: SeccompData): { answer: number; steps: number } {
  let accumulator = 0;
  let at = 0;
  for (let steps = 1; ; steps++) {
    const instruction = program[at++];
    if (instruction === undefined) throw new Error("The program ran over its end");
    const { code, jt, jf, k } = instruction;
    if (code === 0x06) return { answer: k, steps };
    if (code === 0x20) accumulator = word(data, k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else at += compare(code, accumulator, k) ? jt : jf;
  }
}

function compare(code: number, accumulator: number, k: number): boolean {
  if (code === 0x15) return accumulator === k;
  if (code === 0x25) return accumulator > k;
  if (code === 0x35) return accumulator >= k;
  return (accumulator & k) !== 0;
}

function word({ nr, arch, args }: SeccompData, offset: number): number {
  if (offset === 0) return nr >>> 0;
  if (offset === 4) return arch;
  if (offset < 16) return 0; // instruction_pointer
  const argument = args[(offset - 16) >> 3] ?? 0n;
  return Number((argument >> (offset % 8 === 0 ? 0n : 32n)) & 0xffff_ffffn);
}
