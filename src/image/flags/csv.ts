/** One line of comma-separated values, as encoding/csv of Go reads --mount: a field with a comma stands in quotes (RFC 4180). */

/** The fields; undefined where the quotes do not fit. */
export function fieldsOf(line: string): string[] | undefined {
  const fields: string[] = [];
  let begun = "";
  for (const piece of line.split(",")) {
    const field = begun + piece;
    const isOpen = field.split('"').length % 2 === 0;
    if (!isOpen) fields.push(field);
    begun = isOpen ? `${field},` : "";
  }
  const plain = fields.map(withoutQuotes);
  return begun === "" && !plain.includes(undefined) ? (plain as string[]) : undefined;
}

/** A quote in a field that stands in quotes is doubled, and there is none in another one. */
function withoutQuotes(field: string): string | undefined {
  const quoted = field.length >= 2 && field.startsWith('"') && field.endsWith('"');
  const inner = quoted ? field.slice(1, -1).split('""') : [field];
  return inner.some((part) => part.includes('"')) ? undefined : inner.join('"');
}
