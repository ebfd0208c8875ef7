// Removes what a daemon left on this host. Usage:
//   clean-host.ts PREFIX ROOT...    everything of that prefix, and these directories (state, run)
//   clean-host.ts --examples        what `npm start` made
import { existsSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { checkPrefix } from '../src/core/names.ts';
import { EXAMPLES_MARK, EXAMPLES_STATE_DIR } from './examples-state.ts';
import { removeTraces } from './remove-traces.ts';

const USAGE = 'Usage: clean-host.ts PREFIX ROOT... | --examples';

function fail(message: string): never {
  process.stderr.write(`clean-host: ${message}\n`);
  process.exit(1);
}

/** Not a typing mistake that removes a system directory. */
function checkRoot(path: string): string {
  const root = normalize(path).replace(/\/+$/, '');
  if (!isAbsolute(root) || root.split('/').length < 3) fail(`"${path}" must be an absolute path, at least two directories deep.`);
  return root;
}

const [first, ...rest] = process.argv.slice(2);
if (process.getuid?.() !== 0) fail('this needs root.');
if (first === '--examples') {
  if (!existsSync(EXAMPLES_STATE_DIR)) {
    process.stdout.write('There is nothing of the examples on this host.\n');
  } else if (existsSync(join(EXAMPLES_STATE_DIR, EXAMPLES_MARK))) {
    await removeTraces({ prefix: 'ls', roots: [EXAMPLES_STATE_DIR, '/run/lockstep'] });
    process.stdout.write(`Removed the examples: containers, networks, pools, and ${EXAMPLES_STATE_DIR}.\n`);
  } else {
    fail(`${EXAMPLES_STATE_DIR} was not made by "npm start"; nothing is removed.`);
  }
} else if (first === undefined || rest.length === 0) {
  fail(USAGE);
} else {
  await removeTraces({ prefix: checkPrefix(first), roots: rest.map(checkRoot) });
}
