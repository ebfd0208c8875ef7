// What a webhook may do: say that a source's remote has moved, so that it is looked at soon. Nothing of the payload is used, not even parsed.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { RateLimiter } from './rate-limit.ts';
import { prove, type WebhookHeaders, type WebhookType } from './signature.ts';

export interface WebhookSource {
  readonly name: string;
  readonly type: WebhookType;
  readonly secretFile: string;
}

export interface ReceiverOptions {
  readonly sources: readonly WebhookSource[];
  readonly moved: (source: string) => void;
  readonly log: Log;
  readonly clock?: Clock;
}

export const WEBHOOK_BODY_BYTES = 1024 * 1024;
const MIN_SECRET = 16;
const MAX_DELIVERIES = 10_000;
const EACH = { burst: 30, perSecond: 2 };
const ALL = { burst: 200, perSecond: 50 };

export class WebhookReceiver {
  readonly #o: ReceiverOptions;
  readonly #clock: Clock;
  readonly #limiter = new RateLimiter(EACH, ALL);
  readonly #deliveries = new Set<string>();
  readonly #dummy = randomBytes(32).toString('hex');

  constructor(options: ReceiverOptions) {
    this.#o = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Throws TOO_MANY_REQUESTS. To be asked before the body is read. */
  admit(caller: string): void {
    if (this.#limiter.allows(caller, this.#clock.monotonic())) return;
    throw new AppError('TOO_MANY_REQUESTS', {}, { message: 'There are too many webhook calls.', hint: 'Try again in a few seconds.' });
  }

  /** Throws FORBIDDEN (the same for an unknown source and a wrong signature) or CONFLICT (seen before). */
  async receive(name: string, headers: WebhookHeaders, body: Uint8Array): Promise<void> {
    const source = this.#o.sources.find((one) => one.name === name);
    const secret = source === undefined ? undefined : await this.#secret(source);
    // The same work for a source that there is not, so that its absence shows in no timing.
    const proof = prove(source?.type ?? 'github', secret ?? this.#dummy, headers, body, this.#clock.now());
    if (source === undefined || secret === undefined || !proof.valid) {
      const hint = 'Compare the secret at the forge with the secretFile in the config file.';
      throw new AppError('FORBIDDEN', {}, { message: 'There is no webhook for this source, or its signature is wrong.', hint });
    }
    const seen = proof.deliveries.map((delivery) => `${name} ${delivery}`);
    if (seen.some((delivery) => this.#deliveries.has(delivery))) {
      throw new AppError('CONFLICT', { source: name }, { message: 'This delivery has been received before.' });
    }
    for (const delivery of seen) this.#deliveries.add(delivery);
    for (const oldest of this.#deliveries) {
      if (this.#deliveries.size <= MAX_DELIVERIES) break;
      this.#deliveries.delete(oldest);
    }
    this.#o.log.debug({ source: name }, 'a webhook says that the source has moved');
    this.#o.moved(name);
  }

  async #secret({ name, secretFile }: WebhookSource): Promise<string | undefined> {
    try {
      const secret = (await readFile(secretFile, 'utf8')).trim();
      if (secret.length >= MIN_SECRET) return secret;
      this.#o.log.error({ source: name, secretFile }, `webhooks are refused: the secret is shorter than ${MIN_SECRET} characters`);
    } catch (error) {
      this.#o.log.error({ source: name, secretFile, error: errorText(error) }, 'webhooks are refused: the secret cannot be read');
    }
    return undefined;
  }
}
