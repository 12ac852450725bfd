// The desk's news, which come on the one stream of this browser (stream.js): for htmx, as events of the page. Of a tab
// that has no stream the news are that everything may have changed.

import { Stream } from "./stream.js";

const { root, agent } = document.body.dataset;

/** As whose page this asks; with the address to which the agent comes back after signing in. */
const headers = () => ({ "HX-Request": "true", "HX-Current-URL": location.href, "Switchboard-Agent": agent });

const tell = (name) => document.body.dispatchEvent(new CustomEvent(`live:${name}`));

/** Whoever opens a stream, or reads, does so for everything: once is enough for what comes together. */
let refreshing;

function refresh() {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => tell("refresh"), 100);
}

/** Whether the desk can be reached, and still knows this agent; then the page is read anew. */
async function catchUp(signal) {
  const answer = await fetch(`${root}/alive`, { headers: headers(), cache: "no-store", signal });
  if (answer.status === 401) location.assign(answer.headers.get("HX-Redirect") ?? `${root}/sign-in`);
  // Somebody else signed in, in another tab: what is open here is theirs now.
  if (answer.status === 409) location.reload();
  if (!answer.ok) throw new Error(`the desk answers ${answer.status}`);
  refresh();
}

new Stream({
  name: `switchboard ${root} ${agent}`,
  address: () => `${root}/events`,
  headers: headers(),
  catchUp,
  received: ({ name }) => (name === "refresh" ? refresh() : name === "alive" || tell(name)),
  late: (late) => tell(late ? "late" : "back"),
});
