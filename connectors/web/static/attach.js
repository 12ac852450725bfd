// Files for the message that is being written: chosen, pasted, dropped or photographed, and brought to the desk at once, so
// that the message only names them. What is brought already is kept while this tab lives, also when its page is loaded
// anew; what is not is lost with the page, which therefore asks before it is left.

import { h, icon } from "./elements.js";
import { mayBeSecret } from "./maybe_secret.js";
import { parsed, tabStorage } from "./storage.js";
import { thumbnailOf } from "./thumbnail.js";
import { Upload } from "./upload.js";
import { sizesOf } from "./words.js";

const holdsFiles = (transfer) => Boolean(transfer?.types.includes("Files"));

/** Browsers call every picture that is pasted the same. */
function named(file, name) {
  const ending = file.type.split("/")[1]?.replace("jpeg", "jpg");
  return file.name === "image.png" || !file.name ? new File([file], ending ? `${name}.${ending}` : name, { type: file.type }) : file;
}

/**
 * `visitor()`: whose files these are. `renew()`: as for the outbox. `changed()` is called whenever something is added,
 * removed, ready or failed.
 */
export class Tray {
  #items = []; // uploads, and what is left of those of an earlier page
  #shown = new Map(); // list items by upload
  #thumbnails = new Map(); // by id
  #running = false;
  #then = null;

  constructor({ say, locale, formats, most, maxSize, visitor, headers, renew, changed }) {
    Object.assign(this, { say, locale, most, maxSize, visitor, headers, renew, changed });
    this.sizes = sizesOf(formats);
    this.percent = new Intl.NumberFormat(formats, { style: "percent" });
    this.list = h("ul", { class: "chosen", "aria-label": say("chat.files.chosen"), hidden: true });
    this.wrong = h("p", { class: "hint wrong", role: "alert", hidden: true });
    this.told = h("p", { class: "hint", role: "status", hidden: true });
    this.heard = h("p", { class: "unseen", role: "status" });
    this.place = h("div", { class: "tray" }, this.wrong, this.told, this.heard, this.list);
    this.#makeButtons();
    this.#listen();
  }

  get count() {
    return this.#items.length;
  }

  /** Whether some are on their way. */
  get busy() {
    return this.#items.some(({ state }) => state !== "ready" && state !== "failed");
  }

  get failed() {
    return this.#items.some(({ state }) => state === "failed");
  }

  thumbnail(id) {
    return this.#thumbnails.get(id);
  }

  /** Hands over what is ready, for a message. */
  take() {
    const files = this.#items.map(({ id, name, size, picture }) => ({ id, name, size, picture }));
    this.#items = [];
    this.#update();
    return files;
  }

  /** Takes the files of a message back that was not sent. */
  giveBack(files) {
    const fit = files.slice(0, this.most - this.count);
    this.#items.push(...fit.map((file) => ({ ...file, state: "ready" })));
    this.#complain(files.slice(fit.length).map(({ name }) => this.say("chat.files.too_many", { name, n: this.most })));
    this.#update();
  }

  /** The message they were for is with the desk. */
  forget(files) {
    for (const { id } of files) if (!this.#items.some((item) => item.id === id)) this.#thumbnails.delete(id);
  }

  /** Nothing of it is to be sent any more. */
  clear() {
    this.#items.forEach((item) => item.cancel?.());
    this.#items = [];
    this.#then = null;
    this.#thumbnails.clear();
    this.#complain([]);
    this.#update();
  }

  /** Calls `send` once all are ready; not where one fails, or nothing is left. */
  whenReady(send) {
    this.#then = send;
    this.#update();
  }

  /** The visitor is another one now, of whom the desk has no files. */
  renewed() {
    for (const item of [...this.#items]) {
      if (item.state !== "ready") continue;
      if (!(item instanceof Upload)) {
        this.#lose(item);
        continue;
      }
      const thumbnail = this.thumbnail(item.id);
      item.begin();
      if (thumbnail) this.#thumbnails.set(item.id, thumbnail);
    }
    this.#run();
  }

  add(files) {
    const problems = [];
    for (const file of files) {
      const name = file.name;
      if (!file.size) problems.push(this.say("chat.files.empty", { name }));
      else if (file.size > this.maxSize) problems.push(this.say("chat.files.too_large", { name, size: this.sizes(file.size), most: this.sizes(this.maxSize) }));
      else if (this.count >= this.most) problems.push(this.say("chat.files.too_many", { name, n: this.most }));
      else this.#take(file);
    }
    this.#complain(problems);
    this.#run();
  }

  #complain(problems) {
    this.wrong.textContent = problems.join(" ");
    this.wrong.hidden = !problems.length;
  }

  #take(file) {
    const { locale, say, headers, renew } = this;
    const item = new Upload(file, { locale, say, headers, renew, changed: (one) => this.#items.includes(one) && this.#became(one) });
    this.#items.push(item);
    this.#update();
    thumbnailOf(file, say("chat.files.preview", { name: file.name })).then((canvas) => {
      if (!canvas || item.state === "cancelled") return;
      this.#thumbnails.set(item.id, canvas);
      this.#shown.get(item)?.querySelector(".thumb")?.replaceChildren(canvas);
    });
  }

  #became(item) {
    if (item.state === "ready") this.heard.textContent = this.say("chat.files.is_ready", { name: item.name });
    if (item.state === "failed") this.heard.textContent = `${item.name}: ${item.why}`;
    this.#update(item);
  }

  /** One after the other: on a slow line, the first is there first. */
  async #run() {
    if (this.#running) return;
    this.#running = true;
    for (let item; (item = this.#items.find(({ state }) => state === "queued")); ) await item.run();
    this.#running = false;
  }

  #remove(item) {
    item.cancel?.();
    const at = this.#items.indexOf(item);
    this.#items.splice(at, 1);
    this.#thumbnails.delete(item.id);
    this.heard.textContent = this.say("chat.files.removed", { name: item.name });
    this.#complain([]);
    this.#update();
    const next = this.#shown.get(this.#items[at] ?? this.#items[at - 1]);
    (next?.querySelector(".remove") ?? this.button).focus();
  }

  #lose(item) {
    Object.assign(item, { state: "failed", why: this.say("chat.files.lost"), forGood: true });
    this.#update(item);
  }

  // --- what is seen ------------------------------------------------------------------------------------------------

  #makeButtons() {
    const limits = { n: this.most, size: this.sizes(this.maxSize) };
    const label = this.say("chat.files.add", limits);
    this.limits = h("p", { class: "limits", id: "chat-limits" }, this.say("chat.files.limits", limits));
    const chosen = ({ target }) => {
      this.add([...target.files]);
      target.value = ""; // the same one may be chosen again
    };
    const input = h("input", { type: "file", multiple: this.most > 1, class: "picker", hidden: true, onchange: chosen });
    this.button = h("button", { class: "attach", type: "button", "aria-label": label, title: label, onclick: () => input.click() }, icon("clip"));
    this.buttons = [input, this.button];
    if (!matchMedia("(pointer: coarse)").matches) return;
    const photo = h("input", { type: "file", accept: "image/*", capture: "environment", hidden: true, onchange: chosen });
    const camera = this.say("chat.files.camera");
    this.buttons.push(photo, h("button", { class: "attach", type: "button", "aria-label": camera, title: camera, onclick: () => photo.click() }, icon("camera")));
  }

  /** Shows how things stand; of what is there already only `changed` anew. */
  #update(changed = null) {
    const { busy, failed, count } = this;
    if (this.#then && (failed || !count)) this.#then = null;
    this.told.hidden = !this.#then;
    this.told.textContent = this.#then ? this.say("chat.files.goes_then") : "";
    for (const [item, element] of this.#shown) {
      if (this.#items.includes(item)) continue;
      element.remove();
      this.#shown.delete(item);
    }
    for (const item of this.#items) {
      if (!this.#shown.has(item)) this.#show(item);
      else if (item === changed) this.#refresh(item);
    }
    this.list.hidden = !count;
    this.#keep();
    this.changed();
    if (!this.#then || busy) return;
    const send = this.#then;
    this.#then = null;
    send();
  }

  #show(item) {
    const element = h("li", { class: "chip" },
      h("span", { class: "thumb" }, this.#thumbnails.get(item.id) ?? icon("file")),
      h("span", { class: "about" },
        h("bdi", { class: "name" }, item.name),
        h("span", { class: "state" }),
        h("progress", { max: "100", "aria-label": this.say("chat.files.progress", { name: item.name }), hidden: true }),
        h("button", { class: "action", type: "button", hidden: true, "aria-label": this.say("chat.files.retry_name", { name: item.name }), onclick: () => this.#retry(item) },
          this.say("chat.files.retry"))),
      h("button", { class: "remove", type: "button", "aria-label": this.say("chat.files.remove", { name: item.name }), onclick: () => this.#remove(item) },
        icon("cross")));
    this.#shown.set(item, element);
    this.list.append(element);
    this.#refresh(item);
  }

  #refresh(item) {
    const element = this.#shown.get(item);
    const [name, state, progress, retry] = [".name", ".state", "progress", ".action"].map((part) => element.querySelector(part));
    element.dataset.state = item.state;
    name.textContent = item.name;
    const size = item.size == null ? "" : this.sizes(item.size);
    // The desk has it only once it has answered.
    const part = Math.min(item.progress ?? 0, 0.99);
    const said = {
      queued: () => this.say("chat.files.queued"),
      sending: () => this.percent.format(part),
      trying: () => this.say("chat.files.trying"),
      ready: () => this.say("chat.files.ready"),
      failed: () => item.why,
    }[item.state]();
    state.textContent = [item.state === "failed" ? "" : size, said].filter(Boolean).join(" · ");
    progress.hidden = item.state !== "sending";
    progress.value = part * 100;
    retry.hidden = item.state !== "failed" || item.forGood;
  }

  #retry(item) {
    item.again();
    this.#shown.get(item)?.querySelector(".remove").focus();
    this.#run();
  }

  // --- over a reload -----------------------------------------------------------------------------------------------

  #keep() {
    const items = this.#items.map(({ id, name, size, picture, state }) => {
      const ready = state === "ready"; // its name is then as the desk keeps it
      return { id, name: ready || !mayBeSecret(name) ? name : this.say("chat.file"), size, picture, ready };
    });
    tabStorage.set("files", this.count ? JSON.stringify({ visitor: this.visitor(), items }) : null);
  }

  /** Shows what an earlier page of this tab left. */
  restore() {
    const { visitor, items } = parsed(tabStorage.get("files")) ?? {};
    if (visitor !== this.visitor() || !Array.isArray(items)) return;
    for (const { ready, ...item } of items.slice(0, this.most)) {
      const lost = ready ? {} : { why: this.say("chat.files.lost"), forGood: true };
      this.#items.push({ ...item, ...lost, state: ready ? "ready" : "failed" });
    }
    this.#update();
  }

  // --- where files come from ---------------------------------------------------------------------------------------

  #listen() {
    addEventListener("online", () => {
      for (const item of this.#items) {
        if (item.state === "failed" && !item.forGood) item.again();
        else item.hurry?.();
      }
      this.#run();
    });
    addEventListener("beforeunload", (event) => {
      if (this.#items.some(({ state, forGood }) => state !== "ready" && !forGood)) event.preventDefault();
    });
    const drop = h("div", { class: "drop", "aria-hidden": "true", hidden: true }, h("p", {}, icon("clip"), this.say("chat.files.drop")));
    document.body.append(drop);
    document.addEventListener("dragover", (event) => {
      if (!holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      drop.hidden = false;
    });
    document.addEventListener("dragleave", (event) => { drop.hidden ||= !event.relatedTarget; });
    // Wherever a file falls: a browser left alone would open it in the place of the chat.
    document.addEventListener("drop", (event) => {
      if (!holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      drop.hidden = true;
      const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
      const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile()).filter(Boolean);
      this.add(files);
      if (files.length < items.length) this.#complain([this.wrong.textContent, this.say("chat.files.folder")].filter(Boolean));
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      // Office programs put a picture of a copied text beside the text.
      if (!files.length || event.clipboardData.types.includes("text/plain")) return;
      event.preventDefault();
      this.add(files.map((file) => named(file, this.say("chat.files.pasted"))));
    });
  }
}
