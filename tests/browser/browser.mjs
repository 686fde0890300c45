// One headless Chromium, the one that is installed, cut off from the network.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

const executablePath = process.env.CHROMIUM ?? found();

/** Why there is nothing to run, for `skip`; false where there is a browser. */
export const skip = executablePath ? false : "no Chromium found: install one, or name it in CHROMIUM";

function found() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return [...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))), ON_A_MAC].find(isProgram);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Start it. No address can be reached but this machine's own. */
export function start() {
  return chromium.launch({ executablePath, args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"] });
}
