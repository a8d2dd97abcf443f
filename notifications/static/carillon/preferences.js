// What <carillon-preferences> shows: loaded by carillon.js where there is one.

const TEXTS = {
  preferences: "Notification settings",
  channels: "Channels",
  essential: "What comes always: {names}.",
  channelsHint: "Off means: nothing comes this way, but for what is essential.",
  topics: "Topics",
  quiet: "Quiet hours",
  quietHint: "What is urgent or essential comes all the same.",
  hold: "Hold what would ring",
  from: "From",
  until: "Until",
  days: "Days on which they begin",
  pause: "Do not disturb",
  pauseHint: "Nothing rings until it is over; then you get what waited.",
  paused: "Nothing rings until {until}.",
  hour: "For an hour",
  tomorrow: "Until tomorrow morning",
  week: "For a week",
  resume: "End it now",
  saved: "Saved",
  email: "Email",
  sms: "Text message",
  whatsapp: "WhatsApp",
  push: "Push",
  in_app: "In the app",
};

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const FOR_PEOPLE = (channel) => !["slack", "discord", "webhook"].includes(channel);
const HOUR = 3_600_000;
const QUIET = { enabled: false, start: "22:00", end: "07:00", days: DAYS };

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  .sheet { container-type: inline-size }
  .cards { display: grid; gap: 16px }
  .card { min-width: 0; padding: 20px; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius) }
  h3 { font-size: 16px; font-weight: 650 }
  .hint { color: var(--muted); font-size: 14px }
  .row { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 16px;
    min-height: 52px; padding: 8px 0 }
  .row + .row { border-block-start: 1px solid var(--line) }
  .row:last-child { padding-block-end: 0 }
  .chips { display: flex; flex-wrap: wrap; justify-content: start; gap: 8px }
  .switch { appearance: none; flex: none; width: 46px; height: 28px; border-radius: 14px; background: var(--muted);
    cursor: pointer; transition: background .15s }
  .switch::after { content: ""; display: block; width: 22px; height: 22px; margin: 3px; border-radius: 50%;
    background: var(--surface); transition: margin .15s }
  .switch:checked { background: var(--accent) }
  .switch:checked::after { margin-inline-start: 21px }
  .chip, .card button { min-height: 38px; padding: 0 14px; border: 1px solid var(--line); border-radius: 19px;
    font-size: 14px; font-weight: 500 }
  .chip { position: relative; display: inline-flex; align-items: center; justify-content: center; color: var(--muted) }
  .chip input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: inherit }
  .chip:has(:checked) { border-color: var(--accent); color: var(--text);
    background: color-mix(in srgb, var(--accent) 12%, var(--surface)) }
  .chip:has(:checked)::before { content: "✓"; margin-inline-end: 6px; color: var(--accent) }
  .chip:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px }
  .times { justify-content: start }
  [type=time] { min-height: 42px; padding: 0 12px; border: 1px solid var(--line); border-radius: 10px;
    background: var(--surface) }
  .saved { position: sticky; inset-block-end: 12px; justify-self: center; padding: 8px 16px; border-radius: 20px;
    background: var(--text); color: var(--surface); font-size: 14px; animation: rise .2s }
  .saved:empty { display: none }
  @container (max-width: 459px) {
    .matrix .chips { display: grid; grid-template-columns: 1fr 1fr; width: 100% }
  }
  @container (min-width: 620px) {
    .matrix .chips { display: grid; grid-template-columns: repeat(var(--n), minmax(8rem, auto)) }
  }
  @media (forced-colors: active) {
    .switch { appearance: auto }
    .switch::after { content: none }
    .chip:has(:checked) { outline: 2px solid }
  }
`);

/** `element` is a CarillonElement, connected; `h` makes elements. */
export function furnish(element, h) {
  const { client, shadowRoot } = element;
  let names = TEXTS; // with what the tenant calls its categories
  const t = (key, values) => element.t(key, values, names);
  shadowRoot.adoptedStyleSheets = [...shadowRoot.adoptedStyleSheets.filter((sheet) => sheet !== STYLE), STYLE];
  const bones = [1, 2, 3].map(() => h("div", { class: "bone" }));
  const sheet = h("section", { class: "sheet", part: "preferences", "aria-label": t("preferences") }, ...bones);
  element.said = h("div", { class: "saved", part: "saved", role: "status" });
  const cards = h("div", { class: "cards" }, ...bones);
  sheet.replaceChildren(cards, element.said);
  shadowRoot.append(sheet);
  let stated;
  let choices;
  let saves = Promise.resolve();
  let pending = 0;
  let hush;
  element.follow("preferences", (document) => pending > 1 || show(document));
  load();

  async function load() {
    try {
      const path = `preferences/choices?locale=${encodeURIComponent(element.language)}`;
      const [document, { channels, categories }] = await Promise.all([client.preferences(), client.api("GET", path)]);
      choices = { channels: keyed(channels, "channel"), categories: keyed(categories, "category") };
      names = { ...Object.fromEntries(categories.map(({ category, label }) => [category, label])), ...TEXTS };
      show(document);
    } catch (error) {
      const again = h("button", { type: "button", onclick: load }, t("retry"));
      cards.replaceChildren(h("div", { class: "void card", role: "alert" }, h("b", {}, t("failed")), again));
      element.tell("error", error);
    }
  }

  /** Built anew from what is stored; the focus stays where it was. */
  function show(document) {
    stated = document;
    const focused = shadowRoot.activeElement?.name;
    const reached = Object.keys(choices.channels).filter((one) => FOR_PEOPLE(one) && choices.channels[one].is_reachable);
    const channels = named("channels", reached);
    const categories = named("categories", Object.keys(choices.categories)).filter((code) => choices.categories[code]);
    cards.style.setProperty("--n", channels.length);
    cards.replaceChildren(
      switches(channels),
      topics(categories, channels),
      quiet(stated.quiet_hours),
      pause(stated.do_not_disturb_until),
    );
    if (focused) shadowRoot.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  function named(attribute, known) {
    return element.getAttribute(attribute)?.trim().split(/[\s,]+/) ?? known;
  }

  /** One after the other, each built on what the one before will have made of it. */
  function save(patch) {
    stated = merged(stated, patch);
    pending++;
    saves = saves.then(async () => {
      const saved = await element.attempt(client.updatePreferences(patch));
      pending--;
      if (saved) element.say(t("saved"));
      if (saved) element.tell("saved", saved);
      else if (!pending) await load();
      clearTimeout(hush);
      hush = setTimeout(() => element.say(""), 4000);
    });
  }

  function card(key, hint, ...children) {
    const name = h("h3", {}, t(key));
    const about = hint && h("p", { class: "hint" }, hint);
    return h("div", { class: "card", part: "card", role: "group", "aria-label": t(key) }, name, about, ...children);
  }

  function box(kind, name, text, checked, change, label = text, hint = "") {
    const role = kind === "row" ? "switch" : undefined;
    const onchange = () => change(input.checked);
    const input = h("input", { type: "checkbox", name, class: role, role, checked, "aria-label": label, onchange });
    return h("label", { class: kind, part: kind === "row" ? "channel" : "chip" }, h("span", {}, text, hint && h("span", { class: "hint" }, ` ${hint}`)), input);
  }

  /** A channel that is on has no switch, and no topic stays an exception from one that is off: as on the hosted page. */
  function switches(channels) {
    const change = (channel) => (isOn) => {
      const exceptions = Object.entries(stated.categories).filter(([, by]) => !isOn && by[channel]);
      const categories = Object.fromEntries(exceptions.map(([code]) => [code, { [channel]: null }]));
      save({ channels: { [channel]: isOn ? null : false }, categories });
    };
    const address = (one) => choices.channels[one]?.address;
    const rows = channels.map((one) => box("row", one, t(one), stated.channels[one], change(one), t(one), address(one)));
    return card("channels", t("channelsHint"), ...rows);
  }

  /** What is essential has no switches; a topic has one for each channel that it may use. */
  function topics(codes, channels) {
    const isOnAnyway = (code, channel) => stated.channels[channel] && choices.categories[code].channels[channel];
    const chip = (code, channel) => {
      const isOn = stated.categories[code]?.[channel] ?? isOnAnyway(code, channel);
      const change = (enabled) => save({ categories: { [code]: { [channel]: enabled } } });
      return box("chip", `${code}:${channel}`, t(channel), isOn, change, `${t(code)}, ${t(channel)}`);
    };
    const row = (code) => {
      const usable = channels.filter((channel) => channel in choices.categories[code].channels);
      const chips = h("div", { class: "chips" }, ...usable.map((channel) => chip(code, channel)));
      return h("div", { class: "row matrix", role: "group", "aria-label": t(code) }, h("span", {}, t(code)), chips);
    };
    const isEssential = (code) => choices.categories[code].essential;
    const always = codes.filter(isEssential).map((code) => t(code)).join(", ");
    return card("topics", always && t("essential", { names: always }), ...codes.filter((code) => !isEssential(code)).map(row));
  }

  /** Several windows were set elsewhere: they are switched on and off here, and stay as they are. */
  function quiet(hours) {
    const { enabled, start, end, days, windows } = { ...QUIET, ...hours };
    const change = (patch) => save({ quiet_hours: windows ? patch : { ...QUIET, ...stated.quiet_hours, ...patch } });
    const hold = box("row", "quiet", t("hold"), enabled, (isOn) => change({ enabled: isOn }));
    if (windows) return card("quiet", t("quietHint"), hold);
    const time = (name, key, value) => {
      const onchange = ({ target }) => target.value && change({ [name]: target.value });
      const input = h("input", { type: "time", name, value, required: true, onchange });
      return h("label", {}, h("span", { class: "hint" }, `${t(key)} `), input);
    };
    const weekday = new Intl.DateTimeFormat(element.language, { weekday: "short", timeZone: "UTC" });
    const day = (name, index) => {
      const toggle = (isOn) => {
        const { days } = { ...QUIET, ...stated.quiet_hours };
        const chosen = DAYS.filter((one) => (one === name ? isOn : days.includes(one)));
        change({ days: chosen.length ? chosen : DAYS });
      };
      return box("chip", name, weekday.format(Date.UTC(2001, 0, index + 1)), days.includes(name), toggle);
    };
    const times = h("div", { class: "row times" }, time("start", "from", start), time("end", "until", end));
    const week = h("div", { class: "chips", role: "group", "aria-label": t("days") }, ...DAYS.map(day));
    return card("quiet", t("quietHint"), hold, times, week);
  }

  function pause(until) {
    const isPaused = Date.parse(until) > Date.now();
    const ends = {
      hour: new Date(Date.now() + HOUR),
      tomorrow: new Date(new Date().setHours(24 + 8, 0, 0, 0)),
      week: new Date(Date.now() + 7 * 24 * HOUR),
      ...(isPaused && { resume: null }),
    };
    const format = new Intl.DateTimeFormat(element.language, { dateStyle: "medium", timeStyle: "short" });
    const hint = isPaused ? t("paused", { until: format.format(new Date(until)) }) : t("pauseHint");
    const button = ([name, end]) =>
      h("button", { type: "button", name, onclick: () => save({ do_not_disturb_until: end }) }, t(name));
    return card("pause", hint, h("div", { class: "row chips" }, ...Object.entries(ends).map(button)));
  }
}

function keyed(rows, name) {
  return Object.fromEntries(rows.map((row) => [row[name], row]));
}

/** As RFC 7396 has it. */
function merged(document, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch) || patch instanceof Date) return patch;
  const all = Object.entries(patch).map(([name, value]) => [name, merged(document?.[name], value)]);
  const kept = Object.entries({ ...document, ...Object.fromEntries(all) }).filter(([, value]) => value !== null);
  return Object.fromEntries(kept);
}
