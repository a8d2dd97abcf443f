// A recipient's live feed without a face: one socket that comes back by itself, and the calls that change things.
//
//   const client = new CarillonClient({ getToken: async () => ({ token, expires_at }) });
//   client.addEventListener("frame", ({ detail }) => …);   // every frame of the server, as in the API's section 7
//   client.addEventListener("state", ({ detail }) => …);   // "connecting" | "online" | "offline"
//   client.start();

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const PING_EVERY = 25_000;
const ANSWER_WITHIN = 10_000;
const ACKNOWLEDGE_AFTER = 50;

export class CarillonClient extends EventTarget {
  #getToken;
  #base;
  #credential = null;
  #socket = null;
  #attempts = 0;
  #timers = {};
  #received = new Set();
  #stopped = true;
  #seq = null; // the last that we have seen

  constructor({ getToken, base = location.origin }) {
    super();
    this.#getToken = getToken;
    this.#base = base;
  }

  start() {
    this.#stopped = false;
    addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    Object.values(this.#timers).forEach(clearTimeout);
    this.#socket?.close();
  }

  send(type, data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(data ? { type, data } : { type }));
    return true;
  }

  /** Items came to this client: acknowledged together, a moment later. */
  received(ids) {
    ids.forEach((id) => this.#received.add(id));
    this.#later("received", ACKNOWLEDGE_AFTER, () => {
      const some = [...this.#received].slice(0, 300);
      if (!some.length || !this.send("notification:received", { ids: some })) return;
      some.forEach((id) => this.#received.delete(id));
      if (this.#received.size) this.received([]);
    });
  }

  /** A call of the user API; `path` may be a page's own `next`. */
  async api(method, path, body) {
    const url = new URL(path, `${this.#base}/api/v1/users/me/`);
    const answer = await fetch(new URL(url.pathname + url.search, this.#base), {
      method,
      headers: {
        Authorization: `Bearer ${await this.#token()}`,
        ...(body && { "Content-Type": "application/json" }),
      },
      body: body && JSON.stringify(body),
    });
    if (answer.status === 401) this.#credential = null;
    if (!answer.ok) throw new Error(`${method} ${url.pathname}: ${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  }

  async #token() {
    const soon = Date.now() + 30_000;
    if (!this.#credential || new Date(this.#credential.expires_at) < soon) this.#credential = await this.#getToken();
    return this.#credential.token;
  }

  async #connect() {
    clearTimeout(this.#timers.retry);
    if (this.#stopped || (this.#socket && this.#socket.readyState <= WebSocket.OPEN)) return;
    this.#tell("state", "connecting");
    try {
      const url = new URL("/ws/notifications/", this.#base.replace(/^http/, "ws"));
      const token = await this.#token();
      if (this.#stopped) return;
      const socket = new WebSocket(url, ["carillon.v1", `bearer.${token}`]);
      socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
      socket.onclose = ({ code }) => this.#lost(socket, code);
      this.#socket = socket;
    } catch {
      this.#retry();
    }
  }

  #hear(frame) {
    this.#later("ping", PING_EVERY, () => {
      this.send("ping");
      this.#later("ping", ANSWER_WITHIN, () => this.#giveUp());
    });
    if (frame.type === "connected") this.#welcome(frame.data.seq);
    if (frame.type === "notification:new") this.#follow(frame.seq);
    if (frame.type === "notifications:catch-up-complete" && frame.data.more) this.#resume(this.#seq);
    if (frame.type === "error" && frame.data.code === "feed_interrupted") {
      this.#later("resume", Math.random() * 2000, () => this.#resume(this.#seq));
    }
    this.#tell("frame", frame);
  }

  #welcome(seq) {
    this.#attempts = 0;
    this.#tell("state", "online");
    if (this.#seq === null) this.#seq = seq;
    else if (seq > this.#seq) this.#resume(this.#seq);
    if (this.#received.size) this.received([]);
  }

  /** A frame is a hint: when a number is missing, ask for what came between. */
  #follow(seq) {
    if (seq > this.#seq + 1 && !this.#timers.catchingUp) this.#resume(this.#seq);
    this.#seq = Math.max(this.#seq, seq);
  }

  #resume(after) {
    this.#later("catchingUp", 1000, () => {});
    this.send("resume", { after });
  }

  #giveUp() {
    const socket = this.#socket;
    socket.onclose = null;
    socket.close();
    this.#lost(socket, 1006);
  }

  #lost(socket, code) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#timers.ping);
    if (code === 4401) this.#credential = null;
    this.#retry();
  }

  #retry() {
    if (this.#stopped) return;
    this.#tell("state", "offline");
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts++);
    this.#later("retry", longest * (0.5 + Math.random() / 2), () => this.#connect());
  }

  #hurry = () => {
    if (document.visibilityState === "visible" && navigator.onLine) this.#connect();
  };

  #later(name, delay, run) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(() => {
      this.#timers[name] = null;
      run();
    }, delay);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
