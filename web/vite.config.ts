import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves /call/call.html?site=… itself and asks this Tenantry for the rest.
const tenantry = process.env.TENANTRY_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/call/",
  plugins: [react()],
  build: {
    outDir: "../src/tenantry/channels/livekit_voice/page",
    emptyOutDir: true,
    target: "es2023",
    // livekit-client, which only a call through LiveKit loads.
    chunkSizeWarningLimit: 600,
    // The page's content security policy allows no data: addresses.
    assetsInlineLimit: 0,
    rolldownOptions: { input: "call.html" },
  },
  worker: { format: "es" },
  server: { host: "127.0.0.1", proxy: { "/api": { target: tenantry, ws: true } } },
  test: { environment: "node", include: ["src/**/*.test.ts"], isolate: false },
});
