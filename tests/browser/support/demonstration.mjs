// Starts the demonstration of this checkout, apart from any other on this machine, and ends it with everything it made.
import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const programs = process.env.LETTERBOX_BIN_DIR ?? join(root, "target/debug");

/** A first start makes a database cluster; a slow machine gets time. */
const START_WITHIN = 120_000;
const END_WITHIN = 30_000;

/** `settings`: environment of the servers, such as `LETTERBOX__SESSIONS__IDLE_PUBLIC`. */
export async function demonstration(settings = {}) {
  // Below /var/tmp, and open for passing through: PostgreSQL gives up root's rights and must still get there.
  const data = await mkdtemp("/var/tmp/letterbox-browser-");
  await chmod(data, 0o711);
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const child = spawn(join(programs, "letterbox"), ["demo", "--port", String(port), "--data", join(data, "cluster")], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...settings },
  });
  const said = [];
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.stderr.on("data", (bytes) => said.push(String(bytes)));
  try {
    const stage = await announced(child, said, ended);
    const at = new URL(stage).port;
    return {
      stage,
      outside: `http://localhost:${at}/outside-world`,
      host: (persona) => `http://${persona}.localhost:${at}`,
      log: () => said.join(""),
      async end() {
        child.kill("SIGINT");
        const late = new Promise((resolve) => setTimeout(resolve, END_WITHIN, "late").unref());
        if ((await Promise.race([ended, late])) === "late") child.kill("SIGKILL");
        await rm(data, { recursive: true, force: true });
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    await rm(data, { recursive: true, force: true });
    throw error;
  }
}

function announced(child, said, ended) {
  return new Promise((resolve, reject) => {
    let text = "";
    let timer;
    const giveUp = (why) => {
      clearTimeout(timer);
      reject(new Error(`the demonstration ${why}\n${text}${said.join("")}`));
    };
    timer = setTimeout(giveUp, START_WITHIN, "did not start in time");
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const stage = /http:\/\/localhost:\d+\/stage/.exec(text);
      if (stage && text.includes("Stop with Ctrl-C")) {
        clearTimeout(timer);
        resolve(stage[0]);
      }
    });
    ended.then(() => giveUp("ended before it began"));
    child.once("error", (error) => giveUp(`cannot be started: ${error.message}`));
  });
}
