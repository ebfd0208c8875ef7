// What the reconciler has counted and measured.
export interface ReconcilerMetrics {
  /** Returns what is to be called at the round's end with the number of changes planned. */
  roundBegan(): (planned: number) => void;
  changeEnded(kind: string, change: string, outcome: string, seconds: number): void;
  /** An object that had drifted is as declared again, so long after that was seen. */
  driftEnded(kind: string, seconds: number): void;
}
