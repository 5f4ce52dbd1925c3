// Account numbers: branch code, two check digits, twelve digits ("AZ93000000001042"); grouped by four for people.
// The check is ISO 7064 mod 97-10, the arithmetic of an IBAN: it catches a mistyped digit before anything is sent.

/** As the API writes it: no spaces, upper case. */
export function plainNumber(text) {
  return text.replace(/\s+/g, "").toUpperCase();
}

/** As people read it: "AZ93 0000 0000 1042". */
export function groupNumber(number) {
  return number.match(/.{1,4}/g)?.join(" ") ?? "";
}

/** The branch that a number routes itself to: "AZ". */
export function branchCode(number) {
  return /^[A-Z]*/.exec(number)[0];
}

/** Null for a well-formed number, otherwise what is wrong with it. */
export function numberProblem(number) {
  if (number === "") return "Enter an account number";
  const parts = /^([A-Z]{2,4})([0-9]{2})([0-9]{12})$/.exec(number);
  if (parts === null) return "An account number is a branch code and 14 digits, such as AZ93 0000 0000 1042";
  const [, code, check, digits] = parts;
  const letters = [...code].map((letter) => String(letter.charCodeAt(0) - 55)).join("");
  if (BigInt(digits + letters + check) % 97n !== 1n) return "The check digits do not fit: a digit is mistyped";
  return null;
}
