// The outcome of a transfer, in words and as the steps of its commit. It says "not known yet" wherever that is what is
// known; the word "failed" is for what certainly did not move.

import { groupNumber } from "./account_number.js";
import { commitSteps } from "./commit_steps.js";
import { copyButton } from "./copy.js";
import { element, icon } from "./element.js";
import { money } from "./money_view.js";
import { dayAndTime } from "./moment.js";
import { sentence } from "./sentence.js";

const place = document.getElementById("outcome");

const SAME_ID = "Send it again with the same id: the bank then answers what became of it, and moves nothing twice.";

export function showNoOutcome() {
  show("idle", [element("h2", {}, "Outcome"),
    element("p", { class: "quiet-text" }, "Nothing was sent from this tab yet. What was prepared and decided, and at which branch, is shown here.")]);
}

export function showSending(attempt) {
  show("busy", [heading("Sending", "clock"), summary(attempt.transfer), facts(attempt, null, null)]);
  focusOutcome();
}

/**
 * `attempt` is what was sent; `isOpen` says that it can be sent again. `context` knows the bank:
 * { holder(number), zone(number) }. `actions`: { sendAgain, setAside }.
 */
export function showOutcome({ outcome, attempt, isOpen }, context, actions) {
  const words = WORDS[outcome.kind]({ outcome, attempt });
  show(words.tone, [
    heading(words.title, words.icon),
    summary(outcome.transfer?.amount ? outcome.transfer : attempt.transfer),
    words.text.filter(Boolean).map((text) => element("p", {}, text)),
    otherErrors(outcome.otherErrors),
    isOpen && sendAgainButtons(attempt, actions),
    steps(outcome),
    balancesAfter(outcome.transfer, context),
    facts(attempt, outcome, context),
  ]);
}

/** For an answer that the user waits for; a later change of it must not take the focus away from what is typed. */
export function focusOutcome() {
  place.querySelector("h2").focus();
}

/** Title, tone, drawing and sentences for each kind of outcome. */
const WORDS = {
  posted: () => ({ tone: "good", icon: "check", title: "Posted", text: [] }),
  replayed: ({ outcome }) => ({
    tone: "good", icon: "check",
    title: outcome.transfer.state === "posted" ? "Already posted" : `Already recorded: ${outcome.transfer.state}`,
    text: ["The bank had this id with this content before. This is its present state; nothing moved a second time."],
  }),
  settling: ({ outcome }) => ({
    tone: "good", icon: "clock", title: "Committed, settling",
    text: [`The transfer is decided and cannot be undone. ${waitingFor(outcome.transfer)} has yet to finish its part.`],
  }),
  unknown: ({ outcome }) => ({
    tone: "warn", icon: "question", title: "Outcome not known yet",
    text: [outcome.reason, "The money may have moved, or may not have.", SAME_ID],
  }),
  unavailable: ({ outcome, attempt }) => (attempt.mayHaveMoved ? doubt(outcome) : {
    tone: "warn", icon: "pause", title: "Nothing moved by this attempt",
    text: [detail(outcome), waitText(outcome), "Send it again with the same id."],
  }),
  unauthorized: ({ outcome, attempt }) => (attempt.mayHaveMoved ? doubt(outcome) : {
    tone: "warn", icon: "pause", title: "Nothing moved by this attempt",
    text: ["The key was not accepted. The transfer is kept: send it again with the same id."],
  }),
  refused: ({ outcome }) => ({
    tone: "bad", icon: "cross", title: `Refused: ${outcome.problem.title ?? outcome.problem.code}`,
    text: [detail(outcome), "Nothing moved, and this answer is final. Change the transfer in the form and send it; it gets a new id."],
  }),
  conflict: ({ outcome }) => ({
    tone: "bad", icon: "cross", title: outcome.problem.title ?? "The id is already used",
    text: [detail(outcome), "Nothing moved by this attempt. Send the form again; it gets a new id."],
  }),
  not_accepted: ({ outcome, attempt }) => (attempt.mayHaveMoved ? doubt(outcome) : {
    tone: "bad", icon: "cross", title: outcome.problem.title ?? "Not accepted",
    text: [detail(outcome), waitText(outcome), "Nothing moved."],
  }),
};

/** This attempt moved nothing, but an earlier one with the same id had no certain answer. */
function doubt(outcome) {
  return {
    tone: "warn", icon: "question", title: "Outcome not known yet",
    text: [
      `This sending moved nothing. ${detail(outcome)}`,
      "An earlier sending of the same id had no certain answer and may have moved the money.", waitText(outcome), SAME_ID,
    ],
  };
}

/** The problem in words. Where it lists fields, they say it: in the form, or in the list that follows. */
function detail({ problem, otherErrors = [] }) {
  const errors = problem.errors ?? [];
  if (errors.length > otherErrors.length) return "What is wrong is marked in the form.";
  return sentence(problem.detail ?? problem.title ?? `The API answered with status ${problem.status}`);
}

function waitText({ retryAfterSeconds }) {
  return /^[0-9]+$/.test(retryAfterSeconds ?? "") ? `The bank asks to wait ${retryAfterSeconds} s.` : null;
}

function waitingFor(transfer) {
  return transfer.commit?.prepared?.length > 0 ? transfer.commit.prepared.join(", ") : "A branch";
}

function show(tone, children) {
  place.className = `card outcome ${tone}`;
  place.setAttribute("aria-busy", String(tone === "busy"));
  place.replaceChildren(...children.flat().filter(Boolean));
}

function heading(text, drawing) {
  return element("h2", { tabindex: "-1" }, element("span", { class: "outcome-mark" }, icon(drawing)), text);
}

function summary({ amount, currency, debit_account, credit_account }) {
  return element("div", { class: "summary" },
    element("p", { class: "summary-amount" }, money(amount, currency)),
    element("dl", { class: "summary-route" },
      fact("From", element("span", { class: "number" }, groupNumber(debit_account))),
      fact("To", element("span", { class: "number" }, groupNumber(credit_account)))));
}

function otherErrors(errors = []) {
  return errors.length === 0 ? null : element("ul", {},
    errors.map(({ pointer, detail }) => element("li", {}, element("code", {}, pointer), ` ${detail}`)));
}

function sendAgainButtons(attempt, { sendAgain, setAside }) {
  const risk = attempt.mayHaveMoved
    ? `Its outcome stays unknown: ${attempt.id} may have moved the money. Copy the id, and look at both accounts before you pay again.`
    : "Nothing was moved by it. The form is free again; what it sends has a new id.";
  return element("div", { class: "again" },
    element("button", { type: "button", class: "button primary wide", on: { click: sendAgain } },
      "Send again with the same id"),
    element("details", {},
      element("summary", {}, "Set this transfer aside"),
      element("p", {}, risk),
      element("button", { type: "button", class: "button", on: { click: setAside } }, "Set it aside")));
}

function steps(outcome) {
  const list = ["posted", "replayed", "settling"].includes(outcome.kind) ? commitSteps(outcome.transfer) : [];
  if (list.length === 0) return null;
  return element("div", { class: "part" },
    element("h3", {}, "How it was committed"),
    element("ol", { class: "steps" }, list.map(({ state, title, detail }) =>
      element("li", { class: state },
        element("strong", {}, title), element("span", {}, detail)))));
}

function balancesAfter(transfer, context) {
  const entries = transfer?.entries ?? [];
  if (entries.length === 0) return null;
  return element("div", { class: "part" },
    element("h3", {}, "Balance after"),
    element("dl", { class: "balances" }, entries.map(({ account, balance_after }) =>
      element("div", {},
        element("dt", {}, element("span", { class: "number" }, groupNumber(account)),
          element("small", {}, context.holder(account))),
        element("dd", { class: "figure" }, money(balance_after, transfer.currency))))));
}

function facts(attempt, outcome, context) {
  const transfer = outcome?.transfer;
  const id = element("span", { class: "mono" }, attempt.id);
  const request = outcome?.problem?.request_id;
  return element("dl", { class: "facts" },
    fact("Id", element("span", { class: "copyable" }, id, copyButton(attempt.id, id, "the id"))),
    transfer?.batch && fact("Batch", element("span", { class: "mono" }, transfer.batch)),
    transfer?.commit?.parts && fact("Branches", transfer.commit.parts.join(", ")),
    transfer?.posted_at && context && fact("Posted", element("time", { datetime: transfer.posted_at },
      dayAndTime(new Date(transfer.posted_at), context.zone(attempt.transfer.debit_account)))),
    (transfer?.reference ?? attempt.transfer.reference) && fact("Reference", transfer?.reference ?? attempt.transfer.reference),
    outcome?.problem?.code && fact("Code", element("span", { class: "mono" }, outcome.problem.code)),
    request && fact("Request", element("span", { class: "mono" }, request)),
    attempt.sent > 1 && fact("Sent", `${attempt.sent} times with this id`));
}

function fact(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}
