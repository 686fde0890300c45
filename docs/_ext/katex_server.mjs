// Renders equations for katex.py: one JSON request a line on stdin, one JSON answer a line on stdout.
//   request  {"latex": "...", "display": true}
//   answer   {"html": "..."} or {"error": "..."}
import { createInterface } from "node:readline";
import katex from "katex";

for await (const line of createInterface({ input: process.stdin })) {
  const { latex, display } = JSON.parse(line);
  let answer;
  try {
    answer = { html: katex.renderToString(latex, { displayMode: display, throwOnError: true, strict: "error" }) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
