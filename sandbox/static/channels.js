/** How each channel is called and drawn; an unknown one gets a bell. */
const SVG = "http://www.w3.org/2000/svg";

const CHANNELS = {
  email: { name: "Email", path: "M3 5.5h14v9H3zM3 6l7 5 7-5" },
  sms: { name: "SMS", path: "M4 4.5h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H9l-3.5 3v-3H4a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1ZM6.5 8h7M6.5 10.500h4" },
  push: { name: "Push", path: "M6 2.5h8a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1ZM9 14.500h2" },
};
const BELL = "M10 3.500a4.500 4.500 0 0 0-4.500 4.500v3L4 14h12l-1.500-3V8A4.500 4.500 0 0 0 10 3.500ZM8.500 16.500h3";

export function channelOf(name) {
  const { name: title, path } = CHANNELS[name] ?? { name: name.replace("_", " "), path: BELL };
  return { name: title, icon: () => icon(path) };
}

function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
