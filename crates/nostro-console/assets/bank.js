// What the page knows of the bank: its branches, and each one's accounts with their holders' names. A branch that
// cannot be read keeps what was read last, with the time of that reading, and says why; a list is never silently short.

import { Refused, read } from "./api.js";

const PAGE_SIZE = 200;
/** 600 accounts a branch at first, and as many more for each "Show more": every refresh reads them all again. */
export const PAGES_AT_A_TIME = 3;

/**
 * The next view of the bank, given the last one (null at first) and how many pages to read of each branch.
 * { problem, branches: [{ branch, accounts, names, more, asOf, problem }] }; `accounts` is null until read once.
 * Throws Refused 401 only: every other failure is part of the view.
 */
export async function readBank(key, last, pagesByBranch) {
  let listed;
  try {
    listed = (await read(key, "/v1/branches")).data;
  } catch (error) {
    if (isUnauthorized(error)) throw error;
    return { problem: error.message, branches: last?.branches ?? null };
  }
  const branches = await Promise.all(
    listed.map((branch) => {
      const before = last?.branches?.find((one) => one.branch.code === branch.code);
      return readBranch(key, branch, before, pagesByBranch.get(branch.code) ?? PAGES_AT_A_TIME);
    }),
  );
  return { problem: null, branches };
}

/** Every account that was read, whichever branch it is at. */
export function knownAccounts(bank) {
  return (bank?.branches ?? []).flatMap(({ accounts, names }) =>
    (accounts ?? []).map((account) => ({ ...account, holder: holderOf(account, names) })),
  );
}

export function holderOf(account, names) {
  if (account.customer === null || account.customer === undefined) return "The bank";
  return names.get(account.customer) ?? `Customer ${account.customer}`;
}

export function isUnauthorized(error) {
  return error instanceof Refused && error.status === 401;
}

async function readBranch(key, branch, before, pages) {
  try {
    const of = `branch=${encodeURIComponent(branch.code)}&limit=${PAGE_SIZE}`;
    const { rows: accounts, more } = await readPages(key, `/v1/accounts?${of}`, pages);
    const names = before?.names ?? new Map();
    const isNew = (account) => account.customer && !names.has(account.customer);
    if (accounts.some(isNew)) {
      const { rows } = await readPages(key, `/v1/customers?${of}`, pages);
      for (const customer of rows) names.set(customer.number, customer.name);
    }
    accounts.sort((a, b) => (serial(a) < serial(b) ? -1 : 1));
    return { branch, accounts, names, more, asOf: new Date(), problem: null };
  } catch (error) {
    if (isUnauthorized(error)) throw error;
    return {
      branch,
      accounts: before?.accounts ?? null,
      names: before?.names ?? new Map(),
      more: before?.more ?? false,
      asOf: before?.asOf ?? null,
      problem: { message: error.message, code: error.problem?.code ?? null },
    };
  }
}

/** What numbers sort by within a branch: the digits behind the check digits. */
function serial({ number }) {
  return number.slice(-12);
}

async function readPages(key, path, pages) {
  const rows = [];
  let cursor = null;
  for (let page = 0; page < pages; page += 1) {
    const from = cursor === null ? path : `${path}&cursor=${encodeURIComponent(cursor)}`;
    const { data, next_cursor } = await read(key, from);
    rows.push(...data);
    cursor = next_cursor ?? null;
    if (cursor === null) break;
  }
  return { rows, more: cursor !== null };
}
