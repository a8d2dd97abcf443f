import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const carillon = { target: process.env.CARILLON ?? "http://127.0.0.1:8000", ws: true };
const isCustomElement = (tag) => tag.startsWith("carillon-");

// `bin/demo` behind the same origin, as a reverse proxy would have it.
export default defineConfig({
  plugins: [vue({ template: { compilerOptions: { isCustomElement } } })],
  server: { proxy: { "/api": carillon, "/ws": carillon, "/demo": carillon } },
  preview: { proxy: { "/api": carillon, "/ws": carillon, "/demo": carillon } },
});
