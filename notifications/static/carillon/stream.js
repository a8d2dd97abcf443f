// The connection where sockets do not come through: server-sent events. Loaded by client.js when it is needed.
// https://html.spec.whatwg.org/multipage/server-sent-events.html, read by `fetch`: EventSource shows no token.

export const QUIET_FOR = 60_000; // ms; the server says something, if only a comment, more often

const CODES = { 401: 4401, 429: 4429, 503: 1013 };

/** As `openSocket` in client.js. `after`: the number of the last item, or null. */
export function openStream(server, token, after, hear, lost) {
  const stop = new AbortController();
  const headers = { Authorization: `Bearer ${token}`, ...(after !== null && { "Last-Event-ID": after }) };
  const given = { headers, signal: stop.signal, cache: "no-store" };
  const read = async () => {
    const answer = await fetch(`${server}/api/v1/users/me/stream`, given);
    if (!answer.ok) return CODES[answer.status] ?? 1006;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part; !(part = await reader.read()).done; ) {
      const events = (text + part.value).split("\n\n");
      text = events.pop();
      for (const frame of events.map(parse)) {
        if (frame?.type === "close") return frame.data.code;
        hear(frame);
      }
    }
    return 1006;
  };
  read().then(lost, () => stop.signal.aborted || lost(1006));
  return { kind: "stream", send: (frame) => tell(server, token, frame), close: () => stop.abort() };
}

/** What came and was seen goes by the API. If that fails it is told again when a list shows the items. */
function tell(server, token, { type, data }) {
  const [, name] = /^notification:(received|seen)$/.exec(type) ?? [];
  if (!name) return false;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const given = { method: "POST", headers, body: JSON.stringify(data) };
  fetch(`${server}/api/v1/users/me/notifications/${name}`, given).catch(() => {});
  return true;
}

/** The frame that an event carries; null of a comment, which only shows that somebody is there. */
function parse(event) {
  const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: ?(.*)/s)));
  if (!fields.data) return null;
  return { type: fields.event, data: JSON.parse(fields.data), ...(fields.id && { seq: Number(fields.id) }) };
}
