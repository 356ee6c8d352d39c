// A certified OpenID provider for the tests: any number of issuers, each on a
// port of its own, with people that the tests invent. Settings come as JSON in
// WARDSEAL_OIDC: [{port, clients, claims}]. Two addresses serve the tests alone:
// PUT /people/NAME says which claims somebody has, and their sign-in page takes
// a form with login, amr and acr.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

for (const { port, clients, claims } of JSON.parse(process.env.WARDSEAL_OIDC)) {
  const people = new Map();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients,
    claims,
    cookies: { keys: ['for tests'] },
    conformIdTokenClaims: false, // claims of scopes come in the ID token, as big providers have them
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      userinfo: { enabled: true },
    },
    interactions: { url: (_, i) => `/interaction/${i.uid}` },
    fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its own refuses this machine, where the tests are
    acrValues: ['one', 'two'],
    findAccount: (_, id) => people.has(id) && { accountId: id, claims: () => ({ sub: id, ...people.get(id) }) },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope(clients[0].scope);
      await grant.save();
      return grant;
    },
    renderError(ctx, out) { ctx.body = out; },
  });
  provider.on('backchannel.error', (_, e) => console.error(e));
  const handle = provider.callback();
  createServer(async (req, res) => {
    const [, what, name] = new URL(req.url, provider.issuer).pathname.split('/');
    try {
      if (what === 'people' && req.method === 'PUT') {
        people.set(name, JSON.parse(await text(req)));
        res.end();
      } else if (what === 'interaction' && req.method === 'POST') {
        const form = new URLSearchParams(await text(req));
        const login = { accountId: form.get('login'), amr: form.getAll('amr'), acr: form.get('acr') ?? undefined };
        await provider.interactionFinished(req, res, form.has('deny') ? { error: 'access_denied' } : { login });
      } else if (what === 'interaction') {
        res.setHeader('content-type', 'text/html');
        res.end('<!doctype html><form method="post"><label>Who are you? <input name="login"></label><button>Sign in</button></form>');
      } else {
        await handle(req, res);
      }
    } catch (e) {
      console.error(e);
      res.statusCode = 500;
      res.end(String(e));
    }
  }).listen(port, '127.0.0.1');
}
