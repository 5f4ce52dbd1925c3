// The API key of this tab. It comes from the form or from the link's fragment, which no browser sends to a server, and
// stays in sessionStorage: closing the tab forgets it. It is never written to the address bar, a log or the page.

const STORED_AS = "nostro-api-key";

/** Takes `#key=...` out of the address bar and keeps it. True if there was one. */
export function takeKeyFromAddress() {
  const found = /[#&]key=([^&]*)/.exec(location.hash);
  if (found === null) return false;
  history.replaceState(null, "", location.pathname + location.search);
  let key = found[1];
  try {
    key = decodeURIComponent(found[1]);
  } catch {
    // A stray per cent sign: the key is taken as it stands.
  }
  if (keyProblem(key) !== null) return false;
  keepKey(key);
  return true;
}

/** Null for what can be sent in a header, otherwise what is wrong with it. */
export function keyProblem(key) {
  if (key === "") return "Enter a key.";
  if (!/^[\x21-\x7e]+$/.test(key)) return "A key has no spaces and no accented letters. Copy it again, whole.";
  return null;
}

export function keptKey() {
  return sessionStorage.getItem(STORED_AS);
}

export function keepKey(key) {
  sessionStorage.setItem(STORED_AS, key);
}

export function forgetKey() {
  sessionStorage.removeItem(STORED_AS);
}
