// The daemon's log: one line of JSON each (pino), to stderr. Values that could be secrets are never passed in.
import { type Logger, pino } from 'pino';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export function makeLog(level: string = process.env['LOCKSTEP_LOG'] ?? 'info'): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}

export const silentLog: Log = pino({ level: 'silent' });
