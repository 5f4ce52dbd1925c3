// Times as people read them, always with their zone: "2026-11-23 01:00:00 MST".

const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

function parts(date, zone) {
  const format = (timeZone) =>
    new Intl.DateTimeFormat("en-US", {
      timeZone, hourCycle: "h23", timeZoneName: "short",
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }).formatToParts(date);
  let found;
  try {
    found = format(zone ?? BROWSER_ZONE);
  } catch {
    found = format("UTC"); // a zone that this browser does not know
  }
  return Object.fromEntries(found.map((part) => [part.type, part.value]));
}

export function clockTime(date, zone) {
  const at = parts(date, zone);
  return `${at.hour}:${at.minute}:${at.second} ${at.timeZoneName}`;
}

export function dayAndTime(date, zone) {
  const at = parts(date, zone);
  return `${at.year}-${at.month}-${at.day} ${clockTime(date, zone)}`;
}
