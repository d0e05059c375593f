// Builds `dist/`: hashed style sheet, scripts and images, their gzip and brotli twins, and `manifest.json`
// (logical name → hashed file). Never fetches anything; `npm ci` has brought what it needs.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, basename } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import esbuild from "esbuild";
import { compileAsync, NodePackageImporter } from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const assets = join(dist, "assets");
const frontend = join(here, "node_modules/nhsuk-frontend/dist/nhsuk");
const fonts = join(here, "node_modules/@expo-google-fonts/arimo");

/** Images that the NHS style sheet names in `url()`; the NHS logo and icons are deliberately not among them. */
const FRONTEND_IMAGES = ["nhsuk-icon-arrow-up-down.svg", "nhsuk-icon-arrow-up.svg", "nhsuk-icon-arrow-down.svg", "nhsuk-icon-cross.svg"];
/** Faces compiled into the PDF letters (Arimo, SIL Open Font Licence). */
const FONT_FACES = { "regular.ttf": "400Regular/Arimo_400Regular.ttf", "bold.ttf": "700Bold/Arimo_700Bold.ttf" };

const manifest = {};

/** Writes one asset under a name that carries its hash, with compressed twins where they save bytes. */
async function emit(logical, bytes) {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const extension = extname(logical);
  const file = `${basename(logical, extension)}-${hash}${extension}`;
  await writeFile(join(assets, file), bytes);
  for (const [suffix, compress] of [[".gz", promisify(gzip)], [".br", promisify(brotliCompress)]]) {
    const small = await compress(bytes);
    if (small.length < bytes.length * 0.9) await writeFile(join(assets, file + suffix), small);
  }
  manifest[logical] = file;
  return file;
}

async function images() {
  const own = join(here, "src/images");
  const wanted = [
    ...(await readdir(own)).map((name) => join(own, name)),
    ...FRONTEND_IMAGES.map((name) => join(frontend, "assets/images", name)),
  ];
  for (const path of wanted) await emit(basename(path), await readFile(path));
}

/** The style sheet names images by their plain names; the hashed ones are put in afterwards. */
async function styles() {
  const { css } = await compileAsync(join(here, "src/styles/app.scss"), {
    style: "compressed",
    importers: [new NodePackageImporter(here)],
    loadPaths: [join(here, "node_modules")],
    silenceDeprecations: ["import"],
    quietDeps: true,
  });
  const hashed = css.replace(/\/assets\/images\/([\w.-]+)/g, (whole, name) => {
    if (!manifest[name]) throw new Error(`the style sheet names ${whole}, which is not among the images`);
    return `/assets/${manifest[name]}`;
  });
  await emit("app.css", Buffer.from(hashed));
}

async function scripts() {
  const result = await esbuild.build({
    entryPoints: [join(here, "src/app.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2021"],
    charset: "utf8",
    write: false,
    outdir: assets,
    legalComments: "none",
  });
  for (const file of result.outputFiles) await emit(basename(file.path), file.contents);
  // For browsers that do not understand the above; the target has the build refuse what they would not understand.
  const plain = await readFile(join(here, "src/old_browser.js"), "utf8");
  const { code } = await esbuild.transform(plain, { minify: true, target: "es5", legalComments: "none" });
  await emit("old_browser.js", Buffer.from(code));
}

async function copyFonts() {
  const target = join(dist, "fonts");
  await mkdir(target, { recursive: true });
  for (const [name, source] of Object.entries(FONT_FACES)) await writeFile(join(target, name), await readFile(join(fonts, source)));
}

await rm(dist, { recursive: true, force: true });
await mkdir(assets, { recursive: true });
await images();
await styles();
await scripts();
await copyFonts();
await writeFile(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
console.log(Object.values(manifest).join("\n"));
