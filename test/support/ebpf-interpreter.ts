/** eBPF as far as a device filter uses it, checked as the verifier would: only forward, inside, nothing unset is read. */

export interface DeviceRequest {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Bits of BPF_DEVCG_ACC_*: 1 mknod, 2 read, 4 write. */
  readonly access: number;
}

/** RFC 9669. */
const EXIT = 0x95;
const LOAD_WORD = 0x61;
const MOVE = 0xbc;
const MOVE_CONSTANT = 0xb4;
const AND = 0x54;
const SHIFT_RIGHT = 0x74;
const JUMP = 0x05;

interface Instruction {
  readonly code: number;
  readonly to: number;
  readonly from: number;
  readonly offset: number;
  readonly constant: number;
}

/** Runs a program on struct bpf_cgroup_dev_ctx; returns r0. */
export function runDeviceFilter(bytes: Uint8Array, { type, major, minor, access }: DeviceRequest): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const context = [access * 65536 + (type === "b" ? 1 : 2), major, minor];
  const registers: (number | undefined)[] = [];
  const read = (register: number): number => {
    const value = registers[register];
    if (value === undefined) throw new Error(`r${register} is read before it is written`);
    return value;
  };
  for (let at = 0; ; at += 8) {
    const { code, to, from, offset, constant } = instructionAt(view, at);
    if (code === EXIT) return read(0);
    if (code === LOAD_WORD) registers[to] = contextWord(context, from, offset);
    else if (code === MOVE) registers[to] = read(from);
    else if (code === MOVE_CONSTANT) registers[to] = constant >>> 0;
    else if (code === AND) registers[to] = (read(to) & constant) >>> 0;
    else if (code === SHIFT_RIGHT) registers[to] = read(to) >>> constant;
    else if (code === JUMP || jumps(code, read(to), constant >>> 0)) at += 8 * offset;
  }
}

function instructionAt(view: DataView, at: number): Instruction {
  if (at < 0 || at + 8 > view.byteLength) throw new Error("The program leaves itself");
  const registers = view.getUint8(at + 1);
  const offset = view.getInt16(at + 2, true);
  if (offset < 0) throw new Error("The program jumps back");
  return {
    code: view.getUint8(at),
    to: registers & 15,
    from: registers >> 4,
    offset,
    constant: view.getInt32(at + 4, true),
  };
}

function jumps(code: number, value: number, constant: number): boolean {
  if (code === 0x16) return value === constant;
  if (code === 0x56) return value !== constant;
  if (code === 0x46) return (value & constant) !== 0;
  throw new Error(`Instruction 0x${code.toString(16)} is not known`);
}

function contextWord(context: readonly number[], base: number, offset: number): number {
  if (base !== 1) throw new Error(`r${base} is not the context`);
  const word = context[offset / 4];
  if (word === undefined) throw new Error(`The context has nothing at ${offset}`);
  return word;
}
