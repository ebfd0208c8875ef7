import assert from 'node:assert/strict';
import { test } from 'node:test';
import { haltSignals, isListening } from '../../../../src/host/lxc/listening.ts';

test('the signal of a shutdown is what the configuration says, or one of those liblxc chooses from', () => {
  assert.deepEqual(haltSignals('lxc.uts.name = a\nlxc.signal.halt = SIGINT\n'), [2]);
  assert.deepEqual(haltSignals('lxc.signal.halt = SIGRTMIN+3\n'), [37]);
  assert.deepEqual(haltSignals('lxc.signal.reboot = SIGINT\n'), [30, 37]);
  assert.deepEqual(haltSignals('lxc.signal.halt = SIGNOTHING\n'), []);
});

test('an init listens when it catches one of them, or blocks it to read it later', () => {
  const status = (caught: string, blocked: string): string =>
    `Name:\tinit\nSigBlk:\t${blocked}\nSigIgn:\t0000000180000000\nSigCgt:\t${caught}\n`;
  const none = '0000000000000000';
  assert.equal(isListening(status(none, none), [2]), false);
  assert.equal(isListening(status('0000000000000002', none), [2]), true);
  assert.equal(isListening(status('0000000000080000', none), [2]), false);
  // busybox init once it has begun; systemd reads its signals from a signalfd(2), for which they are blocked.
  assert.equal(isListening(status('0000000000080000', '0000000020014a07'), [2]), true);
  assert.equal(isListening(status('00000000000004ec', '7fefc1fe28014a03'), [30, 37]), true);
  assert.equal(isListening('', [2]), false);
});
