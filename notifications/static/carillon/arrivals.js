// How a new notification draws attention to itself: loaded by carillon.js where `toast` or `sound` asks for it.

const TOAST_FOR = 7000;
const MOST = 3;

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  .toasts { position: fixed; inset: auto; inset-block-end: 16px; inset-inline-end: 16px; padding: 0; border: 0;
    width: min(380px, calc(100vw - 32px)); background: none; color: inherit; overflow: visible }
  .toast { position: relative; display: grid; grid-template-columns: 36px minmax(0, 1fr) auto; gap: 0 12px;
    margin-block-start: 8px; padding: 12px; border: 1px solid var(--line); border-radius: 14px;
    background: var(--surface); box-shadow: 0 8px 30px #0003; animation: rise .25s ease-out }
  .toast .title { font-weight: 650 }
  .toast .body { -webkit-line-clamp: 2 }
  .toast .foot:empty { display: none }
`);

/** A function that shows an item for some seconds, above all else on the page. `draw`: its parts. */
export function toaster(root, h, draw) {
  root.adoptedStyleSheets = [...root.adoptedStyleSheets.filter((sheet) => sheet !== STYLE), STYLE];
  const toasts = h("div", { class: "toasts", part: "toasts", popover: "manual" });
  root.append(toasts);
  return (item) => {
    const leave = () => {
      toast.remove();
      if (!toasts.children.length) toasts.hidePopover();
    };
    const later = () => setTimeout(() => (toast.matches(":hover, :focus-within") ? later() : leave()), TOAST_FOR);
    const toast = h("div", { class: `toast ${item.type}`, part: "toast" }, ...draw(item, leave));
    if (toasts.children.length === MOST) toasts.firstChild.remove();
    toasts.append(toast);
    toasts.showPopover();
    later();
  };
}

/** Two strokes of a bell, once though several tabs hear of it. Before the page was touched the browser keeps silent. */
export function chime() {
  navigator.locks?.request("carillon-chime", { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    const audio = new AudioContext();
    strike(audio, 1046.5, 0);
    strike(audio, 1568, 0.14);
    await new Promise((done) => setTimeout(done, 1500));
    await audio.close();
  });
}

function strike(audio, pitch, after) {
  const [tone, volume, start] = [audio.createOscillator(), audio.createGain(), audio.currentTime + after];
  tone.frequency.value = pitch;
  volume.gain.setValueAtTime(0.12, start);
  volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.9);
  tone.connect(volume).connect(audio.destination);
  tone.start(start);
  tone.stop(start + 1);
}
