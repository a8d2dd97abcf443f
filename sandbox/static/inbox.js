/** The inbox: a list that keeps itself up to date, filters, and the message that is open. */
import { api, byId, clock, element } from "./dom.js";
import { showMessage, showNothing } from "./message.js";
import { channelOf } from "./channels.js";
import { faultPanel } from "./faults.js";

const SHOWN = 200;
const state = { messages: [], channels: new Set(), channel: "", words: "", open: null, latest: null };

function query(extra = {}) {
  const filters = { channel: state.channel, q: state.words, ...extra };
  return new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
}

async function load() {
  const asked = query({ limit: SHOWN }).toString();
  const { results } = await api(`/api/messages?${asked}`);
  if (asked !== query({ limit: SHOWN }).toString()) return; // the filter changed meanwhile
  state.messages = results;
  draw();
}

async function loadNewer() {
  const newest = state.messages[0];
  if (!newest) return load();
  const asked = query({ limit: SHOWN, since: newest.id });
  const { results } = await api(`/api/messages?${asked}`);
  if (state.messages[0] !== newest) return; // another load was quicker
  state.messages = [...results, ...state.messages].slice(0, SHOWN);
  draw(new Set(results.map((message) => message.id)));
}

async function refreshOpen() {
  if (!state.open) return;
  try {
    const message = await api(`/api/messages/${state.open.id}`);
    if (state.open?.id === message.id && JSON.stringify(message) !== JSON.stringify(state.open)) {
      state.open = message;
      showMessage(byId("detail"), message, close);
    }
  } catch {
    close(); // it was cleared
  }
}

function open(message) {
  state.open = message;
  byId("main").classList.add("reading");
  showMessage(byId("detail"), message, close);
  history.replaceState(null, "", `#${message.id}`);
  draw();
}

function close() {
  state.open = null;
  byId("main").classList.remove("reading");
  history.replaceState(null, "", location.pathname);
  showNothing(byId("detail"));
  draw();
}

function draw(arrived = new Set()) {
  for (const message of state.messages) state.channels.add(message.channel);
  drawChannels();
  byId("messages").replaceChildren(...state.messages.map((message) => item(message, arrived.has(message.id))));
  const filtered = state.channel || state.words;
  byId("empty").hidden = state.messages.length > 0;
  byId("empty").textContent = filtered
    ? "Nothing here matches."
    : "No messages yet. What your application sends to this sandbox appears here at once.";
}

function item(message, isNew) {
  const channel = channelOf(message.channel);
  const title = message.subject ?? message.title ?? message.text ?? "(no text)";
  const excerpt = message.subject || message.title ? (message.text ?? "").replace(/\s+/g, " ").slice(0, 140) : "";
  const button = element(
    "button.item",
    { type: "button", onclick: () => open(message) },
    element("span.badge", { title: channel.name }, channel.icon()),
    element(
      "span.words",
      {},
      element("span.top", {}, element("b", {}, message.to), element("time", {}, clock(message.received_at))),
      element("span.title", {}, title),
      excerpt && element("span.excerpt", {}, excerpt),
    ),
  );
  button.dataset.channel = message.channel;
  if (isNew) button.classList.add("new");
  if (state.open?.id === message.id) button.setAttribute("aria-current", "true");
  return element("li", {}, button);
}

function drawChannels() {
  const chip = (name, label) =>
    element(
      "button.chip",
      { type: "button", onclick: () => choose(name), "aria-pressed": String(state.channel === name) },
      label,
    );
  const names = [...state.channels].sort();
  byId("channels").replaceChildren(chip("", "All"), ...names.map((name) => chip(name, channelOf(name).name)));
}

function choose(channel) {
  state.channel = channel;
  load();
}

function listen() {
  const stream = new EventSource("/api/stream");
  stream.onopen = () => load();
  stream.onmessage = ({ data }) => {
    const { total, latest } = JSON.parse(data);
    say(true, `${total.toLocaleString()} message${total === 1 ? "" : "s"}`);
    if (latest === null) [state.messages, state.channels] = [[], new Set()];
    if (latest !== state.latest) latest === null ? draw() : loadNewer();
    state.latest = latest;
    refreshOpen();
  };
  stream.onerror = () => say(false, "Offline, trying again");
}

function say(live, words) {
  byId("live").classList.toggle("on", live);
  byId("live").lastElementChild.textContent = words;
}

async function clearAll() {
  await api("/api/messages", { method: "DELETE" });
  state.channel = "";
  if (state.open) close();
}

function move(step) {
  const index = state.messages.findIndex((message) => message.id === state.open?.id);
  const next = state.messages[index + step];
  if (!next) return;
  open(next);
  document.querySelector('.item[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
}

/** Searches when the typing pauses. */
let typing;
byId("search").addEventListener("input", ({ target }) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.words = target.value.trim();
    load();
  }, 150);
});
byId("clear").addEventListener("click", clearAll);
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || byId("faults").open) return;
  if (event.key === "ArrowDown" || event.key === "j") event.preventDefault(), move(1);
  if (event.key === "ArrowUp" || event.key === "k") event.preventDefault(), move(-1);
  if (event.key === "Escape" && state.open) close();
  if (event.key === "/") event.preventDefault(), byId("search").focus();
});

showNothing(byId("detail"));
faultPanel(() => new Set(state.messages.flatMap((message) => [message.provider, message.account])));
listen();
if (location.hash) api(`/api/messages/${location.hash.slice(1)}`).then(open, () => {});
