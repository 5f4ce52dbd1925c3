// The page's flow: the key first, then the bank read again and again while somebody looks, and one transfer at a time.

import { branchCode } from "./account_number.js";
import { showBank, showLoading } from "./accounts_view.js";
import { apiAddress, read, sendTransfer } from "./api.js";
import { after, keepAttempt, keptAttempt, newAttempt, sending } from "./attempt.js";
import { PAGES_AT_A_TIME, isUnauthorized, knownAccounts, readBank } from "./bank.js";
import { forgetKey, keepKey, keptKey, keyProblem, takeKeyFromAddress } from "./key.js";
import { outcomeOf, settled } from "./outcome.js";
import { focusOutcome, showNoOutcome, showOutcome, showSending } from "./outcome_view.js";
import {
  clearAmount, fill, focusFirst, forgetForm, lock, offerAccounts, showErrors, startTransferForm,
} from "./transfer_form.js";

const REFRESH_MS = 10_000;
/** A settling transfer is read this often and this many times; after that it is the tables' business. */
const SETTLING_READ_MS = 1_500;
const SETTLING_READS_MAX = 20;

const byId = (id) => document.getElementById(id);

let bank = null;
let pagesByBranch = new Map();
let isReading = false;
let isReadWanted = false;
let isSending = false;
/** The attempt that can or must be sent again, if there is one; and the id that the outcome panel shows. */
let open = null;
let shownId = null;

/* ---- the key ---- */

function askForKey(reason) {
  byId("console-view").hidden = true;
  byId("forget-key").hidden = true;
  byId("top-nav").hidden = true;
  byId("key-view").hidden = false;
  byId("key-reason").hidden = reason === null;
  byId("key-reason").textContent = reason ?? "";
  byId("key").value = "";
  byId("key").focus();
}

function enter() {
  byId("key-view").hidden = true;
  byId("console-view").hidden = false;
  byId("forget-key").hidden = false;
  byId("top-nav").hidden = false;
  resumeAttempt();
  refresh();
}

/** Forgets with the key everything that was read with it; an open transfer stays, for its outcome is still owed. */
function loseKey(reason) {
  forgetKey();
  bank = null;
  pagesByBranch = new Map();
  showLoading();
  forgetForm();
  showNoOutcome();
  askForKey(reason);
}

function forgetKeyOnRequest() {
  loseKey(keptAttempt() === null ? null : "An open transfer is kept in this tab. The key that sent it can settle it.");
}

/* ---- the bank ---- */

async function refresh() {
  const key = keptKey();
  isReadWanted = isReading;
  if (isReading || key === null) return;
  isReading = true;
  byId("refresh").setAttribute("aria-busy", "true");
  try {
    const view = await readBank(key, bank, pagesByBranch);
    if (key === keptKey()) showView(view); // or else it was forgotten meanwhile, and what it read with it
  } catch (error) {
    if (key !== keptKey()) return;
    if (isUnauthorized(error)) loseKey("The API did not accept this key. Copy it again, whole.");
    else showUnreadable(error);
  } finally {
    isReading = false;
    byId("refresh").removeAttribute("aria-busy");
    if (isReadWanted) refresh(); // it was asked for while this reading was under way
  }
}

function showView(view) {
  bank = view;
  showBank(bank, showMore);
  offerAccounts(knownAccounts(bank));
}

/** An answer in a shape that this page does not know, such as another version's. */
function showUnreadable(error) {
  console.error(error);
  showBank({ problem: `Its answer has a shape that this page does not know (${error.message}).`, branches: null }, showMore);
}

function showMore(code) {
  pagesByBranch.set(code, (pagesByBranch.get(code) ?? PAGES_AT_A_TIME) + PAGES_AT_A_TIME);
  refresh();
}

/** What the outcome panel asks of the bank: a holder's name and a branch's time zone. */
const context = {
  holder: (number) => knownAccounts(bank).find((account) => account.number === number)?.holder ?? "",
  zone: (number) => bank?.branches?.find(({ branch }) => branch.code === branchCode(number))?.branch.time_zone,
};

/* ---- the transfer ---- */

async function send(attempt) {
  const key = keptKey();
  if (isSending || key === null) return;
  isSending = true;
  const before = attempt;
  const sent = sending(before);
  keepAttempt(sent);
  setOpen(null);
  lock(true);
  shownId = sent.id;
  showSending(sent);
  const outcome = outcomeOf(await sendTransfer(key, sent.bodyText));
  const left = after(sent, before, outcome);
  keepAttempt(left);
  isSending = false;
  setOpen(left);
  finish(outcome, left ?? { ...sent, mayHaveMoved: false });
}

function finish(outcome, attempt) {
  const errors = outcome.problem?.errors ?? [];
  const shown = { ...outcome, otherErrors: showErrors(errors) };
  report(shown, attempt);
  focusOutcome();
  if (outcome.kind === "unauthorized") {
    loseKey("The API did not accept this key. The transfer is kept; enter a key to send it again.");
    return;
  }
  if (outcome.transfer && outcome.certainty === "final") clearAmount();
  if (errors.length > shown.otherErrors.length && open === null) focusFirst();
  if (outcome.kind === "settling" || (outcome.transfer && !outcome.transfer.commit)) watch(shown, attempt);
  refresh();
}

function report(outcome, attempt) {
  shownId = attempt.id;
  const actions = { sendAgain: () => open && send(open), setAside };
  try {
    showOutcome({ outcome, attempt, isOpen: open !== null }, context, actions);
  } catch (error) {
    console.error(error); // details that this page cannot draw must not hide what became of the money
    const transfer = outcome.transfer && { state: outcome.transfer.state };
    showOutcome({ outcome: { ...outcome, transfer }, attempt, isOpen: open !== null }, context, actions);
  }
}

function setOpen(attempt) {
  open = attempt;
  lock(attempt !== null);
  byId("transfer-locked").hidden = attempt === null;
}

function setAside() {
  keepAttempt(null);
  setOpen(null);
  shownId = null;
  showNoOutcome();
  focusFirst();
}

/** An attempt that a reload, a lost key or a closed lid left without an answer. */
function resumeAttempt() {
  const kept = keptAttempt();
  if (kept === null || isSending) {
    if (kept === null) showNoOutcome();
    return;
  }
  fill(kept.transfer);
  setOpen(kept);
  const outcome = kept.mayHaveMoved
    ? { kind: "unknown", certainty: "unknown", reason: "This page has no answer to it so far." }
    : { kind: "unavailable", certainty: "not_this_attempt", sameIdAgain: true, problem: { detail: "It was not accepted when it was last sent." } };
  report(outcome, kept);
}

/** Reads a transfer until every branch has finished, and where the answer did not tell how it was committed. */
async function watch(outcome, attempt) {
  if (outcome.certainty !== "final") return;
  const home = outcome.transfer.commit?.home ?? branchCode(attempt.transfer.debit_account);
  for (let reads = 0; reads < SETTLING_READS_MAX; reads += 1) {
    if (reads > 0 || outcome.kind === "settling") await new Promise((done) => setTimeout(done, SETTLING_READ_MS));
    const key = keptKey();
    if (key === null || shownId !== attempt.id) return; // another transfer has the panel
    const transfer = await read(key, `/v1/transfers/${attempt.id}?branch=${home}`).catch(() => null);
    if (transfer === null || transfer.state === "settling") continue;
    if (shownId !== attempt.id) return;
    const now = settled(outcome, transfer);
    report(now, attempt);
    if (now.kind !== outcome.kind) say("Posted: every branch has finished");
    refresh();
    return;
  }
}

function say(text) {
  byId("said").textContent = text;
}

/* ---- start ---- */

function start() {
  byId("key-api").textContent = apiAddress();
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = byId("key").value.trim();
    if (keyProblem(key) !== null) return askForKey(keyProblem(key));
    keepKey(key);
    enter();
    return byId("accounts-heading").focus(); // the button that had the focus is gone
  });
  byId("forget-key").addEventListener("click", forgetKeyOnRequest);
  byId("refresh").addEventListener("click", refresh);
  addEventListener("hashchange", () => takeKeyFromAddress() && enter());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
  startTransferForm({ key: keptKey, send: (fields) => send(newAttempt(fields)) });
  showNoOutcome();
  showLoading();
  takeKeyFromAddress();
  if (keptKey() === null) askForKey(null);
  else enter();
}

start();
