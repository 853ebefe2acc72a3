/** eBPF as far as a device filter uses it, checked as the verifier would: only forward, inside, nothing unset is read. */

export interface DeviceRequest {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Bits of BPF_DEVCG_ACC_*: 1 mknod, 2 read, 4 write. */
  readonly access: number;
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
    if (at < 0 || at + 8 > bytes.length) throw new Error("The program leaves itself");
    const code = view.getUint8(at);
    const to = view.getUint8(at + 1) & 15;
    const from = view.getUint8(at + 1) >> 4;
    const offset = view.getInt16(at + 2, true);
    const constant = view.getInt32(at + 4, true);
    if (offset < 0) throw new Error("The program jumps back");
    if (code === 0x95) return read(0);
    else if (code === 0x61 && from === 1) registers[to] = contextWord(context, offset);
    else if (code === 0xbc) registers[to] = read(from);
    else if (code === 0xb4) registers[to] = constant >>> 0;
    else if (code === 0x54) registers[to] = (read(to) & constant) >>> 0;
    else if (code === 0x74) registers[to] = read(to) >>> constant;
    else if (code === 0x05) at += 8 * offset;
    else if (jumps(code, read(to), constant >>> 0)) at += 8 * offset;
  }
}

function jumps(code: number, value: number, constant: number): boolean {
  if (code === 0x16) return value === constant;
  if (code === 0x56) return value !== constant;
  if (code === 0x46) return (value & constant) !== 0;
  throw new Error(`Instruction 0x${code.toString(16)} is not known`);
}

function contextWord(context: readonly number[], offset: number): number {
  const word = context[offset / 4];
  if (word === undefined) throw new Error(`The context has nothing at ${offset}`);
  return word;
}
