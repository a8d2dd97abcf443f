// The preview beside the source: the form as it stands is posted whenever one stops typing, and what comes back is
// shown; problems go to their parts and lines. Ctrl+S, or ⌘S, saves and goes on.
document.addEventListener("DOMContentLoaded", () => {
  const PAUSE = 350, PATIENCE = 800; // milliseconds without a key, and for a mail to be laid out
  const aside = document.querySelector(".l-live");
  const form = document.getElementById("templateversion_form");
  if (!aside || !form) return;
  const tabs = document.querySelector(".l-tabs");
  const shown = aside.querySelector(".l-shown");
  const status = aside.querySelector(".l-status");
  let place = 0, timer = 0, asked = new AbortController();

  const source = (at, part) => document.getElementById(at === null ? `id_${part}` : `id_contents-${at}-${part}`);
  const placeOf = (element) => element.closest(".form-group")?.querySelector("[name^='contents-']")?.name.match(/^contents-(\d+)-/)?.[1];

  // What was there stays until the new mails are laid out: a frame that is made anew is white for a moment.
  const show = async (html) => {
    const name = (summary) => summary.textContent.replace(/\d+/, "");
    const open = new Set([...shown.querySelectorAll("details[open] > summary")].map(name));
    const next = Object.assign(document.createElement("div"), { className: "l-layer l-coming", innerHTML: html });
    next.querySelectorAll("details > summary").forEach((summary) => { if (open.has(name(summary))) summary.parentElement.open = true; });
    shown.append(next);
    const seen = [...next.querySelectorAll("iframe")].filter((frame) => frame.offsetParent);
    const loaded = seen.map((frame) => new Promise((done) => frame.addEventListener("load", done, { once: true })));
    await Promise.race([Promise.all(loaded), new Promise((done) => setTimeout(done, PATIENCE))]);
    if (shown.lastElementChild !== next) return;
    next.classList.remove("l-coming");
    while (shown.firstElementChild !== next) shown.firstElementChild.remove();
  };

  const tell = (problems) => {
    const of = new Map([...form.querySelectorAll("textarea.c-source")].map((textarea) => [textarea, []]));
    for (const problem of problems) of.get(source(problem.place, problem.part))?.push(problem);
    of.forEach((found, textarea) => window.carillonEditor.tell(textarea, found));
  };

  const ask = async () => {
    asked.abort();
    asked = new AbortController();
    const body = new FormData(form);
    body.set("focus", place);
    status.textContent = "…";
    try {
      const reply = await fetch(aside.dataset.url, { method: "POST", body, signal: asked.signal });
      if (!reply.ok || reply.redirected) throw new Error(reply.redirected ? "Sign in again." : `The server answered ${reply.status}.`);
      const { html, problems } = await reply.json();
      tell(problems);
      await show(html);
      status.textContent = "";
    } catch (error) {
      if (error.name !== "AbortError") status.textContent = `No preview. ${error.message}`;
    }
  };

  const soon = () => { clearTimeout(timer); timer = setTimeout(ask, PAUSE); };

  const look = (element) => {
    const at = placeOf(element);
    if (at === undefined || Number(at) === place) return;
    place = Number(at);
    soon();
  };

  const press = (button, name) => {
    const pressed = button.dataset[name] === "dark" ? button.getAttribute("aria-pressed") !== "true" : true;
    const rivals = button.dataset[name] === "dark" ? [] : button.parentElement.querySelectorAll(`[data-${name}]:not([data-${name}="dark"])`);
    rivals.forEach((rival) => rival.setAttribute("aria-pressed", "false"));
    button.setAttribute("aria-pressed", String(pressed));
    return pressed;
  };

  aside.addEventListener("click", ({ target }) => {
    const view = target.closest("[data-view]");
    if (view?.dataset.view === "dark") shown.dataset.scheme = press(view, "view") ? "dark" : "light";
    else if (view && press(view, "view")) shown.dataset.width = view.dataset.view;
    const where = target.closest(".p-where[data-index]");
    if (where) lead(Number(where.dataset.index), where.dataset.part, Number(where.dataset.line) || 0);
  });

  const lead = (at, part, line) => {
    turn("write");
    const textarea = source(at, part);
    const row = textarea?.closest("[x-data]");
    if (row && "openRow" in Alpine.$data(row)) Alpine.$data(row).openRow = true;
    if (textarea) Alpine.nextTick(() => setTimeout(() => window.carillonEditor.show(textarea, line))); // x-show takes its time
  };

  const turn = (tab) => {
    document.body.dataset.tab = tab;
    tabs.querySelectorAll("[data-tab]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.tab === tab)));
  };

  tabs.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-tab]");
    if (button) { turn(button.dataset.tab); window.scrollTo(0, 0); }
  });
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("focusin", ({ target }) => look(target));
  form.addEventListener("click", ({ target }) => look(target));
  document.addEventListener("formset:added", soon);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    form.requestSubmit(document.querySelector("[name='_continue']"));
  });

  aside.hidden = tabs.hidden = false;
  document.body.classList.add("l-workbench");
  turn("write");
  ask();
});
