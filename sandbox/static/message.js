/** One message, as the person would see it and as it came over the wire. */
import { channelOf } from "./channels.js";
import { api, clock, element, when } from "./dom.js";

const PICTURE = { email: mail, sms: phone, whatsapp: chat };
let chosen = "Message"; // the tab stays when another message is opened

export function showNothing(place) {
  place.replaceChildren(
    element("div.nothing", {}, element("img", { src: "/static/bell.svg", alt: "", width: 56, height: 56 }),
      element("p", {}, "Choose a message to see it as its recipient would."),
      element("p.hint", {}, "↑ ↓ to move · / to search · Esc to close")),
  );
}

export function showMessage(place, message, close) {
  const tabs = tabsOf(message);
  if (!tabs.has(chosen)) chosen = "Message";
  const body = element("div.body");
  const bar = element("div.tabs", { role: "tablist" });
  const choose = (name) => {
    chosen = name;
    for (const tab of bar.children) tab.setAttribute("aria-selected", String(tab.textContent === name));
    body.replaceChildren(tabs.get(name)());
  };
  for (const name of tabs.keys()) {
    bar.append(element("button", { type: "button", role: "tab", onclick: () => choose(name) }, name));
  }
  place.replaceChildren(heading(message, close), facts(message), bar, body);
  choose(chosen);
}

function tabsOf(message) {
  const picture = PICTURE[message.channel] ?? card;
  const tabs = new Map([["Message", () => picture(message)]]);
  if (message.html && message.text) tabs.set("Text", () => element("pre.text", {}, message.text));
  tabs.set("Headers", () => headers(message.headers));
  tabs.set("Data", () => element("pre.raw", {}, JSON.stringify(message.data, null, 2)));
  return tabs.set("Raw", () => element("pre.raw", {}, message.raw));
}

function heading(message, close) {
  const title = message.subject ?? message.title ?? `${channelOf(message.channel).name} to ${message.to}`;
  return element(
    "header.heading",
    {},
    element("button.button.quiet.back", { type: "button", onclick: close, "aria-label": "Back to the list" }, "←"),
    element("div", {}, element("h1", {}, title),
      element("p", {}, element("span", {}, message.headers.From ?? message.from), " → ", element("span", {}, message.to),
        unsubscribe(message))),
  );
}

const header = (message, name) =>
  Object.entries(message.headers).find(([each]) => each.toLowerCase() === name)?.[1] ?? "";

/** As mail programs show it beside the sender; the sandbox posts for it, for a page may not post elsewhere. */
function unsubscribe(message) {
  const oneClick = /<\s*https?:/.test(header(message, "list-unsubscribe")) && header(message, "list-unsubscribe-post");
  if (!oneClick) return null;
  const outcome = element("span.outcome", { role: "status" });
  const tell = ({ status, answer }) => outcome.replaceChildren(
    element(status < 300 ? "span.receipt.good" : "span.receipt.bad", {}, `${status} ${answer}`));
  const press = async (event) => {
    event.target.disabled = true;
    try {
      tell(await api(`/api/messages/${message.id}/unsubscribe`, { method: "POST" }));
    } catch (error) {
      outcome.replaceChildren(element("span.receipt.bad", {}, error.message));
    }
    event.target.disabled = false;
  };
  if (message.data.unsubscribe) tell(message.data.unsubscribe);
  return element("span.unsubscribe", {}, element("button", { type: "button", onclick: press }, "Unsubscribe"), outcome);
}

function facts(message) {
  const data = message.data;
  const pairs = [
    ["Channel", channelOf(message.channel).name],
    ["Provider", message.provider],
    ["Account", message.account],
    ["Received", when(message.received_at)],
    data.status && ["Status", data.status],
    data.num_segments && ["Segments", data.num_segments],
    data.attachments?.length && ["Attachments", data.attachments.map(attachment).join(", ")],
  ].filter(Boolean);
  const list = element("dl.facts", {}, ...pairs.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))));
  if (data.callbacks?.length) list.append(receipts(data.callbacks));
  return list;
}

const attachment = ({ name, size }) => `${name ?? "unnamed"} (${Math.max(1, Math.round(size / 1024))} kB)`;

function receipts(callbacks) {
  const chips = callbacks.map(({ status, answer, at }) =>
    element(answer < 300 ? "span.receipt.good" : "span.receipt.bad", { title: when(at) },
      element("b", {}, status), ` ${answer} · ${clock(at)}`));
  return element("div.receipts", {}, element("dt", {}, "Receipts sent, and the answer"), element("dd", {}, ...chips));
}

/** A stranger's HTML lives in a frame without scripts and with an origin of its own, never in this page. */
function mail(message) {
  if (!message.html) return element("pre.text", {}, message.text ?? "(no text)");
  return element("iframe", {
    title: "The message",
    sandbox: "allow-popups allow-popups-to-escape-sandbox",
    referrerPolicy: "no-referrer",
    src: `/api/messages/${message.id}/html`,
  });
}

function phone(message) {
  return element("div.phone", {},
    element("div.screen", {},
      element("div.sender", {}, element("i", {}, message.from.replace("+", "").slice(0, 2)), element("b", {}, message.from),
        element("span", {}, "Text message")),
      element("time", {}, when(message.received_at)),
      element("div.bubble", {}, message.text),
    ));
}

/** A file is named and not fetched: the page shows nothing from elsewhere. */
function chat(message) {
  const { media, filename } = message.data;
  const link = linkOf(message.data);
  return element("div.phone", {},
    element("div.screen.chat", {},
      element("div.sender", {}, element("i", {}, message.from.replace("+", "").slice(0, 2)), element("b", {}, message.from)),
      element("div.bubble", {},
        isWeb(media) && outside("a.file", media, filename ?? media.split("/").pop()),
        message.text,
        element("time", {}, clock(message.received_at))),
      link && outside("a.button", link.url, link.text),
    ));
}

function card(message) {
  const link = linkOf(message.data);
  return element("div.card", {},
    element("b", {}, message.title ?? message.subject ?? ""),
    element("p", {}, message.text ?? ""),
    link && outside("a.button", link.url, link.text));
}

const isWeb = (url) => /^https?:/.test(url ?? "");
const outside = (tag, href, text) => element(tag, { href, target: "_blank", rel: "noreferrer noopener" }, text);

/** Where a message leads, in the words of its channel: Slack's or WhatsApp's button, a Discord embed, a webhook's action. */
function linkOf({ blocks, embeds, interactive, data }) {
  const button = blocks?.find(({ type }) => type === "actions")?.elements?.[0];
  const embed = embeds?.find(({ url }) => url);
  const leads = interactive?.action?.parameters;
  const found = (button && { url: button.url, text: button.text?.text }) ?? (embed && { url: embed.url })
    ?? (leads && { url: leads.url, text: leads.display_text }) ?? data?.action;
  return isWeb(found?.url) ? { url: found.url, text: found.text || "Open" } : null;
}

function headers(all) {
  const rows = Object.entries(all).map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)));
  return element("div.table", {}, element("table", {}, element("tbody", {}, ...rows)));
}
