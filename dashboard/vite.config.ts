import { defineConfig } from "vite";

// Relative addresses: the page works wherever the API is mounted. The API serves what is built here, at `/`.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/stepfast/dashboard",
    emptyOutDir: true,
    // A data: address would need an exception in the page's security policy.
    assetsInlineLimit: 0,
    // The notices of the libraries that are packed in.
    license: { fileName: "licenses.md" },
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8787", "/openapi.json": "http://127.0.0.1:8787" } },
});
