/** What a failed native call throws: its name and the errno's name, no prose. */
export interface SysError extends Error {
  readonly call: string;
  readonly code: string;
}

export function isSysError(error: unknown): error is SysError {
  return error instanceof Error && typeof (error as Partial<SysError>).code === "string";
}

/** Whether `error` is a failed call with one of these errno names. */
export function isErrno(error: unknown, ...codes: readonly string[]): error is SysError {
  return isSysError(error) && codes.includes(error.code);
}

/** The words for an errno, as callers of a runtime know them: "no such file or directory". */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!isSysError(error)) return error.message;
  const open = error.message.indexOf("(");
  return open < 0 ? error.message : error.message.slice(open + 1, -1);
}
