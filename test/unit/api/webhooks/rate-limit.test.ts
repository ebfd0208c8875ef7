import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimiter } from '../../../../src/api/webhooks/rate-limit.ts';

test('a caller may come often at once, and then at a rate', () => {
  const limiter = new RateLimiter({ burst: 3, perSecond: 2 }, { burst: 100, perSecond: 100 });
  const allowed = (count: number, now: number): number =>
    Array.from({ length: count }, () => limiter.allows('a', now)).filter(Boolean).length;
  assert.equal(allowed(10, 0), 3);
  assert.equal(allowed(10, 1000), 2);
  assert.equal(allowed(10, 60_000), 3);
  assert.ok(limiter.allows('b', 60_000), 'another caller is not held up');
});

test('all callers together have a limit, too', () => {
  const limiter = new RateLimiter({ burst: 3, perSecond: 1 }, { burst: 5, perSecond: 1 });
  const allowed = Array.from({ length: 100_000 }, (_, n) => limiter.allows(`caller${n}`, 0)).filter(Boolean).length;
  assert.equal(allowed, 5);
});
