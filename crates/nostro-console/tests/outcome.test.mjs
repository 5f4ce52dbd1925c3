// What the page makes of every answer to a transfer. The one mistake that must never be made here is to call an unknown
// outcome a failure, or to let its id go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { after, newAttempt, sending } from "../assets/attempt.js";
import { commitSteps } from "../assets/commit_steps.js";
import { outcomeOf, settled } from "../assets/outcome.js";

const problem = (code, more = {}) => ({ code, title: code, detail: code, retry: "never", ...more });

const ANSWERS = [
  // answer, kind, certainty
  [{ status: 201, body: { state: "posted" } }, "posted", "final"],
  [{ status: 200, body: { state: "posted" }, replayed: true }, "replayed", "final"],
  [{ status: 200, body: { state: "settling" }, replayed: true }, "settling", "final"],
  [{ status: 200, body: { state: "unknown" }, replayed: true }, "unknown", "unknown"],
  [{ status: 202, body: { state: "settling" } }, "settling", "final"],
  [{ status: 202, body: { state: "unknown" } }, "unknown", "unknown"],
  [{ status: 202, body: null }, "unknown", "unknown"],
  [{ status: 409, body: problem("id_conflict") }, "conflict", "final"],
  [{ status: 422, body: problem("insufficient_funds") }, "refused", "final"],
  [{ status: 400, body: problem("invalid_request") }, "not_accepted", "not_this_attempt"],
  [{ status: 401, body: problem("unauthorized") }, "unauthorized", "not_this_attempt"],
  [{ status: 413, body: null }, "not_accepted", "not_this_attempt"],
  [{ status: 429, body: problem("rate_limited", { retry: "same_id" }) }, "not_accepted", "not_this_attempt"],
  [{ status: 503, body: problem("branch_unavailable", { retry: "same_id" }) }, "unavailable", "not_this_attempt"],
  // what something between the page and the bank may say
  [{ status: 201, body: null }, "unknown", "unknown"],
  [{ status: 422, body: null }, "unknown", "unknown"],
  [{ status: 503, body: null }, "unknown", "unknown"],
  [{ status: 408, body: null }, "unknown", "unknown"],
  [{ status: 500, body: problem("internal_error") }, "unknown", "unknown"],
  [{ status: 502, body: null }, "unknown", "unknown"],
  [{ status: 504, body: null }, "unknown", "unknown"],
  [{ failure: "No answer came within 30 seconds." }, "unknown", "unknown"],
];

test("every answer has its meaning", () => {
  for (const [answer, kind, certainty] of ANSWERS) {
    const outcome = outcomeOf(answer);
    assert.deepEqual([outcome.kind, outcome.certainty], [kind, certainty], JSON.stringify(answer));
  }
});

const FIELDS = { debit_account: "AZ93000000001042", credit_account: "TX25000000001042", amount: "100000", currency: "USD", reference: "" };

test("an attempt has one body for all its sendings, and no empty reference", () => {
  const attempt = newAttempt(FIELDS, "id-1");
  assert.equal(
    attempt.bodyText,
    '{"id":"id-1","debit_account":"AZ93000000001042","credit_account":"TX25000000001042","amount":"100000","currency":"USD","category":1}',
  );
  assert.equal(sending(sending(attempt)).bodyText, attempt.bodyText);
  assert.equal(JSON.parse(newAttempt({ ...FIELDS, reference: "rent" }).bodyText).reference, "rent");
});

test("while its request is out, an attempt may have moved the money", () => {
  assert.equal(newAttempt(FIELDS).mayHaveMoved, false);
  assert.equal(sending(newAttempt(FIELDS)).mayHaveMoved, true);
});

test("only a certain answer lets an attempt go whose money may have moved", () => {
  const before = { ...newAttempt(FIELDS), mayHaveMoved: true };
  for (const [answer, , certainty] of ANSWERS) {
    const left = after(sending(before), before, outcomeOf(answer));
    if (certainty === "final") assert.equal(left, null, JSON.stringify(answer));
    else assert.equal(left?.mayHaveMoved, true, JSON.stringify(answer));
  }
});

test("a first attempt that moved nothing is kept only where the same id can be sent again", () => {
  const before = newAttempt(FIELDS);
  for (const [status, body, isKept] of [
    [503, problem("branch_unavailable", { retry: "same_id" }), true],
    [429, problem("rate_limited", { retry: "same_id" }), true],
    [401, problem("unauthorized"), true],
    [400, problem("invalid_request"), false],
  ]) {
    const left = after(sending(before), before, outcomeOf({ status, body }));
    assert.equal(left !== null, isKept, String(status));
    if (isKept) assert.equal(left.mayHaveMoved, false, String(status));
  }
});

test("a settling transfer becomes posted when the last branch has finished, and stays until then", () => {
  const outcome = outcomeOf({ status: 202, body: { state: "settling" } });
  assert.equal(settled(outcome, { state: "settling" }).kind, "settling");
  assert.equal(settled(outcome, { state: "posted" }).kind, "posted");
});

test("the steps of a commit say what was prepared, where it was decided and who has finished", () => {
  const titles = (transfer) => commitSteps({ batch: "AZ-1-4711", ...transfer }).map(({ state, title }) => `${state}: ${title}`);
  const across = { home: "AZ", parts: ["AZ", "TX"], prepared: ["TX"], decided: "AZ" };
  assert.deepEqual(titles({ state: "posted", commit: across }), ["done: Prepared at TX", "done: Decided at AZ", "done: Finished at TX"]);
  assert.deepEqual(titles({ state: "settling", commit: across }), ["done: Prepared at TX", "done: Decided at AZ", "waiting: To be finished at TX"]);
  assert.deepEqual(titles({ state: "posted", commit: { ...across, prepared: ["NM", "NV", "TX"] } })[0], "done: Prepared at NM, NV and TX");
  assert.deepEqual(titles({ state: "posted", commit: { home: "AZ", parts: ["AZ"], prepared: [], decided: "AZ" } }), ["done: Decided and committed at AZ"]);
  assert.deepEqual(titles({ state: "posted", commit: null }), []);
  assert.deepEqual(titles({ state: "posted" }), []);
});
