// The branches and their accounts, from the view of the bank that bank.js reads. A branch is drawn again only when
// something in it changed, and the focus stays where it was: the page reads the bank every ten seconds.

import { groupNumber } from "./account_number.js";
import { holderOf } from "./bank.js";
import { copyButton } from "./copy.js";
import { element } from "./element.js";
import { money } from "./money_view.js";
import { clockTime } from "./moment.js";

const SKELETON_ROWS = 4;

const COLUMNS = ["account", "holder", "kind", "available", "posted"];

const HEALTH = {
  reachable: { tone: "good", text: "Reachable" },
  unreachable: { tone: "bad", text: "Unreachable" },
  clock_skew: { tone: "warn", text: "Clock skew" },
  wrong_identity: { tone: "bad", text: "Wrong identity" },
};

const WRONG_IDENTITY = "Its database answers, and is not what the configuration says. The server's log tells more.";

/** What each branch was last drawn from, and each account's last balances. */
const drawn = new Map();
const balances = new Map();

export function showLoading() {
  drawn.clear();
  balances.clear();
  const rows = Array.from({ length: SKELETON_ROWS }, () => element("div", { class: "skeleton" }));
  document.getElementById("branches").replaceChildren(
    element("section", { class: "branch card", "aria-busy": "true" },
      element("p", { class: "quiet-text" }, "Reading the branches and their accounts"), rows));
}

/** `showMore(code)` is called by a branch's "Show more" button. */
export function showBank(bank, showMore) {
  const root = document.getElementById("branches");
  showProblem(bank);
  if (bank.branches === null) {
    drawn.clear();
    root.replaceChildren();
    return;
  }
  const focused = document.activeElement?.dataset?.focus;
  const sections = bank.branches.map((part) => branchSection(part, showMore));
  if (sections.some((section, i) => root.children[i] !== section) || root.children.length !== sections.length) {
    root.replaceChildren(...sections);
  }
  if (bank.branches.length === 0) {
    root.replaceChildren(element("div", { class: "card empty" },
      element("h2", {}, "No branches"), element("p", {}, "The configuration of this bank names no branch.")));
  }
  if (focused) root.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function showProblem(bank) {
  const place = document.getElementById("bank-problem");
  if (bank.problem === null) return place.replaceChildren();
  const stale = bank.branches === null ? "" : " The balances below are the last ones read.";
  if (place.textContent.includes(bank.problem)) return undefined;
  return place.replaceChildren(element("div", { class: "notice bad", role: "alert" },
    element("strong", {}, "The API cannot be read. "), bank.problem + stale, " It is asked again every 10 seconds."));
}

function branchSection(part, showMore) {
  const from = JSON.stringify([part.branch, part.accounts, [...part.names], part.more, part.problem]);
  const last = drawn.get(part.branch.code);
  if (last?.from === from) {
    last.asOf.textContent = asOfText(part);
    return last.section;
  }
  const asOf = element("span", {}, asOfText(part));
  const section = element("section", { class: "branch card", "aria-labelledby": `branch-${part.branch.code}` },
    head(part.branch, asOf), body(part, showMore));
  drawn.set(part.branch.code, { from, section, asOf });
  return section;
}

function head(branch, asOf) {
  const health = HEALTH[branch.health] ?? { tone: "warn", text: branch.health.replaceAll("_", " ") };
  const inDoubt = Number(branch.in_doubt ?? 0);
  return element("header", { class: "branch-head" },
    element("h2", { id: `branch-${branch.code}` },
      branch.name, element("span", { class: "code" }, branch.code)),
    element("p", { class: "pills" },
      inDoubt > 0 && element("span", { class: "pill warn" }, `${inDoubt} in doubt`),
      element("span", { class: `pill ${health.tone}` }, health.text)),
    element("p", { class: "branch-facts" },
      element("span", {}, `Branch ${branch.number}`), element("span", {}, branch.time_zone),
      element("span", { class: "mono" }, branch.address), asOf));
}

function asOfText({ asOf, branch }) {
  return asOf === null ? "Not read yet" : `As of ${clockTime(asOf, branch.time_zone)}`;
}

function body(part, showMore) {
  const { accounts, problem, branch } = part;
  const warning = problem === null ? unwell(branch) : troubled(part);
  if (accounts === null) return [warning];
  if (accounts.length === 0) {
    return [warning, element("div", { class: "empty" },
      element("h3", {}, "No accounts yet"), element("p", {}, `Accounts opened at ${branch.name} are listed here.`))];
  }
  return [
    warning,
    table(part),
    part.more && element("div", { class: "more" },
      element("p", { class: "quiet-text" }, `The newest ${accounts.length} accounts are shown.`),
      element("button", { type: "button", class: "button", "data-focus": `more ${branch.code}`,
        on: { click: () => showMore(branch.code) } }, "Show more")),
  ];
}

/** A branch that answers and is not well all the same. */
function unwell({ name, health }) {
  if (health === "reachable") return null;
  const why = {
    clock_skew: `The clock of ${name} differs from the others by more than the bank allows.`,
    wrong_identity: `${name} cannot be used. ${WRONG_IDENTITY}`,
  }[health] ?? `${name} reports itself as ${health.replaceAll("_", " ")}.`;
  return element("div", { class: "notice warn" },
    element("p", {}, why, " Transfers that touch it may be answered with 503, which moves nothing."));
}

function troubled({ branch, accounts, asOf, problem }) {
  const { title, why, tone } = trouble(branch, problem);
  const shown = accounts === null
    ? "Its accounts are not shown: a branch that is away is not an empty one."
    : `The balances below are those of ${clockTime(asOf, branch.time_zone)}.`;
  return element("div", { class: `notice ${tone}` },
    element("p", {}, element("strong", {}, title), ` ${why}`),
    element("p", {}, shown, " It is asked again every 10 seconds."));
}

/** The API says of any branch that it cannot use that it is away; the branch's health knows more. */
function trouble({ name, health }, { code, message }) {
  const isUnavailable = code === "branch_unavailable";
  if (health === "wrong_identity") return { tone: "bad", title: `${name} cannot be used.`, why: WRONG_IDENTITY };
  if (!isUnavailable && health !== "unreachable") return { tone: "warn", title: `${name}'s accounts cannot be read.`, why: message };
  return { tone: "bad", title: `${name} cannot be reached.`, why: isUnavailable ? "" : message };
}

/** Roles are named because the narrow layout turns rows into grids, which makes some browsers forget the table. */
function table({ branch, accounts, names, problem }) {
  const customers = accounts.filter((account) => account.customer);
  const own = accounts.filter((account) => !account.customer);
  const cell = (text, className) => element("th", { role: "columnheader", scope: "col", class: className }, text);
  const rows = (list) => list.map((account) => row(account, names));
  const group = (text) => element("tr", { role: "row", class: "group" },
    element("th", { role: "rowheader", scope: "rowgroup", colspan: COLUMNS.length }, text));
  return element("table", { role: "table", class: problem === null ? null : "stale" },
    element("caption", { class: "unseen" }, `Accounts at ${branch.name}`),
    element("colgroup", {}, COLUMNS.map((name) => element("col", { class: `column-${name}` }))),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
      cell("Account"), cell("Holder"), cell("Kind"), cell("Available", "figure"), cell("Posted", "figure"))),
    element("tbody", { role: "rowgroup" }, customers.length > 0 ? rows(customers) : element("tr", { role: "row" },
      element("td", { role: "cell", colspan: COLUMNS.length, class: "quiet-text" }, "No customer has an account here yet."))),
    own.length > 0 && element("tbody", { role: "rowgroup" }, group("The bank's own accounts"), rows(own)));
}

function row(account, names) {
  const last = balances.get(account.number);
  const now = `${account.available} ${account.posted}`;
  balances.set(account.number, now);
  const hasMoved = last !== undefined && last !== now;
  const shown = element("span", { class: "number" }, groupNumber(account.number));
  return element("tr", { role: "row", class: hasMoved ? "moved" : null },
    element("td", { role: "cell", class: "cell-account" },
      shown, copyButton(account.number, shown, groupNumber(account.number))),
    element("td", { role: "cell", class: "cell-holder" }, holderOf(account, names)),
    element("td", { role: "cell", class: "cell-kind" }, account.kind.replaceAll("_", " "),
      account.state !== "open" && element("span", { class: "pill warn" }, account.state),
      account.normal_side === "debit" && element("small", {}, "debit balance")),
    element("td", { role: "cell", class: "figure cell-available", "data-label": "Available" }, available(account)),
    element("td", { role: "cell", class: "figure cell-posted", "data-label": "Posted" },
      money(account.posted, account.currency)));
}

function available(account) {
  if (account.available === null || account.available === undefined) {
    return [element("span", { "aria-hidden": "true" }, "\u2013"), element("span", { class: "unseen" }, "no limit")];
  }
  const isHeld = account.held !== undefined && account.held !== "0";
  return [
    money(account.available, account.currency),
    isHeld && element("small", {}, money(account.held, account.currency), " held"),
  ];
}
