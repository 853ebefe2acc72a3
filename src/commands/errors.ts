/** What a person typed wrong. main.ts says how it is told. */
import { Failure } from "../sys/failure.ts";

/** Options or operands that a command does not take: told with the command's help. Exit code 1. */
export class Usage extends Failure {
  /** Continues "Incorrect Usage": names the mistake where it is one in an option. */
  readonly heading: string;
  /** An option that does not exist, without its dashes; "" where the mistake is another. */
  readonly unknown: string;

  constructor(
    message: string,
    { heading = `: ${message}`, unknown = "" }: { readonly heading?: string; readonly unknown?: string } = {},
  ) {
    super(message);
    this.heading = heading;
    this.unknown = unknown;
  }
}

/** A command that does not exist; `hint` says what was meant. Exit code 3. */
export class UnknownCommand extends Failure {
  constructor(typed: string, hint: string) {
    super(`No help topic for '${typed}'${hint}`);
  }
}
