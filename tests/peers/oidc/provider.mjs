// SPDX-License-Identifier: Apache-2.0
// An OpenID provider for oidc_peer.py: provider.mjs PORT, with {"clients": …, "ttl": …, "rotate": true} in OIDC_SETUP. Its
// keys are its own every time, so a restart rotates them. Anybody may log in, with any password.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const setup = JSON.parse(process.env.OIDC_SETUP);
const key = (type, options, rest) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  use: 'sig',
  ...rest,
});
const name = `k${process.pid}`;

const provider = new Provider(issuer, {
  clients: setup.clients,
  jwks: {
    keys: [
      key('rsa', { modulusLength: 2048 }, { alg: 'RS256', kid: `${name}-rsa` }),
      key('ec', { namedCurve: 'P-256' }, { alg: 'ES256', kid: `${name}-ec` }),
    ],
  },
  cookies: { keys: ['not a secret: it is a test'] },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'read', 'write'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `User ${id}`, email: `${id}@id.test`, roles: [] }),
  }),
  pkce: { required: () => Boolean(setup.pkce) },
  ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 3600, Interaction: 600, Session: 3600, Grant: 3600,
         RefreshToken: 3600, ...setup.ttl },
  issueRefreshToken: async () => true,
  rotateRefreshToken: Boolean(setup.rotate),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, indicator) => ({
        scope: 'read write',
        audience: indicator,
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: setup.alg ?? 'RS256' } },
      }),
    },
  },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
