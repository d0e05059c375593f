// Bundles a TypeScript module in memory and imports it: the tests run what the browser runs.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const src = join(dirname(fileURLToPath(import.meta.url)), "../src");

export async function load(path) {
  const built = await esbuild.build({ entryPoints: [join(src, path)], bundle: true, format: "esm", target: "es2022", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].contents).toString("base64")}`);
}
