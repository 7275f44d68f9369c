import { defaultPathSerializer } from "openapi-fetch";

/**
 * The path with its ids. A URL can't hold `.` and `..` as a segment, however they are escaped: they would be removed, and the
 * request would reach another path. A missing or empty id would reach another path as well.
 *
 * @throws TypeError an id can't be in a path.
 */
export function pathWithIds(path: string, ids: Record<string, unknown>): string {
  for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
    const id = ids[name as string];
    if (id === undefined || id === null || ["", ".", ".."].includes(String(id))) {
      throw new TypeError(`${name} can't be in a path: ${JSON.stringify(id)}`);
    }
  }
  return defaultPathSerializer(path, ids);
}
