// Money between the API's integer minor units ("100000") and the major units that people read and type ("1000.00").
// Strings and BigInt only: a float never touches an amount. Decimals are ISO 4217's; a code for which the standard
// gives none (gold, testing) has no major units here and is shown in what the API counts.

const DECIMALS_BY_CURRENCY = new Map([
  ...["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF"].map((code) => [code, 0]),
  ...["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].map((code) => [code, 3]),
  ...["CLF", "UYW"].map((code) => [code, 4]),
  ...["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"]
    .map((code) => [code, null]),
]);
const DECIMALS_OF_MOST = 2;

/** What the API takes: `^[1-9][0-9]{0,17}$`, which fits a bigint. */
const MINOR_DIGITS_MAX = 18;

/** Decimals of a currency's major unit, or null where it has none. */
export function decimals(currency) {
  if (!/^[A-Z]{3}$/.test(currency)) throw new RangeError(`"${currency}" is no ISO 4217 code`);
  return DECIMALS_BY_CURRENCY.has(currency) ? DECIMALS_BY_CURRENCY.get(currency) : DECIMALS_OF_MOST;
}

/** "100000", "USD" -> "1000.00". Throws RangeError on anything but a string of integer minor units. */
export function formatAmount(minor, currency) {
  if (typeof minor !== "string" || !/^-?[0-9]+$/.test(minor)) {
    throw new RangeError(`${JSON.stringify(minor)} is no string of minor units`);
  }
  const value = BigInt(minor);
  const sign = value < 0n ? "-" : "";
  const digits = String(value < 0n ? -value : value);
  const places = decimals(currency) ?? 0;
  if (places === 0) return sign + digits;
  const padded = digits.padStart(places + 1, "0");
  return `${sign}${padded.slice(0, -places)}.${padded.slice(-places)}`;
}

/**
 * "1000.00", "USD" -> { minor: "100000" }, or { problem } that says what to type instead.
 * Exactly the currency's decimals are asked for: "1000.5" and "1.000" are read differently by different people.
 */
export function parseAmount(text, currency) {
  const places = decimals(currency);
  if (places === null) return { problem: `${currency} has no major unit, so no amount can be typed in it` };
  const example = places === 0 ? "1000" : `1000.${"0".repeat(places)}`;
  const written = text.trim();
  if (written === "") return { problem: `Enter an amount, such as ${example}` };
  if (!/^[0-9]+(\.[0-9]+)?$/.test(written)) {
    return { problem: `Use digits and a point only, without separators: ${example}` };
  }
  const [whole, fraction = ""] = written.split(".");
  if (fraction.length !== places) {
    const asked = places === 0 ? "no decimals" : `exactly ${places} decimals`;
    return { problem: `${currency} has ${asked}: ${example}` };
  }
  const minor = BigInt(whole + fraction);
  if (minor === 0n) return { problem: "The amount must be more than zero" };
  if (String(minor).length > MINOR_DIGITS_MAX) return { problem: "The amount is larger than the bank can book" };
  return { minor: String(minor) };
}

/** "-1234567.89" -> ["-1", "234", "567", ".89"]: groups for the eye, joined again to the text as it is. */
export function digitGroups(amount) {
  const [, sign, whole, fraction] = /^(-?)([0-9]+)(\.[0-9]+)?$/.exec(amount);
  const groups = whole.split(/(?=(?:[0-9]{3})+$)/);
  groups[0] = sign + groups[0];
  return fraction === undefined ? groups : [...groups, fraction];
}
