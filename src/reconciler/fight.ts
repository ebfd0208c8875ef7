// Whether something else keeps changing a field back. Pure: the times of our repairs in, a decision out.
//
// Three repairs of one field within ten minutes are done; when it is changed back once more, it is left as it is until ten minutes have
// passed since the last of them, its manifest changes, or somebody asks for another try.

export const FIGHT_WINDOW_MS = 10 * 60_000;
const REPAIRS = 3;

/** Until when the field is left alone (epoch ms); undefined: it is repaired. `repairs`: oldest first. `held`: of a fight known before. */
export function fightUntil(repairs: readonly number[], held: number | undefined, now: number): number | undefined {
  if (held !== undefined && held > now && held - now <= FIGHT_WINDOW_MS) return held;
  // A clock that was set back must not make a fight of what is still to come.
  const recent = repairs.filter((at) => at <= now && now - at < FIGHT_WINDOW_MS);
  return recent.length < REPAIRS ? undefined : recent.at(-1)! + FIGHT_WINDOW_MS;
}

/** The times worth remembering, with one more. */
export function withRepair(repairs: readonly number[], at: number): readonly number[] {
  return [...repairs, at].slice(-REPAIRS);
}
