// <carillon-bell>, <carillon-feed> and <carillon-preferences>: docs/bell.md; types and contracts: carillon.d.ts.
// Content is text: nothing that a sender wrote becomes markup, and links lead to http and https only.

import { share } from "./client.js";
export * from "./client.js";

const TEXTS = {
  en: {
    title: "Notifications",
    all: "All",
    unread: "Unread",
    archived: "Archive",
    count: "{n} unread",
    readAll: "Mark all as read",
    read: "Mark as read",
    notRead: "Mark as unread",
    unarchive: "Take out of the archive",
    topic: "Topic",
    everything: "All topics",
    empty: "You are all caught up",
    emptyHint: "What happens next shows up here at once.",
    offline: "No connection. Trying again…",
    refused: "You are signed out.",
    failed: "This could not be loaded.",
    retry: "Try again",
    unsaved: "This could not be saved.",
    arrived: "New: {title}",
    center: "Show all",
    transactional: "Orders and account",
    marketing: "News and offers",
    system: "Service notices",
    alert: "Alerts",
  },
};
const LANGUAGES = { de: () => import("./texts.de.js") };

const ICONS = {
  bell: "M18 9a6 6 0 0 0-12 0c0 6-2.5 7.5-2.5 7.5h17S18 15 18 9M14 20a2.2 2.2 0 0 1-4 0",
  read: "m5 12.5 4.5 4.5L19 7.5",
  archive: "M4 5h16v4H4zM5.5 9v10h13V9M10 13h4",
  delete: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  close: "M6 6l12 12M18 6 6 18",
  settings: "M4 7h9m4 0h3M4 17h3m4 0h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  info: "M12 11v6M12 7v.01",
  success: "m7 12.5 3.5 3.5L17 9",
  warning: "M12 7v6M12 17v.01",
  error: "m8 8 8 8m0-8-8 8",
  system: "M7 12h.01M12 12h.01M17 12h.01",
};
const UNITS = { year: 31536000, month: 2592000, week: 604800, day: 86400, hour: 3600, minute: 60 };
const FILTERS = { all: {}, unread: { read: false }, archived: { archived: true } };

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host {
    color-scheme: light dark; --accent: var(--carillon-accent, light-dark(#4f46e5, #a5a0ff));
    --surface: var(--carillon-surface, light-dark(#fff, #1a1924)); --text: var(--carillon-text, light-dark(#1b1a26, #f0eff7));
    --muted: var(--carillon-muted, light-dark(#605e72, #a9a7bb)); --line: var(--carillon-line, light-dark(#e7e5ef, #322f42));
    --soft: var(--carillon-soft, light-dark(#f5f4fb, #24222f)); --radius: var(--carillon-radius, 16px);
    display: block; color: var(--text); font: 15px/1.45 var(--carillon-font, system-ui, sans-serif); text-align: start }
  :host([theme=light]) { color-scheme: light }
  :host([theme=dark]) { color-scheme: dark }
  :host([hidden]), [hidden] { display: none !important }
  :host(carillon-bell) { display: inline-block }
  :host(carillon-feed) .panel { height: 100% }
  * { box-sizing: border-box; margin: 0 }
  svg { width: 1.25em; height: 1.25em; flex: none; fill: none; stroke: currentColor; stroke-width: 2;
    stroke-linecap: round; stroke-linejoin: round }
  button, .link { display: inline-flex; align-items: center; justify-content: center; min-height: 36px; padding: 0 12px;
    border: 0; border-radius: 10px; background: none; color: inherit; font: inherit; font-size: 14px; font-weight: 550;
    text-decoration: none; cursor: pointer; transition: background .15s }
  button:hover:enabled, .link:hover { background: var(--soft) }
  button:disabled { opacity: .45; cursor: default }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -2px }
  .icon { width: 36px; padding: 0; color: var(--muted) }
  .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
  .bell { position: relative; width: 44px; height: 44px; padding: 0; border-radius: 50%; font-size: 20px }
  .ring svg { animation: ring .7s; transform-origin: 50% 10% }
  @keyframes ring { 20% { rotate: 17deg } 45% { rotate: -14deg } 70% { rotate: 8deg } }
  .badge { position: absolute; inset-block-start: 0; inset-inline-start: 24px; min-width: 20px; padding: 0 5px;
    border-radius: 10px; background: var(--carillon-badge, #d3182d); color: #fff; font: 650 12px/20px system-ui }
  .panel { display: flex; flex-direction: column; padding: 0; overflow: hidden; background: var(--surface); color: inherit;
    border: 1px solid var(--line); border-radius: var(--radius) }
  .panel[popover] { position: fixed; inset: auto; width: var(--carillon-width, 420px); max-width: calc(100vw - 16px);
    height: var(--carillon-height, 640px); box-shadow: 0 16px 48px #0003; animation: rise .18s }
  .panel[popover]:not(:popover-open) { display: none }
  @keyframes rise { from { opacity: 0; translate: 0 8px } }
  .top, .filters, .foot, .tools, .news { display: flex; align-items: center; gap: 2px }
  .top { padding: 14px 8px 6px; padding-inline-start: 16px }
  h2 { flex: 1; font-size: 18px }
  .filters { padding: 0 10px 10px; border-block-end: 1px solid var(--line) }
  .filters > * { min-height: 32px; border-radius: 16px; color: var(--muted) }
  [aria-pressed=true] { background: var(--soft); color: var(--text) }
  select { margin-inline-start: auto; min-width: 0; border: 0; background: var(--surface); font: inherit; font-size: 14px }
  .news { justify-content: space-between; padding: 4px 8px; padding-inline-start: 16px; background: var(--soft);
    animation: rise .2s 1s backwards }
  .scroll { flex: 1; overflow-y: auto; overscroll-behavior: contain }
  article { position: relative; display: grid; grid-template-columns: 36px minmax(0, 1fr); gap: 0 12px; padding: 14px 16px;
    padding-inline-end: 32px; border-block-end: 1px solid var(--line); cursor: pointer }
  article:hover { background: var(--soft) }
  .new { animation: rise .35s }
  .unread::after { content: ""; position: absolute; inset-block-start: 22px; inset-inline-end: 14px; width: 9px; height: 9px;
    border-radius: 50%; background: var(--accent) }
  .kind { grid-row: 1 / 4; display: grid; place-items: center; width: 36px; height: 36px; border-radius: 50%;
    object-fit: cover; font-size: 19px; color: var(--kind); background: color-mix(in srgb, var(--kind) 14%, var(--surface)) }
  .title, .body { overflow-wrap: anywhere }
  .unread .title, b { font-weight: 650 }
  .body { display: -webkit-box; -webkit-line-clamp: 4; -webkit-box-orient: vertical; overflow: hidden; color: var(--muted);
    white-space: pre-line }
  [dir] { text-align: left }
  :host(:dir(rtl)) [dir] { text-align: right }
  .foot { flex-wrap: wrap; min-height: 32px; margin-block-start: 6px; margin-inline-end: -16px; color: var(--muted); font-size: 13px; white-space: nowrap }
  .foot > * { min-height: 32px }
  .foot .icon { width: 30px }
  time { flex: 1; align-content: center }
  .foot .action { margin-inline-end: 8px; color: var(--text); background: color-mix(in srgb, var(--accent) 14%, var(--surface)) }
  @media (hover: hover) { article:not(:hover, :focus-within) .icon { opacity: 0 } }
  .void { display: grid; justify-items: center; gap: 6px; padding: 64px 24px; color: var(--muted); text-align: center }
  .void svg { font-size: 32px }
  .void b { color: var(--text) }
  .bone { height: 64px; margin: 12px 16px; border-radius: 12px; background: var(--soft); animation: rise .8s infinite alternate }
  .end { height: 1px }
  .all { border-block-start: 1px solid var(--line); border-radius: 0; min-height: 44px; color: var(--accent) }
  .info { --kind: light-dark(#2563eb, #7cabff) }
  .success { --kind: light-dark(#15803d, #4ade80) }
  .warning { --kind: light-dark(#b45309, #fbbf24) }
  .error { --kind: light-dark(#d3182d, #ff8d8d) }
  .system { --kind: var(--muted) }
  @media (max-width: 600px) {
    .panel[popover] { inset: 0 !important; width: 100vw; max-width: none; height: 100dvh; max-height: none !important;
      border: 0; border-radius: 0 }
  }
  @media (prefers-reduced-motion: reduce) { *, ::after { animation-duration: 1ms !important; transition: none !important } }
`);

const defaults = {};
const elements = new Set();

export function configure(options) {
  Object.assign(defaults, options);
  elements.forEach((element) => element.connectedCallback());
}

/** An element. Functions and booleans become properties, the rest attributes; strings among the children stay text. */
function h(name, given = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (typeof value === "function" || typeof value === "boolean") node[key] = value;
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

function icon(name) {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function safe(url) {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : undefined;
}

const heading = (item) => item.title || item.body;

class CarillonElement extends HTMLElement {
  static observedAttributes = ["token-url", "server", "lang", "toast", "sound", "channels", "categories"];
  #given = {};
  #stops = [];
  #place;

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    for (const name of ["client", "getToken", "texts"]) {
      if (!Object.hasOwn(this, name)) continue; // it was set before there was a class
      this.#given[name] = this[name];
      delete this[name];
    }
  }

  get client() {
    return this.#given.client ?? this.joined;
  }

  set client(client) {
    this.#set({ client });
  }

  set getToken(getToken) {
    this.#set({ getToken });
  }

  set texts(texts) {
    this.#set({ texts });
  }

  #set(given) {
    Object.assign(this.#given, given);
    this.attributeChangedCallback();
  }

  get language() {
    return this.closest("[lang]")?.lang || navigator.language;
  }

  async connectedCallback() {
    this.disconnectedCallback();
    elements.add(this);
    const place = (this.#place = {});
    const tokenUrl = this.getAttribute("token-url") ?? defaults.tokenUrl;
    const getToken = this.#given.getToken ?? (this.hasAttribute("token-url") ? undefined : defaults.getToken);
    if (!this.#given.client && !tokenUrl && !getToken) return;
    if (!this.#given.client) {
      const server = this.getAttribute("server") ?? defaults.server;
      const { client, release } = share({ tokenUrl, getToken, server });
      this.joined = client;
      this.#stops.push(release);
    }
    const language = this.language.split("-")[0];
    TEXTS[language] ??= await LANGUAGES[language]?.().then((texts) => texts.default, () => ({}));
    if (this.#place !== place) return;
    this.shadowRoot.replaceChildren();
    this.shadowRoot.adoptedStyleSheets = [STYLE];
    this.build(this.client);
  }

  disconnectedCallback() {
    elements.delete(this);
    this.#place = null;
    this.#stops.splice(0).forEach((stop) => stop());
  }

  attributeChangedCallback() {
    if (elements.has(this)) this.connectedCallback();
  }

  follow(type, listener) {
    this.until(this.client.on(type, listener));
  }

  until(stop) {
    this.#stops.push(stop);
  }

  t(key, values = {}, more = {}) {
    const [tag, language] = [this.language, this.language.split("-")[0]];
    const { texts = {} } = defaults;
    const tables = [this.#given.texts, texts[tag], texts[language], TEXTS[language], TEXTS.en, more];
    const name = key.replace(/[-_.]+/g, " ").replace(/^./, (first) => first.toUpperCase());
    const text = tables.find((table) => table?.[key])?.[key] ?? name;
    return text.replace(/\{(\w+)\}/g, (whole, value) => values[value] ?? whole);
  }

  tell(name, detail, cancelable = false) {
    const options = { detail, cancelable, bubbles: true, composed: true };
    return this.dispatchEvent(new CustomEvent(`carillon-${name}`, options));
  }

  say(text) {
    this.said.textContent = text;
  }

  /** What failed is said; the client has taken it back. */
  async attempt(call) {
    try {
      return await call;
    } catch (error) {
      this.say(this.t("unsaved"));
      this.tell("error", error);
    }
  }

  button(name, onclick, key = name) {
    const label = this.t(key);
    return h("button", { type: "button", class: "icon", part: `button ${name}`, "aria-label": label, title: label, onclick }, icon(name));
  }
}

/** The list with its head: what bell and feed have in common. */
class CarillonList extends CarillonElement {
  #rows = new Map();
  #current = null;
  #filter = {};
  #list;
  #toast;

  build(client) {
    const name = this.t("title");
    const again = h("button", { type: "button", onclick: () => client.wake() }, this.t("retry"));
    this.#toast = null;
    this.arrivals = this.matches("[toast], [sound]") && import("./arrivals.js");
    this.said = h("div", { class: "said", role: "status" });
    this.feed = h("div", { part: "list", role: "feed", "aria-label": name, onkeydown: (event) => this.#key(event) });
    this.end = h("div", { class: "end" });
    this.void = h("div", { part: "empty" });
    this.news = h("div", { class: "news", part: "news", hidden: true }, h("span"), again);
    this.panel = h("section", { class: "panel", part: "panel", "aria-label": name }, this.#top(), this.#filters(), this.news);
    this.panel.append(h("div", { class: "scroll" }, this.feed, this.void, this.end));
    const href = this.getAttribute("center-url");
    if (href) this.panel.append(h("a", { class: "link all", part: "all", href }, this.t("center")));
    this.shadowRoot.append(this.panel, this.said);
    this.#follow(client);
  }

  #top() {
    this.caption = h("h2", { part: "title", tabindex: "-1" }, this.t("title"));
    this.readAll = this.button("read", () => this.attempt(this.client.markAllRead()), "readAll");
    const href = this.getAttribute("preferences-url");
    const label = this.t("settings");
    const settings = href && h("a", { class: "link icon", part: "button settings", href, "aria-label": label, title: label }, icon("settings"));
    return h("div", { class: "top", part: "header" }, this.caption, this.readAll, settings);
  }

  #follow(client) {
    this.follow("count", (count) => this.counted(count));
    this.follow("state", (state) => this.#stated(state));
    this.follow("new", (item) => this.#arrived(item));
    this.until(() => this.#list?.close());
    this.counted(client.unread ?? 0);
    this.#stated(client.state);
    const times = () => this.feed.querySelectorAll("time").forEach((time) => (time.textContent = this.ago(time.dateTime)));
    const clock = setInterval(times, 30_000);
    this.until(() => clearInterval(clock));
    this.#watch([this.end], {}, () => this.#list?.state === "ready" && this.#list.more());
    this.looks = this.#watch([], { threshold: 0.6 }, (row) => {
      this.looks.unobserve(row);
      if (!row.item.seen_at) client.markSeen([row.item.id]);
    });
  }

  #watch(nodes, options, shown) {
    const report = (looks) => looks.forEach(({ isIntersecting, target }) => isIntersecting && shown(target));
    const observer = new IntersectionObserver(report, options);
    nodes.forEach((node) => observer.observe(node));
    this.until(() => observer.disconnect());
    return observer;
  }

  load() {
    this.#list?.close();
    [this.#rows, this.#current] = [new Map(), null];
    this.feed.replaceChildren();
    this.#list = this.client.live(this.#filter);
    this.#list.on("change", () => this.#render());
    this.#render();
  }

  #filters() {
    const choose = (chosen, filter) => {
      buttons.forEach((one) => one.setAttribute("aria-pressed", one === chosen));
      this.#filter = { ...filter, category: this.topics.value || undefined };
      this.load();
    };
    const buttons = Object.entries(FILTERS).map(([key, filter]) =>
      h("button", { type: "button", "aria-pressed": String(key === "all"), onclick: (event) => choose(event.target, filter) }, this.t(key)),
    );
    const choice = () => buttons.find((one) => one.ariaPressed === "true");
    this.topics = h("select", { "aria-label": this.t("topic"), hidden: true, onchange: () => choice().click() });
    this.#filter = {};
    return h("div", { class: "filters", part: "filters", role: "group", "aria-label": this.t("title") }, ...buttons, this.topics);
  }

  async showTopics() {
    const { by_category } = await this.client.stats().catch(() => ({ by_category: {} }));
    const topics = Object.keys(by_category).map((value) => h("option", { value }, this.t(value)));
    const { value } = this.topics;
    this.topics.replaceChildren(h("option", { value: "" }, this.t("everything")), ...topics);
    this.topics.value = value;
    this.topics.hidden = topics.length < 2;
  }

  /** That it tries to connect is no news. */
  #stated(state) {
    this.tell("state", state);
    if (state === "connecting") return;
    this.news.hidden = state === "idle" || state === "online";
    this.news.firstChild.textContent = this.t(state);
  }

  counted(count) {
    this.readAll.disabled = !count;
    if (this.hasAttribute("title-badge")) {
      document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    }
    this.tell("count", count);
  }

  async #arrived(item) {
    this.say(this.t("arrived", { title: heading(item) }));
    this.tell("new", item);
    const { toaster, chime } = (await this.arrivals) || {};
    if (chime && this.hasAttribute("sound")) chime();
    if (toaster && this.hasAttribute("toast") && !this.isShown) (this.#toast ??= toaster(this.shadowRoot, h, (...toast) => this.#inToast(...toast)))(item);
  }

  #inToast(item, leave) {
    const said = h("div", {}, ...this.#words(item), h("div", { class: "foot" }, this.#action(item)));
    return [this.#kind(item), said, this.button("close", leave)];
  }

  #render() {
    const { items, state, hasMore } = this.#list;
    const gone = new Map(this.#rows);
    let place = this.feed.firstElementChild;
    items.forEach((item, index) => {
      const row = this.#rows.get(item.id) ?? this.#row(item);
      gone.delete(item.id);
      this.#paint(row, item);
      row.ariaPosInSet = index + 1;
      row.ariaSetSize = hasMore ? -1 : items.length;
      if (row === place) place = place.nextElementSibling;
      else this.feed.insertBefore(row, place);
    });
    gone.forEach((row, id) => this.#remove(row, id));
    this.#focusable(this.#current ?? this.feed.firstElementChild);
    this.feed.ariaBusy = state === "loading";
    this.#fill(state === "error" || !items.length ? state : "");
    if (this.awaited && this.#current) this.enter();
  }

  enter() {
    this.awaited = !this.#current;
    (this.#current ?? this.caption).focus();
  }

  #remove(row, id) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    if (this.#current === row) this.#current = next;
    if (row.contains(this.shadowRoot.activeElement)) (next ?? this.caption).focus();
    this.#rows.delete(id);
    row.remove();
  }

  /** What stands where items would: bones, a word that there is nothing, or what went wrong. */
  #fill(state) {
    const words = {
      loading: () => [1, 2, 3, 4].map(() => h("div", { class: "bone" })),
      ready: () => [icon("bell"), h("b", {}, this.t("empty")), this.t("emptyHint")],
      error: () => [h("b", {}, this.t("failed")), h("button", { type: "button", onclick: () => this.#list.refresh() }, this.t("retry"))],
    };
    if (this.void.dataset.state === state) return;
    this.void.dataset.state = state;
    this.void.className = /ready|error/.test(state) ? "void" : "";
    this.void.replaceChildren(...(words[state]?.() ?? []));
  }

  #row(item) {
    const { id } = item;
    const act = (name) => () => this.attempt(this.client[name](id));
    const archive = item.archived_at ? "unarchive" : "archive";
    const row = h("article", { part: "item", class: item.type, "aria-labelledby": id, onfocus: () => this.#focusable(row) });
    row.onclick = (event) => this.#open(row, event.target);
    row.read = this.button("read", () => this.#toggle(row));
    const full = new Intl.DateTimeFormat(this.language, { dateStyle: "full", timeStyle: "short" }).format(new Date(item.created_at));
    const time = h("time", { datetime: item.created_at, title: full, dir: "auto", part: "item-time" }, this.ago(item.created_at));
    const tools = [row.read, this.button("archive", act(archive), archive), this.button("delete", act("delete"))];
    row.append(this.#kind(item), ...this.#words(item, id), h("div", { class: "foot" }, this.#action(item), time, h("div", { class: "tools" }, ...tools)));
    row.classList.toggle("new", this.feed.ariaBusy === "false" && !item.read_at);
    this.#rows.set(id, row);
    this.looks.observe(row);
    return row;
  }

  #paint(row, item) {
    row.item = item;
    row.classList.toggle("unread", !item.read_at);
    row.part.toggle("item-unread", !item.read_at);
    row.read.title = row.read.ariaLabel = this.t(item.read_at ? "notRead" : "read");
  }

  #words(item, id) {
    const title = h("div", { class: "title", part: "item-title", id, dir: "auto" }, heading(item));
    return [title, h("div", { class: "body", part: "item-body", dir: "auto" }, item.title && item.body)];
  }

  #kind({ icon: url, type }) {
    const src = safe(url);
    if (src) return h("img", { class: "kind", part: "item-icon", src, alt: "", loading: "lazy", referrerpolicy: "no-referrer" });
    return h("span", { class: "kind", part: "item-icon" }, icon(type));
  }

  /** A listener may keep the browser from following: a page that routes by itself. */
  #action(item) {
    const href = safe(item.action?.url);
    if (!href) return null;
    const target = this.getAttribute("link-target") ?? (new URL(href).origin === location.origin ? "_self" : "_blank");
    const onclick = (event) => {
      if (!this.tell("click", item, true)) event.preventDefault();
      this.client.markClicked(item.id).catch(() => {});
    };
    const rel = "noopener noreferrer";
    return h("a", { class: "link action", part: "item-action", href, target, rel, onclick }, item.action.text || this.t("open"));
  }

  ago(time) {
    const seconds = (Date.now() - Date.parse(time)) / 1000;
    const unit = Object.keys(UNITS).find((unit) => seconds >= UNITS[unit]);
    const format = new Intl.RelativeTimeFormat(this.language, { numeric: "auto", style: "short" });
    return format.format(unit ? -Math.floor(seconds / UNITS[unit]) : 0, unit ?? "second");
  }

  #open(row, target) {
    if (target.closest("button, a") || String(getSelection())) return;
    const link = row.querySelector(".action");
    if (link) link.click();
    else if (this.tell("click", row.item, true) && !row.item.read_at) this.#toggle(row);
  }

  #toggle({ item }) {
    return this.attempt(item.read_at ? this.client.markUnread(item.id) : this.client.markRead(item.id));
  }

  /** One row is in the order of tabs, with what is in it; arrows lead to the others. */
  #focusable(row) {
    this.#current = row;
    for (const one of this.feed.children) {
      [one, ...one.querySelectorAll("button, a")].forEach((node) => (node.tabIndex = one === row ? 0 : -1));
    }
  }

  #key(event) {
    const { key, target } = event;
    const row = target.closest("article");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const { firstElementChild: first, lastElementChild: last } = this.feed;
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: first, End: last }[key];
    const act = {
      r: () => this.#toggle(row),
      a: () => this.attempt(row.item.archived_at ? this.client.unarchive(row.item.id) : this.client.archive(row.item.id)),
      Delete: () => this.attempt(this.client.delete(row.item.id)),
      Enter: target === row && (() => this.#open(row, row)),
    }[key];
    if (!next && !act) return;
    event.preventDefault();
    next ? next.focus() : act();
  }
}

export class CarillonFeed extends CarillonList {
  isShown = true;

  build(client) {
    super.build(client);
    this.load();
    this.showTopics();
  }
}

export class CarillonBell extends CarillonList {
  get isShown() {
    return this.panel.matches(":popover-open");
  }

  build(client) {
    this.badge = h("span", { class: "badge", part: "badge", hidden: true });
    const face = h("slot", { name: "icon" }, icon("bell"));
    const opens = { popovertarget: "panel", "aria-haspopup": "dialog", "aria-expanded": "false" };
    this.bell = h("button", { type: "button", class: "bell", part: "bell", ...opens }, face, this.badge);
    super.build(client);
    this.shadowRoot.prepend(this.bell);
    Object.assign(this.panel, { id: "panel", popover: "auto", role: "dialog" });
    this.panel.querySelector(".top").append(this.button("close", () => this.close()));
    this.panel.ontoggle = ({ newState }) => this.#toggled(newState === "open");
    this.panel.onbeforetoggle = () => {
      if (this.panel.contains(this.shadowRoot.activeElement)) this.bell.focus();
    };
    this.panel.addEventListener("focusout", ({ relatedTarget: to }) => {
      if (to && to !== this.bell && !this.panel.contains(to)) this.close();
    });
    const place = () => this.isShown && this.#place();
    ["resize", "scroll"].forEach((name) => {
      addEventListener(name, place, true);
      this.until(() => removeEventListener(name, place, true));
    });
  }

  open() {
    this.panel.showPopover();
  }

  close() {
    this.panel.hidePopover();
  }

  counted(count) {
    super.counted(count);
    this.bell.classList.toggle("ring", count > this.badge.dataset.count);
    this.badge.dataset.count = count;
    this.badge.hidden = !count;
    this.badge.textContent = count > 99 ? "99+" : count;
    this.bell.ariaLabel = this.t("title") + (count ? `, ${this.t("count", { n: count })}` : "");
  }

  #toggled(isOpen) {
    this.bell.ariaExpanded = isOpen;
    this.tell(isOpen ? "open" : "close");
    this.awaited = false;
    if (!isOpen) return;
    this.#place();
    if (!this.feed.children.length) this.load();
    this.showTopics();
    this.enter();
  }

  /** Below the bell, or above where there is more room, and never outside the window. */
  #place() {
    const bell = this.bell.getBoundingClientRect();
    const { style, offsetWidth: width } = this.panel;
    const start = getComputedStyle(this).direction === "rtl" ? bell.left : bell.right - width;
    const [above, below] = [bell.top - 16, innerHeight - bell.bottom - 16];
    const isBelow = below > 320 || below > above;
    style.left = `${Math.max(8, Math.min(start, innerWidth - width - 8))}px`;
    style.top = isBelow ? `${bell.bottom + 8}px` : "auto";
    style.bottom = isBelow ? "auto" : `${innerHeight - bell.top + 8}px`;
    style.maxHeight = `${isBelow ? below : above}px`;
  }
}

export class CarillonPreferences extends CarillonElement {
  async build(client) {
    const { furnish } = await import("./preferences.js");
    if (this.isConnected && this.client === client) furnish(this, h);
  }
}

const ELEMENTS = { "carillon-bell": CarillonBell, "carillon-feed": CarillonFeed, "carillon-preferences": CarillonPreferences };
for (const [name, element] of Object.entries(ELEMENTS)) customElements.get(name) ?? customElements.define(name, element);
