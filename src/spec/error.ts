/** What is wrong with config.json, an image's config or a flag: where it stands, what it is, what it should be. */
export class SpecError extends Error {
  readonly at: string;

  /** `at` is a JSON path such as `mounts[2].destination`, or "" for the whole; `says` continues the sentence. */
  constructor(at: string, says: string) {
    super(at === "" ? says : `${at} ${says}`);
    this.name = "SpecError";
    this.at = at;
  }
}
