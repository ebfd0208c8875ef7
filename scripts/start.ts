// `npm start`: runs the daemon on the examples, shows progress until all is Ready, says what to try, and stays in the foreground.
// Ctrl-C ends the daemon and leaves the containers running. With --once it exits as soon as all is Ready (0) or cannot become so (1).
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonStatus } from '../src/reconciler/control.ts';
import { EXAMPLES_MARK, EXAMPLES_STATE_DIR } from './examples-state.ts';

const ROOT = join(import.meta.dirname, '..');
const LOCKSTEP = join(ROOT, 'bin/lockstep');
const SOCKET = '/run/lockstep/lockstep.sock';
const once = process.argv.includes('--once');

function claimStateDir(): void {
  const mark = join(EXAMPLES_STATE_DIR, EXAMPLES_MARK);
  const used = existsSync(EXAMPLES_STATE_DIR) && readdirSync(EXAMPLES_STATE_DIR).length > 0;
  if (used && !existsSync(mark)) {
    process.stderr.write(
      `npm start: ${EXAMPLES_STATE_DIR} belongs to a Lockstep that was not started this way, so the examples are not put into it.\n` +
        '  To run the examples there all the same: bin/lockstepd --source examples=examples/manifests\n',
    );
    process.exit(1);
  }
  mkdirSync(EXAMPLES_STATE_DIR, { recursive: true, mode: 0o711 });
  writeFileSync(mark, 'Made by `npm start`; `npm run clean:examples` removes this directory and everything in it.\n');
}

function startDaemon(): ChildProcess {
  const source = `examples=${join(ROOT, 'examples/manifests')}`;
  return spawn(join(ROOT, 'bin/lockstepd'), ['--source', source], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, LOCKSTEP_LOG: process.env['LOCKSTEP_LOG'] ?? 'error' },
    // Its own process group: Ctrl-C reaches us, and we end it in order.
    detached: true,
  });
}

/** Live table on a terminal; elsewhere, the events as lines. */
async function showProgress(): Promise<number> {
  const events = process.stdout.isTTY ? undefined : spawn(LOCKSTEP, ['events', '--follow'], { stdio: ['ignore', 'inherit', 'ignore'] });
  const wait = spawn(LOCKSTEP, ['status', '--wait', '--timeout', '20m'], { stdio: 'inherit' });
  const code = await new Promise<number>((resolve) => wait.once('exit', (status) => resolve(status ?? 1)));
  events?.kill();
  return code;
}

async function daemonAnswers(daemon: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 600 && daemon.exitCode === null && daemon.signalCode === null; tries++) {
    if (existsSync(SOCKET) && (await answers())) return true;
    await sleep(100);
  }
  return false;
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: SOCKET, path: '/healthz' }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

function printWhatToTry(): void {
  const { stdout } = spawnSync(LOCKSTEP, ['status', '-o', 'json'], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const status = JSON.parse(stdout) as DaemonStatus;
  const web = status.objects.find((object) => object.ref.kind === 'Instance' && object.ref.name === 'web');
  const addresses = web?.details['addresses'];
  const address = Array.isArray(addresses) ? String(addresses[0] ?? '').split('/', 1)[0] : undefined;
  const lines = [
    ...(address === undefined ? [] : [`  curl http://${address}/                       the page that "web" serves`]),
    '  bin/lockstep status                           everything at a glance',
    '  bin/lockstep exec debian -- cat /etc/motd     what cloud-init wrote',
    '  bin/lockstep describe web                     one object, its history and addresses',
    '  edit examples/manifests/50-web.yaml           changes apply when you save; `bin/lockstep plan` shows them first',
    '  npm run clean:examples                        removes everything again',
  ];
  process.stdout.write(`\nTry:\n${lines.join('\n')}\n`);
}

async function main(): Promise<number> {
  claimStateDir();
  const daemon = startDaemon();
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  const stop = (): void => void daemon.kill('SIGTERM');
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  if (!(await daemonAnswers(daemon))) {
    stop();
    await ended;
    process.stderr.write('npm start: the daemon did not come up; its message is above.\n');
    return 1;
  }
  const code = await showProgress();
  if (daemon.exitCode === null && daemon.signalCode === null) printWhatToTry();
  if (once) stop();
  else process.stdout.write('\nThe daemon runs in the foreground. Ctrl-C ends it; the containers keep running.\n');
  await ended;
  return once ? code : 0;
}

process.exitCode = await main();
