import { defineConfig } from "vite";

// Relative addresses: the page works wherever the API is mounted. The API serves what is built here, at `/`.
export default defineConfig({
  base: "./",
  // The TypeScript client, from its sources: where they are stands in tsconfig.json.
  resolve: { tsconfigPaths: true },
  build: {
    outDir: "../src/stepfast/dashboard",
    emptyOutDir: true,
    // A data: address would need an exception in the page's security policy.
    assetsInlineLimit: 0,
    // The notices of the libraries that are packed in.
    license: { fileName: "licenses.md" },
    modulePreload: { polyfill: false },
  },
  // The Host stays what the browser asked for: without keys the API takes changes from pages of that very host only.
  server: { proxy: Object.fromEntries(["/v1", "/openapi.json"].map((path) => [path, { target: "http://127.0.0.1:8787", changeOrigin: false }])) },
});
