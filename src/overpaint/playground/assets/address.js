// Where things are: the server knows its own paths, which behind a proxy may stand below a path of the proxy's.

const FILES = "/files/";
const PREVIEWS = "/page/previews/";
const base = new URL("../../..", import.meta.url).pathname; // from /page/assets/VERSION/; ends with a slash

/** A path of the server as this browser reaches it; what is no path stays as it is. */
export function at(path) {
  return path.startsWith("/") ? base + path.slice(1) : path;
}

/** Where a stored picture is, small. */
export function small(path) {
  return at(path.startsWith(FILES) ? PREVIEWS + path.slice(FILES.length) : path);
}

/** The server's own path of an address, of a small picture that of the whole one; null where it leads elsewhere. */
export function own(address) {
  if (!URL.canParse(address)) return null;
  const { origin, pathname, search } = new URL(address);
  if (origin !== location.origin || !pathname.startsWith(base)) return null;
  const path = pathname.slice(base.length - 1) + search;
  return path.startsWith(PREVIEWS) ? FILES + path.slice(PREVIEWS.length) : path;
}

/** The stored file that a path of the server leads to; empty where it leads to none. */
export function fileOf(path) {
  const name = decodeURIComponent(path.split("?")[0]);
  return name.startsWith(FILES) ? name.slice(FILES.length) : "";
}
