/** TSRUN_THOROUGH=1 makes tests that try things at random try them more often than there is time for in every run. */
export function thorough(always: number, then: number): number {
  return process.env["TSRUN_THOROUGH"] === "1" ? then : always;
}
