// <carillon-feed token-url="/my/token">: the bell, and a recipient's notifications as they come.
// Content is text: nothing that a sender wrote becomes markup, and links lead to http and https only.

import { CarillonClient } from "./carillon-client.js";

const PAGE = "notifications?limit=20";
const TOAST_FOR = 6000;
const STATES = { connecting: "Connecting…", online: "Live", offline: "Offline, trying again…" };
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { --accent: #5b4bdb; --surface: #fff; --text: #1d1b2e; --muted: #6a6780; --line: #e6e4f0;
    --soft: #f4f2ff; --info: #3b82f6; --success: #16a34a; --warning: #d97706; --error: #dc2626; --system: #7c7a8c;
    display: block; color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) { :host { --accent: #9d90ff; --surface: #1c1a29; --text: #eeecfa;
    --muted: #a3a0b8; --line: #322f45; --soft: #262338; --info: #60a5fa; --success: #4ade80; --warning: #fbbf24;
    --error: #f87171; --system: #a3a0b8; } }
  * { box-sizing: border-box; }
  .card { background: var(--surface); border: 1px solid var(--line); border-radius: 16px; overflow: hidden; }
  .top { display: flex; align-items: center; gap: 12px; padding: 16px; border-block-end: 1px solid var(--line); }
  .bell { position: relative; display: grid; place-items: center; width: 40px; height: 40px; flex: none;
    border-radius: 50%; background: var(--soft); color: var(--accent); }
  .bell.ring svg { animation: ring .6s ease-in-out; transform-origin: 50% 10%; }
  @keyframes ring { 20% { rotate: 16deg } 45% { rotate: -13deg } 70% { rotate: 8deg } }
  .badge { position: absolute; inset-block-start: -3px; inset-inline-end: -5px; min-width: 20px; padding: 0 5px;
    border-radius: 10px; background: #dc2626; color: #fff; font: 600 12px/20px system-ui, sans-serif;
    text-align: center; }
  h2 { margin: 0; font-size: 16px; line-height: 1.3; }
  .state { display: flex; align-items: center; gap: 6px; color: var(--muted); font-size: 13px; }
  .state::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--warning); }
  .state[data-state=online]::before { background: var(--success); }
  .state[data-state=offline]::before { background: var(--error); }
  button { min-height: 36px; padding: 0 10px; border: 0; border-radius: 8px; background: none; color: var(--accent);
    font: inherit; font-size: 14px; font-weight: 500; cursor: pointer; }
  button:hover:enabled { background: var(--soft); }
  button:disabled { color: var(--muted); opacity: .6; cursor: default; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .all { margin-inline-start: auto; white-space: nowrap; }
  ul { list-style: none; margin: 0; padding: 0; }
  li { position: relative; padding: 14px 16px 8px 32px; border-block-end: 1px solid var(--line); }
  li:last-child { border-block-end: 0; }
  li.unread { background: var(--soft); }
  li.new { animation: arrive .5s ease-out; }
  @keyframes arrive { from { opacity: 0; translate: 0 -10px } }
  @media (prefers-reduced-motion: reduce) { li.new, .bell.ring svg, .toast { animation: none } }
  li::before { content: ""; position: absolute; inset-inline-start: 14px; inset-block-start: 21px; width: 8px;
    height: 8px; border-radius: 50%; background: var(--kind); opacity: .35; }
  li.unread::before { opacity: 1; }
  .line { display: flex; gap: 12px; align-items: baseline; }
  .title { flex: 1; min-width: 0; font-weight: 500; overflow-wrap: anywhere; }
  .unread .title { font-weight: 650; }
  .icon { flex: none; align-self: center; width: 20px; height: 20px; border-radius: 5px; object-fit: cover; }
  time { flex: none; color: var(--muted); font-size: 13px; }
  .body { margin: 2px 0 0; color: var(--muted); white-space: pre-line; overflow-wrap: anywhere; }
  .tools { display: flex; flex-wrap: wrap; align-items: center; gap: 4px; margin: 4px 0 0 -10px; }
  .tools a { padding: 6px 10px; border-radius: 8px; color: var(--accent); font-size: 14px; font-weight: 600; }
  .empty { padding: 48px 24px; color: var(--muted); text-align: center; }
  .older { display: block; width: 100%; min-height: 48px; border-block-start: 1px solid var(--line); border-radius: 0; }
  .toasts { position: fixed; inset-block-end: 16px; inset-inline-end: 16px; z-index: 10; display: grid; gap: 8px;
    width: min(340px, calc(100vw - 32px)); }
  .toast { padding: 12px 16px; border-radius: 12px; border: 1px solid var(--line); background: var(--surface);
    border-inline-start: 4px solid var(--kind); box-shadow: 0 8px 30px #0003; animation: arrive .3s ease-out; }
  .toast strong { display: block; overflow-wrap: anywhere; }
  .toast p { margin: 0; color: var(--muted); display: -webkit-box; -webkit-line-clamp: 2; line-clamp: 2;
    -webkit-box-orient: vertical; overflow: hidden; }
  .info { --kind: var(--info) } .success { --kind: var(--success) } .warning { --kind: var(--warning) }
  .error { --kind: var(--error) } .system { --kind: var(--system) }
  [hidden] { display: none !important; }
`);

const FRAME = `
  <section class="card" aria-label="Notifications">
    <div class="top">
      <span class="bell"><svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor"
        stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path
        d="M18 9a6 6 0 0 0-12 0c0 6-2.500 7.500-2.500 7.500h17S18 15 18 9M14 20a2.200 2.200 0 0 1-4 0"/></svg>
        <span class="badge" hidden></span></span>
      <div><h2>Notifications</h2><span class="state" role="status"></span></div>
      <button class="all" type="button">Mark all read</button>
    </div>
    <ul></ul>
    <p class="empty">Loading…</p>
    <button class="older" type="button" hidden>Show older</button>
  </section>
  <div class="toasts" role="log" aria-live="polite"></div>`;

export class CarillonFeed extends HTMLElement {
  #client;
  #items = new Map();
  #rows = new Map();
  #unread = 0;
  #older = null;
  #clock;

  connectedCallback() {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLE];
    root.innerHTML = FRAME;
    this.$ = (selector) => root.querySelector(selector);
    this.$(".all").onclick = () => this.#client.api("POST", "notifications/mark-all-read").catch(() => {});
    this.$(".older").onclick = () => this.#load(this.#older);
    this.#client = new CarillonClient({ getToken: () => this.#token() });
    this.#client.addEventListener("state", ({ detail }) => this.#showState(detail));
    this.#client.addEventListener("frame", ({ detail }) => this.#hear(detail));
    this.#client.start();
    this.#clock = setInterval(() => this.#tick(), 30_000);
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    this.#client.stop();
  }

  async #token() {
    const answer = await fetch(this.getAttribute("token-url"));
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    return answer.json();
  }

  #hear({ type, data }) {
    const change = {
      connected: () => {
        this.#count(data.unread_count);
        this.#load(PAGE);
      },
      "notification:new": () => this.#arrive(data),
      "notification:read": () => this.#touch(data, { read_at: new Date().toISOString() }),
      "notification:unread": () => this.#touch(data, { read_at: null }),
      "notification:archive": () => this.#drop(data),
      "notification:delete": () => this.#drop(data),
      "notification:read-all": () => this.#readUpTo(data),
      "notifications:catch-up-complete": () => this.#load(PAGE),
      "unread-count": () => this.#count(data.count),
    }[type];
    change?.();
  }

  async #load(path) {
    try {
      const page = await this.#client.api("GET", path);
      page.results.forEach((item) => this.#show(item));
      if (path !== PAGE || this.#older === null) this.#older = page.next ?? "";
      this.#client.received(page.results.filter((item) => item.status === "sent").map((item) => item.id));
    } catch {
      this.#showEmpty("Your notifications cannot be loaded right now.");
      return;
    }
    this.$(".older").hidden = !this.#older;
    this.#showEmpty("Nothing here yet. What happens next will show up at once.");
  }

  #arrive(item) {
    this.#client.received([item.id]);
    if (this.#items.has(item.id)) return;
    this.#show(item, "new");
    if (item.read_at || item.archived_at) return;
    this.#count(this.#unread + 1);
    this.#ring();
    this.#toast(item);
  }

  #touch({ id, unread_count }, changes) {
    if (this.#items.has(id)) this.#show({ ...this.#items.get(id), ...changes });
    this.#count(unread_count);
  }

  #readUpTo({ up_to, unread_count }) {
    for (const item of this.#items.values()) {
      if (item.seq <= up_to && !item.read_at) this.#show({ ...item, read_at: new Date().toISOString() });
    }
    this.#count(unread_count);
  }

  #drop({ id, unread_count }) {
    this.#rows.get(id)?.remove();
    this.#rows.delete(id);
    this.#items.delete(id);
    this.#count(unread_count);
    this.#showEmpty("Nothing here any more.");
  }

  #show(item, ...classes) {
    if (item.archived_at) return;
    const row = this.#row(item, classes);
    const old = this.#rows.get(item.id);
    if (old) old.replaceWith(row);
    else this.#place(row, item.seq);
    this.#items.set(item.id, item);
    this.#rows.set(item.id, row);
    this.$(".empty").hidden = true;
  }

  #place(row, seq) {
    const older = [...this.$("ul").children].find((other) => Number(other.dataset.seq) < seq);
    this.$("ul").insertBefore(row, older ?? null);
  }

  #row(item, classes) {
    const row = element("li", { className: [kind(item), ...classes].join(" ") });
    row.dataset.seq = item.seq;
    row.classList.toggle("unread", !item.read_at);
    const when = element("time", { dateTime: item.created_at, textContent: ago(item.created_at) });
    when.title = new Date(item.created_at).toLocaleString();
    const line = element("div", { className: "line" });
    const icon = safe(item.icon);
    if (icon) line.append(element("img", { src: icon, alt: "", className: "icon", loading: "lazy" }));
    line.append(element("span", { className: "title", textContent: item.title || item.body }), when);
    row.append(line);
    if (item.title && item.body) row.append(element("p", { className: "body", textContent: item.body }));
    row.append(this.#tools(item));
    return row;
  }

  #tools(item) {
    const tools = element("div", { className: "tools" });
    const href = safe(item.action?.url);
    if (href) {
      const link = element("a", { href, target: "_blank", rel: "noopener noreferrer" });
      link.textContent = item.action.text || "Open";
      link.onclick = () => item.read_at || this.#do("PATCH", item, "/read");
      tools.append(link);
    }
    const [label, change] = item.read_at ? ["Mark unread", "/unread"] : ["Mark read", "/read"];
    tools.append(this.#button(label, item, () => this.#do("PATCH", item, change)));
    tools.append(this.#button("Delete", item, () => this.#do("DELETE", item, "")));
    return tools;
  }

  #button(textContent, item, onclick) {
    const button = element("button", { type: "button", textContent, onclick });
    button.setAttribute("aria-label", `${textContent}: ${item.title || item.body}`);
    return button;
  }

  // What it changes comes back as a frame, to this tab as to the others.
  #do(method, item, change) {
    this.#client.api(method, `notifications/${item.id}${change}`).catch(() => {});
  }

  #count(unread) {
    this.#unread = unread;
    this.$(".badge").hidden = unread === 0;
    this.$(".badge").textContent = unread > 99 ? "99+" : unread;
    this.$(".all").disabled = unread === 0;
    this.dispatchEvent(new CustomEvent("unread", { detail: unread }));
  }

  #ring() {
    this.$(".bell").classList.remove("ring");
    void this.$(".bell").offsetWidth; // starts the animation anew
    this.$(".bell").classList.add("ring");
  }

  #toast(item) {
    const toast = element("div", { className: `toast ${kind(item)}` });
    toast.append(element("strong", { textContent: item.title || item.body }));
    if (item.title) toast.append(element("p", { textContent: item.body }));
    this.$(".toasts").append(toast);
    while (this.$(".toasts").children.length > 3) this.$(".toasts").firstChild.remove();
    setTimeout(() => toast.remove(), TOAST_FOR);
  }

  #showState(state) {
    this.$(".state").dataset.state = state;
    this.$(".state").textContent = STATES[state];
  }

  #showEmpty(text) {
    this.$(".empty").hidden = this.#items.size > 0;
    this.$(".empty").textContent = text;
  }

  #tick() {
    this.shadowRoot.querySelectorAll("time").forEach((time) => (time.textContent = ago(time.dateTime)));
  }
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function kind({ type }) {
  return ["info", "success", "warning", "error", "system"].includes(type) ? type : "info";
}

function safe(url) {
  try {
    return /^https?:$/.test(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}

function ago(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  const format = new Intl.RelativeTimeFormat(navigator.language, { numeric: "auto", style: "short" });
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", Infinity];
  return format.format(unit === "second" ? 0 : -Math.floor(seconds / length), unit);
}

customElements.define("carillon-feed", CarillonFeed);
