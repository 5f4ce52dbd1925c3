// Amounts in the browser: what is shown, what is taken, what is turned away. Run with `node --test crates/nostro-console/tests`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decimals, digitGroups, formatAmount, parseAmount } from "../assets/money.js";

test("minor units are shown with exactly the currency's decimals", () => {
  for (const [minor, currency, shown] of [
    ["100000", "USD", "1000.00"],
    ["1", "USD", "0.01"],
    ["10", "USD", "0.10"],
    ["0", "USD", "0.00"],
    ["-1", "USD", "-0.01"],
    ["-100000", "USD", "-1000.00"],
    ["1000", "JPY", "1000"],
    ["-7", "JPY", "-7"],
    ["1234", "KWD", "1.234"],
    ["5", "CLF", "0.0005"],
    ["42", "XAU", "42"],
    ["9007199254740993", "USD", "90071992547409.93"], // 2^53 + 1, which a float cannot hold
    ["999999999999999999", "USD", "9999999999999999.99"],
    ["-9223372036854775808", "USD", "-92233720368547758.08"],
  ]) {
    assert.equal(formatAmount(minor, currency), shown, `${minor} ${currency}`);
  }
});

test("an amount that is no string of integer minor units is never shown as one", () => {
  for (const minor of [100000, 1.5, null, undefined, "", " 1", "1.5", "1e5", "0x10", "+1", "--1", "1n"]) {
    assert.throws(() => formatAmount(minor, "USD"), RangeError, String(minor));
  }
});

test("typed amounts become minor units", () => {
  for (const [text, currency, minor] of [
    ["1000.00", "USD", "100000"],
    ["  1000.00 ", "USD", "100000"],
    ["0.01", "USD", "1"],
    ["007.50", "USD", "750"],
    ["1000", "JPY", "1000"],
    ["1.234", "KWD", "1234"],
    ["90071992547409.93", "USD", "9007199254740993"],
    ["9999999999999999.99", "USD", "999999999999999999"],
  ]) {
    assert.deepEqual(parseAmount(text, currency), { minor }, `${text} ${currency}`);
  }
});

test("typed amounts that can be read in two ways, or that the bank cannot book, are turned away", () => {
  for (const [text, currency, why] of [
    ["", "USD", /Enter an amount, such as 1000\.00/],
    ["1000", "USD", /exactly 2 decimals: 1000\.00/],
    ["1000.5", "USD", /exactly 2 decimals/],
    ["1.000", "USD", /exactly 2 decimals/],
    ["1000.00", "JPY", /no decimals: 1000$/],
    ["1.23", "KWD", /exactly 3 decimals: 1000\.000/],
    ["1,000.00", "USD", /without separators/],
    ["1 000.00", "USD", /without separators/],
    ["1000,00", "USD", /without separators/],
    ["-5.00", "USD", /without separators/],
    ["+5.00", "USD", /without separators/],
    ["$5.00", "USD", /without separators/],
    ["1e3", "USD", /without separators/],
    [".50", "USD", /without separators/],
    ["5.", "USD", /without separators/],
    ["\u0661.\u0660\u0660", "USD", /without separators/],
    ["0.00", "USD", /more than zero/],
    ["10000000000000000.00", "USD", /larger than the bank can book/],
    ["5", "XAU", /no major unit/],
  ]) {
    assert.match(parseAmount(text, currency).problem ?? "taken", why, `${text} ${currency}`);
  }
});

test("what is shown can be typed again and gives the same minor units", () => {
  for (const currency of ["USD", "JPY", "KWD", "CLF"]) {
    for (let digits = 1; digits <= 18; digits += 1) {
      const minor = "987654321987654321".slice(0, digits);
      assert.deepEqual(parseAmount(formatAmount(minor, currency), currency), { minor });
    }
  }
});

test("groups of digits are for the eye only: joined, they are the amount", () => {
  for (const [amount, groups] of [
    ["0.00", ["0", ".00"]],
    ["999.99", ["999", ".99"]],
    ["1000.00", ["1", "000", ".00"]],
    ["-1234567.89", ["-1", "234", "567", ".89"]],
    ["-123", ["-123"]],
    ["1234", ["1", "234"]],
  ]) {
    assert.deepEqual(digitGroups(amount), groups);
    assert.equal(groups.join(""), amount);
  }
});

test("a currency is three capital letters", () => {
  assert.equal(decimals("USD"), 2);
  for (const code of ["usd", "US", "USDT", ""]) assert.throws(() => decimals(code), RangeError);
});
