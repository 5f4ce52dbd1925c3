// What an answer to a transfer means. Three things can be true of the money: it moved, it did not, or nobody here
// knows yet; an answer that is not clearly one of the first two is the third, and is never called a failure.

/** Nothing moved and the id is not used up. Any other 4xx did not come from the bank's own table of answers. */
const NOT_ACCEPTED = [400, 401, 403, 404, 413, 415, 429];

/**
 * { kind, certainty, sameIdAgain?, transfer?, problem?, reason?, retryAfterSeconds? }
 * certainty: "final" | "not_this_attempt" (this sending moved nothing; `sameIdAgain`: it can be repeated) | "unknown".
 */
export function outcomeOf(answer) {
  if (answer.failure !== undefined) return { kind: "unknown", certainty: "unknown", reason: answer.failure };
  const { status, body, retryAfterSeconds } = answer;
  const problem = body ?? {};
  const hasCode = typeof problem.code === "string";
  if (status === 201 && body) return { kind: "posted", certainty: "final", transfer: body };
  if (status === 200 && body) return replayed(body);
  if (status === 202 && body?.state === "settling") return { kind: "settling", certainty: "final", transfer: body };
  if (status === 202) return lostInCommit(body);
  if (status === 409 && hasCode) return { kind: "conflict", certainty: "final", problem };
  if (status === 422 && hasCode) return { kind: "refused", certainty: "final", problem };
  if (status === 503 && hasCode) {
    return { kind: "unavailable", certainty: "not_this_attempt", sameIdAgain: true, problem, retryAfterSeconds };
  }
  if (NOT_ACCEPTED.includes(status)) {
    const kind = status === 401 ? "unauthorized" : "not_accepted";
    const sameIdAgain = status === 401 || problem.retry === "same_id";
    return { kind, certainty: "not_this_attempt", sameIdAgain, problem: { status, ...problem }, retryAfterSeconds };
  }
  return { kind: "unknown", certainty: "unknown", reason: `The answer had status ${status} and tells nothing sure.` };
}

/** A later reading of a transfer: settling becomes posted once the last branch has finished. */
export function settled(outcome, transfer) {
  const kind = outcome.kind === "settling" && transfer.state !== "settling" ? "posted" : outcome.kind;
  return { ...outcome, kind, transfer };
}

/** The same id and content again: its present state, which may still be settling. */
function replayed(transfer) {
  if (transfer.state === "unknown") return lostInCommit(transfer);
  const kind = transfer.state === "settling" ? "settling" : "replayed";
  return { kind, certainty: "final", transfer };
}

function lostInCommit(transfer) {
  return { kind: "unknown", certainty: "unknown", reason: "A branch was lost during its commit.", transfer };
}
