/** Dates without a Date, which the engine is not given. */
import type { Sys } from "./sys.ts";

/** The time in RFC 3339, in UTC, with nanoseconds or without. */
export function timestamp(sys: Sys, precise: boolean): string {
  const [seconds = 0, nanoseconds = 0] = sys.clockRealtime();
  return rfc3339(seconds, precise ? `.${String(nanoseconds).padStart(9, "0")}` : "");
}

/** RFC 3339 from seconds since 1970; the engine has no Date. Days to civil: the era of 400 years begins in March. */
function rfc3339(seconds: number, fraction: string): string {
  const days = Math.floor(seconds / 86400) + 719468;
  const era = Math.floor(days / 146097);
  const dayOfEra = days - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const time = seconds % 86400;
  return (
    `${year}-${two(month)}-${two(day)}T${two(Math.floor(time / 3600))}:${two(Math.floor((time % 3600) / 60))}:` +
    `${two(time % 60)}${fraction}Z`
  );
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
