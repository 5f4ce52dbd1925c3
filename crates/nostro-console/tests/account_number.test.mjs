// Account numbers and transfer ids: the two things that the page makes or checks by arithmetic.

import assert from "node:assert/strict";
import { test } from "node:test";
import { branchCode, groupNumber, numberProblem, plainNumber } from "../assets/account_number.js";
import { newTransferId } from "../assets/transfer_id.js";

test("a number is typed with or without spaces, in any case, and is sent without", () => {
  for (const typed of ["AZ93000000001042", "AZ93 0000 0000 1042", " az93 0000 00001042\t"]) {
    assert.equal(plainNumber(typed), "AZ93000000001042");
  }
  assert.equal(groupNumber("AZ93000000001042"), "AZ93 0000 0000 1042");
  assert.equal(branchCode("AZ93000000001042"), "AZ");
});

test("the examples of the API pass, and every single mistyped digit of one is caught", () => {
  for (const number of ["AZ93000000001042", "TX25000000001042"]) assert.equal(numberProblem(number), null);
  const number = "AZ93000000001042";
  for (let at = 2; at < number.length; at += 1) {
    for (const digit of "0123456789") {
      if (digit === number[at]) continue;
      const mistyped = number.slice(0, at) + digit + number.slice(at + 1);
      assert.match(numberProblem(mistyped) ?? "passed", /mistyped/, mistyped);
    }
  }
});

test("what is no account number is told so", () => {
  assert.match(numberProblem(""), /Enter/);
  for (const number of ["A93000000001042", "AZ9300000000104", "AZ930000000010422", "AZ93-0000-0000-1042", "93000000001042"]) {
    assert.match(numberProblem(number), /branch code and 14 digits/, number);
  }
});

test("a transfer id is the UUID version 7 of RFC 9562's example", () => {
  const random = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
  assert.equal(newTransferId(0x017f22e279b0, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

test("transfer ids have the version and the variant, sort by time and do not repeat", () => {
  const ids = Array.from({ length: 1000 }, () => newTransferId());
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(newTransferId(1) < newTransferId(2));
});
