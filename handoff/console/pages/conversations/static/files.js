// Files for replies. Notes take none: what was chosen for a reply waits, unseen, while a note is written.

import { feature } from "../components/console.js";
import { composer, follow, modeOf } from "./boxes.js";
import { formats, say } from "../components/say.js";
import { sizesOf } from "../components/words.js";

/** What is chosen and not sent yet, by conversation: neither updates nor another conversation lose it; leaving the page does. */
const chosen = new Map();

export const size = sizesOf(formats);

/** Says in the composer why something was not taken. */
export function refuse(words) {
  const place = document.querySelector(".refused");
  if (place) place.textContent = words.join(" ");
}

const anyChosen = () => [...chosen.values()].some((files) => files.length);
export const chosenFor = (conversation) => chosen.get(conversation) ?? [];

export function takeChosen(conversation) {
  const files = chosenFor(conversation);
  chosen.delete(conversation);
  showChosen();
  return files;
}

export function giveBackFiles(conversation, files) {
  if (!files.length) return;
  chosen.set(conversation, [...files, ...chosenFor(conversation)]);
  showChosen();
}

/** Puts files to those that are chosen, and says which cannot be sent, and why. */
function choose(files) {
  const form = composer();
  const channel = document.querySelector(".conversation")?.dataset.channel;
  const attach = document.querySelector(".attach");
  if (!attach) return refuse([say("console.script.files.none_here", { channel })]);
  if (modeOf(form) !== "reply") {
    showChosen();
    return refuse([say("console.script.files.notes_none")]);
  }
  const { files: id, max, total, most } = attach.dataset;
  const kept = chosenFor(id);
  const problems = [];
  for (const file of files) {
    const sum = kept.reduce((bytes, one) => bytes + one.size, file.size);
    if (!file.size) problems.push(say("console.script.files.empty", { name: file.name }));
    else if (file.size > max) problems.push(say("console.script.files.too_large", { name: file.name, size: size(file.size), most: size(max), channel }));
    else if (kept.length >= most) problems.push(say("console.script.files.too_many", { name: file.name, most: Number(most) }));
    else if (sum > total) problems.push(say("console.script.files.too_much", { name: file.name, most: size(total) }));
    else kept.push(file);
  }
  chosen.set(id, kept);
  showChosen();
  refuse(problems);
}

function showChosen() {
  const attach = document.querySelector(".attach");
  if (!attach) return;
  const kept = chosenFor(attach.dataset.files);
  const held = new DataTransfer();
  for (const file of kept) held.items.add(file);
  attach.querySelector("input").files = held.files;
  const list = document.getElementById(`chosen-${attach.dataset.files}`);
  list.replaceChildren(
    ...kept.map((file, index) => {
      const item = document.createElement("li");
      const name = document.createElement("bdi");
      const remove = document.createElement("button");
      name.textContent = file.name;
      remove.type = "button";
      remove.className = "plain";
      remove.textContent = "×";
      remove.setAttribute("aria-label", say("console.script.files.remove", { name: file.name }));
      remove.addEventListener("click", () => {
        kept.splice(index, 1);
        showChosen();
        attach.querySelector("input").focus();
      });
      item.append(name, ` ${size(file.size)} `, remove);
      return item;
    }),
  );
  const pictured = kept.some((file) => file.type.startsWith("image/"));
  const choice = attach.closest("form").querySelector(".as-files");
  choice?.classList.toggle("pictured", pictured);
  if (choice && !pictured) choice.querySelector("input").checked = false;
  // A message may be all files.
  follow(attach.closest("form"));
}

const holdsFiles = (transfer) => Boolean(transfer?.types.includes("Files"));
const takesFiles = () => Boolean(document.querySelector(".attach")) && modeOf(composer()) === "reply";
const dropped = () => composer()?.classList.remove("dropping");

function start() {
  document.addEventListener("change", (event) => {
    if (event.target.matches(".attach input")) choose([...event.target.files]);
  });
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event.dataTransfer) || !composer()) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = takesFiles() ? "copy" : "none";
    composer().classList.toggle("dropping", takesFiles());
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? dropped());
  // Wherever a file falls: a browser left alone would open it in the place of the desk.
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event.dataTransfer)) return;
    event.preventDefault();
    dropped();
    if (!composer()) return;
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file" && !item.webkitGetAsEntry?.()?.isDirectory);
    choose(items.map((item) => item.getAsFile()).filter(Boolean));
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Office programs put a picture of a copied text beside the text.
    if (!files.length || event.clipboardData.types.includes("text/plain") || !event.target.closest?.(".composer")) return;
    event.preventDefault();
    choose(files);
  });
}

feature({ start, refreshed: showChosen, losesByLeaving: anyChosen });
