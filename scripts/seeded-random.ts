// Random choices that can be repeated: the same seed, the same run (mulberry32). For tests and the soak run, which print their seed.

export interface Seeded {
  readonly seed: number;
  /** 0 <= x < 1. */
  next(): number;
  /** min <= n < max, whole. */
  between(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** `LOCKSTEP_SEED` or, without it, another seed each time. */
export function seedFromEnvironment(): number {
  const given = process.env['LOCKSTEP_SEED'];
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (min: number, max: number): number => min + Math.floor(next() * (max - min));
  return { seed, next, between, chance: (probability) => next() < probability, pick: (from) => from[between(0, from.length)]! };
}
