/** The story as a text to read: grouped by mechanism, each with its lesson, the steps numbered. */
import type { Told } from "./acts.ts";
import { LESSONS, type Lesson, type Topic } from "./lessons.ts";
import { wrap } from "./words.ts";

const WIDTH = 100;
const INDENT = 6;

const WHO = { parent: "The parent", init: "Init", kernel: "The kernel" } as const;

/** `title` is what is explained, `notes` what is special this time. Ends in a newline. */
export function toText(title: string, notes: readonly string[], story: Iterable<Told>): string {
  const parts = [
    `${title}\n${"=".repeat(Math.min(title.length, WIDTH))}`,
    INTRODUCTION,
    ...notes.map((note) => wrap(`Note: ${note}`, 0, WIDTH)),
  ];
  const seen = new Set<Topic>();
  let topic: Topic | undefined;
  let number = 0;
  for (const told of story) {
    if (told.topic !== topic) parts.push(headingOf(told.topic, seen));
    topic = told.topic;
    number++;
    parts.push(stepOf(told, number));
  }
  return `${[...parts, SOURCES].join("\n\n")}\n`;
}

const INTRODUCTION = wrap(
  'What follows is done in this order. "The parent" is the command itself; "init" is the child that it makes, which sets the ' +
    "container up from inside and then becomes its process. In brackets stands what asks for a step.",
  0,
  WIDTH,
);

const SOURCES = wrap(
  "In the brackets, config#x, config-linux#x, runtime#x and runtime-linux#x are places in the OCI runtime specification, " +
    "https://github.com/opencontainers/runtime-spec/blob/main/config.md#x and so on; man:x(2) is a page of the manual.",
  0,
  WIDTH,
);

/** Each paragraph is there once: a mechanism that comes again has only its name. */
function headingOf(topic: Topic, seen: Set<Topic>): string {
  const { heading, text, sources }: Lesson = LESSONS[topic];
  if (seen.has(topic)) return underline(`${heading} (again)`);
  seen.add(topic);
  return `${underline(heading)}\n${wrap(`${text} (${sources.join("; ")})`, 0, WIDTH)}`;
}

function underline(heading: string): string {
  return `${heading}\n${"-".repeat(heading.length)}`;
}

function stepOf({ who, says, because, details }: Told, number: number): string {
  const lead = `${String(number).padStart(INDENT - 2)}  `;
  const lines = [lead + wrap(`${WHO[who]} will ${says}. [${because}]`, INDENT, WIDTH)];
  for (const detail of details) lines.push(`${" ".repeat(INDENT)}- ${wrap(detail, INDENT + 2, WIDTH)}`);
  return lines.join("\n");
}
