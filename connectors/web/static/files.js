// Files of messages as the page shows them: those of the transcript, and those that are on their way.

import { h, icon } from "./elements.js";
import { BASE } from "./line.js";

function described(file, sizes, say) {
  return [
    icon("file"), h("bdi", {}, file.name || say("chat.file")),
    file.size == null ? null : h("span", { class: "size" }, sizes(file.size)),
  ];
}

/** A file of a message in the transcript. */
export function attachment(message, file, { say, sizes }) {
  const href = `${BASE}/files/${message.cursor}/${file.index}`;
  const link = () => h("a", { class: "file", href, download: true }, ...described(file, sizes, say));
  if (!file.picture) return link();
  const shown = h("a", { class: "picture", href, target: "_blank", rel: "noopener" });
  const alt = file.name || say("chat.file");
  // Only what can be shown without harm comes as a picture.
  shown.append(h("img", { src: `${href}?as=picture`, alt, loading: "lazy", decoding: "async", onerror: () => shown.replaceWith(link()) }));
  return shown;
}

/** A file of a message that is not sent yet; `thumbnail` is a canvas, where there is one. */
export function unsentFile(file, thumbnail, { say, sizes }) {
  if (thumbnail) return h("div", { class: "picture" }, thumbnail);
  return h("div", { class: "file" }, ...described(file, sizes, say));
}
