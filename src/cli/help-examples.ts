// Examples shown by `lockstep COMMAND --help`. A test asks for some of every command, and that each names a command and options there are.

/** What one types, and what it is for. */
export type HelpExample = readonly [line: string, meaning: string];

export const HELP_EXAMPLES: Readonly<Record<string, readonly HelpExample[]>> = {
  validate: [
    ['lockstep validate manifests/', 'everything below a directory'],
    ['lockstep validate --changed-since origin/main manifests/', 'only what came since then'],
    ['lockstep validate --format github manifests/', 'notes on the lines of a pull request'],
    ['lockstep validate - < web.yaml', 'from stdin'],
  ],
  convert: [
    ['lxc config show web | lockstep convert --name web - > web.yaml', 'an instance of LXD'],
    ['incus admin init --dump | lockstep convert - > host.yaml', 'pools, networks and profiles of Incus'],
    ['lockstep convert --to lxd profile.yaml | lxc profile edit default', 'and back'],
  ],
  plan: [
    ['lockstep plan', 'what the daemon is about to do'],
    ['lockstep plan web.yaml', 'what "apply web.yaml" would change'],
    ['lockstep plan web.yaml --out web.plan', 'save it, to put exactly that into effect with "lockstep apply web.plan"'],
    ['lockstep plan --source shop --prune manifests/', 'as the whole content of a stored source'],
    ['lockstep plan --format markdown manifests/', 'as a comment on a pull request'],
  ],
  diff: [
    ['lockstep diff', 'what on the host differs from what is declared'],
    ['lockstep diff --of web', 'of one object'],
    ['lockstep diff web.yaml', 'what "apply web.yaml" would change'],
  ],
  apply: [
    ['lockstep apply web.yaml --wait', 'store the objects, and wait until they are ready'],
    ['lockstep apply --source shop --prune manifests/', 'make a directory the whole content of a stored source'],
    ['lockstep apply web.plan', 'put a saved plan into effect'],
  ],
  status: [
    ['lockstep status', 'the daemon and all objects'],
    ['lockstep status --wait --timeout 10m', 'until everything is ready; exit code 3 when the time is up'],
    ['lockstep status web -o json', 'one object, for scripts'],
  ],
  get: [
    ['lockstep get instances', 'with state, addresses and image'],
    ['lockstep get pool fast -o json', 'one object, for scripts'],
  ],
  describe: [
    ['lockstep describe web', 'conditions, last error, live facts, history'],
    ['lockstep describe --merged web manifests/', 'its values after the profiles are merged, and where each is from'],
  ],
  why: [['lockstep why web', 'what it waits for, down to the cause']],
  history: [['lockstep history web', 'what was done to it, when, and how long that took']],
  explain: [
    ['lockstep explain instance.config.limits.memory', 'type, unit, default, and how a change lands'],
    ['lockstep explain nic', 'all options of a device type'],
    ['lockstep explain limits.cpu --of web', 'the value an object has, and where it is from'],
  ],
  events: [
    ['lockstep events', 'the newest'],
    ['lockstep events --follow -o json | jq .message', 'as they come, one JSON document a line'],
  ],
  audit: [
    ['lockstep audit', 'who changed what, and why'],
    ['lockstep audit verify', 'check that nothing was taken out or changed'],
  ],
  sync: [['lockstep sync --source main --wait', 'read a source now, and wait until everything is ready']],
  confirm: [
    ['lockstep confirm', 'what waits for a person'],
    ['lockstep confirm main --yes', 'agree to what a source would delete, without being asked'],
  ],
  delete: [['lockstep delete instance/web', 'an object made with "apply"']],
  undelete: [
    ['lockstep undelete', 'what can be brought back'],
    ['lockstep undelete web', 'as it was when it was deleted last'],
    ['lockstep undelete web --tombstone fast/0199c2a0-7b1e-7000-8000-5f0c4b6a9d21.1764165000000', 'with a former root volume'],
  ],
  purge: [['lockstep purge web', 'remove what is kept of a deleted object for good']],
  source: [
    ['lockstep source list', 'where manifests come from, and their state'],
    ['lockstep source forget old --keep', 'a source is gone; its objects stay'],
  ],
  exec: [
    ['lockstep exec web -- systemctl status nginx', 'run a command; its exit code is ours'],
    ['lockstep exec web -t -- sh', 'with a terminal'],
    ['lockstep exec web --user 1000:1000 --env LANG --cwd /srv -- make', 'as somebody, somewhere'],
  ],
  doctor: [['lockstep doctor --state-dir /srv/lockstep', 'check a host before the daemon is set up']],
  'host-shutdown': [
    ['lockstep host-shutdown', 'stop all instances in order; nothing is started until the next boot'],
    ['lockstep host-shutdown --cancel', 'the host stays up after all'],
  ],
  version: [['lockstep version -o json', 'for scripts']],
};

/** Undefined when there is none. */
export function examplesText(command: string): string | undefined {
  const examples = Object.hasOwn(HELP_EXAMPLES, command) ? HELP_EXAMPLES[command] : undefined;
  if (examples === undefined) return undefined;
  return ['', 'Examples:', ...examples.flatMap(([line, meaning]) => [`  # ${meaning}`, `  ${line}`])].join('\n');
}
