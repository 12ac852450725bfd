// The customer's side of the web chat, mounted into one element. Talks to /chat/messages and /chat/events.
//
// What is typed or unsent lives in localStorage until the desk has answered for it (draft.js, outbox.js), save what may be a
// secret (maybe_secret.js): the page shows a message as the desk keeps it. Every message keeps the id it was born with: sending
// twice records once. What is received is known by its cursor, which gives it its place, and asked for by revision, which
// grows with every message, edit and deletion: a broken line leaves no gap.

import { Tray } from "./attach.js";
import { Clock } from "./clock.js";
import { Draft } from "./draft.js";
import { h, icon } from "./elements.js";
import { ending } from "./ending.js";
import { attachment, unsentFile } from "./files.js";
import { inWords } from "./labels.js";
import { Line } from "./line.js";
import { Outbox } from "./outbox.js";
import { Tabs } from "./tabs.js";
import { View } from "./view.js";
import { Visit } from "./visit.js";
import { formatsOf, sizesOf, wordsOf } from "./words.js";

const TYPING_AT_MOST = 8_000;
const GROUPED_WITHIN = 5 * 60_000;

/** Characters as the desk counts them. */
const lengthOf = (text) => Array.from(text).length;

/** Puts the chat into `root`. `options` are what the desk wrote into its attribute `data-switchboard-chat`. */
export function mount(root, options) {
  const { locale, maxLength } = options;
  const say = wordsOf(locale, options.phrases);
  const formats = formatsOf(locale);
  const [words, worded] = [{ say, sizes: sizesOf(formats) }, inWords(options.labels)];
  let revision = 0; // everything up to here has been received
  let last = null; // the latest message shown, for grouping
  let typingTimer = null;
  let unread = 0;
  let late = false; // messages do not come at present
  let cookiesRefused = false;
  const entries = new Map(); // {message, element} by cursor
  const sending = new Map(); // unsent messages' elements by id
  const title = document.title;
  const tabs = new Tabs();
  const time = new Clock(options.now);
  const draft = new Draft(tabs);
  const clock = new Intl.DateTimeFormat(formats, { hour: "2-digit", minute: "2-digit", hour12: false });
  const calendar = new Intl.DateTimeFormat(formats, { month: "long", day: "numeric", weekday: "long" });
  const today = new Intl.RelativeTimeFormat(formats, { numeric: "auto" });

  // --- what is on the page -------------------------------------------------------------------------------------

  const messages = h("div", { class: "messages" });
  const unsent = h("div", { class: "unsent", "aria-live": "off" }); // read out once, when they are sent
  const typing = h(
    "div", { class: "typing", role: "status", hidden: true },
    h("span", { class: "avatar assistant", "aria-hidden": "true" }, icon("assistant")),
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("span", { class: "unseen" }, say("chat.typing")),
  );
  const column = h("div", { class: "column" }, messages, unsent, typing);
  const scroller = h(
    "div",
    { class: "scroller", role: "log", "aria-live": "polite", "aria-busy": "true", "aria-label": say("chat.conversation"), tabindex: "0" },
    column,
  );
  const banner = h("div", { class: "banner", role: "status", hidden: true });
  const news = h("button", { class: "news", type: "button", hidden: true, onclick: () => view.toEnd() }, icon("down"), say("chat.new_messages"));
  const hint = h("p", { class: "hint", id: "chat-hint", role: "status", hidden: true });
  const field = h("textarea", {
    id: "chat-field", rows: "1", dir: "auto", placeholder: say("chat.placeholder"), "aria-label": say("chat.field"),
    "aria-describedby": "chat-hint chat-limits chat-safety", enterkeyhint: "send", autocomplete: "off", oninput: typed, onkeydown: pressed,
  });
  const renew = () => visit.renew();
  const { most, size: maxSize } = options.files;
  const tray = most ? new Tray({ say, locale, formats, most, maxSize, renew, changed: typed, visitor: () => line.visitor, headers: () => line.headers }) : null;
  const send = h("button", { class: "send", type: "submit", "aria-label": say("chat.send"), title: say("chat.send") }, icon("send"));
  const leaving = ending({ say, end: () => visit.end() });
  const languages = Object.entries(options.languages).filter(([code]) => code !== locale);

  root.replaceChildren(
    h("header", { class: "top" },
      h("div", { class: "column" },
        h("span", { class: "mark", "aria-hidden": "true" }, Array.from(options.brand)[0] ?? ""),
        h("div", { class: "who" }, h("h1", {}, say("chat.title")), h("p", {}, say("chat.subtitle"))),
        ...languages.map(([code, name]) => h("a", { class: "language", href: `?lang=${code}`, hreflang: code, lang: code }, name)),
        leaving.open)),
    banner,
    h("main", { class: "middle" }, scroller, news),
    h("form", { class: "composer", onsubmit: submit },
      h("div", { class: "column" },
        hint,
        tray?.place,
        h("div", { class: "box" }, ...(tray?.buttons ?? []), field, send),
        tray?.limits,
        h("p", { class: "safety", id: "chat-safety" }, icon("shield"), say("chat.safety")))),
    leaving.dialog,
  );
  const view = new View({ scroller, column, news });

  // --- messages ------------------------------------------------------------------------------------------------

  function speaker(message) {
    if (message.author !== "agent") {
      return h("p", { class: "speaker" }, h("span", { class: "avatar assistant", "aria-hidden": "true" }, icon("assistant")), say("chat.assistant"));
    }
    const name = message.agent_name ?? say("chat.agent");
    return h("p", { class: "speaker" },
      h("span", { class: "avatar agent", "aria-hidden": "true" }, Array.from(name)[0].toUpperCase()),
      h("bdi", {}, name), h("span", { class: "badge" }, say("chat.human")));
  }

  function bubble(message) {
    const element = h("div", { class: "bubble", dir: "auto" });
    if (message.html != null) element.innerHTML = worded(message.html); // made by the desk from its own content, raw HTML escaped
    else element.textContent = worded(message.text);
    return element;
  }

  function choices(buttons, label, press) {
    const group = h("div", { class: "choices", role: "group", "aria-label": label });
    // An answer to what was asked stands apart from other topics.
    const answers = buttons.filter((button) => !button.payload.startsWith("topic:"));
    const topics = buttons.filter((button) => button.payload.startsWith("topic:"));
    for (const button of [...answers, ...topics]) {
      if (answers.length && button === topics[0]) group.append(h("span", { class: "apart" }, say("chat.other_topics")));
      group.append(h("button", { class: "choice", type: "button", dir: "auto", onclick: (event) => {
        event.currentTarget.setAttribute("aria-pressed", "true");
        press(group, button);
      } }, button.label));
    }
    return group;
  }

  /** What a message says: its words and files, or that it was taken back. */
  function content(message) {
    const element = h("div", { class: "content" });
    if (message.deleted) {
      element.append(h("p", { class: "deleted" }, say("chat.deleted")));
      return element;
    }
    if (message.html ?? message.text) element.append(bubble(message));
    element.append(...message.files.map((file) => attachment(message, { ...file, name: worded(file.name) }, words)));
    return element;
  }

  function stamp(message) {
    return h("p", { class: "stamp" },
      h("time", { datetime: message.time }, clock.format(new Date(message.time))),
      message.edited && !message.deleted ? h("span", { class: "edited" }, say("chat.edited")) : null);
  }

  function article(message, grouped) {
    const element = h("article", { class: `message ${message.author}${grouped ? " grouped" : ""}` });
    if (message.author === "customer") element.append(h("span", { class: "unseen" }, say("chat.you")));
    else if (message.author !== "system" && !grouped) element.append(speaker(message));
    element.append(content(message));
    if (message.author !== "system") element.append(stamp(message));
    return element;
  }

  const disable = (group) => group.querySelectorAll("button").forEach((button) => { button.disabled = true; });

  function separator(moment) {
    const midnight = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate());
    const days = Math.round((midnight(moment) - midnight(time.now)) / 86_400_000);
    const said = days === 0 || days === -1 ? today.format(days, "day") : calendar.format(moment);
    return h("p", { class: "day" }, h("span", {}, said[0].toLocaleUpperCase(formats) + said.slice(1)));
  }

  /** A new message of the transcript, or a known one as it is now. `read` is how far we are with it. */
  function receive(message, read) {
    const isHistory = revision === 0 && !outbox.born.size;
    revision = Math.max(revision, read);
    const before = entries.get(message.cursor);
    if (before) {
      if (message.revision > before.message.revision) revise(before, message);
    } else if (!last || message.cursor > last.cursor) add(message, isHistory);
    else insert(message);
  }

  function add(message, isHistory) {
    messages.querySelectorAll(".greeting, .ended").forEach((element) => element.remove());
    const moment = new Date(message.time);
    const lastMoment = last && new Date(last.time);
    const newDay = !last || moment.toDateString() !== lastMoment.toDateString();
    const grouped = !newDay && last.author === message.author && last.agent_name === message.agent_name
      && moment - lastMoment < GROUPED_WITHIN;
    if (newDay) messages.append(separator(moment));
    const element = article(message, grouped);
    if (message.author === "customer") {
      outbox.drop(message.external_id);
      if (isHistory) view.begin(null);
    } else {
      messages.querySelectorAll(".choices").forEach(disable);
      if (message.buttons.length) element.append(choices(message.buttons, say("chat.choices"), answerWith));
      showTyping(false);
      if (document.visibilityState === "hidden") count(unread + 1);
      if (isHistory) view.begin(element);
      else view.show(element);
    }
    messages.append(element);
    entries.set(message.cursor, { message, element });
    last = message;
  }

  /** A message that was edited before this page got it comes late; one older than all that is shown stays away. */
  function insert(message) {
    const cursors = [...entries.keys()];
    if (Math.min(...cursors) > message.cursor) return;
    const next = entries.get(Math.min(...cursors.filter((cursor) => cursor > message.cursor)));
    const element = article(message, false);
    const otherDay = new Date(message.time).toDateString() !== new Date(next.message.time).toDateString();
    const day = next.element.previousElementSibling;
    (otherDay && day?.classList.contains("day") ? day : next.element).before(element);
    entries.set(message.cursor, { message, element });
  }

  function revise(entry, message) {
    entry.message = message;
    entry.element.querySelector(".content").replaceWith(content(message));
    entry.element.querySelector(".stamp")?.replaceWith(stamp(message));
    if (message.deleted) entry.element.querySelector(".choices")?.remove();
  }

  function answerWith(group, button) {
    disable(group);
    outbox.add({ button: { payload: button.payload, label: button.label } });
    view.toEnd();
  }

  function greet() {
    const element = h("article", { class: "message bot greeting" },
      speaker({ author: "bot" }), h("div", { class: "bubble", dir: "auto" }, say("chat.greeting")));
    if (options.suggestions.length) element.append(choices(options.suggestions, say("chat.topics"), answerWith));
    messages.append(element);
  }

  /** Dots while the desk says that the assistant writes, and never for anybody who does not. */
  function showTyping(shown) {
    clearTimeout(typingTimer);
    typing.hidden = !shown;
    if (shown) typingTimer = setTimeout(() => showTyping(false), TYPING_AT_MOST);
  }

  /** Shows an unsent message as far as it has come. */
  function showUnsent(item) {
    if (item.state === "gone") {
      tray?.forget(item.files ?? []);
      sending.get(item.id)?.remove();
      sending.delete(item.id);
      return;
    }
    let element = sending.get(item.id);
    if (!element) {
      messages.querySelectorAll(".greeting .choices").forEach(disable);
      element = h("article", { class: "message customer" });
      sending.set(item.id, element);
      unsent.append(element);
    }
    element.dataset.state = item.state;
    const text = item.text ?? item.button.label;
    const said = h("div", { class: "content" }, text ? h("div", { class: "bubble", dir: "auto" }, text) : null);
    said.append(...(item.files ?? []).map((file) => unsentFile(file, tray?.thumbnail(file.id), words)));
    element.replaceChildren(h("span", { class: "unseen" }, say("chat.you")), said, status(item));
  }

  function status(item) {
    const action = (name, onclick) => h("button", { type: "button", class: "action", onclick }, name);
    switch (item.state) {
      case "waiting":
        return h("p", { class: "status" }, say("chat.waiting"), action(say("chat.retry"), () => outbox.flush()));
      case "refused":
        return h("p", { class: "status wrong", role: "alert" }, `${say("chat.refused")} ${item.why ?? ""}`,
          item.text != null ? action(say("chat.edit"), () => takeBack(item)) : null,
          action(say("chat.discard"), () => outbox.drop(item.id)));
      default:
        return h("p", { class: "status quiet" }, item.state === "sent" ? clock.format(new Date(item.at)) : say("chat.sending"));
    }
  }

  function takeBack(item) {
    field.value = [item.text, field.value].filter(Boolean).join("\n");
    // What the desk does not have any more cannot be sent again.
    if (item.error !== "no_upload") tray?.giveBack(item.files ?? []);
    outbox.drop(item.id);
    typed();
    field.focus();
  }

  // --- writing -------------------------------------------------------------------------------------------------

  function typed() {
    draft.keep(field.value);
    fit();
    const left = maxLength - lengthOf(field.value);
    hint.hidden = left > maxLength / 10;
    hint.classList.toggle("wrong", left < 0);
    if (!hint.hidden) hint.textContent = say(left < 0 ? "chat.over" : "chat.left", { n: Math.abs(left) });
    send.disabled = left < 0 || Boolean(tray?.failed) || !(field.value.trim() || tray?.count);
  }

  function fit() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  function pressed(event) {
    // While an input method composes (Chinese, Japanese …), Enter chooses a candidate.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit();
  }

  function submit(event) {
    event?.preventDefault();
    if (send.disabled) return;
    if (tray?.busy) return tray.whenReady(submit);
    const text = field.value.trim();
    field.value = "";
    outbox.add({ text, files: tray?.take() });
    typed();
    view.toEnd();
    field.focus();
  }

  // --- the view ------------------------------------------------------------------------------------------------

  function count(number) {
    unread = number;
    document.title = unread ? `(${unread}) ${title}` : title;
  }

  function showConnection() {
    const said = cookiesRefused ? say("chat.cookies") : !navigator.onLine ? say("chat.offline") : late ? say("chat.reconnecting") : "";
    banner.textContent = said;
    banner.hidden = !said;
  }

  function begin() {
    messages.replaceChildren();
    entries.clear();
    revision = 0;
    last = null;
    greet();
  }

  function forget() {
    draft.forget();
    outbox.forget();
    tray?.clear();
    field.value = "";
    typed();
    count(0);
    root.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  }

  // --- start ---------------------------------------------------------------------------------------------------

  const line = new Line({ after: () => revision, received: receive, typing: () => showTyping(true), late: (so) => { late = so; showConnection(); }, renew, clock: time });
  const visit = new Visit({
    line, locale, tabs, begin, forget, renewed: () => tray?.renewed(),
    ended: () => {
      const note = h("p", { class: "ended" }, say("chat.end.ended"));
      messages.prepend(note);
      view.begin(note);
    },
    refused: (so) => { cookiesRefused = so; showConnection(); },
  });
  const outbox = new Outbox({
    locale, changed: showUnsent, renew, headers: () => line.headers, tabs, clock: time,
    shown: (id) => [...entries.values()].some(({ message }) => message.external_id === id),
  });

  greet();
  field.value = draft.text;
  typed();
  draft.adopt().then((text) => {
    if (!text || field.value) return;
    field.value = text;
    typed();
  });
  outbox.items.forEach(showUnsent);
  line.open(options.visitor);
  tray?.restore();
  outbox.flush();
  visit.tellLanguage();
  setTimeout(() => scroller.removeAttribute("aria-busy"), 1500); // the history is not news to be read out

  addEventListener("resize", fit);
  addEventListener("online", () => { showConnection(); outbox.flush(); });
  addEventListener("offline", showConnection);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") count(0);
  });
  if (matchMedia("(pointer: fine)").matches) field.focus(); // on a phone, focus would open the keyboard
}

for (const root of document.querySelectorAll("[data-switchboard-chat]")) {
  mount(root, JSON.parse(root.dataset.switchboardChat));
}
