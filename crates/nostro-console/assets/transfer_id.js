// The id of a transfer, chosen here: UUID version 7 (RFC 9562, section 5.7), which is 48 bits of milliseconds and 74
// random bits. Its time lets the bank's index grow at its right edge; its chance comes from the browser's generator.

/** Both arguments are for tests: `random` is ten bytes. */
export function newTransferId(now_ms = Date.now(), random = crypto.getRandomValues(new Uint8Array(10))) {
  const time = now_ms.toString(16).padStart(12, "0");
  const bytes = Array.from(random, (byte) => byte);
  bytes[0] = (bytes[0] & 0x0f) | 0x70;
  bytes[2] = (bytes[2] & 0x3f) | 0x80;
  const tail = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [time.slice(0, 8), time.slice(8), tail.slice(0, 4), tail.slice(4, 8), tail.slice(8)].join("-");
}
