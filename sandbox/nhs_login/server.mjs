// Stands in for NHS login: a certified OpenID provider (oidc-provider) with our own pages and made-up people.
// Listens on this machine only, prints its address on the first line, keeps nothing.
//
//   node server.mjs --client-key FILE --redirect URL [--client-id ID] [--port N]

import { createHash, createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

import Provider, { errors, interactionPolicy } from "oidc-provider";

import { choose, page } from "./pages.mjs";
import { personas } from "./personas.mjs";

const { values: args } = parseArgs({
  options: {
    "client-id": { type: "string", default: "letterbox-demo" },
    "client-key": { type: "string" },
    port: { type: "string", default: "0" },
    redirect: { type: "string", multiple: true },
  },
});
if (!args["client-key"] || !args.redirect) {
  console.error("error: give --client-key FILE and at least one --redirect URL");
  process.exit(2);
}

// The portal's public half: the provider never learns more.
const clientKey = createPublicKey(readFileSync(args["client-key"])).export({ format: "jwk" });

function signingKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = privateKey.export({ format: "jwk" });
  const kid = createHash("sha256").update(jwk.n).digest("base64url").slice(0, 16);
  return { ...jwk, kid, alg: "RS512", use: "sig" };
}

// NHS login keeps nobody signed in: whoever comes is asked who they are.
function policy() {
  const { Check, base } = interactionPolicy;
  const prompts = base();
  prompts.get("login").checks.add(new Check("every_time", "everybody is asked", (ctx) =>
    (ctx.oidc.result?.login ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT)));
  return prompts;
}

function configuration(issuer) {
  return {
    clients: [{
      client_id: args["client-id"],
      redirect_uris: args.redirect,
      response_types: ["code"],
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "RS512",
      id_token_signed_response_alg: "RS512",
      jwks: { keys: [{ kty: clientKey.kty, n: clientKey.n, e: clientKey.e, alg: "RS512", use: "sig" }] },
    }],
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    enabledJWA: {
      clientAuthSigningAlgValues: ["RS512"],
      idTokenSigningAlgValues: ["RS512"],
    },
    clientAuthMethods: ["private_key_jwt"],
    responseTypes: ["code"],
    pkce: { required: () => false },
    scopes: ["openid", "profile", "profile_extended", "email", "phone", "gp_registration_details"],
    claims: {
      openid: ["sub", "vot", "vtm", "nhs_number", "birthdate", "family_name", "identity_proofing_level"],
      profile: ["nhs_number", "birthdate", "family_name", "identity_proofing_level"],
      profile_extended: ["given_name"],
      email: ["email", "email_verified"],
      phone: ["phone_number", "phone_number_verified"],
      gp_registration_details: ["gp_registration_details"],
    },
    extraParams: {
      vtr(ctx, value) {
        if (!value) throw new errors.InvalidRequest("vtr is missing");
      },
    },
    routes: {
      authorization: "/authorize",
      token: "/token",
      userinfo: "/userinfo",
      jwks: "/.well-known/jwks.json",
    },
    ttl: { AccessToken: 300, AuthorizationCode: 600, IdToken: 3600, Interaction: 600, Grant: 600, Session: 600 },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
    interactions: { policy: policy(), url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    async findAccount(ctx, id) {
      const one = personas.find((persona) => persona.sub === id);
      return one && {
        accountId: id,
        claims: async () => ({ sub: id, vtm: `${issuer}/trustmark`, jti: randomUUID(), ...one.claims }),
      };
    },
    async renderError(ctx, out) {
      ctx.type = "html";
      ctx.body = page("That did not work", `<p>${String(out.error).replace(/[^a-z_]/g, "")}</p>`);
    },
  };
}

function bodyOf(request) {
  return new Promise((resolve, reject) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
      if (text.length > 10_000) reject(new Error("the form is too large"));
    });
    request.on("end", () => resolve(new URLSearchParams(text)));
    request.on("error", reject);
  });
}

// Each visit begins afresh: whoever came before on this browser is nobody to this one.
function forgetEarlierVisit(request) {
  const kept = (request.headers.cookie ?? "").split("; ").filter((pair) => !pair.startsWith("_session"));
  request.headers.cookie = kept.join("; ");
}

function html(response, status, text) {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
  });
  response.end(text);
}

async function interaction(provider, request, response) {
  const { uid, params } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") {
    return html(response, 200, choose(uid, personas));
  }
  const chosen = (await bodyOf(request)).get("persona");
  const persona = personas.find((one) => one.sub === chosen);
  if (!persona) return html(response, 400, page("Nobody of that name", "<p>Please go back.</p>"));
  const finish = (result) =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  if (persona.refuses) {
    return finish({ error: "access_denied", error_description: "ConsentNotGiven" });
  }
  const grant = new provider.Grant({ accountId: persona.sub, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return finish({ login: { accountId: persona.sub, remember: false }, consent: { grantId: await grant.save() } });
}

const server = createServer();
server.listen(Number(args.port), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration(issuer));
  const oidc = provider.callback();
  server.on("request", (request, response) => {
    const { pathname } = new URL(request.url, issuer);
    if (pathname === "/health") return response.end("well\n");
    if (pathname.startsWith("/authorize")) forgetEarlierVisit(request);
    if (!pathname.startsWith("/interaction/")) return oidc(request, response);
    return interaction(provider, request, response).catch((error) => {
      console.error(error.message);
      if (!response.headersSent) html(response, 400, page("Please start again", "<p>Go back to the portal.</p>"));
    });
  });
  console.log(issuer);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
