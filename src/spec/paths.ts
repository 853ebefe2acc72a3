/** Paths as text, with the semantics of Go's path/filepath, which every orchestrator's config.json was made with. */

/** Whether `path` begins at the root. */
export function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}

/**
 * The shortest path that means the same as `path`, looking at the text only: no empty, "." or inner ".."
 * components, no slash at the end. "" becomes ".", and ".." at the root is the root.
 */
export function cleanPath(path: string): string {
  if (isClean(path)) return path;
  const absolute = isAbsolute(path);
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!absolute) kept.push(part);
  }
  const joined = kept.join("/");
  if (absolute) return `/${joined}`;
  return joined === "" ? "." : joined;
}

/** `path` seen from `base`, clean. Like Go's Join it does not ask whether `path` is absolute. */
export function join(base: string, path: string): string {
  if (base === "") return path === "" ? "" : cleanPath(path);
  return path === "" ? cleanPath(base) : cleanPath(`${base}/${path}`);
}

/** `path` itself where it is absolute, else `path` below `base`; clean either way. */
export function resolve(base: string, path: string): string {
  return isAbsolute(path) ? cleanPath(path) : join(base, path);
}

/** All but the last component, clean: "/a" for "/a/b", "/" for "/a", "." for "a". */
export function dirname(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "." : cleanPath(path.slice(0, slash + 1));
}

/** The last component: "b" for "/a/b/", "/" for "/", "." for "". */
export function basename(path: string): string {
  let end = path.length;
  while (end > 0 && path.charAt(end - 1) === "/") end--;
  if (end === 0) return path === "" ? "." : "/";
  return path.slice(path.lastIndexOf("/", end - 1) + 1, end);
}

/** Whether `path` is `directory` or lies below it; both clean. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

/** Nearly every path of a config.json is clean already: three searches in native code say so. */
function isClean(path: string): boolean {
  return isAbsolute(path) && !path.includes("/.") && !path.includes("//") && (path.length === 1 || !path.endsWith("/"));
}
