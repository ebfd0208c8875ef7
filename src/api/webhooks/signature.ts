// How each forge proves that a webhook is its own. Always computed in full and compared in constant time, whatever is missing. Pure.
//
//   github             X-Hub-Signature-256: sha256=HMAC(body)      X-GitHub-Delivery
//   gitlab             X-Gitlab-Token: the secret itself           Idempotency-Key, X-Gitlab-Event-UUID
//   gitea, forgejo     X-Gitea-Signature / X-Forgejo-Signature: HMAC(body), or X-Hub-Signature-256      X-Gitea-Delivery / X-Forgejo-Delivery
//   bitbucket          X-Hub-Signature: sha256=HMAC(body)          X-Request-UUID (cloud), X-Request-Id (data center)
//   generic            X-Lockstep-Signature: sha256=HMAC(TIMESTAMP.body), X-Lockstep-Timestamp: seconds since the epoch
import { createHmac, timingSafeEqual } from 'node:crypto';

export type WebhookType = 'github' | 'gitlab' | 'gitea' | 'forgejo' | 'bitbucket' | 'generic';
export type WebhookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Proof {
  readonly valid: boolean;
  /** What tells this delivery from others; equal ones are the same delivery again. */
  readonly deliveries: readonly string[];
}

/** A generic call may be this old, or from a clock this far ahead. */
export const GENERIC_WINDOW_SECONDS = 300;

/** `headers`: with names in lower case. `secret`: never empty. */
export function prove(type: WebhookType, secret: string, headers: WebhookHeaders, body: Uint8Array, nowMs: number): Proof {
  switch (type) {
    case 'github':
      return byHmac(secret, body, [prefixed(one(headers, 'x-hub-signature-256'))], [one(headers, 'x-github-delivery')]);
    case 'gitea':
    case 'forgejo':
      return byHmac(
        secret,
        body,
        [one(headers, 'x-forgejo-signature'), one(headers, 'x-gitea-signature'), prefixed(one(headers, 'x-hub-signature-256'))],
        [one(headers, 'x-forgejo-delivery') ?? one(headers, 'x-gitea-delivery')],
      );
    case 'bitbucket': {
      const delivery = one(headers, 'x-request-uuid') ?? one(headers, 'x-request-id');
      return byHmac(secret, body, [prefixed(one(headers, 'x-hub-signature'))], [delivery]);
    }
    case 'gitlab': {
      // No HMAC: the token is the secret. Hashed first, so that its length shows in no timing.
      const valid = equal(hmac('compare', secret), hmac('compare', one(headers, 'x-gitlab-token') ?? ''));
      return { valid, deliveries: known([one(headers, 'idempotency-key') ?? one(headers, 'x-gitlab-event-uuid')]) };
    }
    default:
      return generic(secret, headers, body, nowMs);
  }
}

function generic(secret: string, headers: WebhookHeaders, body: Uint8Array, nowMs: number): Proof {
  const stamp = one(headers, 'x-lockstep-timestamp') ?? '';
  const signed = Buffer.concat([Buffer.from(`${stamp}.`), body]);
  const proof = byHmac(secret, signed, [prefixed(one(headers, 'x-lockstep-signature'))], []);
  const fresh = /^\d{1,12}$/.test(stamp) && Math.abs(nowMs / 1000 - Number(stamp)) <= GENERIC_WINDOW_SECONDS;
  return { valid: proof.valid && fresh, deliveries: proof.deliveries };
}

/** The delivery's id is not signed, so the same signature again counts as the same delivery, too. */
function byHmac(secret: string, body: Uint8Array, given: readonly (string | undefined)[], ids: readonly (string | undefined)[]): Proof {
  const wanted = hmac(secret, body);
  const matches = given.map((hex) => equal(wanted, /^[0-9a-f]{64}$/i.test(hex ?? '') ? Buffer.from(hex ?? '', 'hex') : Buffer.alloc(32)));
  return { valid: matches.includes(true), deliveries: [...known(ids), `signature:${wanted.toString('hex')}`] };
}

function hmac(secret: string, data: string | Uint8Array): Buffer {
  return createHmac('sha256', secret).update(data).digest();
}

function equal(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(a, b);
}

/** A header that came twice proves nothing. */
function one(headers: WebhookHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function prefixed(value: string | undefined): string | undefined {
  return value?.startsWith('sha256=') === true ? value.slice(7) : undefined;
}

function known(ids: readonly (string | undefined)[]): string[] {
  return ids.filter((id) => id !== undefined && id.length <= 200).map((id) => `id:${id}`);
}
