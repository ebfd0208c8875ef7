// What the comparison with LXD and Incus leaves on this host: nothing.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcesses, ownMountNamespace } from '../../scripts/compare-lxd/left-processes.ts';
import { needsRoot } from './harness.ts';

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

test(
  'what a peer started is ended with it: by its mount namespace, and by its directory; nobody else is',
  { skip: needsRoot },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-peer-'));
    const started: ChildProcess[] = [];
    const start = (...argv: string[]): ChildProcess => {
      const child = spawn(argv[0]!, argv.slice(1), { stdio: 'ignore', detached: true });
      started.push(child);
      return child;
    };
    t.after(() => {
      // Each leads a group of its own, with what it has started.
      for (const { pid } of started) {
        try {
          process.kill(-pid!, 'SIGKILL');
        } catch {
          // all of it has ended
        }
      }
      rmSync(directory, { recursive: true });
    });
    const daemon = start('unshare', '--mount', '--propagation', 'private', 'sh', '-c', 'setsid sleep 300 & exec sleep 301');
    const here = readlinkSync('/proc/self/ns/mnt');
    while (readlinkSync(`/proc/${daemon.pid!}/ns/mnt`) === here) await sleep(5);
    const namespace = ownMountNamespace(daemon.pid!);
    assert.ok(namespace !== undefined);
    const named = start('sh', '-c', 'sleep 302; true', 'dnsmasq', `--pid-file=${directory}/networks/br0/dnsmasq.pid`);
    const neighbour = start('sh', '-c', 'sleep 303; true', `--pid-file=${directory}2/dnsmasq.pid`);
    const other = start('unshare', '--mount', 'sleep', '304');
    assert.deepEqual(await endProcesses({ directory, namespace }, 10_000), []);
    while (!hasEnded(daemon) || !hasEnded(named)) await sleep(5);
    assert.equal(hasEnded(neighbour), false);
    assert.equal(hasEnded(other), false);
    assert.equal(ownMountNamespace(process.pid), undefined, 'of a daemon in our own namespace, only its directory tells');
  },
);
