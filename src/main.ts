// The daemon's command line: flags in, exit code out. The daemon itself is put together in daemon.ts.
import { readFileSync } from 'node:fs';
import { DAEMON_USAGE, type DaemonOptions, parseDaemonOptions } from './daemon-options.ts';
import { AppError, errorChain } from './core/errors.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
/** EX_CONFIG (sysexits.h): systemd must not restart what cannot work, such as a ledger of a newer version. */
const EXIT_CONFIG = 78;
/** The longest there is (setTimeout(), Node). */
const LONG_MS = 2 ** 31 - 1;

async function main(argv: readonly string[]): Promise<number> {
  const options = parseDaemonOptions(argv);
  if (options === 'help') {
    process.stdout.write(DAEMON_USAGE);
    return 0;
  }
  if (options === 'version') {
    process.stdout.write(`lockstepd ${version()}\n`);
    return 0;
  }
  return runDaemon(options);
}

async function runDaemon(options: DaemonOptions): Promise<number> {
  // Pidfds and many timers do not hold the event loop. Where a start or an end waits for nothing but them (a monitor that does not say
  // RUNNING yet), Node would leave in the middle of it with exit code 13.
  const held = setInterval(() => {}, LONG_MS);
  try {
    return await startAndServe(options);
  } finally {
    clearInterval(held);
  }
}

async function startAndServe(options: DaemonOptions): Promise<number> {
  const { startDaemon } = await import('./daemon.ts');
  const daemon = await startDaemon(options, version());
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGTERM', onSignal);
  process.once('SIGINT', onSignal);
  try {
    if (!options.once) {
      await daemon.ended(stop.signal);
      return 0;
    }
    const result = await daemon.settle(options.timeoutMs, stop.signal);
    process.stdout.write(result.text);
    return result.ok ? 0 : EXIT_FAILED;
  } finally {
    await daemon.close();
  }
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof AppError)) return EXIT_FAILED;
  if (error.code === 'LEDGER_NEWER') return EXIT_CONFIG;
  return error.code === 'REQUEST_INVALID' || error.code === 'NAME_INVALID' || error.code === 'NOT_SUPPORTED_YET' ? EXIT_USAGE : EXIT_FAILED;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { messages, hint } = errorChain(error);
  process.stderr.write(`lockstepd: ${messages.join(': ')}\n${hint === undefined ? '' : `  ${hint}\n`}`);
  process.exitCode = exitCodeOf(error);
}
