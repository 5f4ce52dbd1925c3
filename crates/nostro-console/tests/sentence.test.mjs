// The API's details as sentences: nothing in them changes but their first letter and their end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused } from "../assets/api.js";
import { capital, sentence } from "../assets/sentence.js";

test("a detail begins with a capital and ends with one stop", () => {
  for (const [detail, shown] of [
    ["branch TX cannot be reached", "Branch TX cannot be reached."],
    ["AZ93000000001042 has less than 1000.00 USD available", "AZ93000000001042 has less than 1000.00 USD available."],
    ["The answer is not JSON. Is this address the API's?", "The answer is not JSON. Is this address the API's?"],
    ["No answer came within 8 seconds.", "No answer came within 8 seconds."],
  ]) {
    assert.equal(sentence(detail), shown);
  }
});

test("a field's error gets no stop, as the page's own have none", () => {
  assert.equal(capital("a reference has 1 to 140 characters"), "A reference has 1 to 140 characters");
});

test("a refused reading says its detail, or its title, or its status", () => {
  assert.equal(new Refused(503, { detail: "branch TX cannot be reached", title: "Branch unavailable" }).message, "Branch TX cannot be reached.");
  assert.equal(new Refused(503, { title: "Branch unavailable" }).message, "Branch unavailable.");
  assert.equal(new Refused(502, {}).message, "The API answered with status 502.");
});
