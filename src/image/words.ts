/** Sizes and ages as people say them. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Three digits and a decimal unit, as docker: "4.2MB". */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000;
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const text = value.toFixed(digits);
  // Zeros behind the point say nothing.
  return `${text.includes(".") ? String(Number(text)) : text}${UNITS[unit] ?? ""}`;
}

const SPANS: readonly (readonly [name: string, seconds: number])[] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** "3 days ago" for an RFC 3339 time; "N/A" where there is none. `now` in seconds since 1970. */
export function ageOf(time: string, now: number): string {
  const then = secondsOf(time);
  if (then === undefined) return "N/A";
  const age = Math.max(0, now - then);
  for (const [name, seconds] of SPANS) {
    const count = Math.floor(age / seconds);
    if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"} ago`;
  }
  return "just now";
}

/** Seconds since 1970 of an RFC 3339 time; undefined where it is none. Civil to days: the era of 400 years begins in March. */
export function secondsOf(time: string): number | undefined {
  const part = (from: number, to: number): number => Number(time.slice(from, to));
  const [year, month, day] = [part(0, 4), part(5, 7), part(8, 10)];
  const [hour, minute, second] = [part(11, 13), part(14, 16), part(17, 19)];
  const isShaped =
    time.charAt(4) === "-" && time.charAt(7) === "-" && time.charAt(13) === ":" && time.charAt(16) === ":";
  const numbers = [year, month, day, hour, minute, second];
  if (!isShaped || time.length < 20 || !numbers.every((number) => Number.isInteger(number) && number >= 0))
    return undefined;
  const shifted = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return (era * 146_097 + dayOfEra - 719_468) * 86_400 + hour * 3600 + minute * 60 + second - offsetOf(time);
}

/** "+02:00" at the end, in seconds. */
function offsetOf(time: string): number {
  const sign = time.charAt(time.length - 6);
  if (sign !== "+" && sign !== "-") return 0;
  const seconds = Number(time.slice(-5, -3)) * 3600 + Number(time.slice(-2)) * 60;
  return sign === "-" ? -seconds : seconds;
}
