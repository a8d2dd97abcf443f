/** The fault panel: what is set now, a form for one more. */
import { api, byId, element } from "./dom.js";

const NUMBERS = ["times", "retry_after", "error_rate", "latency_ms", "receipt_delay_ms", "duplicate_receipts"];

/** `names` gives the providers and accounts to propose. */
export function faultPanel(names) {
  const dialog = byId("faults");
  byId("open-faults").addEventListener("click", async () => {
    byId("fault-names").replaceChildren(...[...names()].map((name) => element("option", { value: name })));
    await refresh();
    dialog.showModal();
  });
  byId("close-faults").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  byId("clear-faults").addEventListener("click", () => change("/api/faults", { method: "DELETE" }));
  byId("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    const path = `/api/faults/${encodeURIComponent(form.elements.name.value.trim())}`;
    change(path, { method: "PUT", body: JSON.stringify(faultOf(form)) }, () => form.reset());
  });
  refresh();
  setInterval(refresh, 5000); // `times` runs out by itself
}

function faultOf(form) {
  const fault = {};
  const failure = form.elements.failure.value;
  if (/^\d+$/.test(failure)) fault.status = Number(failure);
  else if (failure) fault[failure] = true;
  for (const name of NUMBERS) {
    if (form.elements[name].value !== "") fault[name] = Number(form.elements[name].value);
  }
  if (form.elements.receipt.value) fault.receipt = form.elements.receipt.value;
  return fault;
}

async function change(path, options, done = () => {}) {
  try {
    await api(path, options);
    byId("fault-problem").hidden = true;
    done();
  } catch (problem) {
    byId("fault-problem").textContent = problem.message;
    byId("fault-problem").hidden = false;
  }
  await refresh();
}

async function refresh() {
  const { results } = await api("/api/faults").catch(() => ({ results: [] }));
  byId("fault-count").hidden = results.length === 0;
  byId("fault-count").textContent = results.length;
  byId("fault-list").replaceChildren(...results.map(item));
}

function item({ name, ...fault }) {
  const words = Object.entries(fault).map(([key, value]) => (value === true ? key : `${key} ${value}`));
  const path = `/api/faults/${encodeURIComponent(name)}`;
  const clear = { type: "button", onclick: () => change(path, { method: "DELETE" }), "aria-label": `Clear ${name}` };
  return element("li", {},
    element("b", {}, name),
    element("span", {}, words.join(" · ").replaceAll("_", " ") || "nothing"),
    element("button.button.quiet", clear, "Clear"));
}
