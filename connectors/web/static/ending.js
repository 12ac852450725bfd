// Leaving the chat on a computer that others use: a button, and the question whether it is meant.

import { h, icon } from "./elements.js";

/** `end()` resolves to whether the desk has forgotten this browser. */
export function ending({ say, end }) {
  const failed = h("p", { class: "failed", role: "alert" });
  const yes = h("button", { type: "button", class: "danger", onclick: confirm }, say("chat.end.confirm"));
  const no = h("button", { type: "button", class: "plain", onclick: () => dialog.close() }, say("chat.end.cancel"));
  const dialog = h("dialog", { class: "ending", "aria-labelledby": "chat-end-title", "aria-describedby": "chat-end-text" },
    h("h2", { id: "chat-end-title" }, say("chat.end.title")),
    h("p", { id: "chat-end-text" }, say("chat.end.text")),
    failed,
    h("div", { class: "actions" }, no, yes));
  const open = h("button", { type: "button", class: "end", "aria-haspopup": "dialog", title: say("chat.end.open"), onclick: ask },
    icon("leave"), h("span", { class: "label" }, say("chat.end.open")));

  function ask() {
    failed.textContent = "";
    dialog.showModal();
    no.focus();
  }

  async function confirm() {
    failed.textContent = "";
    yes.disabled = true;
    yes.textContent = say("chat.end.ending");
    const ended = await end();
    yes.disabled = false;
    yes.textContent = say("chat.end.confirm");
    if (ended) dialog.close();
    else failed.textContent = say("chat.end.failed");
  }

  return { open, dialog };
}
