// A recipient's live feed without a face: one connection that comes back by itself, and all that can be done with it.
//
//   const client = new CarillonClient({ tokenUrl: "/my/token" });
//   client.on("new", (item) => …);
//   client.connect();

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const QUIET_FOR = 25_000; // then a ping asks whether anybody is there
const ANSWER_WITHIN = 10_000;
const STREAM_QUIET_FOR = 60_000;
const SOCKETS_TRIED = 3; // before the event stream is
const UPGRADE_AFTER = 300_000;
const TOGETHER = 50; // ms in which acknowledgements are gathered
const REMEMBERED = 1000;

/** The server refused a call. `status` is HTTP's, 0 where nobody answered; `code` is that of the problem (RFC 9457). */
export class CarillonError extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    Object.assign(this, { name: "CarillonError", status, code: problem.code, problem });
  }
}

export class Emitter {
  #listeners = new Map();

  /** Returns what stops it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.off(type, listener);
  }

  off(type, listener) {
    this.#listeners.get(type)?.delete(listener);
  }

  emit(type, detail) {
    [...(this.#listeners.get(type) ?? [])].forEach((listener) => listener(detail));
  }
}

/** Milliseconds before the attempt after `attempts` failures: doubled each time, and spread, so that not all come at once. */
export function backoff(attempts, random = Math.random()) {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts) * (0.5 + random / 2);
}

/** Events: `state`, `count`, `new`, `read`, `unread`, `seen`, `archive`, `delete`, `read-all`, `resync`, `preferences`, `frame`. */
export class CarillonClient extends Emitter {
  state = "idle"; // "connecting" | "online" | "offline" | "refused": no token, or one that does not count
  unread = null;
  recipient = null;
  #options;
  #credential = null;
  #wanted = false;
  #line = null; // the connection: { send, close, kind, welcomed }
  #attempts = 0;
  #socketsFailed = 0;
  #refusals = 0;
  #timers = {};
  #received = new Set();
  #seen = new Set();
  #seq = null; // up to here nothing is missing
  #heard = new Set();
  #catchingUp = false;

  constructor({ tokenUrl, getToken, server } = {}) {
    super();
    const base = String(server ?? new URL(import.meta.url).origin).replace(/\/+$/, "");
    this.#options = { server: base, getToken: getToken ?? (() => fetchToken(tokenUrl)) };
  }

  get transport() {
    return this.#line?.kind ?? null;
  }

  connect() {
    if (this.#wanted) return this;
    this.#wanted = true;
    this.#watch(addEventListener);
    this.#open();
    return this;
  }

  disconnect() {
    this.#wanted = false;
    this.#watch(removeEventListener);
    Object.values(this.#timers).forEach(clearTimeout);
    this.#timers = {};
    this.#line?.close?.();
    this.#line = null;
    this.#become("idle");
  }

  /** Try again now, as somebody who pressed a button wishes; or see whether the connection still stands. */
  wake() {
    if (!this.#wanted) return;
    this.#attempts = 0;
    if (!this.#line) this.#open();
    else if (this.#line.welcomed) this.#probe(ANSWER_WITHIN / 3);
  }

  // What is there

  /** A page, newest first: `{ items, cursor }`. `filter`: `read`, `archived`, `category`, `type`, `limit`, `cursor`, … as in the API. */
  async list(filter = {}) {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const { results, next } = await this.api("GET", `notifications?${new URLSearchParams(given)}`);
    this.received(results.filter((item) => item.status === "sent").map((item) => item.id));
    return { items: results, cursor: next && new URL(next, location).searchParams.get("cursor") };
  }

  /** The same, kept up to date: see LiveList. */
  live(filter, limit) {
    return new LiveList(this, filter, limit);
  }

  get(id) {
    return this.api("GET", `notifications/${id}`);
  }

  stats() {
    return this.api("GET", "notifications/stats");
  }

  async unreadCount() {
    this.#count((await this.api("GET", "notifications/unread-count")).count);
    return this.unread;
  }

  // What can be done with it. It shows at once; what the server refuses is taken back by a resync.

  markRead(id) {
    return this.#change("read", id, "PATCH", "/read");
  }

  markUnread(id) {
    return this.#change("unread", id, "PATCH", "/unread");
  }

  archive(id) {
    return this.#change("archive", id, "PATCH", "/archive");
  }

  delete(id) {
    return this.#change("delete", id, "DELETE", "");
  }

  /** Its action was followed: the call outlives the page that is left by it. */
  async markClicked(id) {
    this.emit("read", { id });
    const call = (change) => this.api("PATCH", `notifications/${id}${change}`, undefined, { keepalive: true });
    try {
      await call("/clicked");
    } catch (error) {
      if (error.status !== 404 && error.status !== 405) throw error;
    }
    return call("/read");
  }

  async markAllRead() {
    this.emit("read-all", {});
    return this.#settle(this.api("POST", "notifications/mark-all-read"));
  }

  /** Items came to this client: acknowledged together, a moment later, and after a reconnect if need be. */
  received(ids) {
    this.#gather("notification:received", this.#received, ids);
  }

  /** Items were looked at. */
  markSeen(ids) {
    this.#gather("notification:seen", this.#seen, ids);
  }

  // Preferences

  preferences() {
    return this.api("GET", "preferences");
  }

  /** This and nothing else: what is left out is back at its default. */
  replacePreferences(document) {
    return this.#prefer("PUT", document);
  }

  /** Only what is given; null takes away (RFC 7396). */
  updatePreferences(patch) {
    return this.#prefer("PATCH", patch);
  }

  /** One switch: a channel altogether, or within a category or a template. `enabled: null` takes the switch away. */
  setPreference({ channel, category, template, enabled }) {
    const one = { [channel]: enabled };
    if (category) return this.updatePreferences({ categories: { [category]: one } });
    return this.updatePreferences(template ? { templates: { [template]: one } } : { channels: one });
  }

  async #prefer(method, body) {
    const document = await this.api(method, "preferences", body);
    this.emit("preferences", document);
    return document;
  }

  async #change(type, id, method, path) {
    this.emit(type, { id });
    return this.#settle(this.api(method, `notifications/${id}${path}`));
  }

  async #settle(call) {
    try {
      const answer = await call;
      if (this.state !== "online") this.unreadCount().catch(() => {});
      return answer;
    } catch (error) {
      this.emit("resync");
      throw error;
    }
  }

  /** Any call of the user API (section 4). Raises CarillonError. */
  async api(method, path, body, options, again = true) {
    const headers = { Authorization: `Bearer ${await this.#token()}`, ...(body && { "Content-Type": "application/json" }) };
    const url = `${this.#options.server}/api/v1/users/me/${path}`;
    const answer = await reach(url, { method, headers, body: body && JSON.stringify(body), ...options });
    if (answer.status === 401) this.#credential = null;
    if (answer.status === 401 && again) return this.api(method, path, body, options, false);
    if (!answer.ok) throw new CarillonError(answer.status, await answer.json().catch(() => ({})));
    return answer.status === 204 ? null : answer.json();
  }

  /** One call for a token at a time, whoever needs it. */
  async #token() {
    if (!this.#credential || this.#credential.expires < Date.now() + 5000) {
      this.#credential = null;
      this.#timers.asking ??= this.#renewed().finally(() => (this.#timers.asking = null));
      await this.#timers.asking;
    }
    return this.#credential.token;
  }

  async #renewed() {
    const given = await this.#options.getToken();
    const token = given.token ?? given;
    this.#credential = { token, expires: given.expires_at ? Date.parse(given.expires_at) : expiry(token) };
  }

  // The connection

  async #open() {
    clearTimeout(this.#timers.retry);
    if (!this.#wanted || this.#line) return;
    const line = (this.#line = {});
    if (this.state !== "online") this.#become("connecting");
    try {
      const token = await this.#token();
      if (this.#line !== line) return;
      const hear = (frame) => this.#line === line && this.#hear(frame);
      const lost = (code) => this.#lost(line, code);
      // After some failures they take turns: who is behind a proxy that knows no sockets is on the stream soon.
      const open = this.#socketsFailed >= SOCKETS_TRIED && this.#socketsFailed % 2 ? openStream : openSocket;
      Object.assign(line, open(this.#options.server, token, this.#seq, hear, lost));
    } catch (error) {
      this.#lost(line, error.status === 401 || error.status === 403 ? 4401 : 1006);
    }
  }

  #hear(frame) {
    this.#beat();
    if (!frame) return;
    const { type, data = {}, seq } = frame;
    if (type === "connected") this.#welcome(data);
    else if (type === "notification:new") this.#arrived(data, seq ?? data.seq);
    else if (type === "notifications:catch-up-complete") this.#caughtUp(data.more);
    else if (type === "error") this.#refused(data);
    else {
      const change = /^notification:(read|unread|seen|archive|delete|read-all)$/.exec(type)?.[1];
      if (change) this.emit(change, data);
      this.#count(data.unread_count ?? (type === "unread-count" ? data.count : null));
    }
    this.emit("frame", frame);
  }

  #welcome({ recipient, unread_count, seq }) {
    const line = this.#line;
    line.welcomed = true;
    this.#attempts = this.#refusals = 0;
    if (line.kind === "websocket") this.#socketsFailed = 0;
    else this.#later("upgrade", UPGRADE_AFTER, () => this.#lost(line, 1000));
    this.recipient = recipient;
    if (this.#seq === null || seq < this.#seq) this.#seq = seq;
    this.#catchingUp = false;
    this.#become("online");
    this.#count(unread_count);
    if (seq > this.#seq) this.#resume();
    this.#renewInTime();
    this.emit("resync"); // what others read or removed meanwhile is not told again
    this.received([]);
    this.markSeen([]);
  }

  /** A frame is a hint: when a number is missing, ask for what came between. */
  #arrived(item, seq) {
    if (seq === this.#seq + 1) this.#seq = seq;
    else if (seq > this.#seq) this.#later("gap", TOGETHER, () => this.#resume());
    if (this.#heard.has(seq)) return;
    this.#heard.add(seq);
    if (this.#heard.size > REMEMBERED) this.#heard.delete(this.#heard.values().next().value);
    this.received([item.id]);
    if (!this.#catchingUp && !item.read_at) this.#count((this.unread ?? 0) + 1);
    this.emit("new", item);
  }

  #resume() {
    if (this.#catchingUp || !this.#line?.send?.({ type: "resume", data: { after: this.#seq } })) return;
    this.#catchingUp = true;
  }

  #caughtUp(more) {
    this.#catchingUp = false;
    this.#seq = Math.max(this.#seq, ...this.#heard);
    if (more) this.#resume();
  }

  #refused({ code }) {
    if (code === "feed_interrupted") this.#later("gap", Math.random() * 2000, () => this.#resume());
    if (code === "unavailable") this.#catchingUp = false;
  }

  #gather(type, waiting, ids) {
    ids.forEach((id) => waiting.add(id));
    if (!waiting.size) return;
    this.#later(type, TOGETHER, () => {
      const some = [...waiting].slice(0, 300);
      if (!some.length || !this.#line?.welcomed || !this.#line.send({ type, data: { ids: some } })) return;
      some.forEach((id) => waiting.delete(id));
      this.#gather(type, waiting, []);
    });
  }

  #beat() {
    clearTimeout(this.#timers.answer);
    if (this.#line.kind === "websocket") this.#later("ping", QUIET_FOR, () => this.#probe(ANSWER_WITHIN));
    else this.#later("ping", STREAM_QUIET_FOR, () => this.#lost(this.#line, 1006));
  }

  /** A socket answers in time, or is given up. */
  #probe(within) {
    const line = this.#line;
    if (line?.send({ type: "ping" })) this.#later("answer", within, () => this.#lost(line, 1006));
  }

  /** Before the token expires, the server is shown the next one. One that does not take it closes, and we come again. */
  #renewInTime() {
    const left = this.#credential.expires - Date.now();
    if (!(left < 2 ** 31)) return;
    this.#later("renew", left - Math.min(60_000, left / 5), async () => {
      try {
        await this.#renewed();
        if (!this.#line?.send?.({ type: "authenticate", token: this.#credential.token })) this.#lost(this.#line, 1000);
        this.#renewInTime();
      } catch {
        this.#later("renew", LONGEST_DELAY, () => this.#renewInTime());
      }
    });
  }

  #lost(line, code) {
    if (!line || this.#line !== line) return;
    line.close?.();
    this.#line = null;
    ["ping", "answer", "renew", "upgrade", "gap"].forEach((name) => clearTimeout(this.#timers[name]));
    if (!line.welcomed && line.kind) this.#socketsFailed++;
    if (code === 4401) this.#credential = null;
    if (code === 4401) this.#refusals++;
    if (code === 4429) this.#attempts = Math.max(this.#attempts, 6); // too many: not soon
    if (code === 1012 || code === 1013) this.#attempts = Math.max(this.#attempts, 2); // it restarts, for all of us
    if (code === 1000 || (code === 4401 && line.welcomed)) return void this.#open();
    this.#become(this.#refusals > 1 ? "refused" : "offline");
    this.#later("retry", backoff(this.#attempts++), () => this.#open());
  }

  #watch(change) {
    for (const name of ["online", "pageshow"]) change.call(window, name, this.#stir);
    for (const name of ["visibilitychange", "resume"]) change.call(document, name, this.#stir);
    change.call(window, "offline", this.#doubt);
  }

  #stir = () => {
    if (document.visibilityState === "visible" && navigator.onLine) this.wake();
  };

  #doubt = () => {
    if (this.#line?.welcomed) this.#probe(ANSWER_WITHIN / 5);
  };

  #count(unread) {
    if (unread === null || unread === undefined || unread === this.unread) return;
    this.unread = unread;
    this.emit("count", unread);
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }

  #later(name, delay, run) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(run, delay);
  }
}

/** A filtered list that follows the feed: `items` newest first, a new array with each `change`. */
export class LiveList extends Emitter {
  items = [];
  state = "loading"; // "ready" | "error"
  error = null;
  #client;
  #filter;
  #limit;
  #cursor = null;
  #load = 0;
  #busy = false;
  #patience;
  #stops;

  constructor(client, filter = {}, limit = 20) {
    super();
    [this.#client, this.#filter, this.#limit] = [client, filter, limit];
    const now = () => new Date().toISOString();
    const follow = {
      new: (item) => this.#put(item),
      read: ({ id }) => this.#touch(id, { read_at: now() }),
      unread: ({ id }) => this.#touch(id, { read_at: null }),
      archive: ({ id }) => this.#touch(id, { archived_at: now() }),
      delete: ({ id }) => this.#show(this.items.filter((item) => item.id !== id)),
      "read-all": ({ up_to = Infinity }) =>
        this.#show(this.items.map((item) => (item.seq > up_to || item.read_at ? item : { ...item, read_at: now() }))),
      resync: () => this.refresh(),
    };
    this.#stops = Object.entries(follow).map(([type, listener]) => client.on(type, listener));
    // The connection brings its resync in a moment: who loaded before would load twice.
    if (client.state === "connecting") this.#patience = setTimeout(() => this.#load || this.refresh(), 1500);
    else this.refresh();
  }

  get hasMore() {
    return this.#cursor !== null;
  }

  get filter() {
    return this.#filter;
  }

  close() {
    clearTimeout(this.#patience);
    this.#load = Infinity;
    this.#stops.forEach((stop) => stop());
  }

  /** As many as were shown, at most a hundred. */
  async refresh() {
    const load = ++this.#load;
    const limit = Math.min(100, Math.max(this.#limit, this.items.length));
    const before = new Set(this.items.map((item) => item.id));
    try {
      const page = await this.#client.list({ ...this.#filter, limit });
      if (load !== this.#load) return;
      const came = this.items.filter((item) => item.seq > (page.items[0]?.seq ?? 0) && !before.has(item.id));
      this.#cursor = page.cursor;
      this.#show([...came, ...page.items], "ready");
    } catch (error) {
      if (load === this.#load) this.#fail(error);
    }
  }

  /** The next, older page. */
  async more() {
    if (this.#busy || !this.hasMore) return;
    this.#busy = true;
    const load = this.#load;
    try {
      const page = await this.#client.list({ ...this.#filter, limit: this.#limit, cursor: this.#cursor });
      if (load !== this.#load) return;
      const known = new Set(this.items.map((item) => item.id));
      this.#cursor = page.cursor;
      this.#show([...this.items, ...page.items.filter((item) => !known.has(item.id))], "ready");
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  #put(item) {
    const others = this.items.filter((one) => one.id !== item.id);
    this.#show([...others, item].sort((one, other) => other.seq - one.seq));
  }

  /** What was changed elsewhere may now belong here, though it was never loaded. */
  #touch(id, changes) {
    if (this.items.some((item) => item.id === id)) {
      this.#show(this.items.map((item) => (item.id === id ? { ...item, ...changes } : item)));
    } else if (this.#filter.archived ? changes.archived_at : this.#filter.read === false && changes.read_at === null) {
      this.refresh();
    }
  }

  #show(items, state = this.state) {
    this.items = items.filter((item) => this.#belongs(item));
    [this.state, this.error] = [state, state === "ready" ? null : this.error];
    this.emit("change", this);
  }

  #belongs(item) {
    const { read, archived, category, type } = this.#filter;
    return (
      (read === undefined || read === !!item.read_at) &&
      !!archived === !!item.archived_at &&
      (!category || category === item.category) &&
      (!type || type === item.type)
    );
  }

  #fail(error) {
    [this.state, this.error] = ["error", error];
    this.emit("change", this);
  }
}

const clients = new Map();

/** The client that all who give the same options share; `release` it when it is no longer needed. */
export function share({ tokenUrl, getToken, server } = {}) {
  const key = getToken ?? tokenUrl;
  if (!clients.has(key)) clients.set(key, new Map());
  const known = clients.get(key);
  if (!known.has(server)) known.set(server, { client: new CarillonClient({ tokenUrl, getToken, server }), users: 0 });
  const entry = known.get(server);
  entry.users++;
  entry.client.connect();
  return { client: entry.client, release: () => setTimeout(() => --entry.users || entry.client.disconnect()) };
}

/** Raises CarillonError with the status 0 where nobody answers. */
async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    throw new CarillonError(0, { detail: error.message });
  }
}

async function fetchToken(url) {
  const answer = await reach(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new CarillonError(answer.status);
  return answer.json();
}

/** A JWT says when (RFC 7519, section 4.1.4); what is no JWT may last for ever. */
function expiry(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000;
  } catch {
    return Infinity;
  }
}

function openSocket(server, token, after, hear, lost) {
  const url = new URL("/ws/notifications/", server.replace(/^http/, "ws"));
  const socket = new WebSocket(url, ["carillon.v1", `bearer.${token}`]);
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code }) => lost(code);
  const send = (frame) => socket.readyState === WebSocket.OPEN && (socket.send(JSON.stringify(frame)), true);
  const close = () => {
    socket.onclose = null;
    socket.close();
  };
  return { kind: "websocket", send, close };
}

/** Server-sent events, read by `fetch`, for EventSource cannot show a token: https://html.spec.whatwg.org/multipage/server-sent-events.html */
function openStream(server, token, after, hear, lost) {
  const stop = new AbortController();
  const headers = { Authorization: `Bearer ${token}`, Accept: "text/event-stream" };
  if (after !== null) headers["Last-Event-ID"] = after;
  const read = async () => {
    const answer = await fetch(`${server}/api/v1/users/me/stream`, { headers, signal: stop.signal, cache: "no-store" });
    if (!answer.ok) return lost(answer.status === 401 ? 4401 : answer.status === 429 ? 4429 : 1006);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part; !(part = await reader.read()).done; ) {
      const events = (text + part.value).split("\n\n");
      text = events.pop();
      events.forEach((event) => hear(parsed(event)));
    }
    lost(1006);
  };
  read().catch(() => stop.signal.aborted || lost(1006));
  return { kind: "stream", send: () => false, close: () => stop.abort() };
}

/** The frame of an event, or nothing, of a comment. */
function parsed(event) {
  const lines = event.split("\n").filter((line) => line.startsWith("data:"));
  return lines.length ? JSON.parse(lines.map((line) => line.slice(5)).join("\n")) : null;
}
