// One attempt to move money: an id and a body, made once and kept until its outcome is certain. It is written to the
// tab's storage before it is first sent, so that a reload in the middle loses neither the id nor the doubt.

import { newTransferId } from "./transfer_id.js";

const STORED_AS = "nostro-open-attempt";

/** The one category of a payment that a person types; reports tell categories apart. */
const CATEGORY_PAYMENT = 1;

/** `mayHaveMoved`: some sending of this id had no certain answer, so the money may have moved. */
export function newAttempt({ debit_account, credit_account, amount, currency, reference }, id = newTransferId()) {
  const body = { id, debit_account, credit_account, amount, currency, category: CATEGORY_PAYMENT };
  if (reference !== "") body.reference = reference;
  return { id, bodyText: JSON.stringify(body), transfer: body, sent: 0, mayHaveMoved: false };
}

/** The attempt as it stands while its request is out: whatever happens to this page now, the money may have moved. */
export function sending(attempt) {
  return { ...attempt, sent: attempt.sent + 1, mayHaveMoved: true };
}

/**
 * The attempt after an outcome, or null where there is nothing left to send again. An answer that says "this attempt
 * moved nothing" says nothing of earlier ones, so doubt from before `sending` stays.
 */
export function after(attempt, before, outcome) {
  switch (outcome.certainty) {
    case "final": return null;
    case "not_this_attempt":
      return before.mayHaveMoved || outcome.sameIdAgain ? { ...attempt, mayHaveMoved: before.mayHaveMoved } : null;
    case "unknown": return { ...attempt, mayHaveMoved: true };
    default: throw new RangeError(`no certainty "${outcome.certainty}"`);
  }
}

export function keepAttempt(attempt) {
  if (attempt === null) sessionStorage.removeItem(STORED_AS);
  else sessionStorage.setItem(STORED_AS, JSON.stringify(attempt));
}

export function keptAttempt() {
  const stored = sessionStorage.getItem(STORED_AS);
  return stored === null ? null : JSON.parse(stored);
}
