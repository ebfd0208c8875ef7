// Names of confirmations that are not about one source. No source has such a name (objectNameProblem).

/** Ownership was read back from the instances' own records, because the ledger was lost or is older than the host: nothing is deleted yet. */
export const LEDGER_CONFIRMATION = '@ledger';
