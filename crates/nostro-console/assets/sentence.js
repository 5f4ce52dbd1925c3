// What the API says of a problem, as a person reads it. Its details begin small and end without a stop, because a
// program may put them behind other words; on this page they stand by themselves.

/** "no account has the number TX1" -> "No account has the number TX1". */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "branch TX cannot be reached" -> "Branch TX cannot be reached." */
export function sentence(text) {
  return /[.!?]$/.test(text) ? capital(text) : `${capital(text)}.`;
}
