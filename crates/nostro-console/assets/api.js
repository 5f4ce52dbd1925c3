// The HTTP API from the browser: address, key, time limits, problems. Reading throws; sending a transfer never does,
// because every way for it to go wrong is an outcome that the page must show (outcome.js).

import { sentence } from "./sentence.js";

/** A read that takes longer than this is reported as unreachable, and asked again at the next refresh. */
const READ_WAIT_MS_MAX = 8_000;
/** Longer than the server's own limit for a commit, so that its answer is heard where there is one. */
const SEND_WAIT_MS_MAX = 30_000;

/** The API answered, and not with what was asked for. `problem` is RFC 9457's. */
export class Refused extends Error {
  constructor(status, problem) {
    super(sentence(problem.detail || problem.title || `The API answered with status ${status}`));
    this.status = status;
    this.problem = problem;
  }
}

/** No answer that this page can read. */
export class Unreachable extends Error {}

export function apiAddress() {
  const address = document.querySelector('meta[name="nostro-api"]').content;
  return address.replace(/\/+$/, "");
}

/** The body of `GET path`. Throws Refused or Unreachable. */
export async function read(key, path) {
  let response, text;
  try {
    response = await request(key, path, { method: "GET" }, READ_WAIT_MS_MAX);
    text = await response.text();
  } catch (error) {
    throw new Unreachable(notHeard(error, READ_WAIT_MS_MAX));
  }
  const body = parsed(text);
  if (!response.ok) throw new Refused(response.status, body ?? {});
  if (body === null) throw new Unreachable("The answer is not JSON. Is this address the API's?");
  return body;
}

/**
 * Sends a transfer's body and tells what came back: { status, replayed, retryAfterSeconds, body }, or { failure } with
 * the reason where nothing readable did. The caller keeps the text of the body, so that sending again sends the same.
 */
export async function sendTransfer(key, bodyText) {
  try {
    const init = { method: "POST", body: bodyText, headers: { "Content-Type": "application/json" } };
    const response = await request(key, "/v1/transfers", init, SEND_WAIT_MS_MAX);
    const body = parsed(await response.text());
    return {
      status: response.status,
      replayed: response.headers.get("Idempotent-Replayed") === "true",
      retryAfterSeconds: response.headers.get("Retry-After"),
      body,
    };
  } catch (error) {
    return { failure: notHeard(error, SEND_WAIT_MS_MAX) };
  }
}

function request(key, path, init, wait_ms) {
  return fetch(apiAddress() + path, {
    ...init,
    headers: { Accept: "application/json", Authorization: `Bearer ${key}`, ...init.headers },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(wait_ms),
  });
}

function notHeard(error, wait_ms) {
  if (error.name === "TimeoutError" || error.name === "AbortError") {
    return `No answer came within ${wait_ms / 1000} seconds.`;
  }
  return `No answer came from ${apiAddress()}: the connection was refused or cut.`;
}

/** Null where the text is no JSON object. */
function parsed(text) {
  try {
    const body = JSON.parse(text);
    return typeof body === "object" ? body : null;
  } catch {
    return null;
  }
}
