// Shows of each message only the parts that its channel has; a part that holds something is never hidden.
(() => {
  const parts = ["subject", "title", "body", "html", "overrides"];

  const update = (select) => {
    const wanted = JSON.parse(select.dataset.parts)[select.value] ?? parts;
    for (const part of parts) {
      const input = document.getElementById(select.id.replace(/channel$/, part));
      const line = input?.closest(`.field-${part}`);
      if (line) line.hidden = !wanted.includes(part) && !input.value;
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
