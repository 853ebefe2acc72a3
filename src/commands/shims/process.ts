/** As much of node:process as commander looks at: no terminal, so that it does not guess a width or colours by itself. */
interface Stream {
  readonly isTTY: boolean;
  write(text: string): void;
}

const silent: Stream = { isTTY: false, write: () => undefined };

export const stdout = silent;
export const stderr = silent;
export const env: Readonly<Record<string, string>> = {};
export const argv: readonly string[] = [];
export const versions: Readonly<Record<string, string>> = {};
export const platform = "linux";
