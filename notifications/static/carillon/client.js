// A recipient's live feed without a face: contracts in client.d.ts.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const QUIET_FOR = 25_000; // then a ping asks whether anybody is there
const ANSWER_WITHIN = 10_000;
const SOCKETS_TRIED = 3; // before the event stream is
const UPGRADE_AFTER = 300_000;
const TOGETHER = 50; // ms in which acknowledgements are gathered
const REMEMBERED = 1000;

export class CarillonError extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? `HTTP ${status}`);
    Object.assign(this, { name: "CarillonError", status, code: problem.code, problem });
  }
}

export class Emitter {
  #listeners = {};

  on(type, listener) {
    (this.#listeners[type] ??= new Set()).add(listener);
    return () => this.off(type, listener);
  }

  off(type, listener) {
    this.#listeners[type]?.delete(listener);
  }

  emit(type, detail) {
    [...(this.#listeners[type] ?? [])].forEach((listener) => listener(detail));
  }
}

export function backoff(failures, random = Math.random()) {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures) * (0.5 + random / 2);
}

export class CarillonClient extends Emitter {
  state = "idle";
  unread = null;
  recipient = null;
  #server;
  #getToken;
  #credential = null;
  #wanted = false;
  #line = null; // the connection: { kind, send, close, welcomed }
  #failures = 0;
  #socketFailures = 0;
  #refusals = 0;
  #timers = {};
  #asking = null;
  #waiting = { "notification:received": new Set(), "notification:seen": new Set() };
  #seq = null; // up to here nothing is missing
  #heard = new Set();
  #catchingUp = false;

  constructor({ tokenUrl, getToken, server = new URL(import.meta.url).origin } = {}) {
    super();
    this.#server = server.replace(/\/$/, "");
    this.#getToken = getToken ?? (() => call(tokenUrl));
  }

  get transport() {
    return this.#line?.kind ?? null;
  }

  connect() {
    if (this.#wanted) return this;
    this.#wanted = true;
    this.#watch("addEventListener");
    this.#open();
    return this;
  }

  disconnect() {
    this.#wanted = false;
    this.#watch("removeEventListener");
    Object.values(this.#timers).forEach(clearTimeout);
    this.#line?.close?.();
    this.#line = null;
    this.#become("idle");
  }

  wake() {
    this.#failures = 0;
    if (this.#line) this.#probe(ANSWER_WITHIN / 3);
    else this.#open();
  }

  async list(filter = {}) {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== null);
    const { results, next } = await this.api("GET", `notifications?${new URLSearchParams(given)}`);
    this.received(results.filter((item) => item.status === "sent").map((item) => item.id));
    return { items: results, cursor: next && new URL(next, location).searchParams.get("cursor") };
  }

  live(filter, limit) {
    return new LiveList(this, filter, limit);
  }

  stats() {
    return this.api("GET", "notifications/stats");
  }

  // A change shows at once; one that the server refuses is taken back, by a resync.

  markRead(id) {
    return this.#change("read", id);
  }

  markUnread(id) {
    return this.#change("unread", id);
  }

  archive(id) {
    return this.#change("archive", id);
  }

  unarchive(id) {
    return this.#change("unarchive", id);
  }

  delete(id) {
    this.emit("delete", { id });
    return this.#settle(this.api("DELETE", `notifications/${id}`));
  }

  markAllRead() {
    this.emit("read-all", {});
    return this.#settle(this.api("POST", "notifications/mark-all-read"));
  }

  /** The calls outlive the page that is left by it. */
  async markClicked(id) {
    const options = { keepalive: true };
    const clicked = this.api("PATCH", `notifications/${id}/clicked`, undefined, options);
    await Promise.all([clicked, this.#change("read", id, options)]);
  }

  received(ids) {
    this.#gather("notification:received", ids);
  }

  markSeen(ids) {
    this.#gather("notification:seen", ids);
  }

  preferences() {
    return this.api("GET", "preferences");
  }

  replacePreferences(document) {
    return this.#prefer("PUT", document);
  }

  updatePreferences(patch) {
    return this.#prefer("PATCH", patch);
  }

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

  #change(type, id, options) {
    this.emit(type, { id });
    return this.#settle(this.api("PATCH", `notifications/${id}/${type}`, undefined, options));
  }

  async #settle(answer) {
    try {
      await answer;
      if (this.state !== "online") this.#count((await this.api("GET", "notifications/unread-count")).count);
      return await answer;
    } catch (error) {
      this.emit("resync");
      throw error;
    }
  }

  async api(method, path, body, options, isFirst = true) {
    const headers = { Authorization: `Bearer ${await this.#token()}`, "Content-Type": "application/json" };
    try {
      const url = `${this.#server}/api/v1/users/me/${path}`;
      return await call(url, { method, headers, body: body && JSON.stringify(body), ...options });
    } catch (error) {
      if (error.status !== 401 || !isFirst) throw error;
      this.#credential = null;
      return this.api(method, path, body, options, false);
    }
  }

  async #token() {
    if (!(this.#credential?.expires > Date.now() + 5000)) await this.#renew();
    return this.#credential.token;
  }

  /** One call for a token at a time, whoever needs it. */
  #renew() {
    const ask = async () => {
      const given = await this.#getToken();
      const token = given.token ?? given;
      this.#credential = { token, expires: given.expires_at ? Date.parse(given.expires_at) : expiry(token) };
    };
    this.#asking ??= ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #open() {
    clearTimeout(this.#timers.retry);
    if (!this.#wanted || this.#line) return;
    const line = (this.#line = {});
    this.#become("connecting");
    try {
      const token = await this.#token();
      // After some failures they take turns: whose proxy lets no sockets through is on the stream soon.
      const isStream = this.#socketFailures >= SOCKETS_TRIED && this.#socketFailures % 2;
      const { openStream, QUIET_FOR } = isStream ? await import("./stream.js") : {};
      if (this.#line !== line) return;
      const hear = (frame) => this.#line === line && this.#hear(frame);
      const lost = (code) => this.#lost(line, code);
      Object.assign(line, (openStream ?? openSocket)(this.#server, token, this.#seq, hear, lost), { QUIET_FOR });
    } catch (error) {
      this.#lost(line, error.status === 401 || error.status === 403 ? 4401 : 1006);
    }
  }

  #hear(frame) {
    this.#beat();
    if (!frame) return;
    const { type, data = {}, seq } = frame;
    if (type === "connected") this.#welcome(data);
    else if (type === "notification:new") this.#arrived(data, seq);
    else if (type === "notifications:catch-up-complete") this.#caughtUp(data.more);
    else if (type === "error") this.#refused(data.code);
    else {
      const change = /^notification:(read|unread|seen|archive|unarchive|delete|read-all)$/.exec(type)?.[1];
      if (change) this.emit(change, data);
      this.#count(data.unread_count ?? (type === "unread-count" ? data.count : this.unread));
    }
    this.emit("frame", frame);
  }

  #welcome({ recipient, unread_count, seq }) {
    const line = this.#line;
    const isStream = line.kind === "stream";
    Object.assign(line, { welcomed: true });
    this.recipient = recipient;
    this.#failures = this.#refusals = 0;
    if (isStream) this.#later("upgrade", UPGRADE_AFTER, () => this.#lost(line, 1000));
    else this.#socketFailures = 0;
    if (this.#seq === null || seq < this.#seq) this.#seq = seq;
    this.#become("online");
    this.#count(unread_count);
    this.#catchingUp = isStream && seq > this.#seq; // a stream does so by itself
    if (seq > this.#seq) this.#resume();
    this.#renewInTime();
    this.emit("resync"); // what others read or removed meanwhile is not told again
    Object.keys(this.#waiting).forEach((type) => this.#gather(type, []));
  }

  /** A frame is a hint: when a number is missing, ask for what came between. */
  #arrived(item, seq) {
    if (seq === this.#seq + 1) this.#seq = seq;
    else if (seq > this.#seq) this.#later("gap", TOGETHER, () => this.#resume());
    if (this.#heard.has(seq)) return;
    this.#heard.add(seq);
    if (this.#heard.size > REMEMBERED) this.#heard.delete(this.#heard.values().next().value);
    this.received([item.id]);
    if (!this.#catchingUp && !item.read_at) this.#count(this.unread + 1);
    this.emit("new", item);
  }

  #resume() {
    if (!this.#catchingUp) this.#catchingUp = this.#send({ type: "resume", data: { after: this.#seq } });
  }

  #caughtUp(more) {
    this.#catchingUp = false;
    this.#seq = Math.max(this.#seq, ...this.#heard);
    if (more) this.#resume();
  }

  #refused(code) {
    if (code === "unavailable") this.#catchingUp = false;
    if (code === "unavailable" || code === "feed_interrupted") {
      this.#later("gap", Math.random() * 2000, () => this.#resume());
    }
  }

  #gather(type, ids) {
    const waiting = this.#waiting[type];
    ids.forEach((id) => waiting.add(id));
    if (waiting.size) this.#later(type, TOGETHER, () => {
      const some = [...waiting].slice(0, 300);
      if (!this.#line?.welcomed || !this.#send({ type, data: { ids: some } })) return;
      some.forEach((id) => waiting.delete(id));
      this.#gather(type, []);
    });
  }

  #send(frame) {
    return !!this.#line?.send?.(frame);
  }

  #beat() {
    const line = this.#line;
    clearTimeout(this.#timers.answer);
    if (line.QUIET_FOR) this.#later("ping", line.QUIET_FOR, () => this.#lost(line, 1006));
    else this.#later("ping", QUIET_FOR, () => this.#probe(ANSWER_WITHIN));
  }

  /** A socket answers in time, or is given up. */
  #probe(within) {
    const line = this.#line;
    if (this.#send({ type: "ping" })) this.#later("answer", within, () => this.#lost(line, 1006));
  }

  /** The server is shown the next token before this one expires. One that does not take it closes, and we come again. */
  #renewInTime() {
    const line = this.#line;
    const left = this.#credential.expires - Date.now();
    if (left < 2 ** 31) this.#later("renew", left - Math.min(60_000, left / 5), async () => {
      try {
        await this.#renew();
        if (this.#send({ type: "authenticate", token: this.#credential.token })) this.#renewInTime();
        else this.#lost(line, 1000);
      } catch {
        this.#later("renew", LONGEST_DELAY, () => this.#renewInTime());
      }
    });
  }

  #lost(line, code) {
    if (this.#line !== line) return;
    line.close?.();
    this.#line = null;
    ["ping", "answer", "renew", "upgrade", "gap"].forEach((name) => clearTimeout(this.#timers[name]));
    if (line.kind && !line.welcomed) this.#socketFailures++;
    if (code === 4401) this.#credential = null;
    if (code === 1000 || (code === 4401 && line.welcomed)) return this.#open();
    if (code === 4401) this.#refusals++;
    if (code === 4429) this.#failures = Math.max(this.#failures, 6); // too many: not soon
    if (code === 1012 || code === 1013) this.#failures = Math.max(this.#failures, 2); // it restarts, for all of us
    this.#become(this.#refusals > 1 ? "refused" : "offline");
    this.#later("retry", backoff(this.#failures++), () => this.#open());
  }

  #watch(change) {
    ["online", "pageshow"].forEach((name) => window[change](name, this.#stir));
    ["visibilitychange", "resume"].forEach((name) => document[change](name, this.#stir));
    window[change]("offline", this.#doubt);
  }

  #stir = () => {
    if (document.visibilityState === "visible") this.wake();
  };

  #doubt = () => this.#probe(ANSWER_WITHIN / 5);

  #count(unread) {
    if (unread === this.unread) return;
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

export class LiveList extends Emitter {
  items = [];
  state = "loading";
  error = null;
  #client;
  #filter;
  #limit;
  #cursor = null;
  #load = 0;
  #isBusy = false;
  #stops;

  constructor(client, filter = {}, limit = 20) {
    super();
    [this.#client, this.#filter, this.#limit] = [client, filter, limit];
    const touch = (name, isSet) => ({ id }) => this.#touch(id, { [name]: isSet ? new Date().toISOString() : null });
    const follow = {
      new: (item) => this.#put(item),
      read: touch("read_at", true),
      unread: touch("read_at", false),
      archive: touch("archived_at", true),
      unarchive: touch("archived_at", false),
      delete: ({ id }) => this.#show(this.items.filter((item) => item.id !== id)),
      "read-all": ({ up_to = Infinity }) => {
        const read_at = new Date().toISOString();
        this.#show(this.items.map((item) => (item.seq > up_to || item.read_at ? item : { ...item, read_at })));
      },
      resync: () => this.refresh(),
    };
    this.#stops = Object.entries(follow).map(([type, listener]) => client.on(type, listener));
    // A connection brings its resync in a moment: who loaded before would load twice.
    const patience = setTimeout(() => this.#load || this.refresh(), client.state === "connecting" ? 1500 : 0);
    this.#stops.push(() => clearTimeout(patience));
  }

  get hasMore() {
    return this.#cursor !== null;
  }

  close() {
    this.#load = NaN;
    this.#stops.forEach((stop) => stop());
  }

  refresh() {
    const limit = Math.min(100, Math.max(this.#limit, this.items.length));
    const before = new Set(this.items.map((item) => item.id));
    this.#load++;
    return this.#ask({ limit }, (page) => {
      const came = this.items.filter((item) => item.seq > (page[0]?.seq ?? 0) && !before.has(item.id));
      return [...came, ...page];
    });
  }

  async more() {
    if (this.#isBusy || !this.hasMore) return;
    this.#isBusy = true;
    await this.#ask({ limit: this.#limit, cursor: this.#cursor }, (page) => {
      const known = new Set(this.items.map((item) => item.id));
      return [...this.items, ...page.filter((item) => !known.has(item.id))];
    });
    this.#isBusy = false;
  }

  /** Only the last load counts. */
  async #ask(page, merge) {
    const load = this.#load;
    try {
      const { items, cursor } = await this.#client.list({ ...this.#filter, ...page });
      if (load !== this.#load) return;
      [this.#cursor, this.state, this.error] = [cursor, "ready", null];
      this.#show(merge(items));
    } catch (error) {
      if (load !== this.#load) return;
      [this.state, this.error] = ["error", error];
      this.emit("change", this);
    }
  }

  #put(item) {
    const others = this.items.filter((one) => one.id !== item.id);
    this.#show([...others, item].sort((one, other) => other.seq - one.seq));
  }

  /** What was changed elsewhere may now belong here, though it was never loaded. */
  #touch(id, change) {
    const isKnown = this.items.some((item) => item.id === id);
    if (isKnown) this.#show(this.items.map((item) => (item.id === id ? { ...item, ...change } : item)));
    else if (this.state === "ready" && this.#belongs(change)) this.refresh();
  }

  #show(items) {
    this.items = items.filter((item) => this.#belongs(item));
    this.emit("change", this);
  }

  /** Of a change, whether it may make an item belong here. */
  #belongs({ category, type, read_at, archived_at }) {
    const wanted = this.#filter;
    return (
      (wanted.read ?? !!read_at) === !!read_at &&
      !!wanted.archived === !!archived_at &&
      (wanted.category ?? category) === category &&
      (wanted.type ?? type) === type
    );
  }
}

const shared = new Map();

export function share({ tokenUrl, getToken, server }) {
  const clients = shared.get(getToken ?? tokenUrl) ?? {};
  shared.set(getToken ?? tokenUrl, clients);
  const entry = (clients[server] ??= { client: new CarillonClient({ tokenUrl, getToken, server }), users: 0 });
  entry.users++;
  entry.client.connect();
  return { client: entry.client, release: () => setTimeout(() => --entry.users || entry.client.disconnect()) };
}

async function call(url, options) {
  const answer = await fetch(url, options).catch((error) => {
    throw new CarillonError(0, { detail: error.message });
  });
  const document = await answer.json().catch(() => null);
  if (!answer.ok) throw new CarillonError(answer.status, document ?? {});
  return document;
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
  const socket = new WebSocket(`${server.replace("http", "ws")}/ws/notifications/`, ["carillon.v1", `bearer.${token}`]);
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code }) => lost(code);
  const send = (frame) => socket.readyState === WebSocket.OPEN && (socket.send(JSON.stringify(frame)), true);
  return { kind: "websocket", send, close: () => socket.close() };
}
