// The stand-in's own pages: they work without JavaScript and say on every page that this is not NHS login.

const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const style = `
  body { font: 1.125rem/1.5 Arial, sans-serif; margin: 0; color: #212b32; background: #f0f4f5 }
  header { background: #4c6272; color: #fff; padding: .75rem 1rem }
  main { max-width: 44rem; margin: 0 auto; padding: 1rem }
  li { background: #fff; margin: 0 0 .75rem; padding: .75rem; display: flex; flex-wrap: wrap; gap: .75rem;
       justify-content: space-between; align-items: center }
  ul { list-style: none; padding: 0 }
  p { margin: 0 0 1rem } li p { margin: 0; flex: 1 1 14rem }
  button { font: inherit; font-weight: bold; padding: .5rem 1rem; min-height: 44px; border: 0; background: #005eb8;
           color: #fff; cursor: pointer }
  button:focus { outline: 4px solid #ffeb3b; outline-offset: 0; background: #212b32 }
`;

export function page(title, body) {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} – stand-in for NHS login</title><style>${style}</style></head>
<body><header>Stand-in for NHS login. Not an NHS service; everybody here is made up.</header>
<main><h1>${escape(title)}</h1>${body}</main></body></html>`;
}

export function choose(uid, people) {
  const rows = people.map((one) => `
    <li><p><strong>${escape(`${one.claims.given_name} ${one.claims.family_name}`)}</strong><br>${escape(one.about)}</p>
      <form method="post" action="/interaction/${encodeURIComponent(uid)}">
        <button name="persona" value="${escape(one.sub)}" type="submit">Continue as ${escape(one.claims.given_name)}</button>
      </form></li>`);
  return page("Who are you?", `<p>The real NHS login would ask for an email address, a password and a code.</p>
    <ul>${rows.join("")}</ul>`);
}
