/** How each channel is called and drawn; an unknown one gets a bell. */
const SVG = "http://www.w3.org/2000/svg";

const CHANNELS = {
  email: { name: "Email", path: "M3 5.5h14v9H3zM3 6l7 5 7-5" },
  sms: { name: "SMS", path: "M4 4.5h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H9l-3.5 3v-3H4a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1ZM6.5 8h7M6.5 10.500h4" },
  push: { name: "Push", path: "M6 2.5h8a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1ZM9 14.500h2" },
  whatsapp: { name: "WhatsApp", path: "M10 3a7 7 0 0 1 0 14 7 7 0 0 1-3.400-.900L3 17l.900-3.600A7 7 0 0 1 10 3ZM7.500 7.500c0 3 2 5 5 5" },
  slack: { name: "Slack", path: "M7.500 3.500 6 16.500M14 3.500l-1.500 13M3.500 7.500h13M3 12.500h13" },
  discord: { name: "Discord", path: "M6.500 5C5 5.300 4 6 3.500 7.500 2.800 10 2.500 13 3 14.500c1.500 1 2.500 1 3.500.500l.500-1.500h6l.500 1.500c1 .500 2 .500 3.500-.500.500-1.500.200-4.500-.500-7C16 6 15 5.300 13.500 5L13 6H7ZM7.500 10v.500M12.500 10v.500" },
  webhook: { name: "Webhook", path: "M8.500 11.500 11.500 8.500M9 6l1.500-1.500a3.500 3.500 0 0 1 5 5L14 11M11 14l-1.500 1.500a3.500 3.500 0 0 1-5-5L6 9" },
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
