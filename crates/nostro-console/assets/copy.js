// The copy button beside a number or an id. Where the browser gives no clipboard (a page over plain http from another
// machine), it selects the text instead and says so.

import { element, icon } from "./element.js";

const DONE_SHOWN_MS = 1500;

/** `shown` is the node whose text is selected where there is no clipboard; `plain` is what is copied. */
export function copyButton(plain, shown, label) {
  const button = element(
    "button",
    { type: "button", class: "copy", "aria-label": `Copy ${label}`, title: `Copy ${plain}`, "data-focus": `copy ${plain}` },
    icon("copy"),
  );
  button.addEventListener("click", async () => {
    const said = (await copied(plain)) ? `Copied ${label}` : selected(shown);
    document.getElementById("said").textContent = said;
    button.classList.add("copy-done");
    button.replaceChildren(icon("check"));
    setTimeout(() => {
      button.classList.remove("copy-done");
      button.replaceChildren(icon("copy"));
    }, DONE_SHOWN_MS);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no clipboard here, or not allowed
  }
}

function selected(node) {
  getSelection().selectAllChildren(node);
  return "Selected. Press Control C to copy.";
}
