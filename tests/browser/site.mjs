// The built site: its pages, and a server for them that nothing outside this machine can reach.
import { readFile, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Where `make docs` leaves it. */
export const SITE = fileURLToPath(new URL("../../docs/_build/html", import.meta.url));

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** The paths of all pages below a folder, as a URL writes them. */
export async function pagesOf(folder) {
  const files = await readdir(folder, { recursive: true });
  return files.filter((file) => file.endsWith(".html")).map((file) => file.split(sep).join("/")).sort();
}

/** Serve a folder; `change(html, path)` may plant something in a page first. */
export async function serve(folder, change = (html) => html) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://site").pathname).slice(1);
    const file = join(folder, path);
    try {
      if (relative(folder, file).startsWith("..")) throw new Error("outside of the site");
      const content = await readFile(file);
      response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
      response.end(file.endsWith(".html") ? change(content.toString(), path) : content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { origin: `http://127.0.0.1:${server.address().port}/`, close: () => server.closeAllConnections() ?? server.close() };
}
