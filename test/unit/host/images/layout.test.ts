import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import type { Entry } from '../../../../src/host/images/tarball/entry.ts';
import { checkEntry, startLayout } from '../../../../src/host/images/tarball/layout.ts';

function entry(name: string, type = '0', link = '', storedBytes = 0): Entry {
  return { name, type, link, storedBytes, fileBytes: storedBytes };
}

/** Message of the refusal of the last entry, or undefined when all are taken. */
function refusal(...entries: Entry[]): string | undefined {
  const layout = startLayout();
  for (const [at, one] of entries.entries()) {
    try {
      checkEntry(layout, one);
    } catch (error) {
      assert.ok(error instanceof AppError && error.code === 'IMAGE_INVALID');
      assert.equal(at, entries.length - 1, `only the last entry is refused, not ${one.name}`);
      return error.message;
    }
  }
  return undefined;
}

test('an ordinary tree is taken, with its paths in one form', () => {
  const layout = startLayout();
  assert.equal(checkEntry(layout, entry('./', '5')), '');
  assert.equal(checkEntry(layout, entry('./rootfs/', '5')), 'rootfs');
  assert.equal(checkEntry(layout, entry('./rootfs//bin/./sh', '0', '', 10)), 'rootfs/bin/sh');
  assert.equal(checkEntry(layout, entry('rootfs/bin/ash', '1', './rootfs/bin/sh')), 'rootfs/bin/ash');
  assert.equal(checkEntry(layout, entry('rootfs/etc/mtab', '2', '/proc/self/mounts')), 'rootfs/etc/mtab');
  assert.equal(checkEntry(layout, entry('rootfs/dev/null', '3')), 'rootfs/dev/null');
  assert.equal(checkEntry(layout, entry('rootfs/run/fifo', '6')), 'rootfs/run/fifo');
});

test('names that leave the archive are refused', () => {
  for (const name of ['/etc/passwd', '../x', 'a/../../x', 'a/..', './../x']) assert.ok(refusal(entry(name)), name);
  assert.ok(refusal(entry('x'.repeat(5000))));
  assert.ok(refusal(entry('')));
});

test('nothing passes through a symbolic link of the archive', () => {
  assert.match(refusal(entry('a', '2', '/etc'), entry('a/passwd')) ?? '', /passes through the symbolic link "a"/);
  assert.ok(refusal(entry('a', '5'), entry('a/b', '2', '..'), entry('a/b/c/d')));
  assert.ok(refusal(entry('a', '5'), entry('a', '2', '/etc'), entry('a/passwd')));
  assert.ok(refusal(entry('a', '2', '/etc/passwd'), entry('a')), 'nor is it written over');
  assert.ok(refusal(entry('a'), entry('a', '2', '/etc')), 'nor does it replace a file');
});

test('hard links lead to files of the archive only', () => {
  assert.ok(refusal(entry('a', '1', '/etc/shadow')));
  assert.ok(refusal(entry('a', '1', '../../etc/shadow')));
  assert.ok(refusal(entry('a', '1', 'later')));
  assert.ok(refusal(entry('l', '2', '/etc'), entry('h', '1', 'l'), entry('h/passwd')), 'a second name of a link is a link');
});

test('device nodes outside /dev, unknown types and data where none belongs are refused', () => {
  assert.match(refusal(entry('rootfs/etc/sda', '4')) ?? '', /device node/);
  assert.ok(refusal(entry('rootfs/mydev/null', '3')));
  assert.ok(refusal(entry('a', 'M')));
  assert.ok(refusal(entry('a', '5', '', 512)));
  assert.ok(refusal(entry('a', '2', 'b', 512)));
});

test('messages show names without control characters', () => {
  const message = refusal(entry('../\u001b[31mred\n'));
  assert.ok(message !== undefined && !message.includes('\u001b') && !message.includes('\n'));
});
