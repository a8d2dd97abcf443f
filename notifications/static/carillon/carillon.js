// <carillon-bell>, <carillon-feed> and <carillon-preferences>: docs/bell.md
// Content is text: nothing that a sender wrote becomes markup, and links lead to http and https only.

import { share } from "./client.js";
export * from "./client.js";

const TEXTS = {
  en: {
    title: "Notifications",
    unread: "Unread",
    all: "All",
    archived: "Archive",
    count: "{n} unread",
    readAll: "Mark all as read",
    read: "Mark as read",
    unreadIt: "Mark as unread",
    archive: "Archive",
    delete: "Delete",
    open: "Open",
    close: "Close",
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
    settings: "Settings",
    center: "Show all",
    loading: "Loading…",
    transactional: "Orders and account",
    marketing: "News and offers",
    system: "Service notices",
    alert: "Alerts",
  },
  de: {
    title: "Mitteilungen",
    unread: "Ungelesen",
    all: "Alle",
    archived: "Archiv",
    count: "{n} ungelesen",
    readAll: "Alle als gelesen markieren",
    read: "Als gelesen markieren",
    unreadIt: "Als ungelesen markieren",
    archive: "Archivieren",
    delete: "Löschen",
    open: "Öffnen",
    close: "Schließen",
    topic: "Thema",
    everything: "Alle Themen",
    empty: "Alles gelesen",
    emptyHint: "Was als Nächstes geschieht, steht sofort hier.",
    offline: "Keine Verbindung. Neuer Versuch…",
    refused: "Sie sind abgemeldet.",
    failed: "Das konnte nicht geladen werden.",
    retry: "Erneut versuchen",
    unsaved: "Das konnte nicht gespeichert werden.",
    arrived: "Neu: {title}",
    settings: "Einstellungen",
    center: "Alle zeigen",
    loading: "Lädt…",
    transactional: "Bestellungen und Konto",
    marketing: "Neues und Angebote",
    system: "Hinweise zum Dienst",
    alert: "Warnungen",
  },
};

const ICONS = {
  bell: "M18 9a6 6 0 0 0-12 0c0 6-2.500 7.500-2.500 7.500h17S18 15 18 9M14 20a2.200 2.200 0 0 1-4 0",
  read: "m5 12.500 4.500 4.500L19 7.500",
  archive: "M4 5h16v4H4zM5.500 9v10h13V9M10 13h4",
  delete: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  close: "M6 6l12 12M18 6 6 18",
  settings: "M4 7h9m4 0h3M4 17h3m4 0h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  info: "M12 11v6M12 7v.01",
  success: "m7 12.500 3.500 3.500L17 9",
  warning: "M12 7v6M12 17v.01",
  error: "m8 8 8 8m0-8-8 8",
  system: "M7 12h.01M12 12h.01M17 12h.01",
};
const KINDS = ["info", "success", "warning", "error", "system"];
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const PHONE = "(max-width: 600px)";

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { color-scheme: light dark; --accent: var(--carillon-accent, light-dark(#4f46e5, #a5a0ff)); --on: var(--carillon-on-accent, light-dark(#fff, #12111b));
    --surface: var(--carillon-surface, light-dark(#fff, #1a1924)); --text: var(--carillon-text, light-dark(#1b1a26, #f0eff7));
    --muted: var(--carillon-muted, light-dark(#605e72, #a9a7bb)); --line: var(--carillon-line, light-dark(#e7e5ef, #322f42));
    --soft: var(--carillon-soft, light-dark(#f5f4fb, #24222f)); --radius: var(--carillon-radius, 16px); --alarm: var(--carillon-badge, #d3182d);
    --info: light-dark(#2563eb, #7cabff); --success: light-dark(#15803d, #4ade80); --warning: light-dark(#b45309, #fbbf24);
    --error: light-dark(#d3182d, #ff8d8d); --system: light-dark(#605e72, #a9a7bb);
    display: block; color: var(--text); font: 15px/1.45 var(--carillon-font, system-ui, sans-serif); text-align: start; }
  :host([theme=light]) { color-scheme: light } :host([theme=dark]) { color-scheme: dark } :host([hidden]), [hidden] { display: none !important }
  :host(carillon-bell) { display: inline-block } :host(carillon-feed) .panel { height: 100% }
  * { box-sizing: border-box; margin: 0 }
  svg { width: 1.25em; height: 1.25em; flex: none; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round }
  button, select, input, .link { font: inherit; color: inherit }
  button, .link, label { cursor: pointer; -webkit-tap-highlight-color: transparent }
  button, .link { display: inline-flex; align-items: center; justify-content: center; gap: 6px; min-height: 36px; padding: 0 10px; border: 0;
    border-radius: 10px; background: none; font-weight: 550; font-size: 14px; text-decoration: none; transition: background .15s }
  button:hover:enabled, .link:hover { background: var(--soft) }
  button:disabled { opacity: .45; cursor: default }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
  .icon { width: 36px; padding: 0; color: var(--muted) }
  .said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
  .bell { position: relative; width: 44px; height: 44px; padding: 0; border-radius: 50%; font-size: 20px }
  .ring svg { animation: ring .7s; transform-origin: 50% 10% }
  @keyframes ring { 20% { rotate: 17deg } 45% { rotate: -14deg } 70% { rotate: 8deg } }
  .badge { position: absolute; inset-block-start: 0; inset-inline-start: 24px; min-width: 20px; padding: 0 5px; border-radius: 10px; background: var(--alarm);
    color: #fff; font: 650 12px/20px system-ui, sans-serif; box-shadow: 0 0 0 2px var(--surface) }
  .panel { display: flex; flex-direction: column; overflow: hidden; background: var(--surface); color: inherit; border: 1px solid var(--line); border-radius: var(--radius) }
  .panel[popover] { position: fixed; inset: auto; width: var(--carillon-width, 420px); max-width: calc(100vw - 16px); height: var(--carillon-height, 640px);
    padding: 0; box-shadow: 0 16px 48px #0000002e, 0 2px 8px #0000001a; animation: rise .18s ease-out }
  .panel[popover]:not(:popover-open) { display: none }
  @keyframes rise { from { opacity: 0; translate: 0 8px } }
  .top { display: flex; align-items: center; gap: 2px; padding: 14px 8px 6px 16px; padding-inline: 16px 8px }
  h2 { flex: 1; font-size: 18px; font-weight: 680; letter-spacing: -.01em } h3 { font-size: 16px; font-weight: 650 }
  .filters { display: flex; align-items: center; gap: 4px; padding: 0 12px 10px; border-block-end: 1px solid var(--line) }
  .filters button { min-height: 32px; color: var(--muted); border-radius: 16px; padding: 0 12px } [aria-pressed=true] { background: var(--soft); color: var(--text) !important }
  select { margin-inline-start: auto; min-width: 0; max-width: 40%; min-height: 32px; padding: 0 4px; border: 0; border-radius: 8px; background: var(--surface); color: var(--muted); font-size: 14px }
  .news { display: flex; align-items: center; justify-content: space-between; padding: 4px 8px 4px 16px; background: var(--soft); color: var(--muted); font-size: 14px; animation: rise .2s 1.2s backwards }
  .scroll { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; outline-offset: -2px }
  article { position: relative; display: grid; grid-template-columns: 36px minmax(0, 1fr); gap: 0 12px; padding: 14px 16px; padding-inline-end: 32px;
    border-block-end: 1px solid var(--line); cursor: pointer; outline-offset: -2px }
  article:hover { background: var(--soft) }
  .unread::after { content: ""; position: absolute; inset-block-start: 22px; inset-inline-end: 14px; width: 9px; height: 9px; border-radius: 50%; background: var(--accent) }
  .new { animation: rise .35s ease-out }
  .kind { grid-row: 1 / 4; display: grid; place-items: center; width: 36px; height: 36px; border-radius: 50%; object-fit: cover; font-size: 19px;
    color: var(--kind); background: color-mix(in srgb, var(--kind) 14%, var(--surface)) }
  .title { font-weight: 500; overflow-wrap: anywhere } .unread .title { font-weight: 680 }
  .body { color: var(--muted); white-space: pre-line; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 4; -webkit-box-orient: vertical; overflow: hidden }
  .foot { display: flex; align-items: center; gap: 2px; white-space: nowrap; min-height: 32px; margin-block-start: 6px; color: var(--muted); font-size: 13px }
  time { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis }
  [dir] { text-align: match-parent }
  .action { margin-inline-end: 10px; min-height: 32px; padding: 0 12px; background: color-mix(in srgb, var(--accent) 12%, var(--surface)); color: light-dark(color-mix(in srgb, var(--accent), #000 15%), var(--accent)) }
  .foot .icon { width: 32px; min-height: 32px; font-size: 13px }
  @media (hover: hover) { article:not(:hover, :focus-within) .icon { opacity: 0 } }
  .void { display: grid; justify-items: center; gap: 6px; padding: 64px 24px; color: var(--muted); text-align: center } .void svg { font-size: 32px; opacity: .5 } .void b { color: var(--text) }
  .bone { height: 64px; margin: 12px 16px; border-radius: 12px; background: var(--soft); animation: breathe 1.2s infinite alternate } @keyframes breathe { to { opacity: .4 } }
  .end { height: 1px } .bottom { display: flex; justify-content: center; padding: 4px; border-block-start: 1px solid var(--line) } .bottom .link { color: var(--accent) }
  .info { --kind: var(--info) } .success { --kind: var(--success) } .warning { --kind: var(--warning) } .error { --kind: var(--error) } .system { --kind: var(--system) }
  @media ${PHONE} { .panel[popover] { inset: 0 !important; width: 100vw; max-width: none; height: 100dvh; max-height: none !important; border: 0; border-radius: 0 } }
  @media (prefers-reduced-motion: reduce) { *, ::after { animation-duration: 1ms !important; transition: none !important } }
  @media (forced-colors: active) { .unread::after { background: Highlight } }
`);

const defaults = {};
const waiting = new Set();

/** What elements without attributes of their own use: `tokenUrl` or `getToken`, `server`, `texts: { locale: { key: text } }`. */
export function configure(options) {
  Object.assign(defaults, options);
  waiting.forEach((element) => element.connectedCallback());
}

/** An element; functions and booleans are set as properties, all else as attributes. Strings among the children stay text. */
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
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : null;
}

const kind = ({ type }) => (KINDS.includes(type) ? type : "info");
const heading = (item) => item.title || item.body;

class CarillonElement extends HTMLElement {
  static observedAttributes = ["token-url", "server", "lang"];
  #stops = [];

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [STYLE];
    for (const name of ["getToken", "texts", "client"]) {
      if (!Object.hasOwn(this, name)) continue; // it was set before there was a class
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  /** Own texts by key, in any language. */
  set texts(texts) {
    this._texts = texts;
    this.#again();
  }

  /** A function that answers a token, or `{ token, expires_at }`. */
  set getToken(getToken) {
    this._getToken = getToken;
    this.#again();
  }

  /** The client in use; one of your own may be set. */
  get client() {
    return this._client;
  }

  set client(client) {
    this._own = client;
    this.#again();
  }

  get language() {
    return this.closest("[lang]")?.lang || navigator.language;
  }

  connectedCallback() {
    this.disconnectedCallback();
    const tokenUrl = this.getAttribute("token-url") ?? defaults.tokenUrl;
    const getToken = this._getToken ?? (this.hasAttribute("token-url") ? undefined : defaults.getToken);
    if (!this._own && !tokenUrl && !getToken) return void waiting.add(this);
    const server = this.getAttribute("server") ?? defaults.server;
    const { client, release } = this._own ? { client: this._own, release() {} } : share({ tokenUrl, getToken, server });
    this._client = client;
    this.#stops = [release];
    this.shadowRoot.replaceChildren();
    this.build(client);
  }

  disconnectedCallback() {
    waiting.delete(this);
    this.#stops.splice(0).forEach((stop) => stop());
  }

  attributeChangedCallback() {
    this.#again();
  }

  #again() {
    if (this._client || waiting.has(this)) this.connectedCallback();
  }

  /** Until it leaves the page. */
  follow(type, listener) {
    this.#stops.push(this._client.on(type, listener));
  }

  every(ms, run) {
    const timer = setInterval(run, ms);
    this.#stops.push(() => clearInterval(timer));
  }

  until(stop) {
    this.#stops.push(stop);
  }

  t(key, values = {}, more = {}) {
    const own = defaults.texts ?? {};
    const [tag, language] = [this.language, this.language.split("-")[0]];
    const tables = [this._texts, own[tag], own[language], TEXTS[language], more[language], TEXTS.en, more.en];
    const text = tables.find((table) => table?.[key])?.[key] ?? key.replace(/[-_.]+/g, " ").replace(/^./, (c) => c.toUpperCase());
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  tell(name, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(`carillon-${name}`, { detail, cancelable, bubbles: true, composed: true }));
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

  button(name, key, onclick, ...more) {
    return h("button", { type: "button", class: "icon", part: `button ${name}`, "aria-label": this.t(key), title: this.t(key), onclick }, icon(name), ...more);
  }
}

/** The list with its head: what bell and feed have in common. */
class CarillonList extends CarillonElement {
  #rows = new Map();
  #current = null;
  #filter = {};
  #list;
  #toast = null;

  build(client) {
    this.#toast = null;
    this.said = h("div", { class: "said", role: "status" });
    this.feed = h("div", { part: "list", role: "feed", "aria-label": this.t("title"), onkeydown: (event) => this.#key(event) });
    this.end = h("div", { class: "end" });
    this.void = h("div", { part: "empty" });
    this.news = h("div", { class: "news", part: "news", hidden: true }, h("span"), h("button", { type: "button", onclick: () => client.wake() }, this.t("retry")));
    this.readAll = this.button("read", "readAll", () => this.attempt(client.markAllRead()));
    this.caption = h("h2", { part: "title", tabindex: "-1" }, this.t("title"));
    const settings = this.getAttribute("preferences-url");
    const top = h("div", { class: "top", part: "header" }, this.caption, this.readAll,
      settings && h("a", { class: "link icon", href: settings, "aria-label": this.t("settings"), title: this.t("settings") }, icon("settings")), h("slot", { name: "header" }));
    const center = this.getAttribute("center-url");
    this.panel = h("section", { class: "panel", part: "panel", "aria-label": this.t("title") }, top, this.#filters(), this.news,
      h("div", { class: "scroll", part: "scroll" }, this.feed, this.void, this.end), center && h("div", { class: "bottom" }, h("a", { class: "link", href: center }, this.t("center"))));
    this.shadowRoot.append(this.panel, this.said);
    this.follow("count", (count) => this.counted(count));
    this.follow("state", (state) => this.#stated(state));
    this.follow("new", (item) => this.#arrived(item));
    this.every(30_000, () => this.shadowRoot.querySelectorAll("time").forEach((time) => (time.textContent = this.ago(time.dateTime))));
    this.until(() => this.#list?.close());
    this.counted(client.unread ?? 0);
    this.#stated(client.state);
    const older = new IntersectionObserver(([end]) => end.isIntersecting && this.#list?.state !== "error" && this.#list?.more(), { rootMargin: "300px" });
    older.observe(this.end);
    this.until(() => older.disconnect());
    this.looks = new IntersectionObserver((looks) => this.#looked(looks), { threshold: 0.6 });
    this.until(() => this.looks.disconnect());
  }

  load() {
    this.#list?.close();
    [this.#rows, this.#current] = [new Map(), null];
    this.feed.replaceChildren();
    this.#list = this._client.live(this.#filter);
    this.#list.on("change", () => this.#render());
    this.#render();
  }

  #filters() {
    const choices = { all: {}, unread: { read: false }, archived: { archived: true } };
    const buttons = Object.entries(choices).map(([key, filter]) => h("button", { type: "button", "aria-pressed": String(key === "all"), onclick: ({ currentTarget }) => {
      buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === currentTarget)));
      this.#filter = { ...filter, category: this.#filter.category };
      this.load();
    } }, this.t(key)));
    this.topics = h("select", { "aria-label": this.t("topic"), hidden: true, onchange: ({ target }) => {
      this.#filter = { ...this.#filter, category: target.value || undefined };
      this.load();
    } });
    return h("div", { class: "filters", part: "filters", role: "group", "aria-label": this.t("title") }, ...buttons, this.topics);
  }

  /** The topics that there are, asked for when somebody looks. */
  async showTopics() {
    const { by_category } = await this._client.stats().catch(() => ({ by_category: {} }));
    const topics = Object.keys(by_category).map((code) => h("option", { value: code }, this.t(code)));
    this.topics.replaceChildren(h("option", { value: "" }, this.t("everything")), ...topics);
    this.topics.value = this.#filter.category ?? "";
    this.topics.hidden = topics.length < 2;
  }

  #stated(state) {
    this.news.hidden = state !== "offline" && state !== "refused";
    this.news.firstChild.textContent = this.t(state);
    this.tell("state", state);
  }

  counted(count) {
    this.readAll.disabled = !count;
    if (this.hasAttribute("title-badge")) document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\) /, "");
    this.tell("count", count);
  }

  #arrived(item) {
    this.say(this.t("arrived", { title: heading(item) }));
    this.#ringFor(item);
    this.tell("new", item);
  }

  #render() {
    const { items, state, hasMore } = this.#list;
    const gone = new Map(this.#rows);
    let place = this.feed.firstElementChild;
    items.forEach((item, index) => {
      const row = this.#rows.get(item.id) ?? this.#row(item);
      gone.delete(item.id);
      this.#paint(row, item);
      row.setAttribute("aria-posinset", index + 1);
      row.setAttribute("aria-setsize", hasMore ? -1 : items.length);
      if (row === place) place = place.nextElementSibling;
      else this.feed.insertBefore(row, place);
    });
    gone.forEach((row, id) => this.#remove(row, id));
    this.#focusable(this.#current ?? this.feed.firstElementChild);
    this.feed.setAttribute("aria-busy", state === "loading");
    this.#fill(items.length, state);
  }

  #remove(row, id) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    if (this.#current === row) this.#current = next;
    if (row.contains(this.shadowRoot.activeElement)) (next ?? this.caption).focus();
    this.#rows.delete(id);
    row.remove();
  }

  /** What stands where items would: bones, a word that there is nothing, or what went wrong. */
  #fill(count, state) {
    const said = state === "error" ? "error" : count ? "" : state;
    if (this.void.dataset.said === said) return;
    this.void.dataset.said = said;
    this.void.className = said === "loading" || !said ? "" : "void";
    const words = {
      loading: () => [1, 2, 3, 4].map(() => h("div", { class: "bone" })),
      ready: () => [icon("bell"), h("b", {}, this.t("empty")), this.t("emptyHint")],
      error: () => [h("b", {}, this.t("failed")), h("button", { type: "button", onclick: () => this.#list.refresh() }, this.t("retry"))],
    };
    this.void.replaceChildren(...(words[said]?.() ?? []));
  }

  #row(item) {
    const id = item.id;
    const read = this.button("read", "read", () => this.#toggle(row));
    const foot = h("div", { class: "foot" }, this.#action(item), this.#time(item), read,
      this.button("archive", "archive", () => this.attempt(this._client.archive(id))), this.button("delete", "delete", () => this.attempt(this._client.delete(id))));
    const row = h("article", { class: kind(item), part: "item", "aria-labelledby": `t${id}`, onfocus: () => this.#focusable(row), onclick: (event) => this.#open(row, event) },
      this.#kind(item), ...this.#words(item, `t${id}`), foot);
    if (Date.now() - Date.parse(item.created_at) < 10_000) row.classList.add("new");
    this.#rows.set(id, row);
    this.looks.observe(row);
    row.read = read;
    return row;
  }

  #paint(row, item) {
    if (row.item === item) return;
    row.item = item;
    const label = this.t(item.read_at ? "unreadIt" : "read");
    row.classList.toggle("unread", !item.read_at);
    row.part.toggle("item-unread", !item.read_at);
    row.read.title = row.read.ariaLabel = label;
  }

  #words(item, id) {
    const title = h("div", { class: "title", part: "item-title", id, dir: "auto" }, heading(item));
    return [title, h("div", { class: "body", part: "item-body", dir: "auto" }, item.title && item.body)];
  }

  #time({ created_at }) {
    const full = new Intl.DateTimeFormat(this.language, { dateStyle: "full", timeStyle: "short" });
    return h("time", { datetime: created_at, title: full.format(new Date(created_at)), dir: "auto", part: "item-time" }, this.ago(created_at));
  }

  ago(time) {
    const seconds = (Date.now() - Date.parse(time)) / 1000;
    const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", Infinity];
    return new Intl.RelativeTimeFormat(this.language, { numeric: "auto", style: "short" }).format(-Math.floor(seconds / length) || 0, unit);
  }

  #kind(item) {
    const src = safe(item.icon);
    if (src) return h("img", { class: "kind", src, alt: "", loading: "lazy", referrerpolicy: "no-referrer" });
    return h("span", { class: "kind", part: "item-icon" }, icon(kind(item)));
  }

  #action(item) {
    const href = safe(item.action?.url);
    if (!href) return null;
    const target = this.getAttribute("link-target") ?? (new URL(href).origin === location.origin ? "_self" : "_blank");
    return h("a", { class: "link action", part: "item-action", href, target, rel: "noopener noreferrer", onclick: (event) => this.#clicked(item, event) }, item.action.text || this.t("open"));
  }

  /** A listener may keep the browser from following: a page that routes by itself. */
  #clicked(item, event) {
    event.stopPropagation();
    if (!this.tell("click", item, true)) event.preventDefault();
    this._client.markClicked(item.id).catch(() => {});
  }

  #open(row, { target }) {
    if (target.closest("button, a") || getSelection().toString()) return;
    const link = row.querySelector(".action");
    if (link) link.click();
    else if (this.tell("click", row.item, true) && !row.item.read_at) this.#toggle(row);
  }

  #toggle({ item }) {
    return this.attempt(item.read_at ? this._client.markUnread(item.id) : this._client.markRead(item.id));
  }

  /** One row is in the order of tabs, with what is in it; arrows lead to the others. */
  #focusable(row) {
    this.#current = row;
    for (const one of this.feed.children) {
      one.tabIndex = one === row ? 0 : -1;
      one.querySelectorAll("button, a").forEach((inner) => (inner.tabIndex = one.tabIndex));
    }
  }

  #key(event) {
    const row = event.target.closest("article");
    const { key } = event;
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const go = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: this.feed.firstElementChild, End: this.feed.lastElementChild }[key];
    const act = { r: () => this.#toggle(row), a: () => this.attempt(this._client.archive(row.item.id)), Delete: () => this.attempt(this._client.delete(row.item.id)),
      Enter: event.target === row && (() => this.#open(row, { target: row })) }[key];
    if (!go && !act) return;
    event.preventDefault();
    go ? go.focus() : act();
  }

  #looked(looks) {
    const seen = looks.filter(({ isIntersecting, target }) => isIntersecting && !target.item.seen_at);
    seen.forEach(({ target }) => this.looks.unobserve(target));
    this._client.markSeen(seen.map(({ target }) => target.item.id));
  }

  async #ringFor(item) {
    const [toasts, sounds] = [this.hasAttribute("toast") && !this.isShown, this.hasAttribute("sound")];
    if (!toasts && !sounds) return;
    const { toaster, chime } = await import("./arrivals.js");
    if (sounds) chime();
    if (toasts) (this.#toast ??= toaster(this.shadowRoot, h, (...toast) => this.#inToast(...toast)))(item);
  }

  #inToast(item, leave) {
    const said = h("div", {}, ...this.#words(item), h("div", { class: "foot" }, this.#action(item)));
    return [this.#kind(item), said, this.button("close", "close", leave)];
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
    this.badge = h("span", { class: "badge", part: "badge", hidden: true, "aria-hidden": "true" });
    this.bell = h("button", { type: "button", class: "bell", part: "bell", popovertarget: "panel", "aria-haspopup": "dialog", "aria-expanded": "false" }, h("slot", { name: "icon" }, icon("bell")), this.badge);
    super.build(client);
    this.shadowRoot.prepend(this.bell);
    for (const [name, value] of Object.entries({ id: "panel", popover: "auto", role: "dialog" })) this.panel.setAttribute(name, value);
    this.panel.querySelector(".top").append(this.button("close", "close", () => this.close()));
    this.panel.addEventListener("toggle", ({ newState }) => this.#toggled(newState === "open"));
    this.panel.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !this.panel.contains(relatedTarget) && this.close());
    const place = () => this.isShown && this.#place();
    ["resize", "scroll"].forEach((name) => addEventListener(name, place, true));
    this.until(() => ["resize", "scroll"].forEach((name) => removeEventListener(name, place, true)));
  }

  open() {
    this.panel.showPopover();
  }

  close() {
    this.panel.hidePopover();
  }

  counted(count) {
    super.counted(count);
    if (count > this.badge.dataset.count) this.#ring();
    this.badge.dataset.count = count;
    this.badge.hidden = !count;
    this.badge.textContent = count > 99 ? "99+" : count;
    this.bell.ariaLabel = this.t("title") + (count ? `, ${this.t("count", { n: count })}` : "");
  }

  #ring() {
    this.bell.classList.remove("ring");
    void this.bell.offsetWidth; // starts the animation anew
    this.bell.classList.add("ring");
  }

  #toggled(isOpen) {
    this.bell.ariaExpanded = String(isOpen);
    this.tell(isOpen ? "open" : "close");
    if (!isOpen) return;
    this.#place();
    if (!this.feed.children.length) this.load();
    this.showTopics();
    (this.feed.querySelector("[tabindex='0']") ?? this.caption).focus();
  }

  /** Below the bell, or above where there is more room, and never outside the window. */
  #place() {
    const [bell, { style, offsetWidth }] = [this.bell.getBoundingClientRect(), this.panel];
    const isRtl = getComputedStyle(this).direction === "rtl";
    const left = Math.min(isRtl ? bell.left : bell.right - offsetWidth, innerWidth - offsetWidth - 8);
    const below = innerHeight - bell.bottom - 16;
    const isBelow = below > 320 || below > bell.top;
    Object.assign(style, { left: `${Math.max(8, left)}px`, top: isBelow ? `${bell.bottom + 8}px` : "auto", bottom: isBelow ? "auto" : `${innerHeight - bell.top + 8}px` });
    style.maxHeight = `${isBelow ? below : bell.top - 16}px`;
  }
}

/** What it shows is loaded where one is on the page. */
export class CarillonPreferences extends CarillonElement {
  async build() {
    const { furnish } = await import("./preferences.js");
    if (this.isConnected) furnish(this, h);
  }
}

const ELEMENTS = { "carillon-bell": CarillonBell, "carillon-feed": CarillonFeed, "carillon-preferences": CarillonPreferences };
for (const [name, element] of Object.entries(ELEMENTS)) customElements.get(name) ?? customElements.define(name, element);
