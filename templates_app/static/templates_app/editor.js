// Sources with line numbers, tags in colour, and problems at their lines. The textarea stays what is typed into and
// sent; the lines are drawn behind it, in the same places. Tab indents; Escape lets the next Tab leave, so that
// nobody who uses the keyboard is caught in here (WCAG 2.2, 2.1.2).
(() => {
  const INDENT = "  ";
  const TOKENS = /(\{#[\s\S]*?#\})|(\{%[\s\S]*?%\})|(\{\{[\s\S]*?\}\})|(<!--[\s\S]*?-->)|(<\/?[a-zA-Z][^<>{}]*>?)/g;
  const KINDS = ["comment", "statement", "print", "comment", "markup"];
  const problems = new WeakMap();

  const drawn = (source) => {
    const lines = [document.createElement("div")];
    const add = (text, kind) => text.split("\n").forEach((piece, index) => {
      if (index) lines.push(document.createElement("div"));
      if (!piece) return;
      const span = document.createElement("span");
      span.textContent = piece;
      if (kind) span.className = `e-${kind}`;
      lines.at(-1).append(span);
    });
    let at = 0;
    for (const found of source.matchAll(TOKENS)) {
      add(source.slice(at, found.index));
      add(found[0], KINDS[found.slice(1).findIndex(Boolean)]);
      at = found.index + found[0].length;
    }
    add(source.slice(at));
    return lines;
  };

  const draw = (textarea) => {
    const box = textarea.parentElement;
    const lines = drawn(textarea.value);
    for (const { line, severity, words } of problems.get(textarea) ?? []) {
      const here = line && lines[Math.min(line, lines.length) - 1];
      if (here && !here.classList.contains("e-error")) here.className = `e-line e-${severity}`;
      if (here) here.title = words;
    }
    box.style.setProperty("--digits", String(lines.length).length);
    box.querySelector("pre").replaceChildren(...lines);
  };

  const insert = (textarea, text) => document.execCommand("insertText", false, text) || textarea.setRangeText(text, textarea.selectionStart, textarea.selectionEnd, "end");

  const indent = (textarea, outwards) => {
    const { value, selectionStart: from, selectionEnd: to } = textarea;
    if (from === to && !outwards) return insert(textarea, INDENT);
    const begin = value.lastIndexOf("\n", from - 1) + 1;
    const block = value.slice(begin, to);
    const moved = outwards ? block.replace(/^ {1,2}|^\t/gm, "") : block.replace(/^(?=.)/gm, INDENT);
    if (moved === block) return;
    textarea.setSelectionRange(begin, to);
    insert(textarea, moved);
    textarea.setSelectionRange(from === to ? Math.max(begin, from + moved.length - block.length) : begin, begin + moved.length);
  };

  const keys = (textarea) => {
    let leaves = false;
    textarea.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { leaves = true; return; }
      if (event.key === "Tab" && !leaves && !event.ctrlKey && !event.altKey && !event.metaKey) {
        event.preventDefault();
        indent(textarea, event.shiftKey);
      }
      if (event.key !== "Shift") leaves = false;
    });
    textarea.addEventListener("blur", () => { leaves = false; });
  };

  const enhance = (textarea) => {
    if (textarea.closest(".c-editor") || textarea.name.includes("__prefix__") || textarea.rows < 4) return;
    const box = Object.assign(document.createElement("div"), { className: "c-editor" });
    const lines = Object.assign(document.createElement("pre"), { className: "c-editor-lines" });
    lines.setAttribute("aria-hidden", "true");
    textarea.before(box);
    box.append(lines, textarea);
    box.insertAdjacentHTML("afterend", `<div class="c-editor-foot"><ul class="c-editor-problems" id="${textarea.id}-problems" aria-live="polite"></ul><small class="c-dim" id="${textarea.id}-keys">Tab indents. Esc, then Tab leaves.</small></div>`);
    textarea.setAttribute("aria-describedby", `${textarea.id}-problems ${textarea.id}-keys`);
    textarea.addEventListener("input", () => draw(textarea));
    textarea.rows = 1; // as high as its lines from now on
    keys(textarea);
    draw(textarea);
  };

  // Of one part: those that name a line are marked there too.
  const tell = (textarea, found) => {
    problems.set(textarea, found);
    const list = document.getElementById(`${textarea.id}-problems`);
    if (list) draw(textarea);
    const errors = found.filter(({ severity }) => severity === "error");
    textarea.setAttribute("aria-invalid", String(errors.length > 0));
    list?.replaceChildren(...errors.map(({ line, words }) => {
      const item = document.createElement("li");
      item.textContent = line ? `Line ${line}: ${words}` : words;
      return item;
    }));
  };

  const show = (textarea, line) => {
    const lines = textarea.value.split("\n");
    const begin = lines.slice(0, (line || 1) - 1).join("\n").length + (line > 1 ? 1 : 0);
    textarea.focus();
    textarea.setSelectionRange(begin, begin + (line ? lines[line - 1]?.length ?? 0 : 0));
    textarea.parentElement.querySelectorAll("pre > div")[(line || 1) - 1]?.scrollIntoView({ block: "center" });
  };

  const all = (root) => root.querySelectorAll("textarea.c-source").forEach(enhance);

  document.addEventListener("DOMContentLoaded", () => all(document));
  document.addEventListener("formset:added", (event) => all(event.target));
  window.carillonEditor = { tell, show };
})();
