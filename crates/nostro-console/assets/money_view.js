// An amount as a node: thousands are set apart by space only, so that copying it gives the plain "1234567.89".

import { element } from "./element.js";
import { digitGroups, formatAmount } from "./money.js";

export function money(minor, currency) {
  const [first, ...rest] = digitGroups(formatAmount(minor, currency));
  return element(
    "span",
    { class: "money" },
    first,
    rest.map((group) => (group.startsWith(".") ? group : element("span", { class: "money-group" }, group))),
    element("span", { class: "money-currency" }, ` ${currency}`),
  );
}
