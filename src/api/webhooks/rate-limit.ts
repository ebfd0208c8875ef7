// Token buckets, one per caller and one for all: a flood is answered without any work.

export interface RateLimits {
  /** How many calls at once. */
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

const MAX_CALLERS = 4096;

export class RateLimiter {
  readonly #each: RateLimits;
  readonly #all: RateLimits;
  readonly #buckets = new Map<string, Bucket>();
  readonly #total: Bucket;

  constructor(each: RateLimits, all: RateLimits) {
    this.#each = each;
    this.#all = all;
    this.#total = { tokens: all.burst, at: -Infinity };
  }

  /** `now`: milliseconds, never going back. A caller over its own limit takes nothing from the others'. */
  allows(caller: string, now: number): boolean {
    let bucket = this.#buckets.get(caller);
    if (bucket === undefined) {
      // The oldest is forgotten: memory stays bounded, and the limit for all still holds.
      const oldest = this.#buckets.size >= MAX_CALLERS ? this.#buckets.keys().next().value : undefined;
      if (oldest !== undefined) this.#buckets.delete(oldest);
      bucket = { tokens: this.#each.burst, at: now };
    }
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    return take(bucket, this.#each, now) && take(this.#total, this.#all, now);
  }
}

function take(bucket: Bucket, { burst, perSecond }: RateLimits, now: number): boolean {
  const elapsed = bucket.at === -Infinity ? 0 : Math.max(0, now - bucket.at);
  bucket.tokens = Math.min(burst, bucket.tokens + (elapsed / 1000) * perSecond);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}
