// Random choices that come out the same for the same seed.

export interface Random {
  /** 0 up to below `limit`. */
  below(limit: number): number;
  /** True once in `of` times. */
  once(of: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
  /** Each with the chance 1 in `of`, in the given order. */
  some<T>(list: readonly T[], of: number): T[];
}

/** xorshift32 (Marsaglia 2003). */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1;
  function below(limit: number): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  }
  return {
    below,
    once: (of) => below(of) === 0,
    pick: (list) => list[below(list.length)] ?? list[0],
    some: (list, of) => list.filter(() => below(of) === 0),
  };
}
