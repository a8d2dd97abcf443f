// Shows of each message only the parts that its channel has, and what is asked of its HTML where it has one; a part
// that holds something is never hidden.
(() => {
  const parts = ["subject", "title", "body", "html", "overrides"];

  const update = (select) => {
    const wanted = JSON.parse(select.dataset.parts)[select.value] ?? parts;
    const field = (name) => document.getElementById(select.id.replace(/channel$/, name));
    for (const part of parts) {
      const line = field(part)?.closest(`.field-${part}`);
      if (line) line.hidden = !wanted.includes(part) && !field(part).value;
    }
    for (const name of ["format", "layout"]) {
      const line = field(name)?.closest(`.field-${name}`);
      if (line) line.hidden = !wanted.includes("html") && !field("html")?.value;
    }
  };

  const each = (root) => root.querySelectorAll("select[data-parts]").forEach(update);

  document.addEventListener("DOMContentLoaded", () => each(document));
  document.addEventListener("change", (event) => event.target.matches("select[data-parts]") && update(event.target));
  document.addEventListener("formset:added", (event) => {
    each(event.target);
    requestAnimationFrame(() => { Alpine.$data(event.target).openRow = true; });
  });
})();
