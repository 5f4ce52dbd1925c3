// The transfer form: reads the fields into a body, and shows an error at the field that it belongs to. The currency is
// the debit account's, because an amount means nothing before its decimals are known. It sends nothing itself.

import { groupNumber, numberProblem, plainNumber } from "./account_number.js";
import { read } from "./api.js";
import { element } from "./element.js";
import { formatAmount, parseAmount } from "./money.js";
import { capital } from "./sentence.js";

const FIELDS = ["debit_account", "credit_account", "amount", "reference"];

const form = document.getElementById("transfer-form");
const byId = (id) => document.getElementById(id);

/** Accounts by number: those of the tables, and those that were looked up because somebody typed their number. */
const accounts = new Map();

/** `send(fields)` is called with what `newAttempt` takes; `key()` gives the key for looking an account up. */
export function startTransferForm({ key, send }) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isLocked()) return;
    lock(true);
    const fields = await readFields(key());
    lock(false);
    if (fields !== null) send(fields);
    else form.querySelector("[aria-invalid=true]")?.focus();
  });
  for (const name of ["debit_account", "credit_account"]) {
    byId(name).addEventListener("input", () => describe(name));
    byId(name).addEventListener("change", () => tidy(name));
  }
  form.addEventListener("input", (event) => showError(event.target.name, ""));
}

/** New accounts and balances for the choice lists and the hints. */
export function offerAccounts(known) {
  for (const account of known) accounts.set(account.number, account);
  byId("known-accounts").replaceChildren(...known.map((account) => element(
    "option",
    { value: groupNumber(account.number) },
    `${account.holder}, ${account.kind}, ${formatAmount(account.available ?? account.posted, account.currency)} ${account.currency}`,
  )));
  describe("debit_account");
  describe("credit_account");
}

/** While a transfer is being sent or is open, nothing can be typed or sent here. */
export function lock(isOn) {
  byId("transfer-fields").disabled = isOn;
  form.setAttribute("aria-busy", String(isOn));
}

/** After a posting: the accounts stay, the money does not, so that a second press cannot repeat it. */
export function clearAmount() {
  byId("amount").value = "";
  byId("reference").value = "";
}

export function forgetForm() {
  accounts.clear();
  form.reset();
  for (const name of FIELDS) showError(name, "");
  offerAccounts([]);
}

/** What an attempt holds, back into the fields. */
export function fill({ debit_account, credit_account, amount, currency, reference }) {
  byId("debit_account").value = groupNumber(debit_account);
  byId("credit_account").value = groupNumber(credit_account);
  byId("amount").value = formatAmount(amount, currency);
  byId("reference").value = reference ?? "";
  describe("debit_account");
  describe("credit_account");
}

/** Problem details' errors at their fields. Gives back those that belong to no field here. */
export function showErrors(errors) {
  const rest = [];
  for (const error of errors) {
    const name = error.pointer === "/currency" ? "amount" : error.pointer.slice(1);
    if (FIELDS.includes(name)) showError(name, capital(error.detail));
    else rest.push(error);
  }
  return rest;
}

export function focusFirst() {
  (form.querySelector("[aria-invalid=true]") ?? byId("amount")).focus();
}

function isLocked() {
  return byId("transfer-fields").disabled;
}

/** The fields as `newAttempt` takes them, or null with every error shown. */
async function readFields(key) {
  for (const name of FIELDS) showError(name, "");
  const debit_account = plainNumber(byId("debit_account").value);
  const credit_account = plainNumber(byId("credit_account").value);
  showError("debit_account", numberProblem(debit_account) ?? "");
  showError("credit_account", numberProblem(credit_account) ?? "");
  if (numberProblem(credit_account) === null && debit_account === credit_account) {
    showError("credit_account", "This is the account that the money comes from");
  }
  if (numberProblem(debit_account) === null) await lookUp(key, debit_account);
  const currency = accounts.get(debit_account)?.currency;
  const amount = currency === undefined ? amountWithoutCurrency() : parseAmount(byId("amount").value, currency);
  showError("amount", amount.problem ?? "");
  if (form.querySelector("[aria-invalid=true]") !== null) return null;
  return { debit_account, credit_account, amount: amount.minor, currency, reference: byId("reference").value.trim() };
}

function amountWithoutCurrency() {
  return byId("amount").value.trim() === "" ? { problem: "Enter an amount" } : {};
}

async function lookUp(key, number) {
  if (accounts.has(number)) return;
  try {
    const account = await read(key, `/v1/accounts/${number}`);
    accounts.set(number, { ...account, holder: account.customer ?? "The bank" });
    describe("debit_account");
  } catch (error) {
    showError("debit_account", `Its currency cannot be read. ${error.message}`);
  }
}

function tidy(name) {
  const number = plainNumber(byId(name).value);
  if (number === "") return;
  byId(name).value = groupNumber(number);
  showError(name, numberProblem(number) ?? "");
}

function describe(name) {
  const account = accounts.get(plainNumber(byId(name).value));
  byId(`${name}-hint`).textContent = account === undefined ? "" : hint(account, name === "debit_account");
  if (name === "debit_account") byId("currency").textContent = account?.currency ?? "";
}

function hint(account, isDebit) {
  const who = `${account.holder}, ${account.kind}`;
  if (!isDebit || account.available === null) return who;
  return `${who}, ${formatAmount(account.available, account.currency)} ${account.currency} available`;
}

function showError(name, text) {
  if (!FIELDS.includes(name)) return;
  byId(`${name}-error`).textContent = text;
  if (text === "") byId(name).removeAttribute("aria-invalid");
  else byId(name).setAttribute("aria-invalid", "true");
}
