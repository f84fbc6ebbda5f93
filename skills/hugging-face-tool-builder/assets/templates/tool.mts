#!/usr/bin/env node
// __PURPOSE__
// Node.js 22.18 or newer runs this file as it is; before that: npx tsx@4 __NAME__.mts
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";

const USAGE = `__PURPOSE__

usage: __NAME__.mts [--limit N] [__KEY__ ...]

Takes each __KEY__ as an argument, or as NDJSON on standard input: one {"__KEY__": "..."} a line.
Writes NDJSON on standard output: what came in, and __FIELD_NAMES__.

options:
  --limit N   write at most N records
  --help      this text

examples:
  __NAME__.mts __EXAMPLE__
  printf '{"__KEY__": "__EXAMPLE__"}\\n' | __NAME__.mts --limit 5

environment:
  HF_TOKEN         sent to the Hub and never printed; without it only what is public is seen
  HF_ENDPOINT      another Hub than https://huggingface.co
  HF_TOOL_RETRIES  how often a request is tried again after 429, 5xx or a lost connection (4)

exit codes:
  0    done
  1    done, but the Hub refused some of what came in; each is named on standard error
  2    wrong arguments or wrong input; nothing was asked
  3    the Hub could not be asked; what was written until then is right
  130  interrupted
`;

// region plumbing
type Row = Record<string, unknown>;

const ENDPOINT = (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
const TOKEN = (process.env.HF_TOKEN || "").trim();
const RETRIES = Number(process.env.HF_TOOL_RETRIES || "4");
const TIMEOUT_MS = 60_000;
const MAX_WAIT_SECONDS = 330; // the Hub counts requests in windows of 300 seconds

/** The Hub said no to this request; others may still be answered. */
class Refused extends Error {}

/** Nothing more can be done: a message, and the exit code. */
class Stop extends Error {
  code: number;
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** Seconds that a refusal asks for: RateLimit: "api";r=0;t=55 on the Hub, Retry-After elsewhere; 0 for none. */
function toldToWait(headers: Headers): number {
  const window = /\bt=(\d+)/.exec(headers.get("ratelimit") ?? "");
  return window ? Number(window[1]) + 1 : Number(headers.get("retry-after")) || 0;
}

/** A list of objects, or the one object that an answer is. Throws for anything else, an error too. */
function objects(answer: unknown): Row[] {
  const found = (Array.isArray(answer) ? answer : [answer]) as (Row | null)[];
  const right = found.every((item) => typeof item === "object" && item !== null && !Array.isArray(item));
  if (!right || (!Array.isArray(answer) && (found[0]?.error ?? null) !== null))
    throw new Error("200, but not the JSON that was asked for");
  return found as Row[];
}

/** The Link with rel=next, or "". It is asked of ENDPOINT: a mirror passes on the Hub's own addresses. */
function nextPage(url: string, headers: Headers): string {
  const found = /<([^>]*)>[^<]*;\s*rel\s*=\s*"?next"?\s*(?:[;,]|$)/i.exec(headers.get("link") ?? "");
  if (!found) return "";
  const where = new URL(found[1], url);
  const prefix = new URL(ENDPOINT).pathname.replace(/\/$/, "");
  const path = where.pathname.startsWith(`${prefix}/`) ? where.pathname.slice(prefix.length) : where.pathname;
  const following = `${ENDPOINT}${path}${where.search}`;
  if (following === url) throw new Stop(`${url} names itself as its next page`, 3);
  return following;
}

/** The objects that `url` answers, and the address of its next page or "". fetch drops the token on another host. */
async function get(url: string): Promise<[Row[], string]> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (TOKEN) headers.Authorization = `Bearer ${TOKEN}`;
  let problem = "";
  let attempt = 0;
  for (; ; attempt++) {
    let wait = 2 ** attempt * (0.5 + Math.random() / 2);
    try {
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (answer.ok) {
        const moved = answer.redirected && new URL(answer.url).origin !== new URL(ENDPOINT).origin;
        if (moved && TOKEN && url.startsWith(`${ENDPOINT}/api/`)) {
          const without = "to which the token does not go: what is private would be missing";
          throw new Stop(`${url} is now at ${answer.url}, ${without}`, 3);
        }
        return [objects(await answer.json()), nextPage(url, answer.headers)];
      }
      problem = `${answer.status} ${answer.statusText}`;
      await answer.body?.cancel();
      if (answer.status !== 429 && answer.status < 500) throw new Refused(`${url}: ${problem}`);
      wait = toldToWait(answer.headers) || wait;
    } catch (error) {
      if (error instanceof Refused || error instanceof Stop) throw error;
      problem = String((error as Error).cause ?? error); // no connection, or half an answer
    }
    if (attempt === RETRIES || wait > MAX_WAIT_SECONDS) break;
    process.stderr.write(`${problem}; trying again in ${wait.toFixed(0)} s\n`);
    await new Promise((done) => setTimeout(done, wait * 1000));
  }
  throw new Stop(`${url}: ${problem}, after ${attempt + 1} tries: wait, or look at HF_ENDPOINT`, 3);
}

/** Every item of a list, however many pages it has; or the one object that `path` answers. */
async function* pages(path: string): AsyncGenerator<Row> {
  let url = ENDPOINT + path;
  while (url) {
    const [found, following] = await get(url);
    yield* found;
    url = following;
  }
}

/** What came in, all of it checked before the first request. */
function records(values: string[], key: string): Row[] {
  if (!values.every((value) => value.trim()))
    throw new Stop(`an argument is empty: each ${key} has to have a character`, 2);
  if (values.length) return values.map((value) => ({ [key]: value }));
  if (process.stdin.isTTY) throw new Stop(`give each ${key} as an argument, or NDJSON on standard input`, 2);
  const found: Row[] = [];
  for (const [index, line] of readFileSync(0, "utf8").split("\n").entries()) {
    if (!line.trim()) continue;
    let record: Row | null;
    try {
      record = JSON.parse(line);
    } catch (error) {
      throw new Stop(`standard input, line ${index + 1}: not JSON: ${(error as Error).message}`, 2);
    }
    if (typeof record !== "object" || record === null || typeof record[key] !== "string" || !record[key].trim())
      throw new Stop(`standard input, line ${index + 1}: not an object with a text "${key}"`, 2);
    found.push(record);
  }
  return found;
}

/** `path` with {key} replaced; a slash stays, because ids of repos have one. */
function filled(path: string, key: string, value: unknown): string {
  return path.replaceAll(`{${key}}`, String(value).split("/").map(encodeURIComponent).join("/"));
}

function emit(record: Row): void {
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

/** Calls `main` and turns what it throws into a message and an exit code. */
async function run(main: () => Promise<number>): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // the reader, `head` for one, has seen enough
    process.stderr.write(`error: standard output cannot be written to: ${error.message}\n`);
    process.exit(3);
  });
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exitCode = error instanceof Stop ? error.code : 3;
  }
}

/** The options and values of the command line. */
function commandLine(options: Record<string, { type: "string" | "boolean" }>): {
  values: Record<string, string | boolean | undefined>;
  positionals: string[];
} {
  try {
    return parseArgs({ options: { ...options, help: { type: "boolean" } }, allowPositionals: true }) as never;
  } catch (error) {
    throw new Stop(`${(error as Error).message}; see --help`, 2);
  }
}

function wholeNumber(text: unknown, name: string): number {
  if (text === undefined) return Infinity;
  if (!/^[1-9]\d*$/.test(String(text))) throw new Stop(`--${name} takes a number above 0`, 2);
  return Number(text);
}
// endregion plumbing

const PATH = "__PATH__";
const KEY = "__KEY__";
const FIELDS = ["__FIELD_LIST__"];

await run(async () => {
  const { values, positionals } = commandLine({ limit: { type: "string" } });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const limit = wholeNumber(values.limit, "limit");
  let written = 0;
  let refused = 0;
  for (const record of records(positionals, KEY)) {
    try {
      for await (const item of pages(filled(PATH, KEY, record[KEY]))) {
        emit({ ...record, ...Object.fromEntries(FIELDS.map((field) => [field, item[field] ?? null])) });
        if (++written === limit) return refused ? 1 : 0;
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      process.stderr.write(`error: ${error.message}\n`);
      refused++;
    }
  }
  return refused ? 1 : 0;
});
